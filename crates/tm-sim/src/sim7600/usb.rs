//! The module as a USB device in a tree of files: what the kernel shows of it, in each composition.
//!
//! ```text
//! sys/bus/usb/devices/1-1.3 -> sys/devices/platform/usb1/1-1.3     idVendor, idProduct, serial, devnum, authorized
//! sys/bus/usb/devices/1-1.3:1.2 -> …/1-1.3/1-1.3:1.2               bInterfaceNumber, bInterfaceClass, …, driver
//! sys/class/tty/ttyUSB2 -> …/1-1.3:1.2/ttyUSB2/tty/ttyUSB2         device -> ../..
//! sys/class/net/wwan0, sys/class/usbmisc/cdc-wdm0
//! sys/bus/usb/drivers/usb/{bind,unbind}, sys/bus/usb-serial/drivers/option1/new_id
//! dev/ttyUSB2 -> a PTY
//! ```

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{config::Composition, ports::Line};

/// One interface: class, subclass, protocol, driver, and what it is for.
struct Interface {
    class: [&'static str; 3],
    driver: Option<&'static str>,
    part: Part,
}

#[derive(Clone, Copy)]
enum Part {
    Serial(Line),
    /// The network device and its control, of QMI and MBIM.
    Wireless,
    /// The network device alone.
    Ethernet,
    /// The second half of the one before.
    Data,
}

const fn interface(
    class: [&'static str; 3],
    driver: Option<&'static str>,
    part: Part,
) -> Interface {
    Interface {
        class,
        driver,
        part,
    }
}

const DIAGNOSTICS: Interface = interface(
    ["ff", "ff", "ff"],
    Some("option"),
    Part::Serial(Line::Silent),
);
const NMEA: Interface = interface(["ff", "00", "00"], Some("option"), Part::Serial(Line::Nmea));
const AT: Interface = interface(["ff", "00", "00"], Some("option"), Part::Serial(Line::At));
const MODEM: Interface = interface(
    ["ff", "00", "00"],
    Some("option"),
    Part::Serial(Line::Modem),
);
const AUDIO: Interface = interface(
    ["ff", "00", "00"],
    Some("option"),
    Part::Serial(Line::Silent),
);
const QMI: Interface = interface(["ff", "ff", "ff"], Some("qmi_wwan"), Part::Wireless);
const MBIM: Interface = interface(["02", "0e", "00"], Some("cdc_mbim"), Part::Wireless);
const MBIM_DATA: Interface = interface(["0a", "00", "02"], Some("cdc_mbim"), Part::Data);
const RNDIS: Interface = interface(["02", "02", "ff"], Some("rndis_host"), Part::Ethernet);
const RNDIS_DATA: Interface = interface(["0a", "00", "00"], Some("rndis_host"), Part::Data);
const ECM: Interface = interface(["02", "06", "00"], Some("cdc_ether"), Part::Ethernet);
const ECM_DATA: Interface = interface(["0a", "00", "00"], Some("cdc_ether"), Part::Data);

/// In order of their numbers (AT Command Manual V1.12, 4.23; kernel messages of each).
fn interfaces(composition: Composition) -> &'static [Interface] {
    match composition {
        Composition::Qmi => &[DIAGNOSTICS, NMEA, AT, MODEM, AUDIO, QMI],
        Composition::Mbim => &[DIAGNOSTICS, NMEA, AT, MODEM, AUDIO, MBIM, MBIM_DATA],
        Composition::Rndis => &[RNDIS, RNDIS_DATA, DIAGNOSTICS, NMEA, AT, MODEM, AUDIO],
        Composition::Ecm => &[DIAGNOSTICS, NMEA, AT, MODEM, AUDIO, ECM, ECM_DATA],
    }
}

/// Where the module is in a tree of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbPaths {
    /// What stands for `/sys`.
    pub sys: PathBuf,
    /// What stands for `/dev`.
    pub dev: PathBuf,
    /// The USB device: its directory has `idVendor`, `authorized` and the rest.
    pub device: PathBuf,
    /// To be written with the socket's name: takes the device from its driver.
    pub unbind: PathBuf,
    /// To be written with the socket's name: gives it back.
    pub bind: PathBuf,
    /// To be written with `1e0e 9018`: the serial driver takes the composition that it does not know.
    pub new_id: PathBuf,
}

