//! Where the modem is, as ModemManager keeps it: the newest sentence of each kind.

use std::collections::{BTreeMap, HashMap};

use zbus::zvariant::Value;

/// MMModemLocationSource.
pub(super) const LAC_CI: u32 = 1;
pub(super) const GPS_RAW: u32 = 1 << 1;
pub(super) const GPS_NMEA: u32 = 1 << 2;
pub(super) const GPS_UNMANAGED: u32 = 1 << 4;
/// What a SIM7600 with its NMEA port can do.
pub(super) const CAPABLE: u32 = LAC_CI | GPS_RAW | GPS_NMEA | GPS_UNMANAGED;

#[derive(Debug)]
pub(super) struct Location {
    pub(super) enabled: u32,
    pub(super) is_signalled: bool,
    pub(super) refresh_s: u32,
    /// By type, such as `$GPGGA`; the parts of a series are kept together.
    sentences: BTreeMap<String, String>,
}

impl Default for Location {
    /// The cell is told of as soon as a modem is enabled (seen with 1.20.4); GPS every 30 s once it is wanted.
    fn default() -> Self {
        Self {
            enabled: LAC_CI,
            is_signalled: false,
            refresh_s: 30,
            sentences: BTreeMap::new(),
        }
    }
}

impl Location {
    /// Takes a sentence in; a part of a series after the first is added to those before
    /// (ModemManager, mm-location-gps-nmea.c).
    pub(super) fn feed(&mut self, sentence: &str) {
        let sentence = sentence.trim();
        if self.enabled & (GPS_NMEA | GPS_RAW) == 0 || !sentence.starts_with('$') {
            return;
        }
        let mut fields = sentence.split(',');
        let kind = fields.next().unwrap_or_default().to_owned();
        let is_series = kind.ends_with("GSV");
        let is_first = fields.nth(1) == Some("1");
        let kept = self.sentences.entry(kind).or_default();
        if is_series && !is_first && !kept.is_empty() {
            kept.push_str("\r\n");
            kept.push_str(sentence);
        } else {
            sentence.clone_into(kept);
        }
    }

    /// What `GetLocation` answers.
    pub(super) fn value(&self, is_registered: bool) -> HashMap<u32, Value<'static>> {
        let mut value = HashMap::new();
        if self.enabled & LAC_CI != 0 && is_registered {
            value.insert(LAC_CI, "255,01,FFFE,0153E20B,008502".into());
        }
        if self.enabled & GPS_NMEA != 0 && !self.sentences.is_empty() {
            let all: Vec<&str> = self.sentences.values().map(String::as_str).collect();
            value.insert(GPS_NMEA, all.join("\r\n").into());
        }
        value
    }

    pub(super) fn disable_gps(&mut self) {
        if self.enabled & (GPS_NMEA | GPS_RAW) == 0 {
            self.sentences.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_kind_and_a_series_whole() {
        let mut location = Location {
            enabled: GPS_NMEA,
            ..Location::default()
        };
        for sentence in [
            "$GPGSV,2,1,05,a*00",
            "$GPGSV,2,2,05,b*00",
            "$GPGGA,1*00",
            "$GPGGA,2*00",
            "noise",
        ] {
            location.feed(sentence);
        }
        let text = "$GPGGA,2*00\r\n$GPGSV,2,1,05,a*00\r\n$GPGSV,2,2,05,b*00";
        assert_eq!(location.value(true)[&GPS_NMEA], Value::from(text));
        location.feed("$GPGSV,1,1,01,c*00");
        assert_eq!(
            location.value(true)[&GPS_NMEA],
            Value::from("$GPGGA,2*00\r\n$GPGSV,1,1,01,c*00")
        );
    }
}
