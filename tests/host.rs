//! What `docs/host/` puts on a device: the dispatcher script closes the right interfaces, once; the
//! fragment of `config.json` is JSON. `.ci/dispatcher` tries the rules in network namespaces.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// Notes how it is called; `-C` holds once the same rule was inserted.
const FAKE_IPTABLES: &str = r#"#!/bin/sh
name=$(basename "$0")
folder=$(dirname "$0")
rule=$(echo "$name $*" | sed 's/ -[CI] / /')
case " $* " in
  *' -C '*) grep -Fqx -e "$rule" "$folder/rules" 2>/dev/null ;;
  *' -I '*) [ ! -e "$folder/broken-$name" ] && echo "$rule" >>"$folder/rules" ;;
  *) exit 64 ;;
esac
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["iptables", "ip6tables"] {
            let path = folder.path().join(name);
            fs::write(&path, FAKE_IPTABLES).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder)
    }

    /// An interface of a USB device of this vendor, as sysfs shows it.
    fn plug(&self, interface: &str, vendor: &str) {
        let usb = self.0.path().join("sys/devices/usb1/1-1");
        fs::create_dir_all(usb.join("1-1:1.0")).unwrap();
        fs::write(usb.join("idVendor"), format!("{vendor}\n")).unwrap();
        let class = self.0.path().join("sys/class/net").join(interface);
        fs::create_dir_all(&class).unwrap();
        symlink(usb.join("1-1:1.0"), class.join("device")).unwrap();
    }

    /// Calls the script as NetworkManager does; whether it ended well, and what it said.
    fn dispatch(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(root().join("docs/host/dispatcher.d/10-tm-close-wwan"))
            .args(arguments)
            .env("IPTABLES", self.0.path().join("iptables"))
            .env("IP6TABLES", self.0.path().join("ip6tables"))
            .env("SYSFS", self.0.path().join("sys"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said)
    }

    fn rules(&self) -> Vec<String> {
        let rules = fs::read_to_string(self.0.path().join("rules")).unwrap_or_default();
        rules.lines().map(str::to_owned).collect()
    }
}

fn rule(program: &str, interface: &str) -> String {
    format!("{program} -w 5 -t raw PREROUTING -i {interface} -p tcp --dport 80 --syn -j DROP")
}

#[test]
fn the_script_can_be_executed() {
    let script = root().join("docs/host/dispatcher.d/10-tm-close-wwan");
    let permissions = fs::metadata(script).unwrap().permissions();
    assert_eq!(permissions.mode() & 0o777, 0o755);
}

#[test]
fn mobile_interfaces_are_closed_once() {
    for interface in ["wwan0", "ppp0", "usb0"] {
        let host = Host::new();
        for _ in 0..3 {
            assert_eq!(host.dispatch(&[interface, "up"]), (true, String::new()));
        }
        let expected = [rule("iptables", interface), rule("ip6tables", interface)];
        assert_eq!(host.rules(), expected);
        assert_eq!(host.dispatch(&[interface, "down"]), (true, String::new()));
        assert_eq!(host.rules(), expected);
    }
}

#[test]
fn a_modem_that_looks_like_ethernet_is_known_by_its_vendor() {
    let host = Host::new();
    host.plug("enx0011", "1e0e");
    assert!(host.dispatch(&["enx0011", "up"]).0);
    assert_eq!(host.rules().len(), 2);
    let host = Host::new();
    host.plug("enx0022", "0bda");
    assert!(host.dispatch(&["enx0022", "up"]).0);
    assert_eq!(host.rules(), Vec::<String>::new());
}

#[test]
fn everything_else_is_left_alone() {
    let host = Host::new();
    for arguments in [
        &["eth0", "up"][..],
        &["wlan0", "up"],
        &["wwan0", "down"],
        &["wwan0", "pre-up"],
        &["", "up"],
        &["none", "hostname"],
        &["wwan0"],
        &[],
    ] {
        assert_eq!(
            host.dispatch(arguments),
            (true, String::new()),
            "{arguments:?}"
        );
    }
    assert_eq!(host.rules(), Vec::<String>::new());
}

#[test]
fn a_host_without_the_table_says_so_and_closes_the_other_one() {
    let host = Host::new();
    fs::write(host.0.path().join("broken-iptables"), "").unwrap();
    let (ended_well, said) = host.dispatch(&["wwan0", "up"]);
    assert!(!ended_well);
    assert!(said.contains("could not close port 80 on wwan0"), "{said}");
    assert_eq!(host.rules(), [rule("ip6tables", "wwan0")]);
}

#[test]
fn the_fragment_of_config_json_is_json() {
    let text = fs::read_to_string(root().join("docs/host/config.json.fragment")).unwrap();
    let fragment: Json = serde_json::from_str(&text).unwrap();
    assert!(fragment["hostname"].is_string());
    // The host reads the interval as text.
    let interval = fragment["os"]["network"]["connectivity"]["interval"].as_str();
    assert!(interval.unwrap().parse::<u32>().unwrap() >= 300);
    let page = fs::read_to_string(root().join("docs/host/README.md")).unwrap();
    let blocks = page.split("```json\n").skip(1);
    let rules: Vec<Json> = blocks
        .map(|block| serde_json::from_str(block.split("```").next().unwrap()).unwrap())
        .collect();
    assert!(rules[0]["os"]["udevRules"].is_object());
}
