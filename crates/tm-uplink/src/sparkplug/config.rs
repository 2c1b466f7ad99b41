//! What the edge node is called, and how it paces itself.

use std::time::Duration;

use tm_service::Host;
use tm_sparkplug::Id;

use crate::config::Config;

/// How long sent records wait for a question behind them: well within the time after which a connection that answers
/// nothing is given up.
const FENCE_EVERY: Duration = Duration::from_secs(10);
/// Tickets that may be unsettled: with a primary host each for as long as that may be gone unnoticed.
pub(crate) const HELD_TICKETS: usize = 128;
/// Records on their way: those of all tickets that may be held, each at its fullest.
const RECORDS_MAX: usize = HELD_TICKETS * 512;
/// The longest id, in bytes.
const ID_MAX: usize = 128;

/// The configuration of this device's node, where there are so many brokers.
pub(crate) fn node_config(config: &Config, host: &Host, servers: u32) -> tm_sparkplug::Config {
    let device = &host.device;
    let node = match &config.sparkplug_node {
        Some(node) => node.0.clone(),
        None => id(device.site.as_deref().unwrap_or(&device.id)),
    };
    let mut node = tm_sparkplug::Config::new(config.sparkplug_group.0.clone(), node);
    node.primary_host = config
        .sparkplug_host
        .as_ref()
        .map(|primary| primary.0.clone());
    node.servers = servers;
    node.fence_every = FENCE_EVERY;
    node.records_max = RECORDS_MAX;
    let site = device.site.as_deref();
    let properties = [
        ("device", Some(device.id.as_str())),
        ("site", site),
        ("version", Some(host.version)),
    ];
    node.properties = properties
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    node
}

/// A text as an id: what an id cannot have becomes `-`, what is too long is cut.
fn id(text: &str) -> Id {
    let replaced = |c: char| {
        if matches!(c, '+' | '/' | '#') || c.is_control() {
            '-'
        } else {
            c
        }
    };
    let mut text: String = text.chars().map(replaced).collect();
    while text.len() > ID_MAX {
        text.pop();
    }
    Id::new(&text)
        .or_else(|_| Id::new("-"))
        .expect("a dash is an id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_site_makes_an_id() {
        let long = "ї".repeat(100);
        for (text, expected) in [
            ("kyiv-07", "kyiv-07"),
            ("a/b+#\n", "a-b---"),
            ("Шафа 7", "Шафа 7"),
            ("", "-"),
            (&long, &"ї".repeat(64)),
        ] {
            assert_eq!(id(text).as_str(), expected);
        }
    }
}
