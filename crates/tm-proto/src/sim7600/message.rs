//! Short messages in PDU mode: lists, stores and references (manual, 9.1 to 9.2; 3GPP TS 27.005, 3 and 4).

use super::fields;

/// A message as it lies in a store.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its place in the store that was read.
    pub index: u16,
    /// What it is.
    pub status: StoredStatus,
    /// The PDU as printed, read by [`crate::sms::decode`].
    pub pdu: String,
}

impl std::fmt::Debug for StoredMessage {
    /// Without the PDU: a message is nobody's business in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredMessage")
            .field("index", &self.index)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// What a stored message is (`<stat>`; listing and reading turn unread into read).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoredStatus {
    /// 0: received, not listed yet.
    Unread,
    /// 1: received.
    Read,
    /// 2: ours, not sent.
    Unsent,
    /// 3: ours, sent.
    Sent,
}

impl StoredStatus {
    fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "0" => Self::Unread,
            "1" => Self::Read,
            "2" => Self::Unsent,
            "3" => Self::Sent,
            _ => return None,
        })
    }
}

/// Reads the answer to `AT+CMGL=4`: `+CMGL: <index>,<stat>,[<alpha>],<length>` and the PDU on the next line, a
/// message each; what cannot be read is left out.
///
/// The length counts octets without the service centre. A PDU that is shorter was mutilated on the line: it is left
/// out and there again in the next list.
pub fn stored_messages(lines: &[String]) -> Vec<StoredMessage> {
    let pairs = lines.iter().zip(lines.iter().skip(1));
    let messages = pairs.filter_map(|(header, pdu)| {
        let fields = fields::after(header, "+CMGL")?;
        let (length, fields) = fields.split_last()?;
        Some(StoredMessage {
            index: fields.first()?.parse().ok()?,
            status: StoredStatus::from_code(fields.get(1)?)?,
            pdu: whole(pdu, length)?,
        })
    });
    messages.collect()
}

/// Reads the answer to `AT+CMGR=<index>`: `+CMGR: <stat>,[<alpha>],<length>` and the PDU on the next line.
pub fn stored_message(lines: &[String], index: u16) -> Option<StoredMessage> {
    let at = lines.iter().position(|line| line.starts_with("+CMGR:"))?;
    let fields = fields::after(lines.get(at)?, "+CMGR")?;
    let (length, fields) = fields.split_last()?;
    Some(StoredMessage {
        index,
        status: StoredStatus::from_code(fields.first()?)?,
        pdu: whole(lines.get(at + 1)?, length)?,
    })
}

/// The PDU, when it has as many octets as its header line says.
pub(super) fn whole(pdu: &str, length: &str) -> Option<String> {
    let length: usize = length.parse().ok()?;
    let pdu = pdu.trim();
    let is_hex = pdu.len().is_multiple_of(2) && pdu.bytes().all(|byte| byte.is_ascii_hexdigit());
    let centre = pdu
        .get(..2)
        .and_then(|octet| usize::from_str_radix(octet, 16).ok())?;
    (is_hex && pdu.len() / 2 == 1 + centre + length).then(|| pdu.to_owned())
}

/// How full the store is that messages are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageStore {
    /// `SM` (the card), `ME` (the module) or another; absent in the answer to a setting, which does not print it.
    pub name: Option<String>,
    /// Places taken.
    pub used: u16,
    /// Places there are.
    pub total: u16,
}

impl MessageStore {
    /// Whether the next message is refused; a store without places is none.
    pub fn is_full(&self) -> bool {
        self.used >= self.total
    }
}

/// Reads the answer to `AT+CPMS?` (`+CPMS: "SM",3,10,"SM",3,10,"SM",3,10`) or to `AT+CPMS=…`
/// (`+CPMS: 3,10,3,10,3,10`): the stores for reading, for writing and for receiving, in this order.
pub fn message_stores(lines: &[String]) -> Option<Vec<MessageStore>> {
    let fields = fields::last(lines, "+CPMS")?;
    let is_named = fields.first()?.parse::<u16>().is_err();
    let stores = fields.chunks(if is_named { 3 } else { 2 }).map(|store| {
        let (name, counts) = if is_named {
            let (name, counts) = store.split_first()?;
            (
                Some((*name).to_owned()).filter(|name| !name.is_empty()),
                counts,
            )
        } else {
            (None, store)
        };
        let &[used, total] = counts else {
            return None;
        };
        Some(MessageStore {
            name,
            used: used.parse().ok()?,
            total: total.parse().ok()?,
        })
    });
    stores.collect()
}

