//! Packet data contexts and addresses (manual, 8.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::fields;

/// A context as it is defined, connected or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PdpContext {
    /// Its number, 1 to 24 or 100 to 179.
    pub id: u8,
    /// `IP`, `IPV6`, `IPV4V6` or `PPP`, in the module's words.
    pub kind: String,
    /// Access point name; absent when left to the network.
    pub access_point: Option<String>,
    /// For emergency calls only.
    pub is_for_emergency: bool,
}

impl PdpContext {
    /// Whether this context is for data rather than for the operator's telephony or emergency calls:
    /// `ims`, `sos` and `xcap` are names that operators agreed upon (GSMA IR.88; seen on LE20B04SIM7600G22).
    pub fn is_for_data(&self) -> bool {
        let name = self.access_point.as_deref().unwrap_or_default();
        let first = name.split('.').next().unwrap_or_default();
        let is_telephony = ["ims", "sos", "xcap"]
            .iter()
            .any(|known| first.eq_ignore_ascii_case(known));
        !is_telephony && !self.is_for_emergency
    }
}

/// Reads the answer to `AT+CGDCONT?`: `+CGDCONT: <cid>,"<type>","<apn>",…` a line; unreadable lines are left out.
pub fn pdp_contexts(lines: &[String]) -> Vec<PdpContext> {
    let contexts = lines.iter().filter_map(|line| {
        let fields = fields::after(line, "+CGDCONT")?;
        let access_point = fields
            .get(2)
            .filter(|name| !name.is_empty())
            .map(|name| (*name).to_owned());
        Some(PdpContext {
            id: fields.first()?.parse().ok()?,
            kind: (*fields.get(1)?).to_owned(),
            access_point,
            is_for_emergency: fields.get(7) == Some(&"1"),
        })
    });
    contexts.collect()
}

/// Reads the answer to `AT+CGATT?`: `+CGATT: <0|1>`, whether the module is attached to the packet network.
pub fn packet_attachment(lines: &[String]) -> Option<bool> {
    flag(fields::last(lines, "+CGATT")?.first()?)
}

/// Reads the answer to `AT+CGACT?`: `+CGACT: <cid>,<0|1>` a line; a context's number and whether it is active.
pub fn pdp_activity(lines: &[String]) -> Vec<(u8, bool)> {
    let activity = lines.iter().filter_map(|line| {
        let fields = fields::after(line, "+CGACT")?;
        Some((fields.first()?.parse().ok()?, flag(fields.get(1)?)?))
    });
    activity.collect()
}

fn flag(field: &str) -> Option<bool> {
    match field {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// The addresses the network gave to a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PdpAddress {
    /// The context's number.
    pub id: u8,
    /// One IPv4 or IPv6 address or one of each; empty while it is not connected (`0.0.0.0`).
    pub addresses: Vec<IpAddr>,
}

/// Reads the answer to `AT+CGPADDR`: `+CGPADDR: <cid>,<v4>[,<v6>]` a line, quoted or not; IPv6 as 16 decimal bytes.
pub fn pdp_addresses(lines: &[String]) -> Vec<PdpAddress> {
    let addresses = lines.iter().filter_map(|line| {
        let fields = fields::after(line, "+CGPADDR")?;
        let id = fields.first()?.parse().ok()?;
        let addresses = fields
            .iter()
            .skip(1)
            .filter_map(|text| address(text))
            .collect();
        Some(PdpAddress { id, addresses })
    });
    addresses.collect()
}

fn address(text: &str) -> Option<IpAddr> {
    let bytes: Vec<u8> = text
        .split('.')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let address = if let Ok(v4) = <[u8; 4]>::try_from(bytes.as_slice()) {
        IpAddr::V4(Ipv4Addr::from(v4))
    } else {
        IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?))
    };
    (!address.is_unspecified()).then_some(address)
}
