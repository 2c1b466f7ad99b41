//! Who may speak to the API at all: decided by address, before a byte is read.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// Loopback, RFC 1918, link-local (RFC 3927, RFC 4291 §2.5.6) and unique local (RFC 4193).
const DEFAULT: &str =
    "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,fe80::/10,fc00::/7";

/// The networks whose peers are answered; everybody else gets not one byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllowList(Vec<Network>);

/// An entry that is neither an address nor a network in CIDR notation.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("a list of addresses and networks such as 192.168.1.0/24, separated by commas")]
pub struct InvalidAllowList;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl AllowList {
    /// Only this machine: what a malformed list falls back to.
    pub fn loopback() -> Self {
        "127.0.0.0/8,::1".parse().expect("two valid networks")
    }

    /// Whether a peer may speak. An IPv4 peer seen through an IPv6 socket counts as IPv4.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(peer))
    }
}

impl Default for AllowList {
    fn default() -> Self {
        DEFAULT.parse().expect("our own list is valid")
    }
}

impl FromStr for AllowList {
    type Err = InvalidAllowList;

    /// Addresses and networks, separated by commas or spaces. An empty list allows nobody.
    fn from_str(text: &str) -> Result<Self, InvalidAllowList> {
        text.split([',', ' '])
            .filter(|entry| !entry.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}/{}", network.address, network.prefix)?;
        }
        Ok(())
    }
}

impl Network {
    fn contains(self, peer: IpAddr) -> bool {
        match (self.address, peer) {
            (IpAddr::V4(network), IpAddr::V4(peer)) => leading_bits_equal(
                network.to_bits().into(),
                peer.to_bits().into(),
                self.prefix,
                32,
            ),
            (IpAddr::V6(network), IpAddr::V6(peer)) => {
                leading_bits_equal(network.to_bits(), peer.to_bits(), self.prefix, 128)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidAllowList;

    fn from_str(text: &str) -> Result<Self, InvalidAllowList> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidAllowList)?;
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| InvalidAllowList)?
            }
            Some(_) => return Err(InvalidAllowList),
        };
        if prefix > width {
            return Err(InvalidAllowList);
        }
        match address.to_canonical() {
            // `::ffff:10.0.0.0/104` is 10.0.0.0/8; a shorter prefix reaches beyond IPv4.
            IpAddr::V4(v4) if width == 128 => {
                let prefix = prefix.checked_sub(96).ok_or(InvalidAllowList)?;
                Ok(Self {
                    address: v4.into(),
                    prefix,
                })
            }
            address => Ok(Self { address, prefix }),
        }
    }
}

fn leading_bits_equal(a: u128, b: u128, prefix: u8, width: u8) -> bool {
    prefix == 0 || (a ^ b) >> (width - prefix) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, peer: &str, expected: bool) {
        let list: AllowList = list.parse().unwrap();
        assert_eq!(
            list.allows(peer.parse().unwrap()),
            expected,
            "{list} {peer}"
        );
    }

    #[test]
    fn networks_contain_their_addresses() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("::ffff:10.0.0.0/104", "10.1.2.3", true);
        check("192.168.1.5", "192.168.1.5", true);
        check("192.168.1.5", "192.168.1.6", false);
        check("192.168.1.77/24", "192.168.1.6", true);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("::/0", "2001:db8::1", true);
        check("::/0", "8.8.8.8", false);
        check("fe80::/10", "fe80::1", true);
        check("fe80::/10", "fec0::1", false);
        check("10.0.0.0/8, 127.0.0.1", "127.0.0.1", true);
        check("", "127.0.0.1", false);
    }

    #[test]
    fn by_default_private_peers_only() {
        let list = AllowList::default();
        for peer in [
            "127.0.0.1",
            "::1",
            "10.1.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.9",
            "169.254.1.1",
            "fe80::1",
            "fd00::1",
            "::ffff:192.168.0.9",
        ] {
            assert!(list.allows(peer.parse().unwrap()), "{peer}");
        }
        for peer in [
            "8.8.8.8",
            "172.32.0.1",
            "192.169.0.1",
            "100.64.0.1",
            "2001:db8::1",
            "0.0.0.0",
            "::ffff:8.8.8.8",
        ] {
            assert!(!list.allows(peer.parse().unwrap()), "{peer}");
        }
        assert!(!AllowList::loopback().allows("10.1.1.1".parse().unwrap()));
    }

    #[test]
    fn nonsense_is_refused_whole() {
        for text in [
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "localhost",
            "127.0.0.1,everybody",
            "10.0.0.0/8/8",
            "::ffff:10.0.0.0/90",
        ] {
            assert_eq!(text.parse::<AllowList>(), Err(InvalidAllowList), "{text}");
        }
    }
}
