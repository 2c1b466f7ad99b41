//! From the columns of a batch to its payload.

mod series;

use std::io::Write;

use tm_types::{Poll, Source};

use crate::deflate::Deflater;
use crate::dictionary::{ANNOUNCEMENT, Dictionary, Vocabulary};
use crate::integers::{self, LIMIT, Scratch, integer};
use crate::literals::{self, string};
use crate::source::SourceRows;
use crate::{Batch, Header, PushError, VERSION, order};

/// Makes payloads; kept between batches for its buffers (about 0.3 MiB).
#[derive(Debug)]
pub struct Encoder {
    json: Vec<u8>,
    deflater: Deflater,
    scratch: Scratch,
    integers: Vec<i64>,
}

/// The payload of these records, which must have contiguous seqs.
pub fn encode(header: &Header, records: &[(u64, Source, Poll)]) -> Result<Vec<u8>, PushError> {
    let mut batch = Batch::new();
    for (seq, source, poll) in records {
        batch.push_poll(*seq, source, poll)?;
    }
    let mut payload = Vec::new();
    Encoder::new().encode(header, &batch, &mut payload);
    Ok(payload)
}

impl Encoder {
    /// An encoder with empty buffers.
    pub fn new() -> Self {
        Self {
            json: Vec::new(),
            deflater: Deflater::new(),
            scratch: Scratch::default(),
            integers: Vec::new(),
        }
    }

    /// Appends the payload of the batch: gzip.
    pub fn encode(&mut self, header: &Header, batch: &Batch, payload: &mut Vec<u8>) {
        self.json(header, batch);
        self.deflater.gzip(&self.json, payload);
    }

    /// Appends the payload of the batch: zlib that leans on the dictionary.
    pub fn encode_with(
        &mut self,
        dictionary: &Dictionary,
        header: &Header,
        batch: &Batch,
        payload: &mut Vec<u8>,
    ) {
        self.json(header, batch);
        self.deflater.zlib(&self.json, dictionary, payload);
    }

    /// Takes what is new in the batch into the vocabulary; whether there was anything.
    pub fn learn(&mut self, batch: &Batch, vocabulary: &mut Vocabulary) -> bool {
        let mut has_new = false;
        for source in batch.used() {
            let names = batch.series_of(source).map(|series| series.name.as_str());
            let names = names.collect::<Vec<_>>().join(" ");
            if vocabulary.knows(&source.name, &names) {
                continue;
            }
            self.json.clear();
            self.head(batch, source);
            self.json.extend_from_slice(b",\"values\":[]}");
            vocabulary.learn(source.name.clone(), names, self.json.clone());
            has_new = true;
        }
        has_new
    }

    /// The dictionary of what was learnt, and appends the payload that announces it: a batch without records,
    /// of which `next_seq` is the number that comes next.
    pub fn announce(
        &mut self,
        vocabulary: &Vocabulary,
        header: &Header,
        next_seq: u64,
        payload: &mut Vec<u8>,
    ) -> Dictionary {
        self.json.clear();
        self.json.extend_from_slice(ANNOUNCEMENT);
        for (i, head) in vocabulary.heads().enumerate() {
            self.json.push(if i == 0 { b'[' } else { b',' });
            self.json.extend_from_slice(head);
        }
        let end: &[u8] = if vocabulary.is_empty() { b"[]" } else { b"]" };
        self.json.extend_from_slice(end);
        self.whose(header, next_seq, 0);
        self.key("sources");
        self.json.extend_from_slice(b"[]}");
        self.deflater.gzip(&self.json, payload);
        Dictionary::new(self.json.clone())
    }

    /// The payload of the batch before gzip: JSON, good until the next call.
    pub fn json(&mut self, header: &Header, batch: &Batch) -> &[u8] {
        self.json.clear();
        self.put(|out| write!(out, "{{\"v\":{VERSION}").expect(INFALLIBLE));
        self.whose(header, batch.first_seq, batch.order.len());
        self.order(batch);
        self.key("sources");
        for (i, source) in batch.used().enumerate() {
            self.json.push(if i == 0 { b'[' } else { b',' });
            self.source(batch, source);
        }
        self.json
            .extend_from_slice(if batch.used.is_empty() { b"[]}" } else { b"]}" });
        &self.json
    }

