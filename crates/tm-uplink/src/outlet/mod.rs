//! From records to payloads: reads a journal where it is asked to, and encodes what goes over the wire.

mod answer;
mod batch;
mod columns;
pub(crate) mod json;
mod series;

use std::ops::Range;
use std::time::Duration;

use tm_journal::{Disk, Journal, Reader};
use tm_types::Stamp;

use crate::anchors::Anchors;
use crate::config::Payload;
use crate::schedule::{Body, Message, Part, Prepared, Request};
use answer::Answer;
use batch::{Batch, Polls};
use columns::{Columns, Refused};
use json::Key;

/// Points of a full batch. At the standard load a batch of 60 s has 1122; backlog fills larger ones,
/// about 16 KiB on the wire: under 7 s on an EDGE link of 20 kbit/s.
const BATCH_POINTS: usize = 8 * 1024;
/// Journal bytes of a full batch: bounds batches of texts and floats, which compress badly.
pub(crate) const BATCH_BYTES: usize = 96 * 1024;
/// Messages that one request is answered with, where a message is a single record.
const SINGLE_MESSAGES: usize = 64;
/// Bytes of those messages after which no further one is added.
const SINGLE_BYTES: usize = 64 * 1024;
/// A journal that cannot be read at the moment is asked again after this.
const READ_AGAIN: Duration = Duration::from_secs(2);

/// What does not change between requests.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The device's id.
    pub(crate) device: String,
    /// Whether the topic names the device, so that a batch need not.
    pub(crate) topic_names_device: bool,
    /// How measurements look on the wire.
    pub(crate) payload: Payload,
    /// Whether nobody waits for the records: the oldest give way without a word.
    pub(crate) is_ring: bool,
}

/// What a request is answered by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Present<'a> {
    pub(crate) terms: &'a Terms,
    pub(crate) anchors: &'a Anchors,
    pub(crate) now: Stamp,
}

/// What came of a request, and what was found on the way.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// For the scheduler.
    pub(crate) prepared: Prepared,
    /// Damaged records that were passed over.
    pub(crate) damaged: u64,
    /// Why the disk could not be read, if so.
    pub(crate) trouble: Option<String>,
    /// A measurement goes out whose time nobody can vouch for.
    pub(crate) has_poor_time: bool,
}

/// Reads and encodes all parts.
pub(crate) struct Outlets<F> {
    places: [Place<F>; 3],
    columns: Columns,
    polls: Polls,
}

/// Where a part's reading stands.
struct Place<F> {
    reader: Reader<F>,
    /// The numbers that the reader's records cover.
    held: Range<u64>,
}

impl<F> Outlets<F> {
    /// Outlets over the journals that these readers belong to: one for each [`Part`], in their order.
    pub(crate) fn new(readers: [Reader<F>; 3]) -> Self {
        Self {
            places: readers.map(|reader| Place { reader, held: 0..0 }),
            columns: Columns::default(),
            polls: Polls::default(),
        }
    }

    /// Answers a request: with at most one batch, or with a few single messages.
    pub(crate) fn prepare<D: Disk<File = F>>(
        &mut self,
        journal: &Journal<D>,
        request: &Request,
        present: Present<'_>,
    ) -> Outcome {
        let Self {
            places,
            columns,
            polls,
        } = self;
        let mut batch: Option<&mut dyn Batch> = match (request.part, present.terms.payload) {
            (Part::Urgent, _) | (_, Payload::Json | Payload::Series) => None,
            (_, Payload::Columns) => Some(columns),
            (_, Payload::Sparkplug) => Some(polls),
        };
        let place = &mut places[request.part as usize];
        let mut answer = Answer::to(request, present);
        let (mut damaged, mut trouble) = (0, None);
        while answer.at < request.records.end {
            if place.held.contains(&answer.at) {
                let step = match &mut batch {
                    Some(batch) => place.fill_batch(*batch, &mut answer),
                    None => place.make_messages(&mut answer),
                };
                match step {
                    Step::GoOn => continue,
                    Step::Enough => break,
                }
            }
            match place.read(journal, answer.at) {
                Ok(true) => {
                    let asked = answer.at..request.records.end;
                    damaged += place
                        .reader
                        .lost()
                        .iter()
                        .map(|lost| overlap(&lost.range, &asked))
                        .sum::<u64>();
                }
                // Committed, and yet not to be seen: never passed over, only asked for again.
                Ok(false) => {
                    answer.hold_for(READ_AGAIN);
                    break;
                }
                Err(error) => {
                    trouble = Some(error.source.to_string());
                    answer.hold_for(READ_AGAIN);
                    break;
                }
            }
        }
        if let Some(batch) = batch {
            answer.finish_batch(batch);
        }
        damaged += answer.unreadable;
        let prepared = Prepared {
            connection: request.connection,
            part: request.part,
            messages: answer.messages,
            covered: request.records.start..answer.at,
            held_until: answer.held_until,
        };
        Outcome {
            prepared,
            damaged,
            trouble,
            has_poor_time: answer.has_poor_time,
        }
    }
}

