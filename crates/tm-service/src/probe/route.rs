//! The kernel's default routes.

use std::fs;
use std::path::Path;

/// `RTF_UP` and `RTF_REJECT` of include/uapi/linux/route.h.
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// The network interface of a default route of IPv4, else of IPv6.
pub(super) fn default_interface(proc: &Path) -> Option<String> {
    let read = |name: &str| fs::read_to_string(proc.join("net").join(name)).unwrap_or_default();
    of_route(&read("route")).or_else(|| of_ipv6_route(&read("ipv6_route")))
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, numbers in hexadecimal.
fn of_route(text: &str) -> Option<String> {
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let zero = |at: usize| fields.get(at).is_some_and(|field| *field == "00000000");
        (zero(1) && zero(7) && is_usable(fields.get(3)?)).then(|| fields[0].to_owned())
    })
}

/// `destination prefix source prefix next-hop metric references use flags interface`.
fn of_ipv6_route(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [destination, prefix, .., flags, interface] = fields[..] else {
            return None;
        };
        let is_default = destination.bytes().all(|byte| byte == b'0') && prefix == "00";
        (is_default && interface != "lo" && is_usable(flags)).then(|| interface.to_owned())
    })
}

fn is_usable(flags: &str) -> bool {
    let flags = u32::from_str_radix(flags, 16).unwrap_or(0);
    flags & UP != 0 && flags & REJECT == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n";

    #[test]
    fn a_default_route_is_seen() {
        let net = "wwan0\t00000000\t0101A8C0\t0003\t0\t0\t700\t00000000\t0\t0\t0\n";
        let own = "eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        let down = net.replace("0003", "0002");
        for (text, expected) in [
            (format!("{HEAD}{own}{net}"), Some("wwan0")),
            (format!("{HEAD}{own}"), None),
            (format!("{HEAD}{down}"), None),
            (format!("{HEAD}eth0\t00000000"), None),
            (String::new(), None),
        ] {
            assert_eq!(of_route(&text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_kernels_refusing_route_is_none() {
        let zero = "0".repeat(32);
        let line = |flags: &str, interface: &str| {
            format!("{zero} 00 {zero} 00 {zero} 00000400 1 0 {flags} {interface}\n")
        };
        // What every kernel with IPv6 shows when it has no route: RTF_UP | RTF_NONEXTHOP | RTF_REJECT.
        let refusing = line("00200200", "lo") + &line("00000201", "eth0");
        assert_eq!(of_ipv6_route(&refusing), None);
        let text = refusing + &line("00000003", "wwan0");
        assert_eq!(of_ipv6_route(&text).as_deref(), Some("wwan0"));
        assert_eq!(of_ipv6_route("0 0\n\n"), None);
    }
}