impl UsbPaths {
    pub(super) fn new(root: &Path, socket: &str) -> Self {
        let sys = root.join("sys");
        let drivers = sys.join("bus/usb/drivers/usb");
        Self {
            device: sys.join("bus/usb/devices").join(socket),
            unbind: drivers.join("unbind"),
            bind: drivers.join("bind"),
            new_id: sys.join("bus/usb-serial/drivers/option1/new_id"),
            dev: root.join("dev"),
            sys,
        }
    }
}

/// What somebody wrote into the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// The device is taken from its driver.
    Release,
    /// It is given back.
    Take,
    /// The serial driver knows another product.
    NewId,
}

/// The device in its tree; what it made is removed with it.
#[derive(Debug)]
pub(super) struct UsbDevice {
    paths: UsbPaths,
    socket: String,
    /// Whether the drivers have it.
    is_taken: bool,
    /// Whether `authorized` was 0 at the last look.
    is_refused: bool,
    has_new_id: bool,
    /// What to remove when the interfaces go, and when the device goes.
    interface_links: Vec<PathBuf>,
    device_directory: PathBuf,
}

impl UsbDevice {
    pub(super) fn new(root: &Path, socket: &str) -> io::Result<Self> {
        let paths = UsbPaths::new(root, socket);
        for directory in [
            "bus/usb/devices",
            "class/tty",
            "class/net",
            "class/usbmisc",
            "devices/platform/usb1",
        ] {
            fs::create_dir_all(paths.sys.join(directory))?;
        }
        fs::create_dir_all(&paths.dev)?;
        for file in [&paths.unbind, &paths.bind, &paths.new_id] {
            if let Some(directory) = file.parent() {
                fs::create_dir_all(directory)?;
            }
            fs::write(file, "")?;
        }
        let device_directory = paths.sys.join("devices/platform/usb1").join(socket);
        Ok(Self {
            paths,
            socket: socket.to_owned(),
            is_taken: false,
            is_refused: false,
            has_new_id: false,
            interface_links: Vec::new(),
            device_directory,
        })
    }

    /// Makes device and interfaces; the ports to be served, with the paths of their nodes.
    pub(super) fn show(
        &mut self,
        composition: Composition,
        n_enumerations: u64,
    ) -> io::Result<Vec<(Line, PathBuf)>> {
        self.release();
        self.is_taken = true;
        fs::metadata(&self.paths.sys)?;
        let list = interfaces(composition);
        fs::create_dir_all(&self.device_directory)?;
        for (name, text) in [
            ("idVendor", "1e0e"),
            ("idProduct", &composition.product().to_ascii_lowercase()),
            ("manufacturer", "SimTech, Incorporated"),
            ("product", "SimTech, Incorporated"),
            ("serial", "0123456789ABCDEF"),
            ("bcdDevice", "0318"),
            ("speed", "480"),
            ("busnum", "1"),
            ("bNumInterfaces", &format!("{:2}", list.len())),
            ("devnum", &(2 + n_enumerations).to_string()),
            ("authorized", "1"),
        ] {
            fs::write(self.device_directory.join(name), format!("{text}\n"))?;
        }
        link(&self.device_directory, &self.paths.device)?;
        // The kernel gives the lowest free numbers; whoever still holds the old ones open keeps them in use.
        let first = if n_enumerations.is_multiple_of(2) {
            5
        } else {
            0
        };
        let mut next_tty = first;
        let mut nodes = Vec::new();
        for (number, interface) in list.iter().enumerate() {
            let node = self.interface(
                number,
                interface,
                composition,
                &mut next_tty,
                n_enumerations,
            )?;
            nodes.extend(node);
        }
        Ok(nodes)
    }

