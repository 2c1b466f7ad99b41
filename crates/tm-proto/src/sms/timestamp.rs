//! The service centre's clock (3GPP TS 23.040, 9.2.3.11): seven octets of swapped digits, local time and its zone.
//!
//! ```text
//! 62 11 52 12 00 00 80      26/11/25 21:00:00, +08 quarters of an hour
//! ```

use crate::calendar::Date;

/// A zone is at most 14 hours from UTC.
const MAX_ZONE_QUARTERS: i64 = 56;

/// Seconds since 1970, UTC; nothing for what is no time.
pub(super) fn unix_s(octets: &[u8]) -> Option<i64> {
    let &[year, month, day, hour, minute, second, zone] = octets else {
        return None;
    };
    let (year, month, day) = (digits(year)?, digits(month)?, digits(day)?);
    let (hour, minute, second) = (digits(hour)?, digits(minute)?, digits(second)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Two digits; the system is younger than 1990.
    let century = if year < 90 { 2000 } else { 1900 };
    let date = Date::new(century + i16::from(year), month, day)?;
    // Bit 3 of the zone's octet is its sign.
    let quarters = i64::from(digits(zone & !0x08)?);
    if quarters > MAX_ZONE_QUARTERS {
        return None;
    }
    let quarters = if zone & 0x08 == 0 {
        quarters
    } else {
        -quarters
    };
    let local_s = date.unix_days() * 86_400
        + i64::from(hour) * 3600
        + i64::from(minute) * 60
        + i64::from(second);
    Some(local_s - quarters * 900)
}

/// The first digit is in the low half.
fn digits(octet: u8) -> Option<u8> {
    let (tens, ones) = (octet & 0x0f, octet >> 4);
    (tens < 10 && ones < 10).then_some(tens * 10 + ones)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let table: [(&[u8], Option<i64>); 8] = [
            // 2026-11-25 21:00:00 at UTC+2.
            (&[0x62, 0x11, 0x52, 0x12, 0, 0, 0x80], Some(1_795_633_200)),
            (&[0x62, 0x11, 0x52, 0x12, 0, 0, 0], Some(1_795_640_400)),
            // UTC-5: 20 quarters, signed.
            (&[0x62, 0x11, 0x52, 0x12, 0, 0, 0x0a], Some(1_795_658_400)),
            // 1999-12-31 23:59:59.
            (&[0x99, 0x21, 0x13, 0x32, 0x95, 0x95, 0], Some(946_684_799)),
            (&[0x62, 0x31, 0x52, 0x12, 0, 0, 0], None),
            (&[0x62, 0x11, 0x52, 0x42, 0, 0, 0], None),
            (&[0xf2, 0x11, 0x52, 0x12, 0, 0, 0], None),
            (&[0x62, 0x11, 0x52, 0x12, 0, 0, 0x97], None),
        ];
        for (octets, expected) in table {
            assert_eq!(unix_s(octets), expected, "{octets:02x?}");
        }
        assert_eq!(unix_s(&[]), None);
    }
}
