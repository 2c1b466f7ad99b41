//! The profile that we recommend, and how one is read out of another.

use std::fmt;

use anyhow::{Context, Result, ensure};
use thiserror::Error;

use super::apn::Apn;
use super::keyfile::{Keyfile, add};

/// A name or password is one octet of length on the wire (RFC 1334 §2.2.1).
const LONGEST_SIGN: usize = 255;

const HEAD: &str = "\
# The mobile connection, as a NetworkManager keyfile made by `tm profile cellular`.
# It belongs on the boot partition of balenaOS, under this name: system-connections/cellular
#   into an image:         balena os configure IMAGE --fleet FLEET -c cellular
#   on a device that runs: /mnt/boot/system-connections/cellular, then reboot
# `tm profile cellular --from FILE` says what each line does.
";

/// What a mobile connection needs to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Cellular {
    /// The access point; none only until one is given.
    pub(super) apn: Option<Apn>,
    /// Unlocks the SIM.
    pub(super) pin: Option<Pin>,
    /// Who signs in at the access point.
    pub(super) sign: Option<Sign>,
    /// Whether foreign networks are used too.
    pub(super) roaming: bool,
}

/// PIN of a SIM: text, since `0042` is not 42.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pin(String);

/// User name and password at the access point.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Sign {
    user: String,
    password: String,
}

/// What is wrong with a secret; never the secret itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(super) enum SecretError {
    /// Not 4 to 8 digits.
    #[error("a PIN has 4 to 8 digits")]
    Pin,
    /// A half is missing.
    #[error("user name and password go together")]
    Half,
    /// A control character is in it.
    #[error("user name or password has a control character in it")]
    Control,
    /// More than the protocol carries.
    #[error("user name or password has more than {LONGEST_SIGN} bytes")]
    Long,
}

impl Pin {
    /// Takes 4 to 8 digits as they are (3GPP TS 31.101 §9.5.1).
    pub(super) fn new(text: &str) -> Result<Self, SecretError> {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let is_pin = is_digits && (4..=8).contains(&text.len());
        is_pin
            .then(|| Self(text.to_owned()))
            .ok_or(SecretError::Pin)
    }
}

