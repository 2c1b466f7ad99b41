//! The twin on a real bus, with names and their owners. Needs `dbus-daemon`, so it is no part of `cargo test
//! --workspace`: `cargo test -p tm-sim --features on-a-bus --test on_a_bus`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{process::Command, time::Duration};

use tm_sim::modem_manager::{
    ManagerConfig, ModemManagerTwin, NETWORK_MANAGER, PrivateBus, SERVICE, Scenario,
};
use tokio::time::timeout;
use zbus::{
    Connection,
    fdo::DBusProxy,
    names::{BusName, OwnedUniqueName},
};

const DEADLINE: Duration = Duration::from_secs(10);

async fn bus(directory: &tempfile::TempDir) -> PrivateBus {
    PrivateBus::start(directory.path())
        .await
        .unwrap()
        .expect("dbus-daemon is installed")
}

async fn owner(connection: &Connection, name: &str) -> Option<OwnedUniqueName> {
    let bus = DBusProxy::new(connection).await.unwrap();
    bus.get_name_owner(BusName::try_from(name).unwrap())
        .await
        .ok()
}

async fn until_owned(connection: &Connection, name: &str, is_owned: bool) {
    let wait = async {
        while owner(connection, name).await.is_some() != is_owned {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(DEADLINE, wait).await.is_ok(), "{name}: {is_owned}");
}

#[tokio::test]
async fn names_come_and_go_with_the_services() {
    let directory = tempfile::tempdir().unwrap();
    let bus = bus(&directory).await;
    let client = bus.connect().await.unwrap();
    let twin = ModemManagerTwin::start(bus.connect().await.unwrap(), ManagerConfig::default())
        .await
        .unwrap();
    until_owned(&client, SERVICE, true).await;
    until_owned(&client, NETWORK_MANAGER, true).await;
    twin.handle().play(Scenario::ManagerAbsent);
    until_owned(&client, SERVICE, false).await;
    let call = client.call_method(
        Some(SERVICE),
        "/org/freedesktop/ModemManager1",
        Some("org.freedesktop.DBus.Peer"),
        "Ping",
        &(),
    );
    let error = call.await.unwrap_err().to_string();
    assert!(error.contains("ServiceUnknown"), "{error}");
    twin.handle().play(Scenario::Normal);
    until_owned(&client, SERVICE, true).await;
    twin.handle().play(Scenario::ManagerRestarted);
    until_owned(&client, SERVICE, false).await;
    until_owned(&client, SERVICE, true).await;
    twin.handle().play(Scenario::NetworkManagerAbsent);
    until_owned(&client, NETWORK_MANAGER, false).await;
}

/// Where it is installed, ModemManager's own client takes the twin for the real one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_client_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let bus = bus(&directory).await;
    let config = ManagerConfig {
        action_time: Duration::from_millis(1),
        ..ManagerConfig::default()
    };
    let twin = ModemManagerTwin::start(bus.connect().await.unwrap(), config)
        .await
        .unwrap();
    twin.handle().receive_sms("Vodafone", "hello");
    let address = bus.address().to_owned();
    let ask = move |arguments: &'static [&'static str]| {
        let mut command = Command::new("mmcli");
        command
            .args(arguments)
            .env("DBUS_SYSTEM_BUS_ADDRESS", &address);
        async move {
            let answer = tokio::task::spawn_blocking(move || command.output())
                .await
                .unwrap();
            answer.ok().map(|answer| {
                let all = [answer.stdout, answer.stderr].concat();
                String::from_utf8_lossy(&all).into_owned()
            })
        }
    };
    if ask(&["--version"]).await.is_none() {
        return;
    }
    for (arguments, expected) in [
        (
            &["-L"][..],
            "/org/freedesktop/ModemManager1/Modem/0 [QUALCOMM INCORPORATED] SIMCOM_SIM7600G-H",
        ),
        (
            &["-m", "any", "-K"],
            "modem.generic.state                             : connected",
        ),
        (&["-m", "any", "--signal-setup=5"], "Successfully"),
        (&["-m", "any", "--signal-get"], "rsrp: -92.00 dBm"),
        (&["-m", "any", "--location-get"], "operator mcc: 255"),
        (
            &["-m", "any", "--messaging-list-sms"],
            "/org/freedesktop/ModemManager1/SMS/0 (received)",
        ),
        (&["-s", "0"], "text: hello"),
        (
            &["-m", "any", "--3gpp-ussd-initiate=*100#"],
            "Balance 152.40 UAH",
        ),
        (&["-m", "any", "--command=AT+CPMUTEMP"], "+CPMUTEMP: 38"),
        (&["-m", "any", "--time"], "+02:00"),
        (&["-b", "0"], "address: 10.64.12.34"),
        (&["-i", "0"], "iccid: 8938001000000000001"),
        (
            &["-m", "any", "--simple-disconnect"],
            "successfully disconnected",
        ),
        (&["-m", "any", "--reset"], "successfully reseted"),
    ] {
        let answer = ask(arguments).await.unwrap();
        assert!(answer.contains(expected), "{arguments:?}: {answer}");
    }
}
