//! The module itself: supply, temperature, clock, radio, GNSS engine (manual, 3.2, 17.2 and 19.2).

use super::fields;
use crate::calendar::Date;

/// Reads the answer to `AT+CBC`: `+CBC: 3.591V`; volts. Absent for what no supply of this module can be
/// (boards without the sense line print 0.013 V).
pub fn supply_voltage_v(lines: &[String]) -> Option<f64> {
    let fields = fields::last(lines, "+CBC")?;
    let text = fields.last()?.trim_end_matches(['V', 'v']).trim();
    fields::decimal(text).filter(|volts| (2.5..=5.5).contains(volts))
}

/// Reads the answer to `AT+CPMUTEMP`: `+CPMUTEMP: 29`; degrees Celsius. Absent outside the sensor's range.
pub fn temperature_celsius(lines: &[String]) -> Option<f64> {
    let fields = fields::last(lines, "+CPMUTEMP")?;
    fields::decimal(fields.first()?).filter(|degrees| (-60.0..=150.0).contains(degrees))
}

/// Reads the answer to `AT+CUSBPIDSWITCH?`: `+CUSBPIDSWITCH: 9001`, the USB product id as it is written, which names
/// the composition (manual, 19.2.14).
pub fn usb_composition(lines: &[String]) -> Option<u16> {
    let fields = fields::last(lines, "+CUSBPIDSWITCH")?;
    let digits = fields.first().filter(|digits| digits.len() == 4)?;
    fields::hex(digits).and_then(|product| u16::try_from(product).ok())
}

/// What the radio is allowed to do (`AT+CFUN?`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RadioPower {
    /// 0: nothing, SIM off too.
    Minimum,
    /// 1: everything.
    Full,
    /// 4: radio off.
    Off,
    /// 7: offline; only a reset leads out.
    Offline,
    /// Test modes.
    Other(u8),
}

/// Reads the answer to `AT+CFUN?`: `+CFUN: <fun>`.
pub fn radio_power(lines: &[String]) -> Option<RadioPower> {
    let fields = fields::last(lines, "+CFUN")?;
    Some(match fields.first()?.parse().ok()? {
        0 => RadioPower::Minimum,
        1 => RadioPower::Full,
        4 => RadioPower::Off,
        7 => RadioPower::Offline,
        other => RadioPower::Other(other),
    })
}

/// Whether the GNSS engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GnssEngine {
    /// Runs.
    pub is_on: bool,
    /// 1 standalone, 2 UE-based, 3 UE-assisted; absent when not printed.
    pub mode: Option<u8>,
}

/// Reads the answer to `AT+CGPS?`: `+CGPS: <on>,<mode>`.
pub fn gnss_engine(lines: &[String]) -> Option<GnssEngine> {
    let fields = fields::last(lines, "+CGPS")?;
    let is_on = match *fields.first()? {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some(GnssEngine {
        is_on,
        mode: fields.get(1).and_then(|field| field.parse().ok()),
    })
}

/// The module's clock as the network set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkClock {
    /// UTC as seconds since 1970.
    pub unix_s: i64,
    /// What local time is ahead of UTC, in quarters of an hour.
    pub offset_quarters: i8,
}

/// Reads the answer to `AT+CCLK?`: `+CCLK: "yy/MM/dd,hh:mm:ss±zz"`, local time with its offset.
///
/// The inner value is absent when the clock was never set: it counts from `80/01/06`, often without an offset.
pub fn network_clock(lines: &[String]) -> Option<Option<NetworkClock>> {
    let fields = fields::last(lines, "+CCLK")?;
    let (date, rest) = fields.first()?.split_once(',')?;
    let mut parts = date.splitn(3, '/').map(|part| two_digits(part, 99));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (time, offset) = rest.find(['+', '-']).map_or((rest, None), |at| {
        let (time, offset) = rest.split_at(at);
        (time, Some(offset))
    });
    let mut parts = time.splitn(3, ':').map(|part| two_digits(part, 60));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    // The counter starts at the GPS epoch; the family is younger than 2014.
    if !(14..80).contains(&year) {
        return Some(None);
    }
    let date = Date::new(2000 + i16::from(year), month, day)?;
    let Some(offset_quarters) = offset
        .and_then(|text| text.parse::<i8>().ok())
        .filter(|q| (-56..=56).contains(q))
    else {
        // Local time without its offset is no instant.
        return Some(None);
    };
    let local_s = date.unix_days() * 86_400
        + i64::from(hour) * 3600
        + i64::from(minute) * 60
        + i64::from(second);
    Some(Some(NetworkClock {
        unix_s: local_s - i64::from(offset_quarters) * 900,
        offset_quarters,
    }))
}

fn two_digits(text: &str, max: u8) -> Option<u8> {
    let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number| *number <= max)
}
