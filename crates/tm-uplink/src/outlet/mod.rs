//! From records to payloads: reads a journal where it is asked to, and encodes what goes over the wire.

mod answer;
mod batch;
mod columns;
pub(crate) mod json;
mod series;
mod thin;
#[cfg(test)]
mod thin_tests;

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
use thin::Thinner;

pub(crate) use thin::Thinning;

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

/// The kind of a message that announces a dictionary: it goes where the batches go, and stays there.
pub(crate) const DICTIONARY: &str = "dictionary";

/// What does not change between requests.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The device's id.
    pub(crate) device: String,
    /// Whether the topic names the device, so that a batch need not.
    pub(crate) topic_names_device: bool,
    /// How measurements look on the wire.
    pub(crate) payload: Payload,
    /// Whether live batches lean on a dictionary.
    pub(crate) has_dictionary: bool,
    /// Whether nobody waits for the records: the oldest give way without a word.
    pub(crate) is_ring: bool,
    /// Which points are left out.
    pub(crate) thinning: Thinning,
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
    /// Points that were left out because of an interval.
    pub(crate) thinned: u64,
}

/// Reads and encodes all parts.
pub(crate) struct Outlets<F> {
    places: [Place<F>; 3],
    columns: Columns,
    thinner: Thinner,
    polls: Polls,
}

/// Where a part's reading stands.
struct Place<F> {
    reader: Reader<F>,
    /// The numbers that the reader's records cover.
    held: Range<u64>,
    /// Reads ahead where points are left out.
    scout: Option<Reader<F>>,
}

impl<F> Outlets<F> {
    /// Outlets over the journals that these readers belong to: one for each [`Part`], in their order.
    pub(crate) fn new(readers: [Reader<F>; 3]) -> Self {
        Self {
            places: readers.map(|reader| Place {
                reader,
                held: 0..0,
                scout: None,
            }),
            columns: Columns::default(),
            thinner: Thinner::default(),
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
            thinner,
        } = self;
        let mut batch: Option<&mut dyn Batch> = match (request.part, present.terms.payload) {
            (Part::Urgent, _) | (_, Payload::Json | Payload::Series) => None,
            (_, Payload::Columns) => Some(columns),
            (_, Payload::Sparkplug) => Some(polls),
        };
        let place = &mut places[request.part as usize];
        let mut answer = Answer::to(request, present);
        thinner.begin();
        if request.part != Part::Urgent {
            answer.end = place.survey(journal, request, &present.terms.thinning, thinner);
        }
        let (mut damaged, mut trouble) = (0, None);
        while answer.at < answer.end {
            if place.held.contains(&answer.at) {
                let step = match &mut batch {
                    Some(batch) => place.fill_batch(*batch, thinner, &mut answer),
                    None => place.make_messages(thinner, &mut answer),
                };
                match step {
                    Step::GoOn => continue,
                    Step::Enough => break,
                }
            }
            match place.read(journal, answer.at) {
                Ok(true) => {
                    let asked = answer.at..answer.end;
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
            thinned: answer.thinned,
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

    /// Where points are left out: looks ahead over as many records as one answer can have, to know which; where
    /// that ends, and the answer with it.
    fn survey<D: Disk<File = F>>(
        &mut self,
        journal: &Journal<D>,
        request: &Request,
        thinning: &Thinning,
        thinner: &mut Thinner,
    ) -> u64 {
        let wanted = request.records.clone();
        if thinning.is_idle() {
            return wanted.end;
        }
        let scout = self
            .scout
            .get_or_insert_with(|| journal.reader(wanted.start));
        if scout.next_seq() != wanted.start {
            scout.seek(wanted.start);
        }
        let mut bytes = 0;
        // What cannot be read ends the stretch; whoever reads it for sending says why.
        while scout.next_seq() < wanted.end
            && bytes < BATCH_BYTES
            && matches!(journal.read(scout), Ok(true))
        {
            for record in scout.records() {
                bytes += record.payload.len();
                if wanted.contains(&record.seq)
                    && let Some(row) = record.row()
                {
                    thinner.look(thinning, record.seq, &row);
                }
            }
        }
        thinner.finish();
        let end = scout.next_seq().min(wanted.end);
        if end > wanted.start { end } else { wanted.end }
    }

    /// Takes held records into the open batch until they, the request or the batch end.
    fn fill_batch(
        &self,
        batch: &mut dyn Batch,
        thinner: &Thinner,
        answer: &mut Answer<'_>,
    ) -> Step {
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
            let kept = thinner.kept(record.seq);
            match batch.push(record.seq, &row, stamp, kept) {
                Ok(()) => {
                    answer.took(&record);
                    answer.thinned += kept.left_out();
                }
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
    fn make_messages(&self, thinner: &Thinner, answer: &mut Answer<'_>) -> Step {
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
                let kept = thinner.kept(record.seq);
                answer.thinned += kept.left_out();
                if kept.is_nothing() {
                    answer.took(&record);
                    continue;
                }
                let body = match answer.present.terms.payload {
                    Payload::Series => series::parts(key, &row, stamp, kept).map(Body::Parts),
                    _ => json::poll(key, &row, stamp, kept).map(Body::from),
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
