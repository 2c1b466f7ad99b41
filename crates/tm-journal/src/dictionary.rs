//! Names written once: what a row refers to by number.

use std::collections::HashMap;

use tm_types::{BootId, Kind, Point, PointName, RunId, Source, Stamp, Unit};

use crate::varint::{self, Cursored};

/// With this many entries a dictionary takes no more; later names stand in the rows themselves.
pub const MAX_ENTRIES: usize = 4096;
/// With this many encoded bytes a dictionary takes no more.
pub const MAX_BYTES: usize = 64 * 1024;

/// First byte of an encoded context.
const TAG_CONTEXT: u8 = 0;
/// First byte of an encoded series.
const TAG_SERIES: u8 = 1;

/// What the rows of one publisher's run have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Who published.
    pub source: Source,
    /// The boot that the rows' monotonic times count from.
    pub boot: BootId,
    /// The publisher's run; absent for foreign publishers, which do not number their messages.
    pub run: Option<RunId>,
    /// Wall time in Unix milliseconds that the rows' times are counted from.
    pub(crate) time_base_ms: i64,
    /// Monotonic time in milliseconds that the rows' times are counted from.
    pub(crate) mono_base_ms: u64,
}

impl Context {
    pub(crate) fn of(source: &Source, run: Option<RunId>, stamp: &Stamp) -> Self {
        Self {
            source: source.clone(),
            boot: stamp.boot,
            run,
            time_base_ms: stamp.time.unix_ms(),
            mono_base_ms: stamp.mono_ms,
        }
    }
}

/// What the readings of one series have in common; the source stands in the [`Context`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Its name within the source.
    pub name: PointName,
    /// Gauge, counter or state.
    pub kind: Kind,
    /// Unit of its values.
    pub unit: Unit,
    /// Decimal places the device resolves; absent when unknown.
    pub scale: Option<u8>,
}

impl Series {
    fn is_of(&self, point: &Point) -> bool {
        self.name == point.name
            && self.kind == point.kind
            && self.scale == point.scale
            && self.unit == point.unit
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Context(Context),
    Series(Series),
}

impl Entry {
    /// The part that tells entries apart: all of a series, a context without its bases.
    fn encode_key(&self, out: &mut Vec<u8>) {
        match self {
            Self::Context(context) => {
                encode_context_key(out, &context.source, context.boot, context.run);
            }
            Self::Series(series) => {
                encode_series(out, &series.name, series.kind, &series.unit, series.scale);
            }
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.encode_key(out);
        if let Self::Context(context) = self {
            varint::put_i64(out, context.time_base_ms);
            varint::put_u64(out, context.mono_base_ms);
        }
    }

    pub(crate) fn decode(input: &mut Cursored<'_>) -> Option<Self> {
        match input.u8()? {
            TAG_CONTEXT => {
                let source = Source::new(input.text()?).ok()?;
                let boot = BootId(u32::from_le_bytes(input.array()?));
                let run = match input.u8()? {
                    0 => None,
                    1 => Some(RunId(u32::from_le_bytes(input.array()?))),
                    _ => return None,
                };
                let (time_base_ms, mono_base_ms) = (input.i64()?, input.u64()?);
                Some(Self::Context(Context {
                    source,
                    boot,
                    run,
                    time_base_ms,
                    mono_base_ms,
                }))
            }
            TAG_SERIES => {
                let name = PointName::new(input.text()?).ok()?;
                let kind = match input.u8()? {
                    0 => Kind::Gauge,
                    1 => Kind::Counter,
                    2 => Kind::State,
                    _ => return None,
                };
                let unit = Unit::new(input.text()?).ok()?;
                let scale = match input.u64()? {
                    0 => None,
                    more => Some(u8::try_from(more - 1).ok()?),
                };
                Some(Self::Series(Series {
                    name,
                    kind,
                    unit,
                    scale,
                }))
            }
            _ => None,
        }
    }
}

fn encode_context_key(out: &mut Vec<u8>, source: &Source, boot: BootId, run: Option<RunId>) {
    out.push(TAG_CONTEXT);
    varint::put_bytes(out, source.as_str().as_bytes());
    out.extend_from_slice(&boot.0.to_le_bytes());
    match run {
        None => out.push(0),
        Some(run) => {
            out.push(1);
            out.extend_from_slice(&run.0.to_le_bytes());
        }
    }
}

fn encode_series(out: &mut Vec<u8>, name: &PointName, kind: Kind, unit: &Unit, scale: Option<u8>) {
    out.push(TAG_SERIES);
    varint::put_bytes(out, name.as_str().as_bytes());
    out.push(match kind {
        Kind::Gauge => 0,
        Kind::Counter => 1,
        Kind::State => 2,
    });
    varint::put_bytes(out, unit.as_str().as_bytes());
    varint::put_u64(out, scale.map_or(0, |scale| u64::from(scale) + 1));
}

/// The entries of one segment, by number: what its rows are read with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// `None` where a definition was lost to corruption.
    entries: Vec<Option<Entry>>,
}

impl Dictionary {
    /// The series of that number, if it is one.
    pub fn series(&self, id: u32) -> Option<&Series> {
        match self.entries.get(id as usize)? {
            Some(Entry::Series(series)) => Some(series),
            _ => None,
        }
    }

