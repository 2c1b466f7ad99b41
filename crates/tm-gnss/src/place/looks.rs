//! So many of the last looks said so: single fixes, and minutes of reflections, decide nothing.

use std::collections::VecDeque;

/// Between two looks: errors of fixes that are nearer to each other are the same error.
const SPACING_MS: u64 = 5000;
/// Looks that are remembered: 110 s. With 24 of them half as many moves are noticed late, and false alarms are thrice
/// as many (`docs/gnss.md`).
const LOOKS: usize = 22;
/// Of them, those that must agree.
const AGREEING: usize = 20;

/// The last looks at a yes-or-no question.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Looks {
    looks: VecDeque<bool>,
    last_ms: Option<u64>,
}

impl Looks {
    /// Takes in a look, unless one was taken just now; the answer, once it is clear.
    pub(crate) fn take(&mut self, mono_ms: u64, answer: bool) -> Option<bool> {
        let is_near = |last: u64| mono_ms.saturating_sub(last) < SPACING_MS;
        if !self.last_ms.is_some_and(is_near) {
            self.last_ms = Some(mono_ms);
            self.looks.push_back(answer);
            if self.looks.len() > LOOKS {
                self.looks.pop_front();
            }
        }
        let yes = self.looks.iter().filter(|answer| **answer).count();
        if yes >= AGREEING {
            Some(true)
        } else if self.looks.len() - yes >= AGREEING {
            Some(false)
        } else {
            None
        }
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
