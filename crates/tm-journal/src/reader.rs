//! Reading committed records forward: one commit at a time, into buffers that are used again.

use std::ops::Range;

use crate::dictionary::Dictionary;
use crate::format::kind;
use crate::message::Message;
use crate::row::Row;
use crate::stream::StreamId;
use crate::walk::{Item, Lost, Walk};

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// A bus message in compact form: see [`Record::row`].
    Row,
    /// A topic and a payload: see [`Record::message`].
    Message,
}

/// One record, borrowed from its reader.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its number; with the class and the reader's stream its key.
    pub seq: u64,
    /// What it holds.
    pub kind: RecordKind,
    /// How many points are in it.
    pub points: u16,
    /// Its bytes.
    pub payload: &'a [u8],
    dictionary: &'a Dictionary,
}

impl<'a> Record<'a> {
    /// The bus message; `None` for another kind, or when its definitions were lost.
    pub fn row(&self) -> Option<Row<'a>> {
        match self.kind {
            RecordKind::Row => Row::decode(self.payload, self.dictionary),
            RecordKind::Message => None,
        }
    }

    /// Topic and payload; `None` for another kind.
    pub fn message(&self) -> Option<Message<'a>> {
        match self.kind {
            RecordKind::Message => Message::decode(self.payload),
            RecordKind::Row => None,
        }
    }
}

/// A place in a journal, and the records last read there.
///
/// Belongs to no thread: fill it with [`crate::Journal::read`], hand it to an encoder, take it back.
#[derive(Debug)]
pub struct Reader<F> {
    pub(crate) next: u64,
    /// The segment that `walk` stands in.
    pub(crate) segment: u64,
    pub(crate) walk: Option<Walk<F>>,
    pub(crate) stream: StreamId,
    /// The first item that was asked for.
    pub(crate) first_item: usize,
    pub(crate) lost: Vec<Lost>,
    pub(crate) absent: Vec<Range<u64>>,
    /// Records that are not on disk yet, in bad-disk mode.
    pub(crate) memory: Memory,
    pub(crate) from_memory: bool,
    /// Failed attempts to open the segment, in a row.
    pub(crate) failures: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) bytes: Vec<u8>,
    pub(crate) items: Vec<Item>,
    pub(crate) dictionary: Dictionary,
}

impl<F> Reader<F> {
    pub(crate) fn new(next: u64, stream: StreamId) -> Self {
        Self {
            next,
            segment: 0,
            walk: None,
            stream,
            first_item: 0,
            lost: Vec::new(),
            absent: Vec::new(),
            memory: Memory::default(),
            from_memory: false,
            failures: 0,
        }
    }

    /// The number the next read begins with.
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// Lets the next read begin with record `seq`. Going back costs reading its segment again.
    pub fn seek(&mut self, seq: u64) {
        self.next = seq;
        self.clear();
    }

    /// The stream of the records last read; they are all of one.
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// The dictionary of the records last read.
    pub fn dictionary(&self) -> &Dictionary {
        match &self.walk {
            Some(walk) if !self.from_memory => &walk.dictionary,
            _ => &self.memory.dictionary,
        }
    }

    /// The records last read, ascending; their numbers may have gaps.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        let dictionary = self.dictionary();
        self.items().iter().map(move |item| Record {
            seq: item.seq,
            kind: if item.kind == kind::ROW {
                RecordKind::Row
            } else {
                RecordKind::Message
            },
            points: item.points,
            payload: match &self.walk {
                Some(walk) if !self.from_memory => walk.payload(item),
                _ => &self.memory.bytes[item.at..item.at + item.length],
            },
            dictionary,
        })
    }

    /// Records met as damaged by the last read: settle them, count them, report them.
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// Numbers met by the last read that no record has (dropped, or never written): settle them.
    pub fn absent(&self) -> &[Range<u64>] {
        &self.absent
    }

    pub(crate) fn clear(&mut self) {
        self.lost.clear();
        self.absent.clear();
        self.memory.items.clear();
        if let Some(walk) = &mut self.walk {
            walk.items.clear();
        }
        self.first_item = 0;
    }

    fn items(&self) -> &[Item] {
        match &self.walk {
            Some(walk) if !self.from_memory => walk.items.get(self.first_item..).unwrap_or(&[]),
            _ => &self.memory.items,
        }
    }
}
