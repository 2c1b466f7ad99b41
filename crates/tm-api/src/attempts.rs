//! Slows down whoever tries tokens: after ten wrong ones a minute a peer waits.

use std::collections::HashMap;
use std::net::IpAddr;

/// Wrong tokens a peer may send within a window.
const ALLOWED: u32 = 10;
/// Length of the window, in milliseconds.
const WINDOW_MS: u64 = 60_000;
/// Peers remembered; beyond it the one with the oldest window is forgotten.
const PEERS_MAX: usize = 256;

/// Wrong tokens per peer within the present minute.
#[derive(Debug, Default)]
pub(crate) struct Attempts(HashMap<IpAddr, Window>);

#[derive(Debug)]
struct Window {
    since_ms: u64,
    wrong: u32,
}

impl Attempts {
    /// Seconds until the peer may send a token again; `None` when it may now.
    pub(crate) fn wait_s(&self, peer: IpAddr, now_ms: u64) -> Option<u64> {
        let window = self.0.get(&peer)?;
        let age = now_ms.saturating_sub(window.since_ms);
        (window.wrong >= ALLOWED && age < WINDOW_MS).then(|| (WINDOW_MS - age).div_ceil(1000))
    }

    /// Counts a wrong token.
    pub(crate) fn wrong(&mut self, peer: IpAddr, now_ms: u64) {
        if self.0.len() >= PEERS_MAX && !self.0.contains_key(&peer) {
            let oldest = self.0.iter().min_by_key(|(_, window)| window.since_ms);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.0.remove(&oldest);
            }
        }
        let window = self.0.entry(peer).or_insert(Window {
            since_ms: now_ms,
            wrong: 0,
        });
        if now_ms.saturating_sub(window.since_ms) >= WINDOW_MS {
            *window = Window {
                since_ms: now_ms,
                wrong: 0,
            };
        }
        window.wrong += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_tokens_close_the_minute() {
        let mut attempts = Attempts::default();
        let (peer, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for n in 0..10 {
            assert_eq!(attempts.wait_s(peer, n), None, "{n}");
            attempts.wrong(peer, n);
        }
        assert_eq!(attempts.wait_s(peer, 9), Some(60));
        assert_eq!(attempts.wait_s(other, 9), None);
        assert_eq!(attempts.wait_s(peer, 59_999), Some(1));
        assert_eq!(attempts.wait_s(peer, 60_000), None);
        attempts.wrong(peer, 60_000);
        assert_eq!(attempts.wait_s(peer, 60_001), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut attempts = Attempts::default();
        for n in 0..100_000u32 {
            attempts.wrong(IpAddr::V4(n.into()), n.into());
        }
        assert_eq!(attempts.0.len(), PEERS_MAX);
    }
}
