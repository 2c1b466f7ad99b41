//! `TM_MODEM_*`.

use std::ops::Deref;

use regex_lite::Regex;
use tm_service::config::{Environment, Expected, Field, List, Report, Secret, Setting, Settings};
use tm_service::port::PortUrl;

/// Where a container is told the host's system bus (label `io.balena.features.dbus`).
const SYSTEM_BUS: &str = "DBUS_SYSTEM_BUS_ADDRESS";

tm_service::settings! {
    /// `TM_MODEM_*`: the modem.
    pub struct ModemSettings {
        /// By which way the modem is reached: `modemmanager` (D-Bus), `serial` (AT on `TM_MODEM_PORT`), or `auto`:
        /// ModemManager where it answers on the system bus (`DBUS_SYSTEM_BUS_ADDRESS`), else serial.
        pub backend: BackendChoice = "auto",
        /// The modem's AT port, for `serial`.
        pub port: PortUrl = "usb:1e0e:9001:02",
        /// Whether a modem (and its SIM) ought to be there: `true` makes its absence a fault, `false` never,
        /// `auto` once it was seen.
        pub expected: Expected = "auto",
        /// Seconds between two readings of signal, cell, temperature and supply (5 to 3600).
        pub poll_s: u32 [5..=3600] = 60,
        /// PIN of the SIM, 4 to 8 digits. Sent only while all three tries are left.
        pub pin: Option<Pin> = None,
        /// Whether to switch the GNSS engine on and relay its sentences to the bus.
        pub nmea_relay: bool = true,
        /// The modem's NMEA port.
        pub nmea_port: PortUrl = "usb:1e0e:9001:01",
        /// Where the modem's USB device is looked for: the root of sysfs.
        pub sysfs_root: String = "/sys",
        /// Supply of the active antenna, mV (1700 to 3050); 0 leaves it as it is.
        pub gnss_antenna_mv: u32 [0..=3050] = 0,
        /// Whether the watchdog heals the link by itself (`docs/recovery.md`); observing goes on without.
        pub recovery: bool = true,
        /// Whether the last rung may ask the agent for a reboot of the host; the agent has its own daily cap.
        pub reboot: bool = true,
        /// Whether a person has checked that `TM_MODEM_PWRKEY_LINE` is the power key: only then is it pressed.
        pub pwrkey_verified: bool = false,
        /// GPIO chip of the power key.
        pub pwrkey_chip: String = "/dev/gpiochip0",
        /// GPIO line of the power key (BCM numbering).
        pub pwrkey_line: u32 [0..=57] = 6,
        /// Series that is true while the mains supply is there, such as `io/mains`: while it is false an outage of
        /// the area is suspected and nothing is switched.
        pub mains_series: Option<String> = None,
        /// Day of the month on which the operator's billing month begins (1 to 28).
        pub billing_day: u32 [1..=28] = 1,
        /// Most data of a billing month, MB (10^6 bytes); unlimited when not set.
        pub data_limit_mb: Option<u32> = None,
        /// Numbers that may ask by text message, with `+` and country code.
        pub sms_allow: List<PhoneNumber> = "",
        /// Word that a text message must begin with to ask for something; without one nothing can be asked.
        pub sms_secret: Option<Secret> = None,
        /// How many text messages may be answered within an hour (1 to 60).
        pub sms_replies_per_h: u32 [1..=60] = 6,
        /// Received text messages that are kept (10 to 500).
        pub sms_inbox: u32 [10..=500] = 100,
        /// Service code that asks for the prepaid balance, such as `*101#`; not asked when not set.
        pub balance_ussd: Option<UssdCode> = None,
        /// Regular expression whose first group is the amount in the answer to `TM_MODEM_BALANCE_USSD`.
        pub balance_pattern: Option<Pattern> = None,
        /// Hours between two readings of the balance (1 to 720).
        pub balance_period_h: u32 [1..=720] = 24,
    }
}

/// The modem's settings, and what balenaOS adds to them; reads like its settings.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `TM_MODEM_*`.
    pub modem: ModemSettings,
    /// Address of the system bus, `DBUS_SYSTEM_BUS_ADDRESS`; without one ModemManager is not looked for.
    pub dbus: Option<String>,
}

impl Settings for Config {
    const FIELDS: &'static [Field] = ModemSettings::FIELDS;

