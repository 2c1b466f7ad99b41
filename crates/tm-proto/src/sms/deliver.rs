//! Messages from the service centre: SMS-DELIVER (3GPP TS 23.040, 9.2.2.1), and which kind a PDU is.
//!
//! ```text
//! 07 91…            service centre, its length in octets
//! 04|40             first octet: kind (bits 1-0), user data header (bit 6)
//! 0B 91…            sender
//! 00 08             protocol, data coding
//! 62 11 52 …        the service centre's clock, seven octets
//! 0C …              length of the user data in septets or octets, user data
//! ```

use super::{
    address, alphabet,
    coding::{Alphabet, Coding},
    header::{self, Part},
    octets::{self, Octets},
    report::StatusReport,
    septets, timestamp,
};

/// A service centre, a unit and a type 3 header are below this; anything longer is no PDU.
const MAX_OCTETS: usize = 512;
/// User data header there (9.2.3.23).
const HAS_HEADER: u8 = 0x40;
/// Protocol identifier of a message that is to be confirmed and thrown away (9.2.3.9, short message type 0).
const TYPE_ZERO: u8 = 0x40;

/// What a stored or delivered PDU is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message to us.
    Deliver(Deliver),
    /// The network's word on a message of ours.
    StatusReport(StatusReport),
    /// A message of ours that is stored, or a submit report.
    Other,
}

/// A message to us, or a part of one.
#[derive(Clone, PartialEq, Eq)]
pub struct Deliver {
    /// The sender: `+380…`, a number as the network gives it, or a name.
    pub from: String,
    /// What it says; octets for an application are text where they are printable UTF-8, else hexadecimal digits.
    pub text: String,
    /// When the service centre took it, seconds since 1970, UTC; absent where its clock is not to be read.
    pub sent_unix_s: Option<i64>,
    /// Which part of a longer text it is; absent for a whole one.
    pub part: Option<Part>,
    /// The message class, 0 (flash) to 3 (terminal equipment), where one is given.
    pub class: Option<u8>,
    /// Octets for an application rather than text.
    pub is_binary: bool,
    /// It tells of waiting voice mail or the like (TS 23.038, 4, groups 1100 to 1110).
    pub is_waiting_notice: bool,
    /// Nobody is to see it (type 0): delete it.
    pub is_silent: bool,
    body: Body,
}

impl std::fmt::Debug for Deliver {
    /// Without sender and text: a message is nobody's business in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliver")
            .field("sent_unix_s", &self.sent_unix_s)
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

impl Deliver {
    pub(super) fn body(&self) -> &Body {
        &self.body
    }
}

/// The user data as it came: some senders cut pairs of an escape or surrogate and its follower, so parts are joined
/// before they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    Septets(Vec<u8>),
    Units(Vec<u16>),
    Data(Vec<u8>),
}

impl Body {
    /// The text of bodies in a row.
    pub(super) fn text<'a>(bodies: impl Iterator<Item = &'a Self>) -> String {
        let mut text = String::new();
        let mut open: Option<Self> = None;
        for body in bodies {
            match (&mut open, body) {
                (Some(Self::Septets(open)), Self::Septets(more))
                | (Some(Self::Data(open)), Self::Data(more)) => open.extend(more),
                (Some(Self::Units(open)), Self::Units(more)) => open.extend(more),
                (open, _) => {
                    if let Some(done) = open.replace(body.clone()) {
                        text.push_str(&done.read());
                    }
                }
            }
        }
        text + &open.map(|body| body.read()).unwrap_or_default()
    }

    fn read(&self) -> String {
        match self {
            Self::Septets(septets) => alphabet::decode(septets),
            Self::Units(units) => String::from_utf16_lossy(units),
            Self::Data(octets) => readable(octets),
        }
    }
}

fn readable(octets: &[u8]) -> String {
    let is_shown = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    match std::str::from_utf8(octets) {
        Ok(text) if text.chars().all(is_shown) => text.to_owned(),
        _ => octets::to_hex(octets),
    }
}

