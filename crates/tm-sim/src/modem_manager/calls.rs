//! The methods of modem, card, bearer, message and network.

mod connections;
mod texts;

use std::collections::HashMap;

use zbus::{
    Message,
    zvariant::{OwnedValue, Value},
};

use crate::sim7600::faults::Cure;

use super::{
    location::{CAPABLE, GPS_NMEA, GPS_RAW, GPS_UNMANAGED},
    modem::{Card, Modem, POWER_LOW, POWER_ON, state},
    network,
    objects::{dictionary, object_path},
    run::World,
    serve::{Answer, Call, INVALID, UNKNOWN_METHOD},
    show,
};

/// Error names of ModemManager (ModemManager-errors-types).
const FAILED: &str = "org.freedesktop.ModemManager1.Error.Core.Failed";
const UNSUPPORTED: &str = "org.freedesktop.ModemManager1.Error.Core.Unsupported";
const UNAUTHORIZED: &str = "org.freedesktop.ModemManager1.Error.Core.Unauthorized";
const WRONG_STATE: &str = "org.freedesktop.ModemManager1.Error.Core.WrongState";
const NOT_FOUND: &str = "org.freedesktop.ModemManager1.Error.Core.NotFound";
const CANCELLED: &str = "org.freedesktop.ModemManager1.Error.Core.Cancelled";
const TIMEOUT: &str = "org.freedesktop.ModemManager1.Error.Serial.ResponseTimeout";
const WRONG_PASSWORD: &str =
    "org.freedesktop.ModemManager1.Error.MobileEquipment.IncorrectPassword";
const NETWORK_TIMEOUT: &str = "org.freedesktop.ModemManager1.Error.MobileEquipment.NetworkTimeout";
const NO_NETWORK: &str = "org.freedesktop.ModemManager1.Error.MobileEquipment.NoNetwork";

const NOT_SUPPORTED: &str = "org.freedesktop.ModemManager1.Error.MobileEquipment.NotSupported";

/// So many timeouts in a row make ModemManager give a modem up (`DEFAULT_MAX_TIMEOUTS`).
const MAX_TIMEOUTS: u32 = 10;

/// The card's PUK.
const PUK: &str = "12345678";

fn done() -> Answer {
    Answer::Values(Vec::new())
}

fn value(value: impl Into<Value<'static>>) -> Answer {
    Answer::Values(vec![value.into()])
}

fn refuse(name: &'static str, text: &str) -> Answer {
    Answer::Refusal((name, text.to_owned()))
}

/// Does what a call asks for.
pub(super) fn act(world: &mut World, message: &Message, call: &Call) -> Answer {
    if call.path.starts_with(network::ROOT) {
        return connections::act(world, message, call);
    }
    if call.interface == "org.freedesktop.ModemManager1" {
        return match call.member.as_str() {
            // Needs polkit or root (data/org.freedesktop.ModemManager1.policy); here everybody may.
            "ScanDevices" | "SetLogging" | "InhibitDevice" | "ReportKernelEvent" => done(),
            _ => refuse(UNKNOWN_METHOD, "no such method"),
        };
    }
    let Some(index) = world
        .modems
        .iter()
        .position(|modem| owns(modem, &call.path))
    else {
        return refuse(NOT_FOUND, "no such modem");
    };
    let is_asked = !matches!(
        call.member.as_str(),
        "List" | "ListBearers" | "GetLocation" | "ListCalls"
    );
    if world.modems[index].is_mute && is_asked {
        let modem = &mut world.modems[index];
        modem.n_timeouts += 1;
        if modem.n_timeouts >= MAX_TIMEOUTS {
            world.drop_modem(index);
        }
        return refuse(TIMEOUT, "Serial command timed out");
    }
    let interface = call
        .interface
        .trim_start_matches("org.freedesktop.ModemManager1.");
    match interface {
        "Modem" => general(world, index, message, call),
        "Modem.Modem3gpp" => registration(world, index, call),
        "Modem.Modem3gpp.Ussd" => texts::ussd(world, index, message, call),
        "Modem.Signal" => signal(world, index, message, call),
        "Modem.Location" => location(&mut world.modems[index], message, call),
        "Modem.Messaging" => texts::messaging(world, index, message, call),
        "Modem.Time" => time(world, index),
        "Modem.Simple" => simple(world, index, call),
        "Sim" => card(&mut world.modems[index], message, call),
        "Bearer" => bearer(&mut world.modems[index], call),
        "Sms" => texts::sms(world, index, call),
        _ => refuse(UNSUPPORTED, "not played here"),
    }
}