impl Sign {
    /// Takes a user name with its password.
    pub(super) fn new(user: &str, password: &str) -> Result<Self, SecretError> {
        if user.is_empty() || password.is_empty() {
            return Err(SecretError::Half);
        }
        if user.chars().chain(password.chars()).any(char::is_control) {
            return Err(SecretError::Control);
        }
        if user.len().max(password.len()) > LONGEST_SIGN {
            return Err(SecretError::Long);
        }
        Ok(Self {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

impl fmt::Debug for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sign(…)")
    }
}

impl Cellular {
    /// Reads what an existing keyfile says; what it does not say stays at our default.
    pub(super) fn of(keyfile: &Keyfile) -> Result<Self> {
        let kind = keyfile
            .get("connection", "type")
            .context("it has no type in [connection]")?;
        ensure!(
            kind.1 == "gsm",
            "line {}: the type is not gsm: this is no mobile connection",
            kind.0
        );
        let filled = |key| {
            keyfile
                .get("gsm", key)
                .filter(|(_, value)| !value.is_empty())
        };
        let apn = filled("apn")
            .map(|(line, apn)| apn.trim().parse().with_context(|| format!("line {line}")))
            .transpose()?;
        let pin = filled("pin")
            .map(|(line, pin)| Pin::new(pin).with_context(|| format!("line {line}")))
            .transpose()?;
        let sign = match (filled("username"), filled("password")) {
            (None, None) => None,
            (user, password) => {
                let line = user.or(password).map_or(0, |(line, _)| line);
                let text = |half: Option<(usize, _)>| half.map_or("", |(_, text)| text);
                let sign = Sign::new(text(user), text(password));
                Some(sign.with_context(|| format!("line {line}"))?)
            }
        };
        // Only a stated permission is kept: without the line, NetworkManager would roam.
        let home_only = keyfile.get("gsm", "home-only");
        let roaming = matches!(home_only, Some((_, "false" | "0")));
        Ok(Self {
            apn,
            pin,
            sign,
            roaming,
        })
    }

    /// The keyfile.
    pub(super) fn keyfile(&self) -> String {
        let mut text = HEAD.to_owned();
        text.push_str("\n[connection]\nid=cellular\ntype=gsm\nautoconnect=true\n");
        text.push_str("autoconnect-priority=-10\n\n[gsm]\n");
        if let Some(apn) = &self.apn {
            add(&mut text, "apn", &apn.to_string());
        }
        if !self.roaming {
            add(&mut text, "home-only", "true");
        }
        if let Some(Pin(pin)) = &self.pin {
            add(&mut text, "pin", pin);
        }
        if let Some(Sign { user, password }) = &self.sign {
            add(&mut text, "username", user);
            add(&mut text, "password", password);
        }
        text.push_str("\n[ipv4]\nmethod=auto\nroute-metric=700\n\n[ipv6]\nmethod=disabled\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cellular(pin: &str, user: &str, password: &str, roaming: bool) -> Cellular {
        Cellular {
            apn: Some("staticip".parse().unwrap()),
            pin: Pin::new(pin).ok(),
            sign: Sign::new(user, password).ok(),
            roaming,
        }
    }

    #[test]
    fn a_profile_says_again_what_it_was_made_of() {
        for made in [
            cellular("", "", "", false),
            cellular("0042", "", "", false),
            cellular("", "user@isp", r" pass\word ", true),
            cellular("12345678", "u", "ü;#=", true),
        ] {
            let mut text = made.keyfile();
            if made.roaming {
                // Absent means roaming to NetworkManager, but nothing to us: say it.
                text = text.replace("[gsm]\n", "[gsm]\nhome-only=false\n");
            }
            let read = Cellular::of(&Keyfile::parse(text.as_bytes()).unwrap());
            assert_eq!(read.unwrap(), made, "{text}");
        }
        assert!(
            cellular("0042", "", "", false)
                .keyfile()
                .contains("pin=0042\n")
        );
    }

    #[test]
    fn what_no_profile_is_made_of() {
        for pin in ["", "123", "123456789", "12 34", "12a4", "١٢٣٤"] {
            assert_eq!(Pin::new(pin), Err(SecretError::Pin), "{pin}");
        }
        for (user, password, expected) in [
            ("", "p", SecretError::Half),
            ("u", "", SecretError::Half),
            ("u\n", "p", SecretError::Control),
            ("u", &"p".repeat(256), SecretError::Long),
        ] {
            assert_eq!(Sign::new(user, password), Err(expected));
        }
    }

    #[test]
    fn what_cannot_be_taken_over_is_told_without_secrets() {
        for (text, expected) in [
            ("[gsm]\napn=a", "it has no type in [connection]"),
            (
                "[connection]\ntype=wifi",
                "line 2: the type is not gsm: this is no mobile connection",
            ),
            (
                "[connection]\ntype=gsm\n[gsm]\napn=static ip",
                "line 4: the APN has ' ' at position 7; it is made of letters, digits, '-' and '_', in labels joined by dots",
            ),
            (
                "[connection]\ntype=gsm\n[gsm]\npin=77",
                "line 4: a PIN has 4 to 8 digits",
            ),
            (
                "[connection]\ntype=gsm\n[gsm]\napn=a\nusername=hush",
                "line 5: user name and password go together",
            ),
        ] {
            let error = Cellular::of(&Keyfile::parse(text.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(format!("{error:#}"), expected);
        }
    }

    #[test]
    fn secrets_are_not_in_debug_output() {
        let made = cellular("1357", "somebody", "hush-hush", false);
        let shown = format!("{made:?}");
        for secret in ["1357", "somebody", "hush-hush"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
