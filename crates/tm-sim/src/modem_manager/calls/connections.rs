//! NetworkManager's methods.

use zbus::{Message, zvariant::OwnedObjectPath};

use super::{done, refuse, value};
use crate::modem_manager::{
    modem::{Modem, POWER_ON},
    network,
    objects::object_path,
    run::World,
    serve::{Answer, Call, INVALID, UNKNOWN_METHOD},
    show,
};

pub(super) fn act(world: &mut World, message: &Message, call: &Call) -> Answer {
    let body = message.body();
    let devices = |world: &World| -> Vec<_> {
        world
            .modems
            .iter()
            .map(|modem| object_path(&network::device_path(modem)))
            .collect()
    };
    match call.member.as_str() {
        "GetDevices" | "GetAllDevices" => value(devices(world)),
        "GetDeviceByIpIface" => {
            let name: String = body.deserialize().unwrap_or_default();
            let found = world
                .modems
                .iter()
                .find(|modem| modem.is_connected() && show::interface(modem) == name);
            match found {
                Some(modem) => value(object_path(&network::device_path(modem))),
                None => refuse(
                    "org.freedesktop.NetworkManager.UnknownDevice",
                    "No device found",
                ),
            }
        }
        "ActivateConnection" => {
            let paths: Result<(OwnedObjectPath, OwnedObjectPath, OwnedObjectPath), _> =
                body.deserialize();
            let Ok((_, device, _)) = paths else {
                return refuse(INVALID, "three paths are wanted");
            };
            let is_it = |modem: &&mut Modem| {
                device.as_str() == "/" || network::device_path(modem) == device.as_str()
            };
            match world.modems.iter_mut().find(is_it) {
                Some(modem) => {
                    modem.is_enabled = true;
                    modem.power = POWER_ON;
                    modem.connect();
                    value(object_path(&network::activation_path(modem)))
                }
                None => refuse(
                    "org.freedesktop.NetworkManager.UnknownDevice",
                    "Device not found",
                ),
            }
        }
        "DeactivateConnection" => {
            let path: OwnedObjectPath = body.deserialize().unwrap_or_default();
            let is_it = |modem: &&mut Modem| {
                modem.is_connected() && network::activation_path(modem) == path.as_str()
            };
            if let Some(modem) = world.modems.iter_mut().find(is_it) {
                modem.disconnect();
                return done();
            }
            refuse(
                "org.freedesktop.NetworkManager.ConnectionNotActive",
                "The connection was not active.",
            )
        }
        "Disconnect" => {
            let is_it = |modem: &&mut Modem| network::device_path(modem) == call.path;
            if let Some(modem) = world.modems.iter_mut().find(is_it) {
                modem.disconnect();
            }
            done()
        }
        "CheckConnectivity" | "state" => {
            let is_full = world.modems.iter().any(Modem::has_traffic);
            let (full, none) = if call.member == "state" {
                (70_u32, 20)
            } else {
                (4, 1)
            };
            value(if is_full { full } else { none })
        }
        _ => refuse(UNKNOWN_METHOD, "not played here"),
    }
}
