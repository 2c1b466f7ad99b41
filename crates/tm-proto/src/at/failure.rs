//! Why a command failed, from numbers and from texts alike.

/// What a command ended with instead of `OK`.
///
/// `AT+CMEE` decides whether numbers or texts are printed and falls back after a reset, so both are read into
/// the same shape: a number found in the manual's list gets its text, a text found there its number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A plain `ERROR`: no reason given.
    #[error("the module answered ERROR")]
    Error,
    /// `+CME ERROR: …`, an error of the equipment or the SIM.
    #[error("the module answered +CME ERROR: {text}")]
    Cme {
        /// The number of the manual's list; absent for a text that is not in it.
        code: Option<u16>,
        /// The manual's text, or what the module printed.
        text: String,
    },
    /// `+CMS ERROR: …`, an error of the message service.
    #[error("the module answered +CMS ERROR: {text}")]
    Cms {
        /// The number of the manual's list; absent for a text that is not in it.
        code: Option<u16>,
        /// The manual's text, or what the module printed.
        text: String,
    },
    /// `NO CARRIER`, `BUSY` or `NO ANSWER`: a call ended.
    #[error("the call ended: {0}")]
    Call(String),
}

impl Failure {
    /// Reads the final result that `line` is, when it is one of failure.
    pub(super) fn parse(line: &str) -> Option<Self> {
        if line == "ERROR" {
            Some(Self::Error)
        } else if let Some(reason) = strip(line, "+CME ERROR:") {
            let (code, text) = look_up(reason, CME);
            Some(Self::Cme { code, text })
        } else if let Some(reason) = strip(line, "+CMS ERROR:") {
            let (code, text) = look_up(reason, CMS);
            Some(Self::Cms { code, text })
        } else {
            None
        }
    }

    /// The number of a `+CME ERROR`, when it is known.
    pub fn cme(&self) -> Option<u16> {
        match self {
            Self::Cme { code, .. } => *code,
            _ => None,
        }
    }

    /// The number of a `+CMS ERROR`, when it is known.
    pub fn cms(&self) -> Option<u16> {
        match self {
            Self::Cms { code, .. } => *code,
            _ => None,
        }
    }

    /// Whether asking again in a few seconds may help: the SIM is still starting (seen until `PB DONE`).
    pub fn is_busy(&self) -> bool {
        self.cme() == Some(14)
    }
}

fn strip<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    line.strip_prefix(prefix).map(str::trim)
}

fn look_up(reason: &str, table: &[(u16, &str)]) -> (Option<u16>, String) {
    if let Ok(code) = reason.parse::<u16>() {
        let known = table.iter().find(|(number, _)| *number == code);
        return (
            Some(code),
            known.map_or_else(|| reason.to_owned(), |(_, text)| (*text).to_owned()),
        );
    }
    let known = table
        .iter()
        .find(|(_, text)| text.eq_ignore_ascii_case(reason));
    (known.map(|(number, _)| *number), reason.to_owned())
}

/// SIM7500_SIM7600 AT Command Manual V3.00, 3.3.
const CME: &[(u16, &str)] = &[
    (0, "phone failure"),
    (3, "operation not allowed"),
    (4, "operation not supported"),
    (10, "SIM not inserted"),
    (11, "SIM PIN required"),
    (12, "SIM PUK required"),
    (13, "SIM failure"),
    (14, "SIM busy"),
    (15, "SIM wrong"),
    (16, "incorrect password"),
    (17, "SIM PIN2 required"),
    (18, "SIM PUK2 required"),
    (20, "memory full"),
    (21, "invalid index"),
    (22, "not found"),
    (30, "no network service"),
    (31, "network timeout"),
    (32, "network not allowed - emergency calls only"),
    (100, "unknown"),
    (103, "illegal MS"),
    (106, "illegal ME"),
    (107, "GPRS services not allowed"),
    (111, "PLMN not allowed"),
    (112, "location area not allowed"),
    (113, "roaming not allowed in this location area"),
    (132, "service option not supported"),
    (133, "requested service option not subscribed"),
    (134, "service option temporarily out of order"),
    (148, "unspecified GPRS error"),
    (149, "PDP authentication failure"),
    (150, "invalid mobile class"),
    (257, "network rejected request"),
    (258, "retry operation"),
];

/// Below 300 the network's own causes (3GPP TS 24.011, 8.2.5.4), from 300 on the module's
/// (SIM7500_SIM7600 AT Command Manual V3.00, 3.4).
const CMS: &[(u16, &str)] = &[
    (1, "unassigned number"),
    (8, "operator determined barring"),
    (10, "call barred"),
    (21, "short message transfer rejected"),
    (27, "destination out of order"),
    (28, "unidentified subscriber"),
    (29, "facility rejected"),
    (30, "unknown subscriber"),
    (38, "network out of order"),
    (41, "temporary failure"),
    (42, "congestion"),
    (47, "resources unavailable"),
    (50, "requested facility not subscribed"),
    (69, "requested facility not implemented"),
    (81, "invalid short message transfer reference value"),
    (95, "semantically incorrect message"),
    (96, "invalid mandatory information"),
    (97, "message type non-existent or not implemented"),
    (
        98,
        "message not compatible with short message protocol state",
    ),
    (99, "information element non-existent or not implemented"),
    (111, "protocol error"),
    (127, "interworking"),
    (300, "ME failure"),
    (302, "operation not allowed"),
    (303, "operation not supported"),
    (304, "invalid PDU mode parameter"),
    (305, "invalid text mode parameter"),
    (310, "SIM not inserted"),
    (311, "SIM PIN required"),
    (313, "SIM failure"),
    (314, "SIM busy"),
    (320, "memory failure"),
    (321, "invalid memory index"),
    (322, "memory full"),
    (330, "SMSC address unknown"),
    (331, "no network service"),
    (332, "network timeout"),
    (340, "no +CNMA acknowledgement expected"),
    (500, "unknown error"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, code: Option<u16>, text: &str) {
        match Failure::parse(line) {
            Some(Failure::Cme { code: c, text: t } | Failure::Cms { code: c, text: t }) => {
                assert_eq!((c, t.as_str()), (code, text), "{line}");
            }
            other => panic!("{line} gave {other:?}"),
        }
    }

    #[test]
    fn numbers_and_texts_mean_the_same() {
        check("+CME ERROR: 10", Some(10), "SIM not inserted");
        check("+CME ERROR: SIM not inserted", Some(10), "SIM not inserted");
        check("+CME ERROR: sim BUSY", Some(14), "sim BUSY");
        check("+CME ERROR: 9999", Some(9999), "9999");
        check("+CME ERROR: something new", None, "something new");
        check("+CMS ERROR: 331", Some(331), "no network service");
        check(
            "+CMS ERROR: 50",
            Some(50),
            "requested facility not subscribed",
        );
        check(
            "+CMS ERROR:no network service",
            Some(331),
            "no network service",
        );
    }

    #[test]
    fn what_is_no_failure() {
        for line in ["OK", "ERROR: x", "+CMEE: 2", "+CIPERROR: 4", ""] {
            assert_eq!(Failure::parse(line), None, "{line}");
        }
        assert_eq!(Failure::parse("ERROR"), Some(Failure::Error));
        let failure = Failure::parse("+CMS ERROR: 38").unwrap();
        assert_eq!((failure.cms(), failure.cme()), (Some(38), None));
    }
}
