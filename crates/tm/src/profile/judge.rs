//! What we think of each setting of a mobile connection.

use std::fmt::{self, Display};

use super::cellular::Pin;
use super::keyfile::Keyfile;

/// What to do about a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// As we would write it.
    Good,
    /// Does nothing here, or nothing bad.
    Harmless,
    /// Works, but we advise against it.
    Change,
    /// With this line the connection does not come up, or not by itself.
    Fault,
}

use Verdict::{Change, Fault, Good, Harmless};

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Good => "good",
            Harmless => "harmless",
            Change => "change",
            Fault => "FAULT",
        })
    }
}

/// What NetworkManager reads as true and false; anything else it drops with a warning.
const BOOLEANS: [&str; 4] = ["true", "1", "false", "0"];

/// NetworkManager's settings are described in nm-settings-keyfile(5); what it refuses was tried with
/// `nmcli --offline` 1.42 and read in nm-setting-gsm.c (`verify`, `need_secrets`) of 1.52.
pub(super) fn judge(
    keyfile: &Keyfile,
    group: &str,
    key: &str,
    value: &str,
) -> (Verdict, &'static str) {
    let is_boolean = matches!(
        (group, key),
        ("connection", "autoconnect")
            | ("gsm", "home-only" | "auto-config")
            | ("ipv4" | "ipv6", "never-default")
    );
    if is_boolean && !BOOLEANS.contains(&value) {
        return (
            Change,
            "NetworkManager understands true and false only, and ignores this line",
        );
    }
    match group {
        "connection" => connection(key, value),
        "gsm" => gsm(keyfile, key, value),
        "serial" => (
            Harmless,
            "speed and framing of a modem on a real serial line; over USB it is ignored",
        ),
        "ppp" => (
            Harmless,
            "options of a dial-up session; with QMI there is none, so it is ignored",
        ),
        "proxy" => (Harmless, "no proxy is set by it"),
        "ipv4" => ipv4(key, value),
        "ipv6" => ipv6(key, value),
        _ => (
            Harmless,
            "not a setting of a mobile connection that we know; it is not taken over",
        ),
    }
}

fn connection(key: &str, value: &str) -> (Verdict, &'static str) {
    match (key, value) {
        ("id", _) => (Good, "the name that nmcli and the log show"),
        ("type", "gsm") => (Good, "a connection over ModemManager"),
        ("type", _) => (Fault, "not a mobile connection; it must be gsm"),
        ("autoconnect", "true" | "1") => (
            Good,
            "comes up by itself, at boot and whenever the modem is there",
        ),
        ("autoconnect", _) => (
            Fault,
            "does not come up by itself, and nobody is there to start it",
        ),
        ("autoconnect-priority", "-10") => (
            Good,
            "any other profile for this modem that you may add goes first",
        ),
        ("autoconnect-priority", _) => (
            Harmless,
            "which profile goes first where several fit this modem; ours says -10",
        ),
        ("autoconnect-retries", "0" | "-1") => (Harmless, "balenaOS never stops trying anyway"),
        ("autoconnect-retries", _) => (
            Change,
            "gives up after so many failures; leave it out and balenaOS never stops trying",
        ),
        ("uuid", _) => (
            Harmless,
            "without it NetworkManager makes one from the file's name",
        ),
        ("interface-name", name) if name.starts_with("cdc-wdm") => (
            Change,
            "ties the profile to one control port, whose number can change; with type=gsm it is not needed",
        ),
        ("interface-name", _) => (
            Fault,
            "for NetworkManager a QMI modem is its control port, cdc-wdm0, so that this name never fits; leave it out",
        ),
        ("permissions", "") => (
            Harmless,
            "anyone may use the connection, as without the line",
        ),
        ("permissions", _) => (
            Fault,
            "ties the connection to a user who has to be logged in; leave it out",
        ),
        _ => (
            Harmless,
            "a setting that the recommended profile leaves at its default; it is not taken over",
        ),
    }
}

