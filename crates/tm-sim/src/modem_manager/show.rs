//! The objects of one modem, with every property.

use std::collections::{BTreeMap, HashMap};

use zbus::zvariant::{OwnedValue, Value};

use super::{
    ManagerConfig,
    location::CAPABLE,
    modem::{Card, Modem, Network, SIM_MISSING, Sms, state},
    objects::{Object, Properties, dictionary, object_path},
};

pub(super) const ROOT: &str = "/org/freedesktop/ModemManager1";

pub(super) fn modem_path(modem: &Modem) -> String {
    format!("{ROOT}/Modem/{}", modem.number)
}

fn sim_path(modem: &Modem) -> String {
    format!("{ROOT}/SIM/{}", modem.number)
}

pub(super) fn bearer_path(modem: &Modem) -> String {
    format!("{ROOT}/Bearer/{}", modem.bearer)
}

pub(super) fn sms_path(number: u32) -> String {
    format!("{ROOT}/SMS/{number}")
}

/// The network interface: `wwan0` or `wwan1`.
pub(super) fn interface(modem: &Modem) -> String {
    format!("wwan{}", modem.slot)
}

fn path(text: &str) -> Value<'static> {
    Value::from(object_path(text))
}

fn paths(texts: impl IntoIterator<Item = String>) -> Value<'static> {
    let all: Vec<_> = texts.into_iter().map(|text| object_path(&text)).collect();
    Value::from(all)
}

fn empty() -> Value<'static> {
    dictionary([])
}

/// Everything that ModemManager shows of a modem.
pub(super) fn objects(modem: &Modem, config: &ManagerConfig) -> BTreeMap<String, Object> {
    let mut all = BTreeMap::new();
    all.insert(modem_path(modem), object(modem, config));
    let has_card = modem.card() != Card::Missing;
    if has_card {
        all.insert(
            sim_path(modem),
            BTreeMap::from([("org.freedesktop.ModemManager1.Sim", sim(modem))]),
        );
    }
    if modem.state() >= state::ENABLED {
        let bearer = BTreeMap::from([(
            "org.freedesktop.ModemManager1.Bearer",
            bearer(modem, config),
        )]);
        all.insert(bearer_path(modem), bearer);
    }
    for (number, message) in &modem.messages {
        let message = BTreeMap::from([("org.freedesktop.ModemManager1.Sms", sms(message))]);
        all.insert(sms_path(*number), message);
    }
    all
}

fn object(modem: &Modem, config: &ManagerConfig) -> Object {
    let mut object = Object::from([
        (
            "org.freedesktop.ModemManager1.Modem",
            general(modem, config),
        ),
        (
            "org.freedesktop.ModemManager1.Modem.Simple",
            Properties::new(),
        ),
    ]);
    // A failed or locked modem has nothing else (seen as such by mmcli).
    if modem.state() <= state::LOCKED {
        return object;
    }
    object.extend([
        (
            "org.freedesktop.ModemManager1.Modem.Modem3gpp",
            network(modem),
        ),
        (
            "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd",
            ussd(modem),
        ),
        (
            "org.freedesktop.ModemManager1.Modem.Modem3gpp.ProfileManager",
            Properties::from([("IndexField", "profile-id".into())]),
        ),
        ("org.freedesktop.ModemManager1.Modem.Signal", signal(modem)),
        (
            "org.freedesktop.ModemManager1.Modem.Location",
            location(modem),
        ),
        (
            "org.freedesktop.ModemManager1.Modem.Messaging",
            Properties::from([
                (
                    "Messages",
                    paths(modem.messages.keys().map(|number| sms_path(*number))),
                ),
                ("SupportedStorages", vec![1_u32, 2].into()),
                ("DefaultStorage", 1_u32.into()),
            ]),
        ),
        (
            "org.freedesktop.ModemManager1.Modem.Voice",
            Properties::from([("Calls", paths([])), ("EmergencyOnly", false.into())]),
        ),
        (
            "org.freedesktop.ModemManager1.Modem.Time",
            Properties::from([(
                "NetworkTimezone",
                if modem.is_registered() {
                    dictionary([("offset", 120_i32.into())])
                } else {
                    empty()
                },
            )]),
        ),
        (
            "org.freedesktop.ModemManager1.Modem.Firmware",
            Properties::from([(
                "UpdateSettings",
                Value::from((0_u32, HashMap::<String, OwnedValue>::new())),
            )]),
        ),
    ]);
    object
}

