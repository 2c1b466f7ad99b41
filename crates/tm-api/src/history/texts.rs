use std::collections::HashMap;

use tm_types::Text;

/// Distinct texts kept; the words of states are few.
const TEXTS_MAX: usize = 1024;

/// Texts by number, so that a point of the ring has a fixed size.
#[derive(Debug, Default)]
pub(super) struct Texts {
    by_number: Vec<Text>,
    numbers: HashMap<Text, u32>,
}

impl Texts {
    /// The number of a text; `None` when there are too many different ones.
    pub(super) fn number(&mut self, text: &Text) -> Option<u32> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        if self.by_number.len() >= TEXTS_MAX {
            return None;
        }
        let number = u32::try_from(self.by_number.len()).ok()?;
        self.by_number.push(text.clone());
        self.numbers.insert(text.clone(), number);
        Some(number)
    }

    /// The text of a number.
    pub(super) fn text(&self, number: u32) -> Option<&Text> {
        self.by_number.get(usize::try_from(number).ok()?)
    }
}
