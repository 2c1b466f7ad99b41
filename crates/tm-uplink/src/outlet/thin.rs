//! Which points of a stretch of records go out, where an interval is given.
//!
//! Of each window of a series its smallest, largest and last value go out, of a counter the last one; conditions,
//! truth values and texts go out once a window and whenever they have changed; and so does every change of quality.
//! Windows are counted on the monotonic clock of a boot, and none reaches from one stretch into another: what was
//! sent before a restart or a lost connection need not be remembered. Whatever first part of a stretch arrived in
//! another message, the extremes and the last value of each window are among what has arrived.

use std::collections::HashMap;

use tm_journal::Row;
use tm_types::{BootId, Kind, Reading, Source, Stamp, Value};

use crate::intervals::Intervals;

/// What gauges are thinned to while a budget does not last, where that is allowed.
const SPARSE_MS: u64 = 600_000;

/// What is thinned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thinning {
    /// By series.
    pub(crate) intervals: Intervals,
    /// All gauges, to ten minutes.
    pub(crate) is_sparse: bool,
}

impl Thinning {
    /// The window of a series in milliseconds; nothing where all its points go out.
    fn window(&self, source: &str, name: &str, kind: Kind) -> Option<u64> {
        let own = self.intervals.of(source, name);
        let sparse = (self.is_sparse && kind == Kind::Gauge).then_some(SPARSE_MS);
        own.max(sparse)
    }

    /// Whether nothing is.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_sparse && self.intervals.is_empty()
    }
}

/// Which points of a row go out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept<'a> {
    All,
    /// One mark for each point.
    Only(&'a [bool]),
}

impl Kept<'_> {
    /// Whether the point at that place does.
    pub(super) fn has(self, at: usize) -> bool {
        match self {
            Self::All => true,
            Self::Only(marks) => marks.get(at).copied().unwrap_or(true),
        }
    }

    /// Takes the others away.
    pub(super) fn keep<T>(self, points: &mut Vec<T>) {
        let mut places = 0..;
        points.retain(|_| places.next().is_none_or(|at| self.has(at)));
    }

    /// Whether none does, although there are some.
    pub(super) fn is_nothing(self) -> bool {
        matches!(self, Self::Only(marks) if !marks.is_empty() && !marks.contains(&true))
    }

    /// How many do not.
    pub(super) fn left_out(self) -> u64 {
        match self {
            Self::All => 0,
            Self::Only(marks) => marks.iter().filter(|mark| !**mark).count() as u64,
        }
    }
}

/// Marks the points of a stretch; its memory is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Thinner {
    /// One for each point, row after row.
    marks: Vec<bool>,
    /// Each row's number, and where its marks end; ascending.
    rows: Vec<(u64, usize)>,
    sources: HashMap<Source, HashMap<String, Track>>,
}

impl Thinner {
    /// Forgets the last stretch.
    pub(super) fn begin(&mut self) {
        self.marks.clear();
        self.rows.clear();
    }

    /// Looks at the next row of a stretch.
    pub(super) fn look(&mut self, thinning: &Thinning, seq: u64, row: &Row<'_>) {
        for point in row.points() {
            let Some(point) = point else {
                self.marks.push(true);
                continue;
            };
            let (name, kind) = (point.series.name.as_str(), point.series.kind);
            self.look_at(thinning, &row.source, name, kind, &row.stamp, point.reading);
        }
        self.rows.push((seq, self.marks.len()));
    }

    /// The stretch has ended: all marks are made.
    pub(super) fn finish(&mut self) {
        let tracks = self.sources.drain().flat_map(|(_, tracks)| tracks);
        for (_, track) in tracks {
            track.close(&mut self.marks);
        }
    }