fn general(modem: &Modem, config: &ManagerConfig) -> Properties {
    let tty = |number: u32| format!("ttyUSB{}", modem.slot * 5 + number);
    let control = format!("cdc-wdm{}", modem.slot);
    // MMModemPortType: 2 net, 3 AT, 4 QCDM, 5 GPS, 6 QMI.
    let serial = vec![(tty(0), 4_u32), (tty(1), 5), (tty(2), 3), (tty(3), 3)];
    let wireless = vec![(control.clone(), 6_u32), (interface(modem), 2)];
    let (ports, drivers, primary) = if config.is_by_at {
        (serial, vec!["option1"], tty(2))
    } else if modem.is_failed.is_some() {
        // Probed before its serial ports were there (seen so with 1.22).
        (wireless, vec!["qmi_wwan"], control)
    } else {
        (
            [serial, wireless].concat(),
            vec!["option1", "qmi_wwan"],
            control,
        )
    };
    let has_card = modem.card() != Card::Missing;
    let is_up = modem.is_registered();
    let quality = if is_up { 67_u32 } else { 0 };
    let bearers = (modem.state() >= state::ENABLED).then(|| bearer_path(modem));
    // MMModemLock: 1 none, 2 SIM PIN, 3 SIM PIN2, 4 SIM PUK, 5 SIM PUK2; here 0 is unknown.
    let lock = match modem.card() {
        Card::Ready => 1_u32,
        Card::Missing => 0,
        Card::Pin => 2,
        Card::Puk => 4,
    };
    let retries = HashMap::from([(2_u32, modem.pin_tries), (4, 10), (3, 3), (5, 10)]);
    let failed = modem.state() == state::FAILED;
    let any_mode = (u32::MAX, 0_u32);
    Properties::from([
        (
            "Sim",
            path(&if has_card {
                sim_path(modem)
            } else {
                "/".to_owned()
            }),
        ),
        ("SimSlots", paths([])),
        ("PrimarySimSlot", 0_u32.into()),
        ("Bearers", paths(bearers)),
        ("SupportedCapabilities", vec![4_u32].into()),
        ("CurrentCapabilities", 4_u32.into()),
        ("MaxBearers", 1_u32.into()),
        ("MaxActiveBearers", 1_u32.into()),
        ("MaxActiveMultiplexedBearers", 0_u32.into()),
        // In QMI mode ModemManager shows this one and not SIMCom's.
        (
            "Manufacturer",
            if config.is_by_at {
                "SIMCOM INCORPORATED"
            } else {
                "QUALCOMM INCORPORATED"
            }
            .into(),
        ),
        (
            "Model",
            if modem.is_failed.is_some() {
                "0"
            } else {
                "SIMCOM_SIM7600G-H"
            }
            .into(),
        ),
        ("Revision", "LE20B04SIM7600G22".into()),
        ("CarrierConfiguration", "default".into()),
        ("CarrierConfigurationRevision", "".into()),
        ("HardwareRevision", "10000".into()),
        (
            "DeviceIdentifier",
            format!("e405942d4877399385b36ee3c9299838167e813{}", modem.slot).into(),
        ),
        ("Device", device(modem, config).into()),
        ("Drivers", drivers.into()),
        ("Plugin", "simtech".into()),
        ("PrimaryPort", primary.into()),
        ("Ports", ports.into()),
        ("EquipmentIdentifier", modem.imei.clone().into()),
        ("UnlockRequired", lock.into()),
        (
            "UnlockRetries",
            if has_card { retries } else { HashMap::new() }.into(),
        ),
        ("State", modem.state().into()),
        (
            "StateFailedReason",
            if failed { SIM_MISSING } else { 0 }.into(),
        ),
        // LTE.
        (
            "AccessTechnologies",
            if is_up { 1_u32 << 14 } else { 0 }.into(),
        ),
        ("SignalQuality", Value::from((quality, is_up))),
        ("OwnNumbers", vec!["+380501112233".to_owned()].into()),
        ("PowerState", modem.power.into()),
        ("SupportedModes", vec![any_mode].into()),
        ("CurrentModes", Value::from(any_mode)),
        ("SupportedBands", vec![0_u32].into()),
        ("CurrentBands", vec![0_u32].into()),
        ("SupportedIpFamilies", 7_u32.into()),
    ])
}

