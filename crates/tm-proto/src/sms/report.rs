//! The network's word on a message of ours: SMS-STATUS-REPORT (3GPP TS 23.040, 9.2.2.3).

use super::{address, octets::Octets, timestamp};

/// What became of one message.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// The reference that `+CMGS` gave when the message was sent.
    pub reference: u8,
    /// Whom it was for.
    pub recipient: String,
    /// When the service centre took it, seconds since 1970, UTC.
    pub accepted_unix_s: Option<i64>,
    /// When it was delivered or last tried, seconds since 1970, UTC.
    pub discharged_unix_s: Option<i64>,
    /// What became of it.
    pub status: DeliveryStatus,
}

impl std::fmt::Debug for StatusReport {
    /// Without the recipient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusReport")
            .field("reference", &self.reference)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The status of a message, with the network's number (9.2.3.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// 0x00 to 0x1F: it was delivered, or at least handed on.
    Delivered,
    /// 0x20 to 0x3F: not yet, the service centre goes on trying; another report follows.
    Trying(u8),
    /// Everything else: it will not arrive. Reserved numbers are read so, as the standard wants it.
    Failed(u8),
}

impl DeliveryStatus {
    fn from_code(code: u8) -> Self {
        match code {
            0x00..=0x1f => Self::Delivered,
            0x20..=0x3f => Self::Trying(code),
            _ => Self::Failed(code),
        }
    }

    /// The standard's words for it.
    pub fn reason(self) -> &'static str {
        let code = match self {
            Self::Delivered => return "delivered",
            Self::Trying(code) | Self::Failed(code) => code,
        };
        // The groups 0x20 and 0x60 give the same reasons, once with and once without further tries.
        match code {
            0x20 | 0x60 => "congestion",
            0x21 | 0x61 => "receiver busy",
            0x22 | 0x62 => "no response from receiver",
            0x24 | 0x44 | 0x64 => "quality of service not available",
            0x25 | 0x65 => "error in receiver",
            0x40 => "remote procedure error",
            0x41 => "incompatible destination",
            0x42 => "connection rejected by receiver",
            0x43 => "not obtainable",
            0x45 => "no interworking available",
            0x46 => "validity period expired",
            0x47 => "deleted by sender",
            0x48 => "deleted by service centre",
            0x49 => "message does not exist",
            0x30..=0x3f | 0x50..=0x5f | 0x70..=0x7f => "reason of the service centre's own",
            _ => "service rejected",
        }
    }
}

impl StatusReport {
    /// Reads what follows the first octet; optional parameters behind the status are ignored.
    pub(super) fn decode(octets: &mut Octets<'_>) -> Option<Self> {
        Some(Self {
            reference: octets.one()?,
            recipient: address::decode(octets)?,
            accepted_unix_s: timestamp::unix_s(octets.take(7)?),
            discharged_unix_s: timestamp::unix_s(octets.take(7)?),
            status: DeliveryStatus::from_code(octets.one()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        use DeliveryStatus::{Delivered, Failed, Trying};
        for (code, status, reason) in [
            (0x00, Delivered, "delivered"),
            (0x01, Delivered, "delivered"),
            (0x20, Trying(0x20), "congestion"),
            (0x30, Trying(0x30), "reason of the service centre's own"),
            (0x43, Failed(0x43), "not obtainable"),
            (0x46, Failed(0x46), "validity period expired"),
            (0x62, Failed(0x62), "no response from receiver"),
            (0x80, Failed(0x80), "service rejected"),
            (0xff, Failed(0xff), "service rejected"),
        ] {
            let read = DeliveryStatus::from_code(code);
            assert_eq!((read, read.reason()), (status, reason), "{code:#04x}");
        }
    }
}