    fn load(prefix: &str, environment: &Environment, report: &mut Report) -> Self {
        let dbus = environment.get(SYSTEM_BUS).filter(|text| !text.is_empty());
        Self {
            modem: ModemSettings::load(prefix, environment, report),
            dbus: dbus.map(str::to_owned),
        }
    }
}

impl Deref for Config {
    type Target = ModemSettings;

    fn deref(&self) -> &ModemSettings {
        &self.modem
    }
}

/// `TM_MODEM_BACKEND`: by which way the modem is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BackendChoice {
    /// ModemManager where it answers, else serial.
    #[default]
    Auto,
    /// ModemManager over D-Bus.
    ModemManager,
    /// AT on a port.
    Serial,
}

impl Setting for BackendChoice {
    const TYPE: &'static str = "word";
    const EXPECTED: &'static str = "auto, modemmanager or serial";

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Some(Self::Auto),
            "modemmanager" => Some(Self::ModemManager),
            "serial" => Some(Self::Serial),
            _ => None,
        }
    }
}

/// A telephone number with country code: `+` and 7 to 15 digits (ITU-T E.164).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// `+` and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for PhoneNumber {
    const TYPE: &'static str = "number";
    const EXPECTED: &'static str = "+ and 7 to 15 digits";

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let is_number =
            (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| Self(text.to_owned()))
    }
}

/// A service code: 2 to 32 characters of `0-9 * #`, ending in `#`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UssdCode(String);

impl UssdCode {
    /// As dialled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for UssdCode {
    const TYPE: &'static str = "code";
    const EXPECTED: &'static str = "2 to 32 of 0-9, * and #, ending in #";

    fn parse(text: &str) -> Option<Self> {
        let is_code = (2..=32).contains(&text.len())
            && text.ends_with('#')
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'));
        is_code.then(|| Self(text.to_owned()))
    }
}

/// A regular expression with one group at least.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// What the first group holds; nothing where the expression does not fit.
    pub fn first_group<'a>(&self, text: &'a str) -> Option<&'a str> {
        Some(self.0.captures(text)?.get(1)?.as_str())
    }
}

impl Setting for Pattern {
    const TYPE: &'static str = "pattern";
    const EXPECTED: &'static str = "a regular expression with a group";

    fn parse(text: &str) -> Option<Self> {
        let regex = Regex::new(text).ok()?;
        (regex.captures_len() > 1).then_some(Self(regex))
    }
}

/// The PIN of a SIM: 4 to 8 digits, never shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin(Secret);

impl Pin {
    /// The digits, for the one command that needs them.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl Setting for Pin {
    const TYPE: &'static str = "secret";
    const EXPECTED: &'static str = "4 to 8 digits";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        let is_pin = (4..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_pin.then(|| Self(Secret::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_codes() {
        assert_eq!(
            BackendChoice::parse("ModemManager"),
            Some(BackendChoice::ModemManager)
        );
        assert_eq!(BackendChoice::parse("mm"), None);
        assert!(PhoneNumber::parse("+380501112233").is_some());
        for text in [
            "380501112233",
            "+",
            "+12345",
            "+38050 1112233",
            "+1234567890123456",
        ] {
            assert_eq!(PhoneNumber::parse(text), None, "{text}");
        }
        assert!(UssdCode::parse("*101#").is_some());
        for text in ["", "#", "*101", "*1 1#", "AT#"] {
            assert_eq!(UssdCode::parse(text), None, "{text}");
        }
        let pattern = Pattern::parse(r"([0-9]+[.,][0-9]{2}) ?UAH").unwrap();
        assert_eq!(pattern.first_group("Balance 12.50 UAH"), Some("12.50"));
        assert_eq!(pattern.first_group("no money"), None);
        assert!(Pattern::parse("UAH").is_none() && Pattern::parse("(").is_none());
    }

    #[test]
    fn a_pin_is_digits_and_stays_hidden() {
        let pin = Pin::parse("0042").unwrap();
        assert_eq!(
            (pin.expose(), format!("{pin:?}").as_str()),
            ("0042", "Pin(***)")
        );
        for text in ["", "42", "123456789", "12a4", "1234 "] {
            assert_eq!(Pin::parse(text), None, "{text:?}");
        }
    }
}
