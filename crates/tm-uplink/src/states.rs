//! The services' states on their way to the cloud: newest value only, together, and not too often.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::outlet::json::string;

/// States of more services than this are not carried.
const SERVICES_MAX: usize = 64;
/// A larger state is not carried, and all in one message are at most about this large: what any broker takes.
const BYTES_MAX: usize = 64 * 1024;
/// Retained states arrive one by one after a start; they travel together.
const SETTLE: Duration = Duration::from_secs(10);

/// Coalesces states; nothing of it is kept on disk.
#[derive(Debug)]
pub(crate) struct States {
    /// `None` when they are not to be sent.
    every: Option<Duration>,
    services: BTreeMap<String, Entry>,
    /// Not before then.
    due: Option<Duration>,
}

#[derive(Debug)]
struct Entry {
    payload: Bytes,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Changed,
    Sent,
    Delivered,
}

impl States {
    /// States sent at most every `every`; never when it is zero.
    pub(crate) fn new(every: Duration) -> Self {
        Self {
            every: (!every.is_zero()).then_some(every),
            services: BTreeMap::new(),
            due: None,
        }
    }

    /// From now on at most every `every`; never when it is zero.
    pub(crate) fn send_every(&mut self, every: Duration, now: Duration) {
        self.every = (!every.is_zero()).then_some(every);
        if let Some(due) = &mut self.due {
            *due = (*due).min(now + every);
        }
    }

    /// Takes in a state as it came from the bus; an empty one or one that is not JSON is passed over.
    pub(crate) fn note(&mut self, service: &str, payload: Bytes, now: Duration) {
        if self.every.is_none()
            || payload.len() > BYTES_MAX
            || serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_err()
        {
            return;
        }
        let n_services = self.services.len();
        match self.services.get_mut(service) {
            Some(entry) if entry.payload == payload => {}
            Some(entry) => {
                *entry = Entry {
                    payload,
                    progress: Progress::Changed,
                }
            }
            None if n_services == SERVICES_MAX => {}
            None => {
                self.services.insert(
                    service.to_owned(),
                    Entry {
                        payload,
                        progress: Progress::Changed,
                    },
                );
            }
        }
        self.due.get_or_insert(now + SETTLE);
    }

    /// When something is to be sent, if anything is.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.services
            .values()
            .any(|entry| entry.progress == Progress::Changed)
            .then_some(self.due)
            .flatten()
    }

    /// The message that is due at `now`, with everything that has changed and fits.
    pub(crate) fn take(&mut self, device: &str, now: Duration) -> Option<Vec<u8>> {
        self.deadline().filter(|due| now >= *due)?;
        let mut out = b"{\"device\":".to_vec();
        string(&mut out, device);
        out.extend_from_slice(b",\"class\":\"state\",\"states\":{");
        let mut is_first = true;
        for (service, entry) in &mut self.services {
            let fits = is_first || out.len() + entry.payload.len() <= BYTES_MAX;
            if entry.progress != Progress::Changed || !fits {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.push(b',');
            }
            string(&mut out, service);
            out.push(b':');
            out.extend_from_slice(&entry.payload);
            entry.progress = Progress::Sent;
        }
        out.extend_from_slice(b"}}");
        let is_more = self
            .services
            .values()
            .any(|entry| entry.progress == Progress::Changed);
        self.due = self
            .every
            .map(|every| if is_more { now } else { now + every });
        Some(out)
    }

    /// The cloud has what was taken. What has changed since then stays to be sent.
    pub(crate) fn acked(&mut self) {
        for entry in self
            .services
            .values_mut()
            .filter(|entry| entry.progress == Progress::Sent)
        {
            entry.progress = Progress::Delivered;
        }
    }

    /// What was taken never arrived.
    pub(crate) fn lost(&mut self, now: Duration) {
        for entry in self
            .services
            .values_mut()
            .filter(|entry| entry.progress == Progress::Sent)
        {
            entry.progress = Progress::Changed;
            self.due = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn take(states: &mut States, at: u64) -> Option<String> {
        states
            .take("a1", s(at))
            .map(|payload| String::from_utf8(payload).unwrap())
    }

    #[test]
    fn changes_travel_together_and_not_too_often() {
        let mut states = States::new(s(900));
        assert_eq!(states.deadline(), None);
        states.note("modem", Bytes::from_static(b"{\"a\":1}"), s(1));
        states.note("gnss", Bytes::from_static(b"{\"b\":1}"), s(2));
        states.note("gnss", Bytes::from_static(b"{\"b\":2}"), s(3));
        assert_eq!(take(&mut states, 10), None);
        let expected =
            r#"{"device":"a1","class":"state","states":{"gnss":{"b":2},"modem":{"a":1}}}"#;
        assert_eq!(take(&mut states, 11).as_deref(), Some(expected));
        assert_eq!(take(&mut states, 2000), None, "nothing has changed");
        states.acked();
        states.note("modem", Bytes::from_static(b"{\"a\":1}"), s(12));
        assert_eq!(states.deadline(), None, "the same state is no change");
        states.note("modem", Bytes::from_static(b"{\"a\":2}"), s(12));
        assert_eq!(states.deadline(), Some(s(911)));
    }

    #[test]
    fn what_was_lost_is_sent_again() {
        let mut states = States::new(s(900));
        states.note("modem", Bytes::from_static(b"{}"), s(0));
        assert!(take(&mut states, 10).is_some());
        states.lost(s(20));
        assert!(take(&mut states, 20).is_some());
        states.acked();
        states.lost(s(30));
        assert_eq!(states.deadline(), None);
    }

    #[test]
    fn nonsense_and_excess_are_not_carried() {
        let mut states = States::new(s(900));
        states.note("a", Bytes::from_static(b"{"), s(0));
        states.note("b", Bytes::new(), s(0));
        states.note("c", Bytes::from(vec![b' '; BYTES_MAX + 1]), s(0));
        assert_eq!(states.deadline(), None);
        let mut never = States::new(Duration::ZERO);
        never.note("a", Bytes::from_static(b"{}"), s(0));
        assert_eq!(never.deadline(), None);
    }

    #[test]
    fn much_is_split() {
        let mut states = States::new(s(900));
        let big = Bytes::from(format!("\"{}\"", "x".repeat(40_000)));
        for service in ["a", "b", "c"] {
            states.note(service, big.clone(), s(0));
        }
        for _ in 0..3 {
            assert!(take(&mut states, 10).is_some());
        }
        assert_eq!(take(&mut states, 10), None);
    }
}
