//! Days or months, each with its bytes.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tm_types::DataBytes;

use super::add;
use super::belief::Trust;
use super::calendar::number_of;

/// Periods that are remembered, for a clock that comes back from a leap.
const KEPT: usize = 4;

/// The present period, and those before it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Periods(Vec<Period>);

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Period {
    /// Its first day, as days since 1970-01-01; nothing while its bytes wait for another name.
    began: Option<i32>,
    bytes: DataBytes,
    /// Entered by a leap of the clock.
    is_doubtful: bool,
}

impl Periods {
    /// Counts bytes in the period that began on that day, and makes it the present one.
    pub(super) fn add(&mut self, began: Date, bytes: DataBytes, trust: Trust) {
        let number = number_of(began);
        match self.0.last_mut() {
            Some(present) if present.began.is_none_or(|began| began == number) => {
                present.began = Some(number);
                present.is_doubtful &= trust == Trust::Leap;
                add(&mut present.bytes, bytes);
            }
            _ => {
                let mut period = self.enter(number, trust == Trust::Leap);
                add(&mut period.bytes, bytes);
                self.0.push(period);
            }
        }
    }

    /// The period to go on with. One that was left before goes on where it was; if a leap had led away from it,
    /// the leap was wrong, and what was counted meanwhile belongs to it as well.
    fn enter(&mut self, number: i32, is_doubtful: bool) -> Period {
        let known = self
            .0
            .iter()
            .position(|period| period.began == Some(number));
        let Some(at) = known else {
            if self.0.len() >= KEPT {
                self.0.remove(0);
            }
            return Period {
                began: Some(number),
                bytes: DataBytes::default(),
                is_doubtful,
            };
        };
        let mut period = self.0.remove(at);
        if !period.is_doubtful {
            let (wrong, kept) = std::mem::take(&mut self.0)
                .into_iter()
                .partition(|period| period.is_doubtful);
            self.0 = kept;
            let wrong: Vec<Period> = wrong;
            for period_of_leap in wrong {
                add(&mut period.bytes, period_of_leap.bytes);
            }
        }
        period
    }

    /// The present period takes the name of the next one.
    pub(super) fn rename_at_next(&mut self) {
        if let Some(present) = self.0.pop() {
            self.0 = vec![Period {
                began: None,
                ..present
            }];
        }
    }

    /// The present period's bytes.
    pub(super) fn present(&self) -> DataBytes {
        self.0.last().map_or_else(DataBytes::default, |p| p.bytes)
    }

    /// The present period's first day.
    pub(super) fn began(&self) -> Option<i32> {
        self.0.last()?.began
    }
}