/// Why a PDU cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Something else than pairs of hexadecimal digits.
    #[error("a PDU is written in pairs of hexadecimal digits")]
    NotHex,
    /// More than any message can have.
    #[error("a PDU has at most {MAX_OCTETS} octets")]
    TooLong,
    /// It ends before its own lengths say.
    #[error("the PDU ends within its {0}")]
    Truncated(&'static str),
    /// The user data header is longer than the user data.
    #[error("the header is longer than the user data")]
    Header,
    /// Compressed text (3GPP TS 23.042), which no network of today sends.
    #[error("compressed text is not read")]
    Compressed,
}

/// Reads a PDU as `+CMGL`, `+CMGR`, `+CMT` and `+CDS` print it: service centre and unit, hexadecimal.
///
/// Octets behind the user data are ignored.
pub fn decode(pdu_hex: &str) -> Result<Incoming, DecodeError> {
    let pdu_hex = pdu_hex.trim();
    if pdu_hex.len() > MAX_OCTETS * 2 {
        return Err(DecodeError::TooLong);
    }
    let octets = octets::from_hex(pdu_hex).ok_or(DecodeError::NotHex)?;
    let mut octets = Octets(&octets);
    let n_centre = octets
        .one()
        .ok_or(DecodeError::Truncated("service centre"))?;
    octets
        .take(n_centre.into())
        .ok_or(DecodeError::Truncated("service centre"))?;
    let first = octets.one().ok_or(DecodeError::Truncated("first octet"))?;
    match first & 0b11 {
        0b01 => Ok(Incoming::Other),
        0b10 => StatusReport::decode(&mut octets)
            .map(Incoming::StatusReport)
            .ok_or(DecodeError::Truncated("status report")),
        // The reserved kind is read as this one (9.2.3.1).
        _ => deliver(first, &mut octets).map(Incoming::Deliver),
    }
}

fn deliver(first: u8, octets: &mut Octets<'_>) -> Result<Deliver, DecodeError> {
    let from = address::decode(octets).ok_or(DecodeError::Truncated("sender"))?;
    let protocol = octets.one().ok_or(DecodeError::Truncated("protocol"))?;
    let scheme = octets.one().ok_or(DecodeError::Truncated("data coding"))?;
    let time = octets.take(7).ok_or(DecodeError::Truncated("time"))?;
    let length = octets.one().ok_or(DecodeError::Truncated("length"))?;
    let coding = Coding::of(scheme);
    if coding.is_compressed {
        return Err(DecodeError::Compressed);
    }
    let has_header = first & HAS_HEADER != 0;
    let (header, body) = user_data(octets.0, length.into(), coding.alphabet, has_header)?;
    Ok(Deliver {
        from,
        text: body.read(),
        sent_unix_s: timestamp::unix_s(time),
        part: header::part(header),
        class: coding.class,
        is_binary: coding.alphabet == Alphabet::Data,
        is_waiting_notice: coding.is_waiting_notice,
        is_silent: protocol == TYPE_ZERO,
        body,
    })
}

/// The header without its length octet, and what is behind it.
fn user_data(
    data: &[u8],
    length: usize,
    alphabet: Alphabet,
    has_header: bool,
) -> Result<(&[u8], Body), DecodeError> {
    let truncated = DecodeError::Truncated("user data");
    let n_octets = match alphabet {
        Alphabet::Gsm7 => (length * 7).div_ceil(8),
        Alphabet::Data | Alphabet::Ucs2 => length,
    };
    let data = data.get(..n_octets).ok_or(truncated)?;
    let (header, text): (&[u8], &[u8]) = if has_header {
        let (n_header, rest) = data.split_first().ok_or(DecodeError::Header)?;
        rest.split_at_checked((*n_header).into())
            .ok_or(DecodeError::Header)?
    } else {
        (&[], data)
    };
    let body = match alphabet {
        Alphabet::Gsm7 => {
            // The text begins at the next whole septet behind the header (9.2.3.24).
            let n_before = (data.len() - text.len()) * 8;
            let fill = (7 - n_before % 7) % 7;
            let count = length
                .checked_sub(n_before.div_ceil(7))
                .ok_or(DecodeError::Header)?;
            Body::Septets(septets::unpack(text, fill, count).ok_or(truncated)?)
        }
        Alphabet::Ucs2 => {
            let (units, _) = text.as_chunks::<2>();
            Body::Units(units.iter().map(|unit| u16::from_be_bytes(*unit)).collect())
        }
        Alphabet::Data => Body::Data(text.to_vec()),
    };
    Ok((header, body))
}