    /// The context of that number, if it is one.
    pub fn context(&self, id: u32) -> Option<&Context> {
        match self.entries.get(id as usize)? {
            Some(Entry::Context(context)) => Some(context),
            _ => None,
        }
    }

    /// How many numbers are in use.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is defined.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends the entries from number `from` on: that number, then each entry.
    pub(crate) fn encode_from(&self, from: usize, out: &mut Vec<u8>) {
        varint::put_u64(out, from as u64);
        for entry in self.entries.iter().skip(from).flatten() {
            entry.encode(out);
        }
    }

    /// Takes in definitions; `None`, with what was readable kept, when they make no sense.
    pub(crate) fn define(&mut self, bytes: &[u8]) -> Option<()> {
        let mut input = Cursored::new(bytes);
        let mut id = usize::try_from(input.u64()?)
            .ok()
            .filter(|from| *from <= MAX_ENTRIES)?;
        while !input.rest.is_empty() {
            let entry = Entry::decode(&mut input)?;
            if id >= MAX_ENTRIES {
                return None;
            }
            if self.entries.len() <= id {
                self.entries.resize(id + 1, None);
            }
            self.entries[id] = Some(entry);
            id += 1;
        }
        Some(())
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// The writing side: finds the number of a name, and gives out new ones.
#[derive(Debug, Default)]
pub(crate) struct Definer {
    pub(crate) dictionary: Dictionary,
    index: HashMap<Box<[u8]>, u32>,
    bytes: usize,
    is_full: bool,
    scratch: Vec<u8>,
}

impl Definer {
    /// Whether a name had to be turned away: time for a fresh dictionary.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn clear(&mut self) {
        self.dictionary.clear();
        self.index.clear();
        self.bytes = 0;
        self.is_full = false;
    }

    /// The number and bases of a publisher's context; a new one takes its bases from `stamp`. `None` when the dictionary is full.
    pub(crate) fn context(
        &mut self,
        source: &Source,
        run: Option<RunId>,
        stamp: &Stamp,
    ) -> Option<(u32, &Context)> {
        self.scratch.clear();
        encode_context_key(&mut self.scratch, source, stamp.boot, run);
        let id = match self.index.get(self.scratch.as_slice()) {
            Some(id) => *id,
            None => self.add(|| Entry::Context(Context::of(source, run, stamp)))?,
        };
        self.dictionary.context(id).map(|context| (id, context))
    }

    /// The number of a point's series; `guess` is tried first. `None` when the dictionary is full.
    pub(crate) fn series(&mut self, point: &Point, guess: u32) -> Option<u32> {
        if self
            .dictionary
            .series(guess)
            .is_some_and(|series| series.is_of(point))
        {
            return Some(guess);
        }
        self.scratch.clear();
        encode_series(
            &mut self.scratch,
            &point.name,
            point.kind,
            &point.unit,
            point.scale,
        );
        if let Some(id) = self.index.get(self.scratch.as_slice()) {
            return Some(*id);
        }
        self.add(|| Entry::Series(series_of(point)))
    }

    /// Adds what `scratch` holds the key of.
    fn add(&mut self, entry: impl FnOnce() -> Entry) -> Option<u32> {
        // 20: the two bases of a context.
        let bytes = self.bytes + self.scratch.len() + 20;
        if self.dictionary.len() >= MAX_ENTRIES || bytes > MAX_BYTES {
            self.is_full = true;
            return None;
        }
        let id = u32::try_from(self.dictionary.len()).ok()?;
        self.bytes = bytes;
        self.index.insert(self.scratch.as_slice().into(), id);
        self.dictionary.entries.push(Some(entry()));
        Some(id)
    }
}

pub(crate) fn series_of(point: &Point) -> Series {
    Series {
        name: point.name.clone(),
        kind: point.kind,
        unit: point.unit.clone(),
        scale: point.scale,
    }
}
