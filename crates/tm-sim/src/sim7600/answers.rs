//! Answer lines about the network, as the firmware prints them.

use std::time::SystemTime;

use super::world::{Network, SimCard, Technology, World};

/// How an absent IPv6 address is printed.
pub(super) const NO_IPV6: &str = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";

pub(super) fn registration(name: &str, index: usize, world: &World) -> String {
    format!(
        "{name}: {},{}",
        world.settings.creg[index],
        registration_fields(index, world)
    )
}

/// The same without the `<n>` that a question is answered with.
pub(super) fn registration_change(name: &str, index: usize, world: &World) -> String {
    format!("{name}: {}", registration_fields(index, world))
}

fn registration_fields(index: usize, world: &World) -> String {
    let (n, stat) = (world.settings.creg[index], world.registration(index));
    if n < 2 || !matches!(stat, 1 | 5) {
        return stat.to_string();
    }
    // As real firmware prints it: hexadecimal, without quotes.
    let (area, cell) = place(world);
    if index == 2 {
        format!("{stat},{area:X},{cell:X},7")
    } else {
        format!("{stat},{area:X},{cell:X}")
    }
}

/// Tracking area and cell: base station 87010, sector 11; beside it those of the older networks.
fn place(world: &World) -> (u32, u32) {
    match world.cells {
        Technology::Lte => (0x8502, 22_274_571),
        Technology::Wcdma => (0x4D07, 4_487_261),
        Technology::Gsm => (0x011F, 14_822),
    }
}

/// `<AcT>` of `+COPS`.
fn act(world: &World) -> u8 {
    match world.cells {
        Technology::Gsm => 0,
        Technology::Wcdma => 2,
        Technology::Lte => 7,
    }
}

/// `<stat>` of `+CNSMOD`.
pub(super) fn access(world: &World) -> u8 {
    match world.cells {
        _ if !world.has_service() => 0,
        Technology::Gsm => 3,
        Technology::Wcdma => 7,
        Technology::Lte => 8,
    }
}

pub(super) fn operator(world: &World) -> String {
    if world.deregistered {
        return "+COPS: 2".to_owned();
    }
    if !world.has_service() {
        return "+COPS: 0".to_owned();
    }
    let (name, digits) = if world.network() == Network::Roaming {
        ("T-Mobile PL", "26002")
    } else {
        ("Vodafone UA", "25501")
    };
    let act = act(world);
    if world.settings.cops_format == 2 {
        format!("+COPS: 0,2,\"{digits}\",{act}")
    } else {
        format!("+COPS: 0,0,\"{name}\",{act}")
    }
}

/// What a search of all operators finds.
pub(super) fn operators(world: &World) -> String {
    let tail = ",,(0,1,2,3,4,5),(0,1,2)";
    if world.is_area_out {
        return format!("+COPS: {tail}");
    }
    let state = if world.has_service() { 2 } else { 1 };
    let act = act(world);
    format!(
        "+COPS: ({state},\"Vodafone UA\",\"VF UA\",\"25501\",{act}),(1,\"KYIVSTAR\",\"KS\",\"25503\",{act}),\
         (3,\"lifecell\",\"lifecell\",\"25506\",{act}){tail}"
    )
}

/// 0 is -113 dBm, then steps of 2 dB up to 31; 99 is unknown.
pub(super) fn rssi(world: &World) -> i64 {
    if !world.has_service() {
        return 99;
    }
    let [_, _, rssi, _] = world.levels();
    ((rssi + 1130) / 20).clamp(0, 31)
}

pub(super) fn signal(world: &World) -> String {
    format!("+CSQ: {},99", rssi(world))
}

/// In the indices of 3GPP TS 27.007, 8.69: half decibels from -19.5 and decibels from -140.
pub(super) fn extended_signal(world: &World) -> String {
    if !world.has_service() || world.cells != Technology::Lte {
        return "+CESQ: 99,99,255,255,255,255".to_owned();
    }
    let [quality, power, ..] = world.levels();
    format!(
        "+CESQ: 99,99,255,255,{},{}",
        ((quality + 200) / 5).clamp(0, 34),
        ((power + 1410) / 10).clamp(0, 97)
    )
}