fn gsm(keyfile: &Keyfile, key: &str, value: &str) -> (Verdict, &'static str) {
    let has = |key| {
        keyfile
            .get("gsm", key)
            .is_some_and(|(_, value)| !value.is_empty())
    };
    match (key, value) {
        ("apn", "") => (
            Change,
            "no APN: the operator decides where the data go; write that of the contract",
        ),
        ("apn", _) => (Good, "the access point of the SIM's contract"),
        ("number", "") => (
            Fault,
            "deprecated and unused, but NetworkManager refuses the whole profile when it is empty; delete the line",
        ),
        ("number", _) => (
            Harmless,
            "deprecated since NetworkManager 1.16, which no longer dials; ignored",
        ),
        ("username" | "network-id" | "sim-id" | "sim-operator-id" | "device-id", "") => (
            Fault,
            "NetworkManager refuses the whole profile when it is empty; delete the line",
        ),
        ("username", _) if !has("password") => (
            Fault,
            "a user name without a password: NetworkManager asks for it, and nobody answers",
        ),
        ("username", _) => (Good, "signs in at the access point"),
        ("password" | "pin", "") => (Harmless, "empty is the same as none"),
        ("password", _) => (Good, "signs in at the access point; keep this file private"),
        ("password-flags" | "pin-flags", "0") => (
            Harmless,
            "the secret stands in this file, as without the line",
        ),
        ("password-flags" | "pin-flags", "4") => (Harmless, "the secret is not required"),
        ("password-flags" | "pin-flags", _) => (
            Fault,
            "the secret is asked of a person, and nobody is there; write it into the file",
        ),
        ("pin", pin) if Pin::new(pin).is_err() => (Fault, "a PIN has 4 to 8 digits"),
        ("pin", _) => (
            Good,
            "unlocks the SIM; a wrong one costs a try, and after three the SIM is locked",
        ),
        ("home-only", "true" | "1") => (Good, "no connection in foreign networks"),
        ("home-only", _) => (
            Change,
            "foreign networks are used too, at their price (kept, since the file says so)",
        ),
        ("auto-config", "true" | "1") => (
            Change,
            "guesses the APN from a list of operators; switched off where an APN is given, so leave it out",
        ),
        ("auto-config", _) => (Harmless, "the APN is not guessed, as without the line"),
        ("network-id", _) => (
            Change,
            "only this one operator is used; not taken over: where it is wanted, add it to the new file",
        ),
        ("sim-id" | "sim-operator-id" | "device-id", _) => (
            Change,
            "ties the profile to one SIM, operator or modem: a replaced part is then offline; not taken over",
        ),
        _ => (
            Harmless,
            "a setting that the recommended profile leaves at its default; it is not taken over",
        ),
    }
}

fn ipv4(key: &str, value: &str) -> (Verdict, &'static str) {
    match (key, value) {
        ("method", "auto") => (
            Good,
            "the network gives the address; with a static-IP contract it is always the same",
        ),
        ("method", "disabled") => (Fault, "no IPv4 address: the connection carries nothing"),
        ("method", _) => (
            Change,
            "a mobile network gives the address itself; it must be auto",
        ),
        ("route-metric", "700") => (
            Good,
            "a cable (100) or Wi-Fi (600) is preferred whenever one is connected",
        ),
        ("route-metric", _) => (
            Change,
            "how much this way is preferred, lower first: a cable has 100, Wi-Fi 600; ours says 700",
        ),
        ("never-default", "true" | "1") => (Fault, "no traffic leaves through this connection"),
        _ => (
            Harmless,
            "a setting that the recommended profile leaves at its default; it is not taken over",
        ),
    }
}

