//! From the opening of a journal to the present.

use tm_journal::{Class, Disk, Lost, Recovered};

use super::journals::cause_of;
use super::work::Work;

impl<D: Disk> Work<D> {
    /// Brings up to date what was known at the opening, and reports what was lost before it.
    pub(super) fn take_up(&mut self, class: Class, found: Recovered) {
        let mut reader = self.journal(class).reader(found.app_state_seq);
        while let Ok(true) = self.journal(class).read(&mut reader) {
            for record in reader.records() {
                if let Some(row) = record.row() {
                    self.dedup.check(&row.source, row.sequence);
                } else if let Some(message) = record.message() {
                    self.taken.note(message.topic, message.payload);
                }
            }
        }
        let lost: Vec<Lost> = found.missing.into_iter().chain(found.damaged).collect();
        let count: u64 = lost
            .iter()
            .map(|lost| lost.range.end - lost.range.start)
            .sum();
        for lost in lost {
            self.gone(class, lost.range);
        }
        self.note_damaged(count);
        if let Some(trouble) = found.trouble {
            self.set_trouble(class, Some(cause_of(&trouble.source)));
        }
    }
}