/// Reads the answer to `AT+CMGS=…`: `+CMGS: <mr>`, the reference that a delivery report will name.
pub fn message_reference(lines: &[String]) -> Option<u8> {
    fields::last(lines, "+CMGS")?.first()?.parse().ok()
}

/// Whether the module was told to announce messages (`AT+CNMI?`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcements {
    /// `<mode>`: 0 keeps lines back, 1 and 2 send them.
    pub mode: u8,
    /// `<mt>`: 0 nothing, 1 `+CMTI` for a stored message, 2 and 3 the message itself.
    pub messages: u8,
    /// `<ds>`: 0 nothing, 1 `+CDS` with the report itself, 2 `+CDSI` for a stored one.
    pub reports: u8,
}

/// Reads the answer to `AT+CNMI?`: `+CNMI: <mode>,<mt>,<bm>,<ds>,<bfr>`.
pub fn announcements(lines: &[String]) -> Option<Announcements> {
    let fields = fields::last(lines, "+CNMI")?;
    let number = |index: usize| fields.get(index)?.parse().ok();
    Some(Announcements {
        mode: number(0)?,
        messages: number(1)?,
        reports: number(3)?,
    })
}

/// Reads the answer to `AT+CSCA?`: `+CSCA: "+380500000000",145`, the service centre's number; absent when none is set.
pub fn service_centre(lines: &[String]) -> Option<String> {
    let fields = fields::last(lines, "+CSCA")?;
    let number = fields.first().filter(|number| !number.is_empty())?;
    Some((*number).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_list_of_messages() {
        let list = lines(
            "+CMGL: 3,0,,4\n00AABBCCDD\n+CMGL: 12,1,\"Home\",2\n01FFAABB\n+CMGL: 4,3,,9\n00AA\n\
             +CMGL: x,1,,1\n00AA\nnoise\n+CMGL: 5,1,,1",
        );
        let read: Vec<_> = stored_messages(&list)
            .into_iter()
            .map(|message| (message.index, message.status, message.pdu))
            .collect();
        assert_eq!(
            read,
            [
                (3, StoredStatus::Unread, "00AABBCCDD".to_owned()),
                (12, StoredStatus::Read, "01FFAABB".to_owned())
            ]
        );
        let one = stored_message(&lines("+CMGR: 1,\"\",2\n00AABB"), 7).unwrap();
        assert_eq!((one.index, one.status), (7, StoredStatus::Read));
        assert_eq!(
            format!("{one:?}"),
            "StoredMessage { index: 7, status: Read, .. }"
        );
        for text in [
            "",
            "+CMGR: 1,,2",
            "+CMGR: 9,,1\n00AA",
            "+CMGR: 1,,2\n00AA",
            "+CMGR: 1,,1\n00XX",
        ] {
            assert_eq!(stored_message(&lines(text), 7), None, "{text}");
        }
    }

    #[test]
    fn stores() {
        let named = message_stores(&lines("+CPMS: \"SM\",3,10,\"SM\",3,10,\"ME\",23,23")).unwrap();
        let counts = |stores: &[MessageStore]| -> Vec<(u16, u16, bool)> {
            stores
                .iter()
                .map(|store| (store.used, store.total, store.is_full()))
                .collect()
        };
        assert_eq!(
            counts(&named),
            [(3, 10, false), (3, 10, false), (23, 23, true)]
        );
        assert_eq!(named[2].name.as_deref(), Some("ME"));
        let set = message_stores(&lines("+CPMS: 3,10,3,10,3,10")).unwrap();
        assert_eq!(set[0].name, None);
        assert_eq!(counts(&set), [(3, 10, false); 3]);
        for text in [
            "",
            "+CPMS: ",
            "+CPMS: \"SM\",3",
            "+CPMS: 3",
            "+CPMS: (\"ME\",\"SM\")",
            "+CPMS: \"SM\",-1,10",
        ] {
            assert_eq!(message_stores(&lines(text)), None, "{text}");
        }
    }

    #[test]
    fn references_announcements_and_the_centre() {
        assert_eq!(message_reference(&lines("+CMGS: 46")), Some(46));
        assert_eq!(message_reference(&lines("+CMGS: 256")), None);
        let told = announcements(&lines("+CNMI: 2,1,0,1,0")).unwrap();
        assert_eq!((told.mode, told.messages, told.reports), (2, 1, 1));
        assert_eq!(announcements(&lines("+CNMI: 2")), None);
        assert_eq!(
            service_centre(&lines("+CSCA: \"+27841000000\",145")).as_deref(),
            Some("+27841000000")
        );
        assert_eq!(service_centre(&lines("+CSCA: \"\",129")), None);
    }
}