/// The USB device in sysfs.
fn device(modem: &Modem, config: &ManagerConfig) -> String {
    if modem.slot == 0 {
        config.device.clone()
    } else {
        format!("{}-second", config.device)
    }
}

fn network(modem: &Modem) -> Properties {
    let (code, name) = match modem.network() {
        _ if !modem.is_registered() => ("", ""),
        Network::Roaming => ("26002", "T-Mobile PL"),
        _ => ("25501", "Vodafone UA"),
    };
    Properties::from([
        ("Imei", modem.imei.clone().into()),
        ("RegistrationState", modem.registration().into()),
        ("OperatorCode", code.into()),
        ("OperatorName", name.into()),
        ("EnabledFacilityLocks", 0_u32.into()),
        ("SubscriptionState", 0_u32.into()),
        ("EpsUeModeOperation", 0_u32.into()),
        ("Pco", Vec::<(u32, bool, Vec<u8>)>::new().into()),
        ("InitialEpsBearer", path("/")),
        ("InitialEpsBearerSettings", empty()),
        (
            "PacketServiceState",
            if modem.is_registered() { 2_u32 } else { 1 }.into(),
        ),
        ("Nr5gRegistrationSettings", empty()),
    ])
}

fn ussd(modem: &Modem) -> Properties {
    Properties::from([
        ("State", modem.ussd_state.into()),
        ("NetworkNotification", "".into()),
        ("NetworkRequest", modem.ussd_request.clone().into()),
    ])
}

fn signal(modem: &Modem) -> Properties {
    let [power, quality, total, noise] = modem.levels;
    // Nothing is refreshed before `Setup`.
    let lte = if modem.signal_rate > 0 && modem.is_registered() {
        dictionary([
            ("rsrp", power.into()),
            ("rsrq", quality.into()),
            ("rssi", total.into()),
            ("snr", noise.into()),
            ("error-rate", (-f64::MAX).into()),
        ])
    } else {
        empty()
    };
    Properties::from([
        ("Rate", modem.signal_rate.into()),
        ("RssiThreshold", 0_u32.into()),
        ("ErrorRateThreshold", false.into()),
        ("Cdma", empty()),
        ("Evdo", empty()),
        ("Gsm", empty()),
        ("Umts", empty()),
        ("Lte", lte),
        ("Nr5g", empty()),
    ])
}

fn location(modem: &Modem) -> Properties {
    let location = &modem.location;
    // Shown only to whom it is signalled.
    let value = if location.is_signalled {
        location.value(modem.is_registered())
    } else {
        HashMap::new()
    };
    Properties::from([
        ("Capabilities", CAPABLE.into()),
        ("SupportedAssistanceData", 0_u32.into()),
        ("Enabled", location.enabled.into()),
        ("SignalsLocation", location.is_signalled.into()),
        ("Location", Value::from(value)),
        ("SuplServer", "".into()),
        ("AssistanceDataServers", Vec::<String>::new().into()),
        ("GpsRefreshRate", location.refresh_s.into()),
    ])
}

