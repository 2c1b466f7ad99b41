//! Which interfaces there are, with their members and signatures: read from what real services told of themselves.

use std::{collections::BTreeMap, sync::OnceLock};

/// One interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Interface {
    /// Signatures of what goes in and comes out.
    pub(super) methods: BTreeMap<String, (String, String)>,
    pub(super) signals: BTreeMap<String, String>,
    /// Signature and access.
    pub(super) properties: BTreeMap<String, (String, String)>,
}

/// Interfaces by name.
pub(super) type Interfaces = BTreeMap<String, Interface>;

const RECORDED: [&str; 8] = [
    include_str!("introspection/manager.xml"),
    include_str!("introspection/modem.xml"),
    include_str!("introspection/sim.xml"),
    include_str!("introspection/bearer.xml"),
    include_str!("introspection/sms.xml"),
    include_str!("introspection/network_manager.xml"),
    include_str!("introspection/network_device.xml"),
    include_str!("introspection/active_connection.xml"),
];

/// What came with 1.20 (the `Since` of ModemManager's own documentation): absent in 1.18.
const SINCE_1_20: [(&str, &[&str]); 6] = [
    ("org.freedesktop.ModemManager1.Modem", &["GetCellInfo"]),
    (
        "org.freedesktop.ModemManager1.Modem.Modem3gpp",
        &[
            "SetNr5gRegistrationSettings",
            "SetPacketServiceState",
            "PacketServiceState",
            "Nr5gRegistrationSettings",
            "DisableFacilityLock",
        ],
    ),
    (
        "org.freedesktop.ModemManager1.Modem.Modem3gpp.ProfileManager",
        &["IndexField"],
    ),
    (
        "org.freedesktop.ModemManager1.Modem.Signal",
        &["SetupThresholds", "RssiThreshold", "ErrorRateThreshold"],
    ),
    (
        "org.freedesktop.ModemManager1.Bearer",
        &["ReloadStatsSupported"],
    ),
    (
        "org.freedesktop.ModemManager1.Sim",
        &["Gid1", "Gid2", "SimType", "EsimStatus", "Removability"],
    ),
];

/// The interfaces of ModemManager 1.20.4 and of NetworkManager.
pub(super) fn recorded() -> &'static Interfaces {
    static ALL: OnceLock<Interfaces> = OnceLock::new();
    ALL.get_or_init(|| RECORDED.iter().flat_map(|xml| parse(xml)).collect())
}

/// The same without what an older ModemManager lacks.
pub(super) fn old() -> Interfaces {
    let mut all = recorded().clone();
    for (interface, members) in SINCE_1_20 {
        if let Some(interface) = all.get_mut(interface) {
            for member in members {
                interface.methods.remove(*member);
                interface.properties.remove(*member);
            }
        }
    }
    all
}

/// Reads introspection data: elements with attributes, one after the other. No more of XML than that.
pub(super) fn parse(xml: &str) -> Interfaces {
    let mut interfaces = Interfaces::new();
    let (mut interface, mut method, mut signal) = (String::new(), String::new(), String::new());
    for element in xml.split('<').skip(1) {
        let element = element.split('>').next().unwrap_or_default();
        let Some((kind, _)) = element.split_once(' ') else {
            continue;
        };
        let name = attribute(element, "name");
        let kind_of = attribute(element, "type");
        let current = interfaces.entry(interface.clone()).or_default();
        match kind {
            "interface" => {
                interface = name;
                interfaces.entry(interface.clone()).or_default();
            }
            "method" => {
                method.clone_from(&name);
                signal.clear();
                current.methods.insert(name, Default::default());
            }
            "signal" => {
                signal.clone_from(&name);
                method.clear();
                current.signals.insert(name, String::new());
            }
            "property" => {
                let access = attribute(element, "access");
                current.properties.insert(name, (kind_of, access));
            }
            "arg" => {
                if let Some(signature) = current.signals.get_mut(&signal) {
                    *signature += &kind_of;
                } else if let Some((input, output)) = current.methods.get_mut(&method) {
                    let is_output = attribute(element, "direction") == "out";
                    *(if is_output { output } else { input }) += &kind_of;
                }
            }
            _ => {}
        }
    }
    interfaces.remove("");
    interfaces
}

fn attribute(element: &str, name: &str) -> String {
    let start = format!(" {name}=\"");
    let value = element.split_once(&start).map(|(_, rest)| rest);
    let value = value.and_then(|rest| rest.split_once('"'));
    value.map(|(value, _)| value.to_owned()).unwrap_or_default()
}

/// Introspection data of these interfaces.
pub(super) fn print(interfaces: &Interfaces, children: &[String]) -> String {
    use std::fmt::Write as _;
    let mut xml = String::from("<node>\n");
    for (name, interface) in interfaces {
        let _ = writeln!(xml, "  <interface name=\"{name}\">");
        for (name, (input, output)) in &interface.methods {
            let _ = writeln!(xml, "    <method name=\"{name}\">");
            for (signature, direction) in [(input, "in"), (output, "out")] {
                for single in singles(signature) {
                    let _ = writeln!(
                        xml,
                        "      <arg type=\"{single}\" direction=\"{direction}\"/>"
                    );
                }
            }
            xml += "    </method>\n";
        }
        for (name, signature) in &interface.signals {
            let _ = writeln!(xml, "    <signal name=\"{name}\">");
            for single in singles(signature) {
                let _ = writeln!(xml, "      <arg type=\"{single}\"/>");
            }
            xml += "    </signal>\n";
        }
        for (name, (signature, access)) in &interface.properties {
            let _ = writeln!(
                xml,
                "    <property type=\"{signature}\" name=\"{name}\" access=\"{access}\"/>"
            );
        }
        xml += "  </interface>\n";
    }
    for child in children {
        let _ = writeln!(xml, "  <node name=\"{child}\"/>");
    }
    xml + "</node>\n"
}

/// The complete types that a signature strings together.
fn singles(signature: &str) -> Vec<&str> {
    let (mut singles, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, code) in signature.char_indices() {
        match code {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            // The element type follows.
            'a' => continue,
            _ => {}
        }
        if depth == 0 {
            singles.push(&signature[start..=at]);
            start = at + 1;
        }
    }
    singles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_as_what_it_was() {
        assert_eq!(parse(&print(recorded(), &[])), *recorded());
        assert_eq!(recorded().len(), 22, "{:?}", recorded().keys());
        assert_eq!(singles("a{sv}oa(ubay)s"), ["a{sv}", "o", "a(ubay)", "s"]);
        let modem = &recorded()["org.freedesktop.ModemManager1.Modem"];
        assert_eq!(modem.methods["Command"], ("su".to_owned(), "s".to_owned()));
        assert_eq!(modem.signals["StateChanged"], "iiu");
        assert_eq!(modem.properties["Ports"].0, "a(su)");
    }

    #[test]
    fn the_old_one_lacks_what_came_later() {
        let (old, new) = (old(), recorded());
        for (interface, members) in SINCE_1_20 {
            for member in members {
                let has = |all: &Interfaces| {
                    let interface = &all[interface];
                    interface.methods.contains_key(*member)
                        || interface.properties.contains_key(*member)
                };
                assert!(has(new) && !has(&old), "{interface}.{member}");
            }
        }
    }
}
