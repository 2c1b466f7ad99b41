//! What is remembered of boots: how many there were, and what this one has seen.
//!
//! One small file, written when something of it changes: once a boot, and at the first trouble.

use serde::{Deserialize, Serialize};
use tm_service::Store;
use tm_types::BootId;

/// The file in the store.
const FILE: &str = "boots";

/// What a look at the supply and the speed brought to light.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Troubles {
    /// The supply was below what the firmware tolerates (4.63 V on a Raspberry Pi 4).
    pub(super) under_voltage: bool,
    /// The processor was slowed down, for heat or for want of voltage.
    pub(super) throttled: bool,
}

impl Troubles {
    fn or(self, other: Self) -> Self {
        Self {
            under_voltage: self.under_voltage || other.under_voltage,
            throttled: self.throttled || other.throttled,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    boot: BootId,
    n_boots: u32,
    #[serde(default)]
    seen: Troubles,
}

/// The boots of this machine, as long as the service's store was there.
#[derive(Debug)]
pub(super) struct Boots {
    store: Store,
    kept: Option<Kept>,
}

impl Boots {
    /// Reads what is kept; nothing is written before the first [`note`](Self::note).
    pub(super) fn open(store: &Store) -> Self {
        Self {
            store: store.clone(),
            kept: store.load(FILE),
        }
    }

    /// Takes note of a look during `boot`; gives the number of boots and all troubles of this one.
    pub(super) fn note(&mut self, boot: BootId, now: Troubles) -> (u32, Troubles) {
        let kept = match &self.kept {
            Some(kept) if kept.boot == boot => Kept {
                seen: kept.seen.or(now),
                ..kept.clone()
            },
            earlier => Kept {
                boot,
                n_boots: earlier
                    .as_ref()
                    .map_or(1, |kept| kept.n_boots.saturating_add(1)),
                seen: now,
            },
        };
        let told = (kept.n_boots, kept.seen);
        if self.kept.as_ref() != Some(&kept) {
            // At once: low voltage is often followed by none. The store tells when it could not be written.
            let _ = self.store.save_now(FILE, &kept);
            self.kept = Some(kept);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_are_counted_and_troubles_last_until_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let low = Troubles {
            under_voltage: true,
            throttled: false,
        };
        let slow = Troubles {
            under_voltage: false,
            throttled: true,
        };
        let both = low.or(slow);
        let none = Troubles::default();
        // One entry for each process: (boot, what it sees, what it tells).
        let lives = [
            (
                1,
                vec![(none, (1, none)), (low, (1, low)), (none, (1, low))],
            ),
            (1, vec![(none, (1, low)), (slow, (1, both))]),
            (2, vec![(none, (2, none)), (none, (2, none))]),
            (9, vec![(slow, (3, slow))]),
        ];
        for (boot, looks) in lives {
            let store = Store::open(directory.path()).unwrap();
            let mut boots = Boots::open(&store);
            for (now, expected) in looks {
                assert_eq!(boots.note(BootId(boot), now), expected, "boot {boot}");
            }
        }
    }

    #[test]
    fn a_boot_that_ends_before_the_next_is_counted_by_the_same_process() {
        let directory = tempfile::tempdir().unwrap();
        let mut boots = Boots::open(&Store::open(directory.path()).unwrap());
        for boot in 1..=3 {
            assert_eq!(boots.note(BootId(boot), Troubles::default()).0, boot);
        }
    }
}
