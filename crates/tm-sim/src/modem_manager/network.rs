//! NetworkManager's side: a device for each modem, its connection, and what of it is primary.

use std::collections::BTreeMap;

use zbus::zvariant::Value;

use super::{
    modem::{Modem, state},
    objects::{Object, Properties, object_path},
    show,
};

pub(super) const ROOT: &str = "/org/freedesktop/NetworkManager";
/// The profile of the host image.
pub(super) const PROFILE: &str = "/org/freedesktop/NetworkManager/Settings/1";

pub(super) fn device_path(modem: &Modem) -> String {
    format!("{ROOT}/Devices/{}", modem.device)
}

pub(super) fn activation_path(modem: &Modem) -> String {
    format!("{ROOT}/ActiveConnection/{}", modem.activation)
}

/// NMDeviceState.
pub(super) fn device_state(modem: &Modem) -> u32 {
    match modem.state() {
        // Unavailable.
        state::FAILED => 20,
        state::CONNECTED => 100,
        // Prepares a connection that cannot be had yet.
        _ if modem.is_wanted => 40,
        // Disconnected.
        _ => 30,
    }
}

/// NMDeviceStateReason; here the few that matter.
fn reason(modem: &Modem) -> u32 {
    match modem.registration() {
        _ if modem.state() == state::FAILED => 45,
        _ if modem.state() == state::LOCKED => 46,
        // GSM_REGISTRATION_DENIED, GSM_REGISTRATION_TIMEOUT.
        3 => 31,
        2 => 32,
        // User requested.
        _ if !modem.is_wanted => 39,
        _ => 0,
    }
}

/// NMConnectivityState: 1 none, 3 limited, 4 full.
fn connectivity(modem: &Modem) -> u32 {
    match (modem.is_connected(), modem.has_traffic()) {
        (_, true) => 4,
        (true, false) => 3,
        _ => 1,
    }
}

pub(super) fn objects(modems: &[Modem]) -> BTreeMap<String, Object> {
    let mut all = BTreeMap::from([(
        ROOT.to_owned(),
        Object::from([("org.freedesktop.NetworkManager", manager(modems))]),
    )]);
    for modem in modems {
        let device = Object::from([("org.freedesktop.NetworkManager.Device", device(modem))]);
        all.insert(device_path(modem), device);
        if modem.is_connected() {
            let active = Object::from([(
                "org.freedesktop.NetworkManager.Connection.Active",
                active(modem),
            )]);
            all.insert(activation_path(modem), active);
        }
    }
    all
}

fn paths(texts: &[String]) -> Value<'static> {
    Value::from(
        texts
            .iter()
            .map(|text| object_path(text))
            .collect::<Vec<_>>(),
    )
}

fn manager(modems: &[Modem]) -> Properties {
    let up = modems.iter().find(|modem| modem.is_connected());
    let primary = up.map_or_else(|| "/".to_owned(), activation_path);
    let devices: Vec<String> = modems.iter().map(device_path).collect();
    let active: Vec<String> = modems
        .iter()
        .filter(|modem| modem.is_connected())
        .map(activation_path)
        .collect();
    let connectivity = up.map_or(1, connectivity);
    // NMState: 20 disconnected, 60 connected to a site, 70 to the world.
    let state = match connectivity {
        4 => 70_u32,
        3 => 60,
        _ => 20,
    };
    Properties::from([
        ("Devices", paths(&devices)),
        ("AllDevices", paths(&devices)),
        ("ActiveConnections", paths(&active)),
        ("PrimaryConnection", object_path(&primary).into()),
        (
            "PrimaryConnectionType",
            if up.is_some() { "gsm" } else { "" }.into(),
        ),
        // Guessed to be metered.
        ("Metered", 3_u32.into()),
        ("Version", "1.46.0".into()),
        ("State", state.into()),
        ("Connectivity", connectivity.into()),
    ])
}

fn device(modem: &Modem) -> Properties {
    let state = device_state(modem);
    let active = if modem.is_connected() {
        activation_path(modem)
    } else {
        "/".to_owned()
    };
    let ip = if modem.is_connected() {
        show::interface(modem)
    } else {
        String::new()
    };
    Properties::from([
        // For modems: the path of ModemManager's object.
        ("Udi", show::modem_path(modem).into()),
        ("Interface", format!("cdc-wdm{}", modem.slot).into()),
        ("IpInterface", ip.into()),
        ("Driver", "option1, qmi_wwan".into()),
        ("State", state.into()),
        ("StateReason", Value::from((state, reason(modem)))),
        ("ActiveConnection", object_path(&active).into()),
        ("Managed", true.into()),
        ("Autoconnect", true.into()),
        // NM_DEVICE_TYPE_MODEM.
        ("DeviceType", 8_u32.into()),
        ("AvailableConnections", paths(&[PROFILE.to_owned()])),
        ("Real", true.into()),
        ("Ip4Connectivity", connectivity(modem).into()),
        ("Ip6Connectivity", 1_u32.into()),
    ])
}

fn active(modem: &Modem) -> Properties {
    Properties::from([
        ("Connection", object_path(PROFILE).into()),
        ("SpecificObject", object_path("/").into()),
        ("Id", "cellular".into()),
        ("Uuid", "5f1bd1a0-0000-4000-8000-000000000001".into()),
        ("Type", "gsm".into()),
        ("Devices", paths(&[device_path(modem)])),
        ("State", 2_u32.into()),
        ("Default", true.into()),
        ("Default6", false.into()),
    ])
}
