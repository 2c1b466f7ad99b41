//! The twin over connections in memory, in paused time.

use std::{collections::HashMap, time::Duration};

use futures_util::StreamExt as _;
use tokio::time::timeout;
use zbus::{
    Connection, MatchRule, Message, MessageStream,
    fdo::ObjectManagerProxy,
    message::Type,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

use super::{
    ManagerConfig, ManagerHandle, ModemManagerTwin, SERVICE, Scenario, network, schema, show,
};
use crate::sim7600::UssdAnswer;

const DEADLINE: Duration = Duration::from_secs(30);
const MODEM: &str = "/org/freedesktop/ModemManager1/Modem/0";

struct Bench {
    twin: ModemManagerTwin,
    connection: Connection,
    /// Signals that have come since.
    signals: MessageStream,
}

impl Bench {
    async fn new(config: ManagerConfig) -> Self {
        let twin = ModemManagerTwin::new(config);
        let connection = twin.connect().await.unwrap();
        let rule = MatchRule::builder().msg_type(Type::Signal).build();
        let signals = MessageStream::for_match_rule(rule, &connection, Some(1000))
            .await
            .unwrap();
        Self {
            twin,
            connection,
            signals,
        }
    }

    async fn playing(scenario: Scenario) -> Self {
        let bench = Self::new(ManagerConfig::default()).await;
        bench.play(scenario).await;
        bench
    }

    fn handle(&self) -> ManagerHandle {
        self.twin.handle()
    }

    async fn play(&self, scenario: Scenario) {
        self.handle().play(scenario);
        self.handle().settled().await;
    }

    /// Waits for what comes by itself.
    async fn wait(&self) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.handle().settled().await;
    }

    async fn call<B>(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) -> Result<Message, String>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let call = self
            .connection
            .call_method(Some(SERVICE), path, Some(interface), member, body);
        match timeout(DEADLINE, call).await.expect("an answer in time") {
            Ok(reply) => Ok(reply),
            Err(zbus::Error::MethodError(name, ..)) => Err(name.to_string()),
            Err(error) => panic!("{path} {member}: {error}"),
        }
    }

    async fn modem<B>(&self, member: &str, body: &B) -> Result<Message, String>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let path = self.modem_path().await;
        self.call(&path, "org.freedesktop.ModemManager1.Modem", member, body)
            .await
    }

    async fn objects(&self) -> HashMap<OwnedObjectPath, Interfaces> {
        let manager = ObjectManagerProxy::builder(&self.connection);
        let manager = manager
            .destination(SERVICE)
            .unwrap()
            .path(show::ROOT)
            .unwrap()
            .build()
            .await
            .unwrap();
        let objects = manager.get_managed_objects().await.unwrap_or_default();
        let interfaces = |all: HashMap<_, HashMap<String, OwnedValue>>| {
            all.into_iter()
                .map(|(name, properties): (zbus::names::OwnedInterfaceName, _)| {
                    (name.to_string(), properties)
                })
                .collect()
        };
        objects
            .into_iter()
            .map(|(path, all)| (path, interfaces(all)))
            .collect()
    }

    async fn modem_paths(&self) -> Vec<String> {
        let prefix = format!("{}/Modem/", show::ROOT);
        let paths = self
            .objects()
            .await
            .into_keys()
            .map(|path| path.to_string());
        let mut paths: Vec<String> = paths.filter(|path| path.starts_with(&prefix)).collect();
        paths.sort();
        paths
    }

    async fn modem_path(&self) -> String {
        self.modem_paths()
            .await
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    async fn get(&self, path: &str, interface: &str, name: &str) -> Result<OwnedValue, String> {
        let reply = self
            .call(
                path,
                "org.freedesktop.DBus.Properties",
                "Get",
                &(interface, name),
            )
            .await?;
        Ok(reply.body().deserialize::<OwnedValue>().unwrap())
    }

    async fn number(&self, name: &str) -> i64 {
        let path = self.modem_path().await;
        let interface = if name == "RegistrationState" {
            "org.freedesktop.ModemManager1.Modem.Modem3gpp"
        } else {
            "org.freedesktop.ModemManager1.Modem"
        };
        match &*self.get(&path, interface, name).await.unwrap() {
            Value::I32(value) => i64::from(*value),
            Value::U32(value) => i64::from(*value),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Path and member of every signal that came until now.
    async fn signals(&mut self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        while let Ok(Some(Ok(message))) =
            timeout(Duration::from_millis(1), self.signals.next()).await
        {
            let header = message.header();
            all.push((
                header.path().unwrap().to_string(),
                header.member().unwrap().to_string(),
            ));
        }
        all
    }

    async fn network(&self, path: &str, interface: &str, name: &str) -> OwnedValue {
        self.get(path, interface, name).await.unwrap()
    }

    async fn connectivity(&self) -> u32 {
        let value = self
            .network(network::ROOT, super::NETWORK_MANAGER, "Connectivity")
            .await;
        u32::try_from(value).unwrap()
    }
}

type Interfaces = HashMap<String, HashMap<String, OwnedValue>>;

#[tokio::test(start_paused = true)]
async fn every_object_offers_what_the_real_one_told_of_itself() {
    let bench = Bench::new(ManagerConfig::default()).await;
    bench.handle().receive_sms("1500", "hello");
    bench.handle().settled().await;
    for (path, recorded) in [
        (show::ROOT, include_str!("introspection/manager.xml")),
        (MODEM, include_str!("introspection/modem.xml")),
        (
            "/org/freedesktop/ModemManager1/SIM/0",
            include_str!("introspection/sim.xml"),
        ),
        (
            "/org/freedesktop/ModemManager1/Bearer/0",
            include_str!("introspection/bearer.xml"),
        ),
        (
            "/org/freedesktop/ModemManager1/SMS/0",
            include_str!("introspection/sms.xml"),
        ),
        (
            network::ROOT,
            include_str!("introspection/network_manager.xml"),
        ),
        (
            "/org/freedesktop/NetworkManager/Devices/3",
            include_str!("introspection/network_device.xml"),
        ),
        (
            "/org/freedesktop/NetworkManager/ActiveConnection/1",
            include_str!("introspection/active_connection.xml"),
        ),
    ] {
        let reply = bench
            .call(
                path,
                "org.freedesktop.DBus.Introspectable",
                "Introspect",
                &(),
            )
            .await
            .unwrap();
        let xml: String = reply.body().deserialize().unwrap();
        let mut served = schema::parse(&xml);
        let mut recorded = schema::parse(recorded);
        for all in [&mut served, &mut recorded] {
            // What the files that services install leave to the library.
            all.retain(|name, _| !name.starts_with("org.freedesktop.DBus."));
        }
        assert_eq!(served, recorded, "{path}");
        for (interface, members) in recorded {
            let reply = bench
                .call(
                    path,
                    "org.freedesktop.DBus.Properties",
                    "GetAll",
                    &interface,
                )
                .await
                .unwrap();
            let body = reply.body();
            let properties: HashMap<String, OwnedValue> = body.deserialize().unwrap();
            let mut given: Vec<_> = properties
                .iter()
                .map(|(name, value)| (name.clone(), value.value_signature().to_string()))
                .collect();
            given.sort();
            let stated: Vec<_> = members
                .properties
                .into_iter()
                .map(|(name, (signature, _))| (name, signature))
                .collect();
            assert_eq!(given, stated, "{path} {interface}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_method_answers_in_another_shape() {
    let bench = Bench::new(ManagerConfig::default()).await;
    for (interface, members) in schema::recorded() {
        for (member, (input, _)) in &members.methods {
            // Those without arguments can be called as they are; of the others the text is enough.
            if !input.is_empty()
                || member == "Reset"
                || interface.starts_with("org.freedesktop.DBus")
            {
                continue;
            }
            for path in [
                MODEM,
                "/org/freedesktop/ModemManager1/Bearer/0",
                network::ROOT,
            ] {
                if let Err(error) = bench.call(path, interface, member, &()).await {
                    assert!(!error.contains("Twin"), "{interface}.{member}");
                }
            }
        }
    }
    let error = bench.modem("Enable", &"text").await.unwrap_err();
    assert_eq!(error, "org.freedesktop.DBus.Error.InvalidArgs");
}

#[tokio::test(start_paused = true)]
async fn states_of_the_modem() {
    for (scenario, state, registration, device) in [
        (Scenario::Normal, 11, Some(1), 100),
        (Scenario::Roaming, 11, Some(5), 100),
        (Scenario::Disconnected, 8, Some(1), 30),
        (Scenario::Searching, 7, Some(2), 40),
        (Scenario::Denied, 6, Some(3), 40),
        (Scenario::LowPower, 3, Some(0), 40),
        (Scenario::Disabled, 3, Some(0), 40),
        (Scenario::PinRequired, 2, None, 40),
        (Scenario::PukRequired, 2, None, 40),
        (Scenario::NoSim, -1, None, 20),
        (Scenario::FailedUntilReset, -1, None, 20),
    ] {
        let bench = Bench::playing(scenario).await;
        assert_eq!(bench.number("State").await, state, "{scenario:?}");
        if let Some(registration) = registration {
            assert_eq!(
                bench.number("RegistrationState").await,
                registration,
                "{scenario:?}"
            );
        }
        let failed = bench.number("StateFailedReason").await;
        assert_eq!(failed, if state == -1 { 2 } else { 0 }, "{scenario:?}");
        let path = "/org/freedesktop/NetworkManager/Devices/3";
        let value = bench
            .network(path, "org.freedesktop.NetworkManager.Device", "State")
            .await;
        assert_eq!(u32::try_from(value).unwrap(), device, "{scenario:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_act_heals_what_it_is_for() {
    let bearer = async |bench: &Bench, member: &str| {
        let modem = bench.modem_path().await;
        let interface = "org.freedesktop.ModemManager1.Modem";
        let bearers = bench.get(&modem, interface, "Bearers").await.unwrap();
        let path = Vec::<OwnedObjectPath>::try_from(bearers).unwrap().remove(0);
        bench
            .call(&path, "org.freedesktop.ModemManager1.Bearer", member, &())
            .await
    };
    let reconnect = async |bench: &Bench| {
        bearer(bench, "Disconnect").await.unwrap();
        bearer(bench, "Connect").await.unwrap();
    };
    let cycle = async |bench: &Bench| {
        bench.modem("Enable", &false).await.unwrap();
        bench.modem("SetPowerState", &2_u32).await.unwrap();
        bench.modem("SetPowerState", &3_u32).await.unwrap();
        bench.modem("Enable", &true).await.unwrap();
        let path = bench.modem_path().await;
        let properties = HashMap::from([("apn", Value::from("staticip"))]);
        let interface = "org.freedesktop.ModemManager1.Modem.Simple";
        bench
            .call(&path, interface, "Connect", &properties)
            .await
            .ok();
    };
    let bench = Bench::playing(Scenario::Stalled).await;
    assert_eq!(bench.connectivity().await, 3);
    reconnect(&bench).await;
    assert_eq!(bench.connectivity().await, 4);

    let bench = Bench::playing(Scenario::StalledUntilRadio).await;
    reconnect(&bench).await;
    assert_eq!(bench.connectivity().await, 3);
    cycle(&bench).await;
    assert_eq!(bench.connectivity().await, 4);

    let bench = Bench::playing(Scenario::DeniedUntilRadio).await;
    assert_eq!(bench.number("RegistrationState").await, 3);
    cycle(&bench).await;
    assert_eq!(bench.number("RegistrationState").await, 1);

    for scenario in [Scenario::StalledUntilReset, Scenario::FailedUntilReset] {
        let bench = Bench::playing(scenario).await;
        bench.modem("Enable", &true).await.ok();
        assert_ne!(bench.connectivity().await, 4, "{scenario:?}");
        bench.modem("Reset", &()).await.unwrap();
        bench.wait().await;
        assert_eq!(bench.connectivity().await, 4, "{scenario:?}");
        assert_eq!(
            bench.modem_path().await,
            "/org/freedesktop/ModemManager1/Modem/1"
        );
        assert_eq!(bench.handle().n_calls("Reset"), 1);
    }
    let bench = Bench::playing(Scenario::NoSim).await;
    bench.modem("Reset", &()).await.unwrap();
    bench.wait().await;
    assert_eq!(bench.number("State").await, -1, "nothing brings a card");
}

#[tokio::test(start_paused = true)]
async fn what_comes_and_goes_is_told() {
    let mut bench = Bench::new(ManagerConfig::default()).await;
    bench.play(Scenario::Reenumerated).await;
    let told = bench.signals().await;
    let manager = |member: &str| (show::ROOT.to_owned(), member.to_owned());
    assert!(told.contains(&manager("InterfacesRemoved")), "{told:?}");
    assert_eq!(bench.modem_paths().await, Vec::<String>::new());
    bench.wait().await;
    assert!(bench.signals().await.contains(&manager("InterfacesAdded")));
    assert_eq!(
        bench.modem_path().await,
        "/org/freedesktop/ModemManager1/Modem/1"
    );
    bench.play(Scenario::Searching).await;
    let told = bench.signals().await;
    let path = "/org/freedesktop/ModemManager1/Modem/1".to_owned();
    for member in ["PropertiesChanged", "StateChanged"] {
        assert!(
            told.contains(&(path.clone(), member.to_owned())),
            "{told:?}"
        );
    }
    bench.play(Scenario::Normal).await;
    bench.signals().await;
    bench.play(Scenario::SecondModem).await;
    assert_eq!(bench.modem_paths().await.len(), 2);
    // Cards and bearers are not told of.
    assert_eq!(
        bench
            .signals()
            .await
            .iter()
            .filter(|told| **told == manager("InterfacesAdded"))
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_mute_modem_is_given_up_after_ten_timeouts() {
    let bench = Bench::playing(Scenario::Mute).await;
    for _ in 0..10 {
        let error = bench.modem("Command", &("AT", 3_u32)).await.unwrap_err();
        assert_eq!(
            error,
            "org.freedesktop.ModemManager1.Error.Serial.ResponseTimeout"
        );
    }
    assert_eq!(bench.modem_paths().await, Vec::<String>::new());
    bench.wait().await;
    assert_eq!(
        bench.modem_paths().await,
        Vec::<String>::new(),
        "it is not probed again"
    );
    bench.play(Scenario::Normal).await;
    assert_eq!(
        bench.modem_paths().await,
        ["/org/freedesktop/ModemManager1/Modem/1"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_is_not_there_or_restarts() {
    let bench = Bench::playing(Scenario::ManagerAbsent).await;
    let error = bench
        .call(MODEM, "org.freedesktop.ModemManager1.Modem", "Reset", &())
        .await
        .unwrap_err();
    assert_eq!(error, "org.freedesktop.DBus.Error.ServiceUnknown");
    assert_eq!(bench.modem_paths().await, Vec::<String>::new());
    bench.play(Scenario::Normal).await;
    assert_eq!(bench.modem_paths().await, [MODEM]);
    bench.play(Scenario::Reenumerated).await;
    bench.wait().await;
    assert_ne!(bench.modem_paths().await, [MODEM]);
    bench.play(Scenario::ManagerRestarted).await;
    bench.wait().await;
    assert_eq!(bench.modem_paths().await, [MODEM], "it counts from 0 again");
}

#[tokio::test(start_paused = true)]
async fn the_old_one_lacks_what_came_later() {
    let bench = Bench::new(ManagerConfig {
        is_old: true,
        ..ManagerConfig::default()
    })
    .await;
    let version = bench
        .get(show::ROOT, "org.freedesktop.ModemManager1", "Version")
        .await
        .unwrap();
    assert_eq!(String::try_from(version).unwrap(), "1.18.12");
    let interface = "org.freedesktop.ModemManager1.Modem.Modem3gpp";
    let error = bench
        .get(MODEM, interface, "PacketServiceState")
        .await
        .unwrap_err();
    assert_eq!(error, "org.freedesktop.DBus.Error.UnknownProperty");
    let error = bench.modem("GetCellInfo", &()).await.unwrap_err();
    assert_eq!(error, "org.freedesktop.DBus.Error.UnknownMethod");
}

#[tokio::test(start_paused = true)]
async fn a_card_wants_its_pin_and_after_three_wrong_ones_its_puk() {
    let bench = Bench::playing(Scenario::PinRequired).await;
    let path = "/org/freedesktop/ModemManager1/SIM/0";
    let send = async |bench: &Bench, pin: &str| {
        bench
            .call(path, "org.freedesktop.ModemManager1.Sim", "SendPin", &pin)
            .await
            .map(|_| ())
    };
    let wrong =
        Err("org.freedesktop.ModemManager1.Error.MobileEquipment.IncorrectPassword".to_owned());
    assert_eq!(send(&bench, "1111").await, wrong);
    assert_eq!(bench.number("UnlockRequired").await, 2);
    assert_eq!(send(&bench, "0042").await, Ok(()));
    assert_eq!(
        (
            bench.number("UnlockRequired").await,
            bench.number("State").await
        ),
        (1, 11)
    );
    bench.play(Scenario::PinRequired).await;
    for _ in 0..3 {
        assert_eq!(send(&bench, "1111").await, wrong);
    }
    assert_eq!(bench.number("UnlockRequired").await, 4);
}

#[tokio::test(start_paused = true)]
async fn location_is_kept_as_the_real_one_keeps_it() {
    let bench = Bench::new(ManagerConfig::default()).await;
    let interface = "org.freedesktop.ModemManager1.Modem.Location";
    let setup = async |sources: u32, signals: bool| {
        bench
            .call(MODEM, interface, "Setup", &(sources, signals))
            .await
            .map(|_| ())
    };
    let feed = async || {
        bench.handle().feed_nmea("$GPGGA,1*00\r\n$GPRMC,2*00\r\n");
        bench.handle().settled().await;
    };
    let location = async || {
        let reply = bench
            .call(MODEM, interface, "GetLocation", &())
            .await
            .unwrap();
        reply
            .body()
            .deserialize::<HashMap<u32, OwnedValue>>()
            .unwrap()
    };
    feed().await;
    assert!(
        !location().await.contains_key(&4),
        "nothing before the setup"
    );
    let failed = Err("org.freedesktop.ModemManager1.Error.Core.Failed".to_owned());
    assert_eq!(setup(1 << 4 | 1 << 2, false).await, failed);
    assert_eq!(setup(1 << 2 | 1, false).await, Ok(()));
    feed().await;
    let kept = location().await;
    assert_eq!(
        String::try_from(kept[&4].try_clone().unwrap()).unwrap(),
        "$GPGGA,1*00\r\n$GPRMC,2*00"
    );
    assert!(kept.contains_key(&1));
    let shown = bench.get(MODEM, interface, "Location").await.unwrap();
    assert!(
        HashMap::<u32, OwnedValue>::try_from(shown)
            .unwrap()
            .is_empty(),
        "not signalled"
    );
    assert_eq!(setup(1 << 4, true).await, Ok(()));
    assert!(location().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn messages_come_and_are_sent_and_reported_on() {
    let mut bench = Bench::new(ManagerConfig::default()).await;
    let handle = bench.handle();
    handle.receive_sms("+380501234567", "hello");
    handle.receive_incomplete_sms("1500");
    handle.settled().await;
    let told = bench.signals().await;
    assert_eq!(
        told.iter()
            .filter(|(path, member)| path == MODEM && member == "Added")
            .count(),
        2
    );
    let sms = "org.freedesktop.ModemManager1.Sms";
    let text = async |bench: &Bench, number: u32, name: &str| {
        let path = format!("{}/SMS/{number}", show::ROOT);
        bench.get(&path, sms, name).await.unwrap()
    };
    assert_eq!(
        String::try_from(text(&bench, 0, "Text").await).unwrap(),
        "hello"
    );
    assert_eq!(u32::try_from(text(&bench, 1, "State").await).unwrap(), 2);
    let messaging = "org.freedesktop.ModemManager1.Modem.Messaging";
    let properties: HashMap<&str, Value<'_>> = HashMap::from([
        ("number", "+380501112233".into()),
        ("text", "Двері відчинено".into()),
        ("delivery-report-request", true.into()),
    ]);
    let reply = bench
        .call(MODEM, messaging, "Create", &properties)
        .await
        .unwrap();
    let path: OwnedObjectPath = reply.body().deserialize().unwrap();
    handle.refuse_messages(Some(
        "org.freedesktop.ModemManager1.Error.Message.NetworkTimeout",
    ));
    let error = bench.call(&path, sms, "Send", &()).await.unwrap_err();
    assert!(error.ends_with("Message.NetworkTimeout"), "{error}");
    handle.refuse_messages(None);
    bench.call(&path, sms, "Send", &()).await.unwrap();
    let sent = handle.sent_messages();
    assert_eq!(
        (sent.len(), sent[0].text.as_str(), sent[0].wants_report),
        (1, "Двері відчинено", true)
    );
    bench.wait().await;
    assert_eq!(u32::try_from(text(&bench, 3, "PduType").await).unwrap(), 3);
    let reference = u32::try_from(text(&bench, 2, "MessageReference").await).unwrap();
    assert_eq!(
        u32::try_from(text(&bench, 3, "MessageReference").await).unwrap(),
        reference
    );
    bench.signals().await;
    let first = OwnedObjectPath::try_from(format!("{}/SMS/0", show::ROOT)).unwrap();
    bench
        .call(MODEM, messaging, "Delete", &first)
        .await
        .unwrap();
    let told = bench.signals().await;
    assert!(
        told.contains(&(MODEM.to_owned(), "Deleted".to_owned())),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn service_codes() {
    let bench = Bench::new(ManagerConfig::default()).await;
    bench
        .handle()
        .set_ussd("*199#", UssdAnswer::text("380501112233"));
    let ask = async |member: &str, code: &str| {
        let interface = "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd";
        let reply = bench.call(MODEM, interface, member, &code).await?;
        Ok::<String, String>(reply.body().deserialize().unwrap())
    };
    assert_eq!(
        ask("Initiate", "*199#").await,
        Ok("380501112233".to_owned())
    );
    assert!(
        ask("Initiate", "*111#")
            .await
            .unwrap()
            .starts_with("1. Balance")
    );
    assert_eq!(ask("Respond", "2").await, Ok("Data left 812 MB".to_owned()));
    assert!(
        ask("Respond", "2")
            .await
            .unwrap_err()
            .ends_with("WrongState")
    );
    assert!(
        ask("Initiate", "*000#")
            .await
            .unwrap_err()
            .ends_with("Unsupported")
    );
}

#[tokio::test(start_paused = true)]
async fn signal_commands_time_and_counters() {
    let bench = Bench::new(ManagerConfig::default()).await;
    let interface = "org.freedesktop.ModemManager1.Modem.Signal";
    let lte = async || {
        let value = bench.get(MODEM, interface, "Lte").await.unwrap();
        HashMap::<String, OwnedValue>::try_from(value).unwrap()
    };
    assert!(lte().await.is_empty(), "nothing before the setup");
    bench
        .call(MODEM, interface, "Setup", &30_u32)
        .await
        .unwrap();
    assert_eq!(*lte().await["rsrp"], Value::F64(-92.0));
    let reply = bench
        .modem("Command", &("AT+CPMUTEMP", 3_u32))
        .await
        .unwrap();
    assert_eq!(
        reply.body().deserialize::<String>().unwrap(),
        "+CPMUTEMP: 38"
    );
    bench.handle().allow_commands(false);
    let error = bench
        .modem("Command", &("AT+CPMUTEMP", 3_u32))
        .await
        .unwrap_err();
    assert!(error.ends_with("Core.Unauthorized"), "{error}");
    let reply = bench
        .call(
            MODEM,
            "org.freedesktop.ModemManager1.Modem.Time",
            "GetNetworkTime",
            &(),
        )
        .await
        .unwrap();
    assert!(
        reply
            .body()
            .deserialize::<String>()
            .unwrap()
            .ends_with("+02:00")
    );
    let stats = async |name: &str| {
        let path = "/org/freedesktop/ModemManager1/Bearer/0";
        let value = bench
            .get(path, "org.freedesktop.ModemManager1.Bearer", "Stats")
            .await
            .unwrap();
        let stats = HashMap::<String, OwnedValue>::try_from(value).unwrap();
        u64::try_from(stats[name].try_clone().unwrap()).unwrap()
    };
    bench.handle().transfer(1000, 200);
    bench.play(Scenario::Stalled).await;
    bench.handle().transfer(5000, 5000);
    bench.handle().settled().await;
    assert_eq!(
        (stats("rx-bytes").await, stats("tx-bytes").await),
        (1000, 200),
        "a stalled one carries nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn the_network_manager_connects_and_disconnects() {
    let bench = Bench::new(ManagerConfig::default()).await;
    let primary = async || {
        let value = bench
            .network(network::ROOT, super::NETWORK_MANAGER, "PrimaryConnection")
            .await;
        OwnedObjectPath::try_from(value).unwrap()
    };
    let active = primary().await;
    bench
        .call(
            network::ROOT,
            super::NETWORK_MANAGER,
            "DeactivateConnection",
            &active,
        )
        .await
        .unwrap();
    assert_eq!(
        (primary().await.as_str(), bench.connectivity().await),
        ("/", 1)
    );
    assert_eq!(bench.number("State").await, 8);
    let paths = [network::PROFILE, "/", "/"].map(|path| OwnedObjectPath::try_from(path).unwrap());
    let [profile, device, specific] = &paths;
    let body = (profile, device, specific);
    let reply = bench
        .call(
            network::ROOT,
            super::NETWORK_MANAGER,
            "ActivateConnection",
            &body,
        )
        .await;
    let path: OwnedObjectPath = reply.unwrap().body().deserialize().unwrap();
    assert_ne!(path, active, "another activation");
    assert_eq!((primary().await, bench.connectivity().await), (path, 4));
}

#[tokio::test(start_paused = true)]
async fn by_its_serial_ports_alone_a_modem_is_cycled_and_reset_by_command() {
    let bench = Bench::new(ManagerConfig {
        is_by_at: true,
        scenarios: vec![Scenario::DeniedUntilRadio],
        ..ManagerConfig::default()
    })
    .await;
    let unsupported = "org.freedesktop.ModemManager1.Error.Core.Unsupported";
    assert_eq!(bench.modem("Reset", &()).await.unwrap_err(), unsupported);
    assert_eq!(
        bench.modem("SetPowerState", &2_u32).await.unwrap_err(),
        unsupported
    );
    assert_eq!(bench.number("RegistrationState").await, 3);
    for command in ["AT+CFUN=4", "AT+CFUN=1"] {
        bench.modem("Command", &(command, 10_u32)).await.unwrap();
    }
    assert_eq!(bench.number("RegistrationState").await, 1);
    bench.modem("Command", &("AT+CRESET", 5_u32)).await.unwrap();
    bench.wait().await;
    assert_eq!(
        bench.modem_path().await,
        "/org/freedesktop/ModemManager1/Modem/1"
    );
}