    fn interface(
        &mut self,
        number: usize,
        interface: &Interface,
        composition: Composition,
        next_tty: &mut u64,
        n_enumerations: u64,
    ) -> io::Result<Option<(Line, PathBuf)>> {
        let name = format!("{}:1.{number}", self.socket);
        let directory = self.device_directory.join(&name);
        fs::create_dir_all(&directory)?;
        let [class, subclass, protocol] = interface.class;
        for (file, text) in [
            ("bInterfaceNumber", format!("{number:02x}")),
            ("bInterfaceClass", class.to_owned()),
            ("bInterfaceSubClass", subclass.to_owned()),
            ("bInterfaceProtocol", protocol.to_owned()),
            ("bAlternateSetting", " 0".to_owned()),
        ] {
            fs::write(directory.join(file), format!("{text}\n"))?;
        }
        let listed = self.paths.sys.join("bus/usb/devices").join(&name);
        self.linked(&directory, listed)?;
        // `option` has no entry for this product (kernel, drivers/usb/serial/option.c).
        let is_known = !matches!(interface.part, Part::Serial(_))
            || composition != Composition::Ecm
            || self.has_new_id;
        let Some(driver) = interface.driver.filter(|_| is_known) else {
            return Ok(None);
        };
        let driver = self.paths.sys.join("bus/usb/drivers").join(driver);
        fs::create_dir_all(&driver)?;
        symlink(&driver, directory.join("driver"))?;
        match interface.part {
            Part::Serial(line) => {
                let name = format!("ttyUSB{next_tty}");
                *next_tty += 1;
                let port = directory.join(&name);
                let tty = port.join("tty").join(&name);
                fs::create_dir_all(&tty)?;
                fs::write(tty.join("dev"), format!("188:{}\n", *next_tty - 1))?;
                symlink(&port, tty.join("device"))?;
                self.linked(&tty, self.paths.sys.join("class/tty").join(&name))?;
                return Ok(Some((line, self.paths.dev.join(name))));
            }
            Part::Wireless => {
                let index = (n_enumerations + 1) % 2;
                self.class(&directory, "usbmisc", &format!("cdc-wdm{index}"))?;
                self.class(&directory, "net", &format!("wwan{index}"))?;
            }
            Part::Ethernet => self.class(&directory, "net", "usb0")?,
            Part::Data => {}
        }
        Ok(None)
    }

    fn class(&mut self, interface: &Path, class: &str, name: &str) -> io::Result<()> {
        let directory = interface.join(class).join(name);
        fs::create_dir_all(&directory)?;
        symlink(interface, directory.join("device"))?;
        self.linked(
            &directory,
            self.paths.sys.join("class").join(class).join(name),
        )
    }

    fn linked(&mut self, target: &Path, path: PathBuf) -> io::Result<()> {
        link(target, &path)?;
        self.interface_links.push(path);
        Ok(())
    }

    /// The interfaces go, the device stays.
    pub(super) fn release(&mut self) {
        self.is_taken = false;
        for path in self.interface_links.drain(..) {
            let _ = fs::remove_file(path);
        }
        let prefix = format!("{}:", self.socket);
        let entries = fs::read_dir(&self.device_directory)
            .into_iter()
            .flatten()
            .flatten();
        for entry in entries {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// The device goes.
    pub(super) fn hide(&mut self) {
        self.release();
        let _ = fs::remove_file(&self.paths.device);
        let _ = fs::remove_dir_all(&self.device_directory);
    }

    /// What was written since the last look.
    pub(super) fn request(&mut self) -> Option<Request> {
        if take(&self.paths.new_id).is_some_and(|id| id.eq_ignore_ascii_case("1e0e 9018")) {
            self.has_new_id = true;
            return Some(Request::NewId);
        }
        let authorized = fs::read_to_string(self.device_directory.join("authorized")).ok();
        let authorized = authorized.as_deref().map(str::trim);
        let names_us = |path: &Path| take(path).is_some_and(|name| name == self.socket);
        let (unbind, bind) = (names_us(&self.paths.unbind), names_us(&self.paths.bind));
        let is_refused = authorized == Some("0");
        let was_refused = std::mem::replace(&mut self.is_refused, is_refused);
        if self.is_taken && (unbind || is_refused) {
            Some(Request::Release)
        } else if !self.is_taken && (bind || was_refused && !is_refused) {
            Some(Request::Take)
        } else {
            None
        }
    }
}

impl Drop for UsbDevice {
    fn drop(&mut self) {
        self.hide();
    }
}

/// The trimmed text of a file that is emptied by that; nothing when it was empty.
fn take(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let _ = fs::write(path, "");
    Some(text.to_owned())
}

fn link(target: &Path, path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => symlink(target, path),
    }
}