    /// Which points of the row of that number go out; all, if it was not looked at.
    pub(super) fn kept(&self, seq: u64) -> Kept<'_> {
        let Ok(at) = self.rows.binary_search_by_key(&seq, |(seq, _)| *seq) else {
            return Kept::All;
        };
        let start = at.checked_sub(1).map_or(0, |before| self.rows[before].1);
        Kept::Only(&self.marks[start..self.rows[at].1])
    }

    fn look_at(
        &mut self,
        thinning: &Thinning,
        source: &Source,
        name: &str,
        kind: Kind,
        stamp: &Stamp,
        reading: Reading,
    ) {
        if !self.sources.contains_key(source) {
            self.sources.insert(source.clone(), HashMap::new());
        }
        let tracks = self.sources.get_mut(source).expect("just made known");
        if !tracks.contains_key(name) {
            let window_ms = thinning.window(source.as_str(), name, kind);
            let track = Track {
                window_ms,
                ..Track::default()
            };
            tracks.insert(name.to_owned(), track);
        }
        let track = tracks.get_mut(name).expect("just made known");
        let at = self.marks.len();
        self.marks.push(track.window_ms.is_none());
        track.look(at, kind, stamp, reading, &mut self.marks);
    }
}

/// What is known of a series within a stretch.
#[derive(Debug, Default)]
struct Track {
    /// Nothing when all its points go out.
    window_ms: Option<u64>,
    run: Option<Run>,
}

/// Points of one window and one quality, one after the other.
#[derive(Debug)]
struct Run {
    window: (BootId, u64),
    latest: Reading,
    last: usize,
    /// Of gauges alone: place and value.
    smallest: Option<(usize, f64)>,
    largest: Option<(usize, f64)>,
}

impl Track {
    fn look(&mut self, at: usize, kind: Kind, stamp: &Stamp, reading: Reading, marks: &mut [bool]) {
        let Some(window_ms) = self.window_ms else {
            return;
        };
        let window = (stamp.boot, stamp.mono_ms / window_ms);
        let number = number_of(kind, &reading);
        let run = self.run.take();
        let has_changed = run
            .as_ref()
            .is_some_and(|run| run.is_left_by(kind, &reading));
        let goes_on = run.as_ref().is_some_and(|run| run.window == window) && !has_changed;
        match run {
            Some(mut run) if goes_on => {
                run.go_on(at, kind, number, reading);
                self.run = Some(run);
            }
            run => {
                if let Some(run) = run {
                    run.close(marks);
                }
                // A change goes out where it happened, and what is no number once a window.
                marks[at] |= has_changed || number.is_none();
                let extreme = number
                    .filter(|_| kind == Kind::Gauge)
                    .map(|number| (at, number));
                self.run = Some(Run {
                    window,
                    latest: reading,
                    last: at,
                    smallest: extreme,
                    largest: extreme,
                });
            }
        }
    }

    fn close(self, marks: &mut [bool]) {
        if let Some(run) = self.run {
            run.close(marks);
        }
    }
}

impl Run {
    /// Whether something begins with this reading that has to be seen.
    fn is_left_by(&self, kind: Kind, reading: &Reading) -> bool {
        let quality = |reading: &Reading| (reading.quality(), reading.reason());
        if quality(&self.latest) != quality(reading) {
            return true;
        }
        match (number_of(kind, &self.latest), number_of(kind, reading)) {
            // A counter that falls was reset or swapped: what it had reached would be lost.
            (Some(before), Some(now)) => kind == Kind::Counter && now < before,
            _ => self.latest != *reading,
        }
    }

    fn go_on(&mut self, at: usize, kind: Kind, number: Option<f64>, reading: Reading) {
        let Some(number) = number else { return };
        self.last = at;
        self.latest = reading;
        if kind != Kind::Gauge {
            return;
        }
        if self.smallest.is_none_or(|(_, smallest)| number < smallest) {
            self.smallest = Some((at, number));
        }
        if self.largest.is_none_or(|(_, largest)| number > largest) {
            self.largest = Some((at, number));
        }
    }

    fn close(self, marks: &mut [bool]) {
        let extremes = [self.smallest, self.largest].into_iter().flatten();
        for at in extremes.map(|(at, _)| at).chain([self.last]) {
            marks[at] = true;
        }
    }
}

/// The number that a gauge or a counter shows.
fn number_of(kind: Kind, reading: &Reading) -> Option<f64> {
    match (kind, reading.value()) {
        (Kind::Gauge | Kind::Counter, Some(Value::Number(number))) => Some(number.to_f64()),
        _ => None,
    }
}
