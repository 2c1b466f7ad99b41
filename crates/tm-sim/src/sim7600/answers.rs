//! Answer lines about the network, as the firmware prints them.

use super::world::{Network, World};

/// How an absent IPv6 address is printed.
pub(super) const NO_IPV6: &str = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";

pub(super) fn registration(name: &str, index: usize, world: &World) -> String {
    let (n, stat) = (world.settings.creg[index], world.registration());
    if n < 2 || !world.has_service() {
        return format!("{name}: {n},{stat}");
    }
    // As real firmware prints it: hexadecimal, without quotes.
    let (tac, cell) = (TAC, CELL);
    if index == 2 {
        format!("{name}: {n},{stat},{tac:X},{cell:X},7")
    } else {
        format!("{name}: {n},{stat},{tac:X},{cell:X}")
    }
}

/// Tracking area.
const TAC: u32 = 0x8502;
/// Cell: base station 87010, sector 11.
const CELL: u32 = 22_274_571;

pub(super) fn operator(world: &World) -> String {
    if world.deregistered {
        return "+COPS: 2".to_owned();
    }
    if !world.has_service() {
        return "+COPS: 0".to_owned();
    }
    let (name, digits) = if world.network == Network::Roaming {
        ("T-Mobile PL", "26002")
    } else {
        ("Vodafone UA", "25501")
    };
    if world.settings.cops_format == 2 {
        format!("+COPS: 0,2,\"{digits}\",7")
    } else {
        format!("+COPS: 0,0,\"{name}\",7")
    }
}

pub(super) fn signal(world: &World) -> String {
    if !world.has_service() {
        return "+CSQ: 99,99".to_owned();
    }
    let [_, _, rssi, _] = world.levels();
    // 0 is -113 dBm, then steps of 2 dB up to 31.
    format!("+CSQ: {},99", ((rssi + 1130) / 20).clamp(0, 31))
}

pub(super) fn serving_cell(world: &World) -> String {
    let limited = world.settings.cnlsa && world.network == Network::Denied && world.may_register();
    if !world.has_service() && !limited {
        let mode = if world.settings.cfun == 1 {
            "Online"
        } else {
            "Low Power Mode"
        };
        return format!("+CPSI: NO SERVICE,{mode}");
    }
    let [quality, power, total, noise] = world.levels();
    let system = if limited { "LTE-LIMITED" } else { "LTE" };
    let plmn = if world.network == Network::Roaming {
        "260-02"
    } else {
        "255-01"
    };
    format!(
        "+CPSI: {system},Online,{plmn},0x{TAC:X},{CELL},143,EUTRAN-BAND3,1650,5,5,{quality},{power},{total},{noise}"
    )
}

pub(super) fn addresses(world: &World) -> Vec<String> {
    let address = if world.has_data() {
        world.config.address.as_str()
    } else {
        "0.0.0.0"
    };
    let telephony = if world.has_service() {
        "253.0.0.100.0.0.0.0.0.0.0.0.0.0.0.7"
    } else {
        NO_IPV6
    };
    vec![
        format!("+CGPADDR: 1,{address}"),
        format!("+CGPADDR: 2,0.0.0.0,{telephony}"),
    ]
}

/// In LTE an attached module has one context at least: here that of telephony, whatever becomes of data.
pub(super) fn activity(world: &World) -> Vec<String> {
    vec![
        format!("+CGACT: 1,{}", u8::from(world.has_data())),
        format!("+CGACT: 2,{}", u8::from(world.has_service())),
    ]
}

/// The network's last refusal in the words of its cause 27 (3GPP TS 24.301, 6.5.1.4).
pub(super) fn last_error(world: &World) -> String {
    let text = if world.has_service() && !world.has_data() {
        "ESM cause: Missing or unknown APN"
    } else {
        "No cause information available"
    };
    format!("+CEER: {text}")
}

pub(super) fn clock(world: &World) -> String {
    // Never synchronised: counts from the GPS epoch.
    let never = || "+CCLK: \"80/01/06,00:07:04\"".to_owned();
    if !world.has_service() {
        return never();
    }
    let Ok(time) = jiff::Timestamp::try_from(world.now()) else {
        return never();
    };
    // Two hours ahead of UTC, in quarters.
    let local = time.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)));
    format!("+CCLK: \"{}+08\"", local.strftime("%y/%m/%d,%H:%M:%S"))
}