fn owns(modem: &Modem, path: &str) -> bool {
    path == show::modem_path(modem)
        || path == show::bearer_path(modem)
        || path == format!("{}/SIM/{}", show::ROOT, modem.number)
        || modem
            .messages
            .keys()
            .any(|number| path == show::sms_path(*number))
}

fn general(world: &mut World, index: usize, message: &Message, call: &Call) -> Answer {
    let body = message.body();
    let is_network_up = world.is_network_up;
    let is_by_at = world.config.is_by_at;
    let modem = &mut world.modems[index];
    match call.member.as_str() {
        "Enable" => {
            let is_wanted: bool = body.deserialize().unwrap_or_default();
            if modem.state() <= state::LOCKED {
                return refuse(WRONG_STATE, "Cannot enable modem: wrong state");
            }
            if modem.is_enabled != is_wanted {
                modem.is_enabled = is_wanted;
                if !is_wanted {
                    modem.disconnect();
                    modem.treat(Cure::Radio);
                } else if is_network_up {
                    // The profile connects by itself.
                    modem.connect();
                }
            }
            done()
        }
        // By way of AT ports this family can neither (seen with 1.20.4).
        "SetPowerState" | "Reset" if is_by_at => refuse(UNSUPPORTED, "Operation not supported"),
        "SetPowerState" => match body.deserialize() {
            Ok(power @ (POWER_LOW | POWER_ON)) => {
                // Only a disabled modem's (mm-iface-modem.c).
                if modem.state() > state::DISABLED {
                    return refuse(WRONG_STATE, "Cannot set power state: not in disabled state");
                }
                if power == POWER_LOW {
                    modem.treat(Cure::Radio);
                }
                modem.power = power;
                done()
            }
            _ => refuse(UNSUPPORTED, "Cannot set power state"),
        },
        "Reset" => {
            world.reset(index);
            done()
        }
        "Command" => {
            let Ok((command, _)) = body.deserialize::<(String, u32)>() else {
                return refuse(INVALID, "a command and a time are wanted");
            };
            if !world.config.allows_commands {
                let text = "Cannot send AT command to modem: operation only allowed in debug mode";
                return refuse(UNAUTHORIZED, text);
            }
            order(world, index, command.trim_start_matches("AT"))
        }
        "ListBearers" => {
            let path = object_path(&show::bearer_path(modem));
            let bearers = if modem.state() >= state::ENABLED {
                vec![path]
            } else {
                vec![]
            };
            value(bearers)
        }
        "CreateBearer" => value(object_path(&show::bearer_path(modem))),
        "DeleteBearer" => {
            modem.disconnect();
            modem.bearer += 100;
            done()
        }
        "GetCellInfo" => value(vec![HashMap::<String, OwnedValue>::new()]),
        "SetCurrentModes" | "SetCurrentBands" | "SetCurrentCapabilities" => done(),
        _ => refuse(UNSUPPORTED, "not played here"),
    }
}

/// An AT command to the module, past ModemManager's own idea of it.
fn order(world: &mut World, index: usize, command: &str) -> Answer {
    let modem = &mut world.modems[index];
    match command {
        "+CRESET" | "+CFUN=6" | "+CFUN=1,1" => {
            world.reset(index);
            return value(String::new());
        }
        "+CFUN=4" | "+CFUN=0" => {
            modem.disconnect();
            modem.treat(Cure::Radio);
            return value(String::new());
        }
        "" | "+CFUN=1" => return value(String::new()),
        "+COPS=0" => {
            modem.treat(Cure::Operator);
            return value(String::new());
        }
        _ => {}
    }
    match world.commands.get(command) {
        Some(answer) => value(answer.clone()),
        None => refuse(NOT_SUPPORTED, "not supported"),
    }
}

