//! Connections that the broker closes again and again: what that means.
//!
//! MQTT 3.1.1 has no word for it. A broker that meets a client id a second time closes the first connection, and so a
//! copied card and its original throw each other out for ever; and some close a connection over a topic that is not
//! allowed, before they have acknowledged anything.

use std::time::Duration;

use tm_types::{Code, code};

/// A connection that held for so long is none of them.
pub(crate) const SETTLED: Duration = Duration::from_mins(2);
/// So many in a row that were closed before that are no accident.
const N_SHORT: u32 = 3;

/// Counts them.
#[derive(Debug, Default)]
pub(crate) struct Flapping {
    up_since: Option<Duration>,
    has_acked: bool,
    /// Closed in a row, and how many of them after something was acknowledged.
    n_short: u32,
    n_acked: u32,
}

impl Flapping {
    pub(crate) fn came_up(&mut self, now: Duration) {
        (self.up_since, self.has_acked) = (Some(now), false);
    }

    /// Something of ours was acknowledged.
    pub(crate) fn acked(&mut self) {
        self.has_acked = true;
    }

    /// The connection is gone, or could not be made; `is_closed` by the broker.
    pub(crate) fn went_down(&mut self, is_closed: bool, now: Duration) {
        let Some(since) = self.up_since.take() else {
            return;
        };
        if is_closed && now.saturating_sub(since) < SETTLED {
            self.n_short += 1;
            self.n_acked += u32::from(self.has_acked);
        } else {
            self.forget();
        }
    }

    /// Whether the present connection has just held for long enough to end a suspicion.
    pub(crate) fn settles(&mut self, now: Duration) -> bool {
        let has_held = |since: Duration| now.saturating_sub(since) >= SETTLED;
        let ends = self.n_short > 0 && self.up_since.is_some_and(has_held);
        if ends {
            self.forget();
        }
        ends
    }

    /// What it looks like.
    pub(crate) fn suspicion(&self) -> Option<Code> {
        (self.n_short >= N_SHORT).then_some(if self.n_acked > 0 {
            code::UPLINK_CLIENT_ID_TAKEN
        } else {
            code::UPLINK_TOPIC_DENIED
        })
    }

    fn forget(&mut self) {
        (self.n_short, self.n_acked) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections of so many seconds, whether something was acknowledged, and whether the broker closed them.
    fn after(connections: &[(u64, bool, bool)]) -> Flapping {
        let mut flapping = Flapping::default();
        let mut now = Duration::ZERO;
        for (seconds, has_acked, is_closed) in connections {
            flapping.came_up(now);
            if *has_acked {
                flapping.acked();
            }
            now += Duration::from_secs(*seconds);
            flapping.went_down(*is_closed, now);
            // And an attempt that fails.
            flapping.went_down(false, now);
        }
        flapping
    }

    #[test]
    fn three_short_ones_in_a_row_are_no_accident() {
        let (taken, denied) = (
            Some(code::UPLINK_CLIENT_ID_TAKEN),
            Some(code::UPLINK_TOPIC_DENIED),
        );
        for (connections, expected) in [
            (&[(5, true, true); 2][..], None),
            (&[(5, true, true); 3], taken),
            (&[(5, false, true); 3], denied),
            (
                &[(1, false, true), (1, true, true), (1, false, true)],
                taken,
            ),
            (
                &[
                    (5, true, true),
                    (5, true, true),
                    (130, true, true),
                    (5, true, true),
                ],
                None,
            ),
            (&[(5, true, false); 9], None),
        ] {
            assert_eq!(after(connections).suspicion(), expected, "{connections:?}");
        }
    }

    #[test]
    fn a_connection_that_lasts_ends_it() {
        let mut flapping = after(&[(5, true, true); 5]);
        flapping.came_up(Duration::from_secs(100));
        assert!(!flapping.settles(Duration::from_secs(219)));
        assert!(flapping.settles(Duration::from_secs(220)));
        assert_eq!(flapping.suspicion(), None);
        assert!(!flapping.settles(Duration::from_mins(5)), "told once");
    }
}
