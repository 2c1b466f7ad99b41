//! The primary host: whether it is there, by its STATE messages.

use std::sync::Arc;

use serde::Deserialize;

use crate::{Id, topic};

/// The largest STATE message that is looked at, in bytes; a sound one has about 45.
const STATE_MAX: usize = 4096;

/// `{"online":true,"timestamp":1790000000000}`: a host's STATE since Sparkplug 3.0.
#[derive(Clone, Copy, Debug, Deserialize)]
struct State {
    online: bool,
    /// Unix milliseconds, UTC, by the host's clock.
    timestamp: u64,
}

/// What a STATE message came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// The host is there.
    Online,
    /// The host is away.
    Offline,
    /// Older than what is known: it was overtaken, or kept by a server that lagged behind.
    Stale,
    /// Not a STATE message of Sparkplug 3.0.
    Unreadable,
}

/// The host that this node waits for.
#[derive(Debug)]
pub(crate) struct PrimaryHost {
    pub(crate) topic: Arc<str>,
    /// The server that `latest` was heard from: each keeps the message of its own session.
    server: u32,
    latest: Option<u64>,
    /// By the last message of this connection; `None` before there was one.
    online: Option<bool>,
}

impl PrimaryHost {
    pub(crate) fn new(id: &Id) -> Self {
        Self {
            topic: topic::state(id),
            server: 0,
            latest: None,
            online: None,
        }
    }

    /// A connection begins: nothing is known of the host, and what another server said counts no more.
    pub(crate) fn begin(&mut self, server: u32) {
        if self.server != server {
            self.latest = None;
        }
        self.server = server;
        self.online = None;
    }

    pub(crate) fn is_online(&self) -> bool {
        self.online == Some(true)
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.online == Some(false)
    }

    /// Takes a message of the host's topic.
    ///
    /// One that is as old as the last counts, an older one does not
    /// (`tck-id-message-flow-edge-node-birth-publish-phid-wait-timestamp`).
    pub(crate) fn hear(&mut self, payload: &[u8]) -> Heard {
        if payload.len() > STATE_MAX {
            return Heard::Unreadable;
        }
        let Ok(State { online, timestamp }) = serde_json::from_slice(payload) else {
            return Heard::Unreadable;
        };
        if self.latest.is_some_and(|latest| timestamp < latest) {
            return Heard::Stale;
        }
        self.latest = Some(timestamp);
        self.online = Some(online);
        if online {
            Heard::Online
        } else {
            Heard::Offline
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_message_does_not_count() {
        let mut host = PrimaryHost::new(&Id::new("scada").unwrap());
        for (payload, expected) in [
            ("ONLINE", Heard::Unreadable),
            ("", Heard::Unreadable),
            ("{}", Heard::Unreadable),
            (r#"{"online":1,"timestamp":5}"#, Heard::Unreadable),
            (r#"{"online":true,"timestamp":-5}"#, Heard::Unreadable),
            (r#"{"online":true,"timestamp":5}"#, Heard::Online),
            (r#"{"online":false,"timestamp":4}"#, Heard::Stale),
            (
                r#"{"timestamp":5,"online":false,"bdSeq":7}"#,
                Heard::Offline,
            ),
            (r#"{"online":true,"timestamp":4}"#, Heard::Stale),
            (r#"{"online":true,"timestamp":5}"#, Heard::Online),
        ] {
            assert_eq!(host.hear(payload.as_bytes()), expected, "{payload}");
        }
    }

    #[test]
    fn another_server_has_its_own_clock_of_messages() {
        let mut host = PrimaryHost::new(&Id::new("scada").unwrap());
        host.hear(br#"{"online":true,"timestamp":5}"#);
        host.begin(0);
        assert!(!host.is_online() && !host.is_offline());
        assert_eq!(host.hear(br#"{"online":true,"timestamp":4}"#), Heard::Stale);
        host.begin(1);
        assert_eq!(
            host.hear(br#"{"online":true,"timestamp":4}"#),
            Heard::Online
        );
    }
}
