//! A host that believes only what the specification allows.

use std::collections::{HashMap, HashSet};

use tm_sparkplug::{Metric, WireValue, decode};

use super::Sent;

/// Follows a node's messages and objects to what the specification forbids.
#[derive(Default)]
pub(crate) struct Host {
    /// The `seq` of the last message; `None` while the node is dead.
    seq: Option<u8>,
    /// For each living device, and for the node under "", its metrics by alias.
    born: HashMap<String, HashMap<u64, Born>>,
    /// Every reading that was ever told.
    pub(crate) told: HashSet<Told>,
}

/// Device, metric, Unix milliseconds, value.
pub(crate) type Told = (String, String, u64, Option<String>);

/// What a birth says of a metric.
struct Born {
    name: String,
    datatype: u32,
}

impl Host {
    /// The connection is gone, and the will told it.
    pub(crate) fn node_died(&mut self) {
        self.seq = None;
        self.born.clear();
    }

    /// Whether the node lives, as far as the host knows.
    pub(crate) fn is_born(&self) -> bool {
        self.seq.is_some()
    }

    pub(crate) fn take(&mut self, sent: &Sent) {
        let levels: Vec<&str> = sent.topic().split('/').collect();
        assert_eq!(
            (levels[0], levels[1], levels[3]),
            ("spBv1.0", "kyiv", "shafa-7")
        );
        assert!(!sent.0.retain);
        let device = levels.get(4).copied().unwrap_or("").to_owned();
        let payload = decode(&sent.0.payload).unwrap();
        assert!(payload.timestamp.is_some());
        match sent.verb() {
            "NDEATH" => {
                assert_eq!(payload.seq, None);
                return self.node_died();
            }
            "NBIRTH" => {
                assert_eq!(payload.seq, Some(0));
                self.born.clear();
            }
            _ => {
                let last = self.seq.expect("a message before NBIRTH");
                assert_eq!(
                    payload.seq,
                    Some(u64::from(last.wrapping_add(1))),
                    "{sent:?}"
                );
            }
        }
        self.seq = payload.seq.map(|seq| u8::try_from(seq).unwrap());
        match sent.verb() {
            "NBIRTH" | "DBIRTH" => self.take_birth(device, &payload.metrics),
            "NDATA" | "DDATA" => self.take_data(&device, &payload.metrics),
            "DDEATH" => drop(
                self.born
                    .remove(&device)
                    .expect("the death of a dead device"),
            ),
            verb => panic!("{verb}"),
        }
    }

    fn take_birth(&mut self, device: String, metrics: &[Metric<'_>]) {
        let mut aliases = HashMap::new();
        let mut last = 0;
        let mut names = Vec::new();
        for metric in metrics {
            let timestamp = metric.timestamp.unwrap();
            assert!(timestamp >= last, "not in the order of time");
            last = timestamp;
            names.push(metric.name.unwrap().to_lowercase());
            let datatype = metric.datatype.unwrap();
            assert_eq!(metric.value.is_none(), metric.is_null);
            assert!(
                metric
                    .value
                    .is_none_or(|v| v.datatype().unwrap().code() == datatype)
            );
            assert!(!metric.is_historical);
            self.tell(&device, metric.name.unwrap(), metric);
            if let Some(alias) = metric.alias {
                let name = metric.name.unwrap().to_owned();
                let born = Born { name, datatype };
                let others = self.born.iter().filter(|(name, _)| **name != device);
                assert!(
                    others
                        .into_iter()
                        .all(|(_, known)| !known.contains_key(&alias))
                );
                assert_eq!(
                    aliases.insert(alias, born).map(|b| b.name),
                    None,
                    "an alias twice"
                );
            }
        }
        names.sort();
        let n = names.len();
        names.dedup();
        assert_eq!(
            names.len(),
            n,
            "names that differ only in case, or not at all"
        );
        self.born.insert(device, aliases);
    }

    fn take_data(&mut self, device: &str, metrics: &[Metric<'_>]) {
        let known = self.born.remove(device).expect("data of an unborn device");
        assert!(!metrics.is_empty());
        for metric in metrics {
            assert_eq!(metric.name, None);
            assert!(metric.timestamp.is_some());
            let Born { name, datatype } = &known[&metric.alias.unwrap()];
            assert_eq!(metric.value.is_none(), metric.is_null);
            let datatype = metric.datatype.unwrap_or(*datatype);
            assert!(
                metric
                    .value
                    .is_none_or(|v| v.datatype().unwrap().code() == datatype)
            );
            assert!(metric.datatype.is_none() || metric.is_historical);
            self.tell(device, name, metric);
        }
        self.born.insert(device.to_owned(), known);
    }

    fn tell(&mut self, device: &str, name: &str, metric: &Metric<'_>) {
        let value = metric.value.map(|value| match value {
            // Whether an integer came as a float is no matter here.
            WireValue::Long(value) => value.cast_signed().to_string(),
            WireValue::Double(value) => value.to_string(),
            WireValue::Boolean(value) => value.to_string(),
            WireValue::String(value) => value.to_owned(),
            other => panic!("{other:?}"),
        });
        let timestamp = metric.timestamp.unwrap();
        self.told
            .insert((device.to_owned(), name.to_owned(), timestamp, value));
    }
}