pub(super) fn serving_cell(world: &World) -> String {
    let limited =
        world.settings.cnlsa && world.network() == Network::Denied && world.may_register();
    if !world.has_service() && !limited {
        let mode = match world.settings.cfun {
            1 if !world.is_flight => "Online",
            7 => "Offline",
            _ => "Low Power Mode",
        };
        return format!("+CPSI: NO SERVICE,{mode}");
    }
    let [quality, power, total, noise] = world.levels();
    let suffix = if limited { "-LIMITED" } else { "" };
    let plmn = if world.network() == Network::Roaming {
        "260-02"
    } else {
        "255-01"
    };
    let (area, cell) = place(world);
    match world.cells {
        // As seen between two cells.
        Technology::Lte if world.is_reselecting => format!(
            "+CPSI: LTE{suffix},Online,{plmn},0x{area:X},{cell},0,EUTRAN-BAND0,4294967295,0,0,0,0,0,0"
        ),
        Technology::Lte => format!(
            "+CPSI: LTE{suffix},Online,{plmn},0x{area:X},{cell},143,EUTRAN-BAND3,1650,5,5,{quality},{power},{total},{noise}"
        ),
        // Levels without their sign; RSCP a little above RSRP, as the code power is of a wider channel.
        Technology::Wcdma => format!(
            "+CPSI: WCDMA{suffix},Online,{plmn},0x{area:04X},{cell},WCDMA IMT 2000,38,10563,0,{}.5,{},32,{},500",
            4 + (quality.abs() % 3),
            -power / 10 - 12,
            -total / 10 - 14
        ),
        Technology::Gsm => format!(
            "+CPSI: GSM{suffix},Online,{plmn},0x{area:04x},{cell},4 EGSM 900,{},0,40-40",
            total / 10
        ),
    }
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

/// The network's last refusal in the words of its cause 27 (3GPP TS 24.301, 6.5.1.4) or 15 (5.5.3.2.5).
pub(super) fn last_error(world: &World) -> String {
    let text = if world.network() == Network::Denied && world.may_register() {
        "EMM cause: No suitable cells in tracking area"
    } else if world.has_service() && world.is_active && !world.has_data() {
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
    match strftime(world.now(), 2, "%y/%m/%d,%H:%M:%S") {
        // Two hours ahead of UTC, in quarters.
        Some(local) => format!("+CCLK: \"{local}+08\""),
        None => never(),
    }
}

/// What the network tells about its time: in UTC (manual, 3.2).
pub(super) fn time_zone(world: &World) -> Option<String> {
    let utc = strftime(world.now(), 0, "%y/%m/%d,%H:%M:%S")?;
    Some(format!("+CTZV: +08,{utc}"))
}

fn strftime(time: SystemTime, hours: i8, format: &str) -> Option<String> {
    let time = jiff::Timestamp::try_from(time).ok()?;
    let local = time.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(hours)));
    Some(local.strftime(format).to_string())
}

/// Tries left for PIN, PUK and their second kind.
pub(super) fn tries(world: &World) -> String {
    let pin = if world.sim() == SimCard::Ready {
        3
    } else {
        world.card.pin_tries
    };
    format!("+SPIC: {pin},{},3,10", world.card.puk_tries)
}

/// `+CGPSINFO` and `+CGNSSINFO` of the antenna (manual, 17.2.2 and 17.2.22): degrees and minutes.
pub(super) fn position(name: &str, world: &World) -> String {
    let is_long = name == "+CGNSSINFO";
    if !world.gnss_on || !world.sky.has_fix() {
        let n_commas = if is_long { 15 } else { 8 };
        return format!("{name}: {}", ",".repeat(n_commas));
    }
    let (latitude, longitude) = world.sky.antenna();
    let minutes = |degrees: f64, width: usize| {
        let whole = degrees.abs().trunc();
        format!("{whole:0width$}{:09.6}", (degrees.abs() - whole) * 60.0)
    };
    let place = format!(
        "{},{},{},{}",
        minutes(latitude, 2),
        if latitude < 0.0 { "S" } else { "N" },
        minutes(longitude, 3),
        if longitude < 0.0 { "W" } else { "E" }
    );
    let when = strftime(world.now(), 0, "%d%m%y,%H%M%S").unwrap_or_else(|| ",".to_owned());
    let altitude = world.config.altitude_m;
    if is_long {
        format!("{name}: 3,08,05,00,{place},{when}.0,{altitude:.1},0.0,,1.8,0.9,1.5")
    } else {
        format!("{name}: {place},{when}.0,{altitude:.1},0.0,")
    }
}