fn registration(world: &mut World, index: usize, call: &Call) -> Answer {
    let modem = &mut world.modems[index];
    match call.member.as_str() {
        "Register" => {
            modem.treat(Cure::Operator);
            if modem.is_registered() {
                done()
            } else {
                refuse(NETWORK_TIMEOUT, "Network timeout")
            }
        }
        "Scan" => value(vec![HashMap::<String, OwnedValue>::new()]),
        "SetPacketServiceState" | "SetEpsUeModeOperation" => done(),
        _ => refuse(UNSUPPORTED, "not played here"),
    }
}

fn signal(world: &mut World, index: usize, message: &Message, call: &Call) -> Answer {
    if call.member == "Setup" {
        world.modems[index].signal_rate = message.body().deserialize().unwrap_or_default();
    }
    done()
}

fn location(modem: &mut Modem, message: &Message, call: &Call) -> Answer {
    let body = message.body();
    match call.member.as_str() {
        "Setup" => {
            let (sources, is_signalled): (u32, bool) = body.deserialize().unwrap_or_default();
            if sources & !CAPABLE != 0 {
                return refuse(UNSUPPORTED, "Cannot enable unsupported location sources");
            }
            if sources & GPS_UNMANAGED != 0 && sources & (GPS_RAW | GPS_NMEA) != 0 {
                let text =
                    "Cannot have both unmanaged GPS and raw/nmea GPS enabled at the same time";
                return refuse(FAILED, text);
            }
            modem.location.enabled = sources;
            modem.location.is_signalled = is_signalled;
            modem.location.disable_gps();
            done()
        }
        "GetLocation" => value(modem.location.value(modem.is_registered())),
        "SetGpsRefreshRate" => {
            modem.location.refresh_s = body.deserialize().unwrap_or_default();
            done()
        }
        _ => refuse(UNSUPPORTED, "not played here"),
    }
}

fn time(world: &World, index: usize) -> Answer {
    if !world.modems[index].is_registered() {
        return refuse(WRONG_STATE, "Cannot load network time: not registered");
    }
    value(world.network_time())
}

fn simple(world: &mut World, index: usize, call: &Call) -> Answer {
    let modem = &mut world.modems[index];
    match call.member.as_str() {
        "Connect" => {
            if modem.state() <= state::LOCKED {
                return refuse(WRONG_STATE, "Cannot connect: wrong state");
            }
            modem.is_enabled = true;
            modem.power = POWER_ON;
            if !modem.is_registered() {
                return refuse(NETWORK_TIMEOUT, "Network timeout");
            }
            modem.connect();
            value(object_path(&show::bearer_path(modem)))
        }
        "Disconnect" => {
            modem.disconnect();
            done()
        }
        _ => value(dictionary([("state", modem.state().unsigned_abs().into())])),
    }
}

fn bearer(modem: &mut Modem, call: &Call) -> Answer {
    match call.member.as_str() {
        "Connect" if !modem.is_registered() => {
            refuse(WRONG_STATE, "Cannot connect: not registered")
        }
        "Connect" => {
            modem.connect();
            done()
        }
        _ => {
            modem.disconnect();
            done()
        }
    }
}

fn card(modem: &mut Modem, message: &Message, call: &Call) -> Answer {
    let body = message.body();
    match (call.member.as_str(), modem.card()) {
        ("SendPin", Card::Pin) => {
            let pin: String = body.deserialize().unwrap_or_default();
            if pin == modem.pin {
                modem.card = Card::Ready;
                modem.pin_tries = 3;
                return done();
            }
            modem.pin_tries = modem.pin_tries.saturating_sub(1);
            if modem.pin_tries == 0 {
                modem.card = Card::Puk;
            }
            refuse(WRONG_PASSWORD, "Incorrect password")
        }
        ("SendPuk", Card::Puk) => {
            let (puk, pin): (String, String) = body.deserialize().unwrap_or_default();
            if puk != PUK {
                return refuse(WRONG_PASSWORD, "Incorrect password");
            }
            modem.card = Card::Ready;
            modem.pin = pin;
            modem.pin_tries = 3;
            done()
        }
        ("SendPin" | "SendPuk", _) => refuse(WRONG_STATE, "nothing is asked for"),
        _ => done(),
    }
}
