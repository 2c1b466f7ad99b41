//! Commands with a value.

use super::{End, NO_NETWORK, NOT_SUPPORTED, Reply, card, fields, gnss, sms};
use crate::sim7600::{
    answers,
    config::Composition,
    faults::Cure,
    world::{Effect, Later, World},
};

pub(super) fn set(name: &str, value: &str, world: &mut World, reply: &mut Reply) -> End {
    if let Some(end) = card::set(name, value, world, reply)
        .or_else(|| sms::set(name, value, world, reply))
        .or_else(|| gnss::set(name, value, world, reply))
        .or_else(|| radio(name, value, world, reply))
        .or_else(|| packets(name, value, world, reply))
    {
        return end;
    }
    let settings = &mut world.settings;
    match (name, value) {
        ("+CMEE", "0" | "1" | "2") => settings.cmee = value.parse().unwrap_or(2),
        ("+CTZU", "0" | "1") => settings.kept.ctzu = value == "1",
        ("+CTZR", "0" | "1") => settings.ctzr = value == "1",
        ("+CMTE", "0" | "1") => settings.cmte = value == "1",
        ("+CVALARM", "0") => settings.cvalarm = None,
        ("+CVALARM", _) => match fields(value).as_slice() {
            ["1"] => settings.cvalarm = Some((3300, 4300)),
            ["1", low, high] => match (low.parse(), high.parse()) {
                (Ok(low), Ok(high)) if low < high => settings.cvalarm = Some((low, high)),
                _ => return End::Error,
            },
            _ => return End::Error,
        },
        ("+CATR", _) => match fields(value).first().and_then(|port| port.parse().ok()) {
            Some(port @ 0..=7) => settings.catr = port,
            _ => return End::Error,
        },
        ("+UIMHOTSWAPON", "0" | "1") => settings.kept.hot_swap = value == "1",
        ("+UIMHOTSWAPLEVEL", "0" | "1") => settings.kept.hot_swap_level = value == "1",
        ("+CUSBPIDSWITCH", _) => return composition(value, world, reply),
        ("+CUSD", _) => return ussd(value, world),
        _ if ACCEPTED.contains(&name) => {}
        _ => return NOT_SUPPORTED,
    }
    End::Ok
}

/// Registration, operator and radio.
fn radio(name: &str, value: &str, world: &mut World, reply: &mut Reply) -> Option<End> {
    let settings = &mut world.settings;
    match (name, value) {
        ("+CREG", "0" | "1" | "2") => settings.creg[0] = value.parse().unwrap_or(0),
        ("+CGREG", "0" | "1" | "2") => settings.creg[1] = value.parse().unwrap_or(0),
        ("+CEREG", "0" | "1" | "2") => settings.creg[2] = value.parse().unwrap_or(0),
        ("+CNLSA", "0" | "1") => settings.cnlsa = value == "1",
        ("+CNSMOD", "0" | "1") => settings.cnsmod = value == "1",
        ("+AUTOCSQ", _) => settings.autocsq = value.starts_with('1'),
        ("+CGEREP", _) => settings.cgerep = !value.starts_with('0'),
        ("+CNMP", _) => match value.parse() {
            Ok(
                mode
                @ (2 | 9 | 10 | 13 | 14 | 19 | 22 | 38 | 39 | 48 | 51 | 54 | 59 | 60 | 63 | 67),
            ) => {
                settings.kept.cnmp = mode;
            }
            _ => return Some(End::Error),
        },
        ("+COPS", "0") => {
            world.deregistered = false;
            world.treat(Cure::Operator);
        }
        ("+COPS", "2") => world.deregistered = true,
        ("+COPS", "3,0" | "3,1") => settings.cops_format = 0,
        ("+COPS", "3,2") => settings.cops_format = 2,
        ("+CFUN", "1,1" | "6" | "4,1" | "0,1") => reply.effects.push(Effect::Restart),
        ("+CFUN", "1" | "1,0") => {
            if settings.cfun != 1 {
                settings.cfun = 1;
                world.is_attached = true;
                world.is_active = true;
                world.treat(Cure::Radio);
            }
        }
        ("+CFUN", "0" | "4" | "7") => {
            settings.cfun = value.parse().unwrap_or(1);
            if value == "0" {
                world.lock_card();
            }
        }
        ("+CFUN", _) => return Some(End::Error),
        _ => return None,
    }
    Some(End::Ok)
}