fn sim(modem: &Modem) -> Properties {
    let is_open = modem.card() == Card::Ready;
    let open = |text: &str| {
        Value::from(if is_open {
            text.to_owned()
        } else {
            String::new()
        })
    };
    Properties::from([
        ("Active", true.into()),
        ("SimIdentifier", modem.iccid.clone().into()),
        ("Imsi", open(&modem.imsi)),
        ("Eid", "".into()),
        ("OperatorIdentifier", open("25501")),
        ("OperatorName", open("Vodafone UA")),
        ("EmergencyNumbers", Vec::<String>::new().into()),
        ("PreferredNetworks", Vec::<(String, u32)>::new().into()),
        ("Gid1", Vec::<u8>::new().into()),
        ("Gid2", Vec::<u8>::new().into()),
        ("SimType", 1_u32.into()),
        ("EsimStatus", 0_u32.into()),
        ("Removability", 1_u32.into()),
    ])
}

fn bearer(modem: &Modem, config: &ManagerConfig) -> Properties {
    let is_up = modem.is_connected();
    let traffic = &modem.traffic;
    let ip4 = if is_up {
        dictionary([
            // Static: raw IP knows no DHCP.
            ("method", 2_u32.into()),
            ("address", config.address.clone().into()),
            ("prefix", 30_u32.into()),
            ("gateway", config.gateway.clone().into()),
            ("dns1", "10.64.0.1".into()),
            ("mtu", 1500_u32.into()),
        ])
    } else {
        dictionary([("method", 0_u32.into())])
    };
    let stats = dictionary([
        ("rx-bytes", traffic.received.into()),
        ("tx-bytes", traffic.sent.into()),
        ("duration", 0_u32.into()),
        ("attempts", traffic.n_attempts.into()),
        ("failed-attempts", 0_u32.into()),
        ("total-duration", 0_u32.into()),
        ("total-rx-bytes", traffic.total_received.into()),
        ("total-tx-bytes", traffic.total_sent.into()),
    ]);
    Properties::from([
        (
            "Interface",
            if is_up {
                interface(modem)
            } else {
                String::new()
            }
            .into(),
        ),
        ("Connected", is_up.into()),
        (
            "ConnectionError",
            Value::from((String::new(), String::new())),
        ),
        ("Suspended", false.into()),
        ("Multiplexed", false.into()),
        ("Ip4Config", ip4),
        ("Ip6Config", dictionary([("method", 0_u32.into())])),
        ("Stats", stats),
        ("ReloadStatsSupported", true.into()),
        ("IpTimeout", 20_u32.into()),
        ("BearerType", 1_u32.into()),
        ("ProfileId", 1_i32.into()),
        (
            "Properties",
            dictionary([
                ("apn", modem.access_point.clone().into()),
                ("ip-type", 1_u32.into()),
            ]),
        ),
    ])
}

fn sms(message: &Sms) -> Properties {
    Properties::from([
        ("State", message.state.into()),
        ("PduType", message.kind.into()),
        ("Number", message.number.clone().into()),
        ("Text", message.text.clone().into()),
        ("Data", Vec::<u8>::new().into()),
        ("SMSC", "+380500000000".into()),
        ("Validity", Value::from((0_u32, Value::from(0_u32)))),
        ("Class", (-1_i32).into()),
        ("TeleserviceId", 0_u32.into()),
        ("ServiceCategory", 0_u32.into()),
        ("DeliveryReportRequest", message.wants_report.into()),
        ("MessageReference", message.reference.into()),
        ("Timestamp", message.timestamp.clone().into()),
        (
            "DischargeTimestamp",
            if message.kind == 3 {
                message.timestamp.clone()
            } else {
                String::new()
            }
            .into(),
        ),
        ("DeliveryState", message.delivery.into()),
        ("Storage", message.storage.into()),
    ])
}