fn ipv6(key: &str, value: &str) -> (Verdict, &'static str) {
    match (key, value) {
        ("method", "disabled") => (
            Good,
            "asks for IPv4 only: for an APN without IPv6, and one address less in the open",
        ),
        ("method", "ignore") => (
            Harmless,
            "NetworkManager leaves IPv6 alone; disabled says it more clearly",
        ),
        ("method", "auto") => (
            Harmless,
            "asks for IPv6 as well; where the APN has none it is tried in vain. Ours says disabled",
        ),
        ("method", _) => (
            Change,
            "a mobile network gives the address itself: auto, or disabled as ours",
        ),
        ("addr-gen-mode" | "ip6-privacy", _) => (
            Harmless,
            "how an IPv6 address is made up; without IPv6 it does nothing",
        ),
        _ => (
            Harmless,
            "a setting that the recommended profile leaves at its default; it is not taken over",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on the last setting of a keyfile.
    fn verdict(text: &str) -> Verdict {
        let keyfile = Keyfile::parse(text.as_bytes()).unwrap();
        let line = keyfile.lines.last().unwrap();
        let (key, value) = line.setting.as_ref().unwrap();
        judge(&keyfile, &line.group, key, value).0
    }

    #[test]
    fn each_line_has_its_verdict() {
        for (text, expected) in [
            ("[connection]\ntype=gsm", Good),
            ("[connection]\ntype=wifi", Fault),
            ("[connection]\nautoconnect=true", Good),
            ("[connection]\nautoconnect=1", Good),
            ("[connection]\nautoconnect=false", Fault),
            ("[connection]\nautoconnect=yes", Change),
            ("[connection]\nautoconnect-retries=0", Harmless),
            ("[connection]\nautoconnect-retries=4", Change),
            ("[connection]\ninterface-name=wwan0", Fault),
            ("[connection]\ninterface-name=cdc-wdm0", Change),
            ("[connection]\npermissions=", Harmless),
            ("[connection]\npermissions=user:pi:;", Fault),
            ("[connection]\nmetered=1", Harmless),
            ("[gsm]\napn=staticip", Good),
            ("[gsm]\napn=", Change),
            ("[gsm]\nnumber=", Fault),
            ("[gsm]\nnumber=*99#", Harmless),
            ("[gsm]\nusername=", Fault),
            ("[gsm]\nusername=u", Fault),
            ("[gsm]\npassword=p\nusername=u", Good),
            ("[gsm]\npassword=", Harmless),
            ("[gsm]\npassword-flags=1", Fault),
            ("[gsm]\npin=0042", Good),
            ("[gsm]\npin=42", Fault),
            ("[gsm]\nhome-only=true", Good),
            ("[gsm]\nhome-only=no", Change),
            ("[gsm]\nauto-config=true", Change),
            ("[gsm]\nnetwork-id=25501", Change),
            ("[gsm]\nsim-id=", Fault),
            ("[gsm]\nmtu=1400", Harmless),
            ("[serial]\nbaud=115200", Harmless),
            ("[ppp]\nrefuse-eap=true", Harmless),
            ("[ipv4]\nmethod=auto", Good),
            ("[ipv4]\nmethod=manual", Change),
            ("[ipv4]\nroute-metric=50", Change),
            ("[ipv4]\nnever-default=true", Fault),
            ("[ipv6]\nmethod=disabled", Good),
            ("[ipv6]\nmethod=auto", Harmless),
            ("[ipv6]\naddr-gen-mode=stable-privacy", Harmless),
            ("[vendor]\nsomething=1", Harmless),
        ] {
            assert_eq!(verdict(text), expected, "{text}");
        }
    }

    #[test]
    fn our_own_profile_is_all_good() {
        let text = "[connection]\ntype=gsm\n[gsm]\napn=a\npin=0042\nusername=u\npassword=p\n";
        let keyfile = Keyfile::parse(text.as_bytes()).unwrap();
        let made = super::super::cellular::Cellular::of(&keyfile).unwrap();
        let keyfile = Keyfile::parse(made.keyfile().as_bytes()).unwrap();
        for line in &keyfile.lines {
            if let Some((key, value)) = &line.setting {
                let (verdict, _) = judge(&keyfile, &line.group, key, value);
                assert_eq!(verdict, Good, "{key}={value}");
            }
        }
    }
}