impl<F> Place<F> {
    fn read<D: Disk<File = F>>(
        &mut self,
        journal: &Journal<D>,
        at: u64,
    ) -> Result<bool, tm_journal::ReadError> {
        if self.reader.next_seq() != at {
            self.reader.seek(at);
        }
        self.held = 0..0;
        let is_more = journal.read(&mut self.reader)?;
        self.held = at..self.reader.next_seq();
        Ok(is_more && !self.held.is_empty())
    }

    /// Takes held records into the open batch until they, the request or the batch end.
    fn fill_batch(&self, batch: &mut dyn Batch, answer: &mut Answer<'_>) -> Step {
        let stream = self.reader.stream();
        if *answer.stream.get_or_insert(stream) != stream {
            if batch.records() > 0 {
                return Step::Enough;
            }
            answer.stream = Some(stream);
        }
        let wanted = answer.at..answer.end;
        for record in self
            .reader
            .records()
            .filter(|record| wanted.contains(&record.seq))
        {
            let Some(row) = record.row() else {
                answer.pass_over(&record);
                continue;
            };
            if answer.holds_back(&row.stamp, batch.records() == 0) {
                return Step::Enough;
            }
            let stamp = answer.stamp(&row.stamp);
            match batch.push(record.seq, &row, stamp) {
                Ok(()) => answer.took(&record),
                Err(Refused::Unreadable) => answer.pass_over(&record),
                Err(Refused::Full) => return Step::Enough,
            }
            if batch.is_full() || answer.bytes >= BATCH_BYTES {
                return Step::Enough;
            }
        }
        answer.skip_to(self.held.end)
    }

    /// Makes a message of each held record until they, the request or the room end.
    fn make_messages(&self, answer: &mut Answer<'_>) -> Step {
        let stream = self.reader.stream();
        let wanted = answer.at..answer.end;
        for record in self
            .reader
            .records()
            .filter(|record| wanted.contains(&record.seq))
        {
            if answer.messages.len() >= SINGLE_MESSAGES || answer.bytes >= SINGLE_BYTES {
                return Step::Enough;
            }
            let key = Key {
                device: &answer.present.terms.device,
                stream,
                seq: record.seq,
            };
            let encoded = if let Some(message) = record.message() {
                let (kind, payload) = json::message(key, message.topic, message.payload);
                Some((kind, payload.into()))
            } else if let Some(row) = record.row() {
                if answer.holds_back(&row.stamp, answer.messages.is_empty()) {
                    return Step::Enough;
                }
                let stamp = answer.stamp(&row.stamp);
                let body = match answer.present.terms.payload {
                    Payload::Series => series::parts(key, &row, stamp).map(Body::Parts),
                    _ => json::poll(key, &row, stamp).map(Body::from),
                };
                body.map(|body| ("data", body))
            } else {
                None
            };
            let Some((kind, payload)) = encoded else {
                answer.pass_over(&record);
                continue;
            };
            answer.took(&record);
            if matches!(&payload, Body::Parts(parts) if parts.is_empty()) {
                continue;
            }
            if matches!(payload, Body::Parts(_)) {
                // Names and units with each point: far more than in the journal.
                answer.bytes += payload.len();
            }
            answer.messages.push(Message {
                records: record.seq..record.seq + 1,
                kind,
                payload,
                is_backlog: answer.is_backlog,
            });
        }
        answer.skip_to(self.held.end)
    }
}

/// Whether there is more to do for an answer.
enum Step {
    GoOn,
    Enough,
}

/// How many numbers two ranges have in common.
fn overlap(one: &Range<u64>, other: &Range<u64>) -> u64 {
    one.end
        .min(other.end)
        .saturating_sub(one.start.max(other.start))
}
