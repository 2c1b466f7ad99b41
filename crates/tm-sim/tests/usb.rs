//! The simulated module as a USB device in a tree of files: real files, with deadlines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path, time::Duration};

use tm_sim::{
    Sim7600,
    sim7600::{Composition, Scenario, Sim7600Config, UsbPaths},
};
use tokio::time::{sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(10);

fn module(composition: Composition) -> Sim7600 {
    Sim7600::start(Sim7600Config {
        composition,
        outage: Duration::from_millis(50),
        boot_time: Duration::from_millis(40),
        ..Sim7600Config::default()
    })
}

/// The serial ports by interface number, as a client finds them: over the class, the port and its interface.
fn ports(paths: &UsbPaths) -> Vec<(String, String)> {
    let entries = fs::read_dir(paths.sys.join("class/tty")).unwrap();
    let mut ports: Vec<_> = entries
        .filter_map(|entry| {
            let tty = entry.unwrap().path();
            let port = fs::canonicalize(tty.join("device")).ok()?;
            let number = fs::read_to_string(port.parent()?.join("bInterfaceNumber")).ok()?;
            let name = tty.file_name()?.to_str()?.to_owned();
            Some((number.trim().to_owned(), name))
        })
        .collect();
    ports.sort();
    ports
}

fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(DEADLINE, wait).await.is_ok(), "{what}");
}

#[tokio::test]
async fn each_composition_has_its_layout() {
    for (composition, expected) in [
        (Composition::Qmi, &["00", "01", "02", "03", "04"][..]),
        (Composition::Mbim, &["00", "01", "02", "03", "04"]),
        (Composition::Rndis, &["02", "03", "04", "05", "06"]),
        (Composition::Ecm, &[]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let module = module(composition);
        let paths = module.on_usb(directory.path(), "1-1.3").await.unwrap();
        let numbers: Vec<_> = ports(&paths)
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(numbers, expected, "{composition:?}");
        assert_eq!(read(&paths.device.join("idVendor")), "1e0e");
        assert_eq!(read(&paths.device.join("idProduct")), composition.product());
        for (_, name) in ports(&paths) {
            assert!(paths.dev.join(name).exists());
        }
        let has_net = |name| paths.sys.join("class/net").join(name).exists();
        let is_wireless = matches!(composition, Composition::Qmi | Composition::Mbim);
        assert_eq!(
            (has_net("wwan0"), has_net("usb0")),
            (is_wireless, !is_wireless)
        );
        if composition == Composition::Ecm {
            fs::write(&paths.new_id, "1e0e 9018").unwrap();
            until("the ports that the driver was told of", || {
                ports(&paths).len() == 5
            })
            .await;
        }
    }
}

#[tokio::test]
async fn it_comes_back_with_other_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let module = module(Composition::Qmi);
    let paths = module.on_usb(directory.path(), "1-1.3").await.unwrap();
    let device_number = || read(&paths.device.join("devnum"));
    let (before, number) = (ports(&paths), device_number());
    assert_eq!(before[2], ("02".to_owned(), "ttyUSB2".to_owned()));
    module.handle().play(Scenario::BrownOutReset);
    until("it is gone", || {
        !paths.device.exists() && ports(&paths).is_empty()
    })
    .await;
    until("it is back", || ports(&paths).len() == 5).await;
    assert_eq!(ports(&paths)[2], ("02".to_owned(), "ttyUSB7".to_owned()));
    assert_ne!(device_number(), number);
    until("its nodes are there", || paths.dev.join("ttyUSB7").exists()).await;
    until("the old ones are not", || {
        !paths.dev.join("ttyUSB2").exists()
    })
    .await;
    module.handle().play(Scenario::Unplugged);
    until("it is gone", || !paths.device.exists()).await;
}

#[tokio::test]
async fn a_rebind_in_either_way_heals_what_it_is_for() {
    for by_authorization in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let module = module(Composition::Qmi);
        let paths = module.on_usb(directory.path(), "1-1.3").await.unwrap();
        let handle = module.handle();
        handle.play(Scenario::MuteUntilRebind);
        let (release, take) = if by_authorization {
            let file = paths.device.join("authorized");
            ((file.clone(), "0"), (file, "1"))
        } else {
            (
                (paths.unbind.clone(), "1-1.3"),
                (paths.bind.clone(), "1-1.3"),
            )
        };
        fs::write(release.0, release.1).unwrap();
        until("its ports are gone", || ports(&paths).is_empty()).await;
        assert!(paths.device.exists(), "the device is not");
        assert!(handle.status().is_mute && handle.status().is_on);
        fs::write(take.0, take.1).unwrap();
        until("its ports are back", || ports(&paths).len() == 5).await;
        let status = handle.wait_for(|status| status.is_present).await.unwrap();
        assert!(!status.is_mute && status.n_boots == 1, "{status:?}");
    }
}

#[tokio::test]
async fn a_new_composition_is_a_new_device() {
    use std::io::{Read as _, Write as _};
    let directory = tempfile::tempdir().unwrap();
    let module = module(Composition::Rndis);
    let paths = module.on_usb(directory.path(), "3-2").await.unwrap();
    let (_, name) = ports(&paths)
        .into_iter()
        .find(|(number, _)| number == "04")
        .unwrap();
    let node = paths.dev.join(name);
    let switch = tokio::task::spawn_blocking(move || {
        use std::os::unix::fs::OpenOptionsExt as _;
        // O_NOCTTY, as every serial library opens.
        let mut port = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(0o400)
            .open(node)
            .unwrap();
        port.write_all(b"ATE0\r").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"OK\r\n") {
            let mut byte = [0];
            port.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        port.write_all(b"AT+CUSBPIDSWITCH=9001,1,1\r").unwrap();
    });
    timeout(DEADLINE, switch).await.unwrap().unwrap();
    until("the other product", || {
        read(&paths.device.join("idProduct")) == "9001"
    })
    .await;
    until("its ports", || {
        ports(&paths).iter().any(|(number, _)| number == "00")
    })
    .await;
}