    /// Which records these are.
    fn whose(&mut self, header: &Header, first_seq: u64, n: usize) {
        if let Some(device) = &header.device {
            self.key("device");
            self.put(|out| string(out, device));
        }
        self.key("class");
        self.put(|out| string(out, &header.class));
        self.key("stream");
        self.put(|out| string(out, &header.stream));
        self.key("seq");
        self.put(|out| integer(out, first_seq.into()));
        self.key("n");
        self.put(|out| integer(out, n as i128));
    }

    /// Which source each record is of, unless a merge by time tells.
    fn order(&mut self, batch: &Batch) {
        let times: Vec<Vec<i64>> = batch
            .used
            .iter()
            .map(|source| {
                let polls = &batch.sources[*source as usize].polls;
                polls
                    .iter()
                    .map(|(_, stamp)| stamp.time.unix_ms())
                    .collect()
            })
            .collect();
        let order = batch.order.iter().map(|place| *place as usize);
        if !order::by_time(&times).eq(order) {
            self.key("order");
            self.integers(batch.order.iter().map(|place| (*place).into()));
        }
    }

    fn source(&mut self, batch: &Batch, source: &SourceRows) {
        self.head(batch, source);
        if !source.shapes.is_plain(source.used.len()) {
            self.shapes(source);
        }
        let series = batch.series_of(source);
        self.values(series.clone(), &batch.texts);
        self.quality(series);
        self.json.push(b'}');
    }

    /// What batch after batch says alike of a source: its polls and its series, open for their values.
    fn head(&mut self, batch: &Batch, source: &SourceRows) {
        self.put(|out| out.extend_from_slice(b"{\"source\":"));
        self.put(|out| string(out, source.name.as_str()));
        self.key("polls");
        self.put(|out| integer(out, source.polls.len() as i128));
        self.polls(source);
        self.series(batch.series_of(source));
    }

    /// Sequence and stamp of every poll.
    fn polls(&mut self, source: &SourceRows) {
        let polls = || source.polls.iter();
        if polls().any(|(sequence, _)| sequence.is_some()) {
            self.key("run");
            let runs = polls().map(|(sequence, _)| sequence.map(|s| s.run));
            self.literals(runs, |out, run| match run {
                Some(run) => write!(out, "\"{run}\"").expect(INFALLIBLE),
                None => out.extend_from_slice(b"null"),
            });
            self.key("n");
            self.optional(polls().map(|(sequence, _)| sequence.map(|s| s.n.into())));
        }
        self.key("time");
        self.integers(polls().map(|(_, stamp)| stamp.time.unix_ms().into()));
        self.key("mono_zero");
        self.integers(
            polls().map(|(_, stamp)| i128::from(stamp.time.unix_ms()) - i128::from(stamp.mono_ms)),
        );
        self.key("boot");
        self.literals(polls().map(|(_, stamp)| stamp.boot), |out, boot| {
            write!(out, "\"{boot}\"").expect(INFALLIBLE);
        });
        self.key("clock");
        self.literals(polls().map(|(_, stamp)| stamp.clock), |out, clock| {
            string(out, clock.as_str());
        });
        self.key("err_ms");
        self.optional(polls().map(|(_, stamp)| stamp.err_ms.map(Into::into)));
    }

    /// A column of integers of any size.
    fn integers(&mut self, values: impl Iterator<Item = i128> + Clone) {
        self.integers.clear();
        for value in values.clone() {
            match i64::try_from(value) {
                Ok(value) if value.unsigned_abs() <= LIMIT.unsigned_abs() => {
                    self.integers.push(value);
                }
                _ => return self.literals(values, |out, value| integer(out, *value)),
            }
        }
        integers::write(&mut self.json, &self.integers, &mut self.scratch);
    }

    /// A column of integers, some of which may be null.
    fn optional(&mut self, values: impl Iterator<Item = Option<i128>> + Clone) {
        if values.clone().all(|value| value.is_some()) {
            return self.integers(values.flatten());
        }
        self.literals(values, |out, value| match value {
            Some(value) => integer(out, *value),
            None => out.extend_from_slice(b"null"),
        });
    }

    fn literals<T: PartialEq>(
        &mut self,
        items: impl Iterator<Item = T> + Clone,
        one: impl FnMut(&mut Vec<u8>, &T),
    ) {
        literals::write(&mut self.json, items, one);
    }

    fn letters(&mut self, letters: impl Iterator<Item = u8>) {
        self.json.push(b'"');
        self.json.extend(letters);
        self.json.push(b'"');
    }

    fn key(&mut self, name: &str) {
        self.put(|out| write!(out, ",\"{name}\":").expect(INFALLIBLE));
    }

    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.json);
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

const INFALLIBLE: &str = "a Vec takes everything";
