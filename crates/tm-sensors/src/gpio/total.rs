//! Totals of pulse counters: exact, and kept across power cuts in one small file.
//!
//! What is kept is the number of pulses, an integer; the total is computed from it each time, so that no rounding
//! adds up. The file is written at most once a minute: a power cut takes at most the pulses of the last minute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use tm_service::Store;
use tm_types::{Decimal, Reading, Reason, Value};

/// The file in the store.
const FILE: &str = "pulses";
/// The most decimal places of a total.
const PLACES_MAX: u8 = 9;

/// What one pulse is, and where counting began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    /// Pulses for one unit; more than zero.
    pub(crate) per_unit: Decimal,
    /// What the meter showed at the start.
    pub(crate) start: Decimal,
}

impl Scale {
    /// Decimal places that show every pulse: exact where a pulse is a decimal number, else one digit finer than a pulse.
    pub(crate) fn places(self) -> u8 {
        let units = i128::from(self.per_unit.units());
        // A pulse is `power / units` of a unit.
        let power = |places: u8| 10_i128.pow(u32::from(self.per_unit.scale() + places));
        let exact = (0..=PLACES_MAX).find(|places| power(*places) % units == 0);
        let finer = || {
            (0..PLACES_MAX)
                .find(|places| power(*places) >= units)
                .map(|places| places + 1)
        };
        let places = exact.or_else(finer).unwrap_or(PLACES_MAX);
        places.max(self.start.scale())
    }

    /// The total after so many pulses; digits that a pulse does not reach are cut, never rounded up.
    pub(crate) fn total(self, pulses: u64) -> Reading {
        let places = self.places();
        let total = || {
            let power = 10_i128.pow(u32::from(self.per_unit.scale() + places));
            let counted =
                i128::from(pulses).checked_mul(power)? / i128::from(self.per_unit.units());
            let start = i128::from(self.start.units_at(places)?);
            let units = i64::try_from(counted.checked_add(start)?).ok()?;
            Value::decimal(units, places).ok()
        };
        total().map_or(Reading::Missing(Reason::OutOfRange), Reading::Good)
    }

    /// What one pulse is, nearly.
    pub(crate) fn pulse(self) -> f64 {
        1.0 / self.per_unit.to_f64()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    pulses: u64,
    /// Another start in the configuration means that the meter was read anew: counting begins again.
    start: String,
}

/// The counts of every counter; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Totals {
    store: Store,
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
}

impl Totals {
    pub(crate) fn open(store: &Store) -> Self {
        Self {
            store: store.clone(),
            kept: Arc::new(Mutex::new(store.load(FILE).unwrap_or_default())),
        }
    }

    /// The pulses counted under that name since it has that start.
    pub(crate) fn pulses(&self, name: &str, scale: Scale) -> u64 {
        self.add(name, scale, 0)
    }

    /// Counts; gives the pulses counted so far.
    pub(crate) fn add(&self, name: &str, scale: Scale, n_pulses: u32) -> u64 {
        let mut kept = self.kept();
        let start = scale.start.to_string();
        let entry = kept.entry(name.to_owned()).or_insert_with(|| Kept {
            pulses: 0,
            start: start.clone(),
        });
        let is_new = entry.start != start;
        if is_new {
            *entry = Kept { pulses: 0, start };
        }
        entry.pulses = entry.pulses.saturating_add(n_pulses.into());
        let pulses = entry.pulses;
        if n_pulses > 0 || is_new {
            self.store.save(FILE, &*kept);
        }
        pulses
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.kept.lock().expect("nobody panics while counting")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scale(per_unit: f64, start: f64) -> Scale {
        Scale {
            per_unit: Decimal::of_f64(per_unit).unwrap(),
            start: Decimal::of_f64(start).unwrap(),
        }
    }

    fn told(scale: Scale, pulses: u64) -> String {
        let reading = scale.total(pulses);
        let value = reading.value().map(ToString::to_string);
        value.unwrap_or_else(|| reading.reason().unwrap().as_str().to_owned())
    }

    #[test]
    fn totals() {
        for (per_unit, start, pulses, expected) in [
            (1000.0, 0.0, 0, "0"),
            (1000.0, 0.0, 123_456, "123.456"),
            (1000.0, 12_345.67, 1, "12345.671"),
            (640.0, 0.0, 1, "0.0015625"),
            (640.0, 0.0, 640, "1"),
            (1.0, 100.0, 7, "107"),
            (0.1, 0.0, 7, "70"),
            (0.5, 0.25, 3, "6.25"),
            // A third of a unit is no decimal: cut, and never adding up.
            (3.0, 0.0, 1, "0.33"),
            (3.0, 0.0, 2, "0.66"),
            (3.0, 0.0, 3, "1"),
            (3.0, 0.0, 3_000_000_001, "1000000000.33"),
            (75.0, 0.0, 1, "0.013"),
            (1000.0, 0.0, u64::MAX, "out_of_range"),
        ] {
            assert_eq!(
                told(scale(per_unit, start), pulses),
                expected,
                "{per_unit} {start} {pulses}"
            );
        }
    }

    #[test]
    fn counts_survive_the_process_and_a_new_start_begins_again() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Totals::open(&Store::open(directory.path()).unwrap());
        let (first, second) = (scale(1000.0, 5.0), scale(1000.0, 6.0));
        let totals = open();
        assert_eq!(totals.pulses("energy", first), 0);
        assert_eq!(totals.add("energy", first, 40), 40);
        assert_eq!(totals.clone().add("energy", first, 2), 42);
        assert_eq!(totals.add("water", first, 1), 1);
        drop(totals);
        let totals = open();
        assert_eq!(totals.pulses("energy", first), 42);
        // The same start with other pulses for a unit: a corrected constant, the pulses count.
        assert_eq!(totals.pulses("energy", scale(800.0, 5.0)), 42);
        assert_eq!(totals.add("energy", second, 3), 3);
        drop(totals);
        assert_eq!(open().pulses("energy", second), 3);
        assert_eq!(open().pulses("water", first), 1);
    }

    #[test]
    fn a_power_cut_takes_what_was_not_written_yet_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let totals = Totals::open(&store);
        let per_unit = scale(1000.0, 0.0);
        totals.add("energy", per_unit, 1);
        totals.add("energy", per_unit, 9);
        // As after a cut: what the disk has, read by another process.
        let after =
            || Totals::open(&Store::open(directory.path()).unwrap()).pulses("energy", per_unit);
        assert_eq!(
            after(),
            1,
            "the first at once, the others within the minute"
        );
        store.flush();
        assert_eq!(after(), 10);
    }

    proptest! {
        #[test]
        fn a_total_never_falls_and_never_panics(units in 1_i64..10_000_000, digits in 0_u8..6, pulses: u32, start in 0_i64..1_000_000) {
            let scale = Scale {
                per_unit: Decimal::new(units, digits).unwrap(),
                start: Decimal::new(start, 2).unwrap(),
            };
            let number = |pulses: u64| scale.total(pulses).value().and_then(Value::to_f64);
            let (one, other) = (number(pulses.into()), number(u64::from(pulses) + 1));
            if let (Some(one), Some(other)) = (one, other) {
                prop_assert!(one <= other, "{one} {other}");
            }
        }
    }
}
