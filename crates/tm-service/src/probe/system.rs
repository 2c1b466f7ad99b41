//! What the system's files say of names: `resolv.conf` and `hosts`.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// `MAXNS` of resolv.conf(5): further name servers are not asked.
const MOST_SERVERS: usize = 3;
/// Beyond it a file is not read: an advertisement blocker's `hosts` is no reason to eat memory.
const LARGEST_FILE: u64 = 256 * 1024;

/// The name servers, in order.
pub(super) fn name_servers(resolv_conf: &Path, port: u16) -> Vec<SocketAddr> {
    let text = read(resolv_conf);
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let is_server = words.next() == Some("nameserver");
        // `fe80::1%eth0` names its interface; such a server is passed over.
        words.next().filter(|_| is_server)?.parse::<IpAddr>().ok()
    });
    addresses
        .take(MOST_SERVERS)
        .map(|address| SocketAddr::new(address, port))
        .collect()
}

/// The addresses that the file gives a name.
pub(super) fn of_hosts(hosts: &Path, name: &str) -> Vec<IpAddr> {
    let text = read(hosts);
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or(""));
    lines
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|known| known.eq_ignore_ascii_case(name))
                .then_some(address)
        })
        .take(8)
        .collect()
}

fn read(path: &Path) -> String {
    let mut content = Vec::new();
    // A file that is not there says nothing.
    if let Ok(file) = File::open(path) {
        let _ = file.take(LARGEST_FILE).read_to_end(&mut content);
    }
    String::from_utf8_lossy(&content).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_the_system_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let text = "# nameserver 9.9.9.9\nnameserver 127.0.0.11\noptions ndots:0\n\
            nameserver fe80::1%eth0\nnameserver\nnameserver ::1\nnameserver 1.1.1.1\nnameserver 8.8.8.8\n";
        std::fs::write(&path, text).unwrap();
        let found: Vec<String> = name_servers(&path, 53)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["127.0.0.11:53", "[::1]:53", "1.1.1.1:53"]);
        let text = "127.0.0.1 localhost\n::1 localhost # six\nx broker\n10.0.0.9 a Broker # b\n";
        std::fs::write(&path, text).unwrap();
        assert_eq!(of_hosts(&path, "localhost").len(), 2);
        assert_eq!(
            of_hosts(&path, "broker"),
            ["10.0.0.9".parse::<IpAddr>().unwrap()]
        );
        assert!(of_hosts(&path, "b").is_empty());
        assert!(name_servers(Path::new("/nowhere"), 53).is_empty());
    }
}
