use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use tm_types::{Clock, Event, Health, Instance, Point, Poll, Source, Timestamp};

use super::State;

/// Messages kept for clients that are slow or come back.
const ITEMS_MAX: usize = 512;
/// Bytes kept for them.
const BYTES_MAX: usize = 256 * 1024;

/// The stream's ring. Clients read it by position, so that a slow one holds nothing up and
/// costs nothing: what it missed is told to it as `lagged`.
#[derive(Debug)]
pub(crate) struct Feed {
    epoch: u64,
    items: VecDeque<Arc<Item>>,
    bytes: usize,
    next: u64,
}

/// One message of the stream.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Item {
    /// What it is: `points`, `state`, `health`, `event`, `alarm`, `operation`.
    pub(crate) kind: &'static str,
    /// Its JSON.
    pub(crate) data: String,
    number: u64,
}

/// A place in the stream: the id of a server-sent event.
///
/// Text: `<epoch>-<number>`; the epoch is drawn at every start of the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    epoch: u64,
    /// The number of the next message.
    next: u64,
}

/// What comes after a position.
#[derive(Debug)]
pub(crate) struct Replay {
    /// Messages that are no longer there; `None` when the position is of another run.
    pub(crate) missed: Option<u64>,
    /// The messages, oldest first.
    pub(crate) items: Vec<Arc<Item>>,
    /// Where to go on.
    pub(crate) position: Position,
}

#[derive(Serialize)]
struct PointsData<'a> {
    source: &'a Source,
    time: Timestamp,
    clock: Clock,
    points: &'a [Point],
}

#[derive(Serialize)]
struct OfService<'a, T> {
    service: &'a Instance,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct StateField<'a> {
    state: &'a State,
}

#[derive(Serialize)]
struct Cleared<'a> {
    id: &'a str,
    active: bool,
}

impl Feed {
    pub(crate) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            items: VecDeque::new(),
            bytes: 0,
            next: 0,
        }
    }

    /// Adds a message.
    pub(crate) fn push(&mut self, kind: &'static str, data: &impl Serialize) {
        // Our own types have string keys and finite numbers: they always become JSON.
        let Ok(data) = serde_json::to_string(data) else {
            return;
        };
        self.bytes += data.len();
        self.items.push_back(Arc::new(Item {
            kind,
            data,
            number: self.next,
        }));
        self.next += 1;
        while self.items.len() > ITEMS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.items.pop_front() else {
                break;
            };
            self.bytes -= oldest.data.len();
        }
    }

    pub(crate) fn push_points(&mut self, source: &Source, poll: &Poll) {
        let Poll { stamp, points, .. } = poll;
        self.push(
            "points",
            &PointsData {
                source,
                time: stamp.time,
                clock: stamp.clock,
                points,
            },
        );
    }

    pub(crate) fn push_state(&mut self, service: &Instance, state: &State) {
        self.push(
            "state",
            &OfService {
                service,
                rest: StateField { state },
            },
        );
    }

    pub(crate) fn push_health(&mut self, service: &Instance, health: &Health) {
        self.push(
            "health",
            &OfService {
                service,
                rest: health,
            },
        );
    }

    pub(crate) fn push_event(&mut self, service: &Instance, event: &Event) {
        self.push(
            "event",
            &OfService {
                service,
                rest: event,
            },
        );
    }

    pub(crate) fn push_alarm_cleared(&mut self, id: &str) {
        self.push("alarm", &Cleared { id, active: false });
    }

    /// The place behind the newest message.
    pub(crate) fn end(&self) -> Position {
        Position {
            epoch: self.epoch,
            next: self.next,
        }
    }

    /// What came since `from`.
    pub(crate) fn since(&self, from: Position) -> Replay {
        let position = self.end();
        if from.epoch != self.epoch || from.next > self.next {
            return Replay {
                missed: None,
                items: Vec::new(),
                position,
            };
        }
        let oldest = self.items.front().map_or(self.next, |item| item.number);
        let items = self
            .items
            .iter()
            .filter(|item| item.number >= from.next)
            .cloned()
            .collect();
        Replay {
            missed: Some(oldest.saturating_sub(from.next)),
            items,
            position,
        }
    }
}

impl Item {
    /// The place behind this message.
    pub(crate) fn position(&self, of: Position) -> Position {
        Position {
            next: self.number + 1,
            ..of
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.next)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (epoch, next) = text.split_once('-').ok_or(())?;
        Ok(Self {
            epoch: epoch.parse().map_err(|_| ())?,
            next: next.parse().map_err(|_| ())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(replay: &Replay) -> Vec<&str> {
        replay.items.iter().map(|item| item.data.as_str()).collect()
    }

    #[test]
    fn a_client_goes_on_where_it_was() {
        let mut feed = Feed::new(9);
        let start = feed.end();
        feed.push("event", &1);
        feed.push("event", &2);
        let replay = feed.since(start);
        assert_eq!((replay.missed, data(&replay)), (Some(0), vec!["1", "2"]));
        let after_first = replay.items[0].position(replay.position);
        assert_eq!(data(&feed.since(after_first)), ["2"]);
        assert_eq!(after_first.to_string().parse(), Ok(after_first));
        assert!(feed.since(replay.position).items.is_empty());
    }

    #[test]
    fn who_is_slow_is_told_so() {
        let mut feed = Feed::new(9);
        let start = feed.end();
        for n in 0..1000 {
            feed.push("event", &n);
        }
        let replay = feed.since(start);
        assert_eq!((replay.missed, replay.items.len()), (Some(488), ITEMS_MAX));
        feed.push("event", &"x".repeat(BYTES_MAX - 10));
        assert!(feed.items.len() <= 3 && feed.bytes <= BYTES_MAX);
        feed.push("event", &"x".repeat(2 * BYTES_MAX));
        assert_eq!((feed.items.len(), feed.bytes), (0, 0));
    }

    #[test]
    fn a_position_of_another_run_starts_anew() {
        let mut feed = Feed::new(9);
        feed.push("event", &1);
        for text in ["8-0", "9-2"] {
            assert!(feed.since(text.parse().unwrap()).missed.is_none(), "{text}");
        }
        for text in ["", "9", "9-", "-1", "9-x", "9--1"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