/// Contexts.
fn packets(name: &str, value: &str, world: &mut World, reply: &mut Reply) -> Option<End> {
    match (name, value) {
        ("+CGATT", "0" | "1") => {
            let is_wanted = value == "1";
            if is_wanted && !world.has_service() {
                return Some(NO_NETWORK);
            }
            if is_wanted != world.is_attached {
                world.is_attached = is_wanted;
                world.is_active = is_wanted;
                world.treat(Cure::Reconnect);
            }
        }
        ("+CGACT", _) => match fields(value).as_slice() {
            ["0"] | ["0", "1"] => {
                world.is_active = false;
                world.treat(Cure::Reconnect);
            }
            ["1"] | ["1", "1"] => {
                if !world.has_service() || !world.is_attached {
                    return Some(NO_NETWORK);
                }
                world.is_active = true;
                if !world.has_data() {
                    world.is_active = false;
                    return Some(End::Cme(148, "unspecified GPRS error"));
                }
            }
            ["0" | "1", _] => {}
            _ => return Some(End::Error),
        },
        ("+CGDCONT", _) => {
            let fields = fields(value);
            // Without the card, what is written is lost.
            if fields.first() == Some(&"1") && world.settings.cfun != 0 {
                let access_point = fields.get(2).copied().unwrap_or_default();
                access_point.clone_into(&mut world.access_point);
            }
        }
        ("+CGPADDR", "1") => reply
            .lines
            .extend(answers::addresses(world).into_iter().take(1)),
        _ => return None,
    }
    Some(End::Ok)
}

/// `AT+CUSBPIDSWITCH=<pid>,1,1`: the module restarts when it is another one (manual, 19.2.14).
fn composition(value: &str, world: &mut World, reply: &mut Reply) -> End {
    let product = fields(value)
        .first()
        .copied()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let known = Composition::ALL.iter().find(|(known, _)| *known == product);
    let Some((_, composition)) = known else {
        return End::Error;
    };
    if *composition != world.composition {
        world.composition = *composition;
        reply.effects.push(Effect::Restart);
    }
    End::Ok
}

/// `AT+CUSD=<n>[,<str>[,<dcs>]]` (manual, 4.2.6).
fn ussd(value: &str, world: &mut World) -> End {
    let fields = fields(value);
    match fields.as_slice() {
        ["0"] => world.settings.cusd = false,
        ["1"] => world.settings.cusd = true,
        ["2"] => world.ussd.cancel(),
        ["0" | "1", code, ..] => {
            if !world.has_service() {
                return NO_NETWORK;
            }
            world.settings.cusd = fields[0] == "1";
            if let Some(line) = world.ussd.ask(code)
                && world.settings.cusd
            {
                world.later(world.config.ussd_time, Later::Do(Effect::Urc(line)));
            }
        }
        _ => return End::Error,
    }
    End::Ok
}

/// Commands that are taken and change nothing here.
pub(super) const ACCEPTED: &[&str] = &[
    "+CTZU",
    "+CTZR",
    "+CVALARM",
    "+CMTE",
    "+CGEREP",
    "+CATR",
    "+CNMI",
    "+CMGF",
    "+CPMS",
    "+CSCS",
    "+CNMP",
    "+CNSMOD",
    "+AUTOCSQ",
    "+CPSI",
    "+CUSD",
    "+CLIP",
    "+IFC",
    "+CVAUXV",
    "+CVAUXS",
    "+CGPSAUTO",
    "+CGPSNMEA",
    "+CMEE",
    "+COPS",
    "+CREG",
    "+CGREG",
    "+CEREG",
    "+CGPS",
    "+CFUN",
    "+CSQ",
    "+CSMP",
    "+CSDH",
    "+CSMS",
    "+CMER",
    "+CGAUTH",
    "+CSQDELTA",
    "+CPMVT",
    "+CCLK",
    "+CNBP",
    "+CRC",
];
