//! One run of ModemManager: what is under way, what waits, and when something is due.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tm_types::Cause;
use tokio::time::Instant;
use zbus::Connection;
use zbus::names::OwnedUniqueName;
use zbus::zvariant::OwnedObjectPath;

use super::actions::Target;
use super::care::{Cared, Want};
use super::failure::Failure;
use super::gnss::Cache;
use super::manager::Service;
use super::messages::Listing;
use super::presence::{PATIENCE, Waiting};
use super::raw::{Levels, Permission};
use super::round::{Card, Reading};
use crate::backend::{Action, Outcome, Ticket};

/// However much changes, it is read at most once in this time.
pub(super) const COALESCE: Duration = Duration::from_secs(1);

/// Two that agree confirm each other, and one may be late.
const TIMES_AT_FIRST: u8 = 3;
/// The network's time is confirmed every hour (`network_time`).
const TIME_PERIOD: Duration = Duration::from_mins(10);

/// Something that was under way has ended.
pub(super) enum Ended {
    Read(Box<Reading>),
    Listed(Result<Listing, Failure>),
    Cared(Vec<(Want, Result<(), Failure>)>),
    Acted(Result<Outcome, Cause>),
}

/// Which jobs are under way: one of each.
#[derive(Debug, Default)]
pub(super) struct Busy {
    pub(super) reading: bool,
    pub(super) listing: bool,
    pub(super) caring: bool,
}

/// One run of ModemManager.
pub(super) struct Run {
    pub(super) connection: Connection,
    pub(super) service: Service,
    pub(super) permission: Permission,
    pub(super) waiting: Waiting,
    pub(super) jobs: FuturesUnordered<BoxFuture<'static, Ended>>,
    pub(super) busy: Busy,
    pub(super) acting: Option<(Ticket, Action)>,
    pub(super) queue: VecDeque<(Ticket, Action)>,
    pub(super) next_full: Instant,
    pub(super) next_change: Option<Instant>,
    pub(super) has_news: bool,
    /// The messages could not be listed: they are in the next round of everything.
    pub(super) owes_list: bool,
    pub(super) last_read: Option<Instant>,
    pub(super) modem: Option<Ours>,
    /// The object of our modem before it vanished.
    pub(super) former: Option<OwnedObjectPath>,
    /// Until then our modem may still come; another one is not taken for it.
    pub(super) hold: Instant,
}

/// The modem while it is there.
pub(super) struct Ours {
    pub(super) target: Target,
    pub(super) levels: Levels,
    pub(super) cared: Cared,
    pub(super) cache: Cache,
    pub(super) has_messages: bool,
    pub(super) told: Vec<OwnedObjectPath>,
    pub(super) card: Option<Card>,
    /// How often the network's time was told, and when it is asked for again once it was told often enough.
    pub(super) times: (u8, Instant),
}

impl Ours {
    /// Whether the network's time is due. It is believed once it agrees with itself: so it is told with every round
    /// at first, and then now and again.
    pub(super) fn asks_time(&self, now: Instant) -> bool {
        let (n_told, next) = self.times;
        n_told < TIMES_AT_FIRST || now >= next
    }

    /// The network's time was told.
    pub(super) fn on_time(&mut self, now: Instant) {
        let (n_told, _) = self.times;
        self.times = (n_told.saturating_add(1), now + TIME_PERIOD);
    }
}

impl Run {
    pub(super) fn new(connection: Connection, owner: OwnedUniqueName, was_there: bool) -> Self {
        Self {
            service: Service::new(connection.clone(), owner),
            connection,
            permission: Permission::default(),
            waiting: Waiting::new(was_there),
            jobs: FuturesUnordered::new(),
            busy: Busy::default(),
            acting: None,
            queue: VecDeque::new(),
            next_full: Instant::now(),
            next_change: None,
            has_news: false,
            owes_list: false,
            last_read: None,
            modem: None,
            former: None,
            hold: Instant::now() + PATIENCE,
        }
    }

    /// Something is different: it is read soon, but not more often than once in a while.
    pub(super) fn change(&mut self, now: Instant) {
        let soon = self
            .last_read
            .map_or(now, |last| (last + COALESCE).max(now));
        self.read_at(soon);
    }

    pub(super) fn read_at(&mut self, at: Instant) {
        self.next_change = Some(self.next_change.map_or(at, |other| other.min(at)));
    }

    pub(super) fn deadline(&self) -> Instant {
        let reading = self
            .next_change
            .map_or(self.next_full, |at| at.min(self.next_full));
        let sentences = self.modem.as_ref().and_then(|ours| ours.cache.deadline());
        // While it is being read, its end comes first.
        let reading = (!self.busy.reading).then_some(reading);
        // It leads to a reading; while that is due it is no deadline any more.
        let waiting = (!self.busy.reading && self.next_change.is_none())
            .then(|| self.waiting.deadline())
            .flatten();
        let first = [reading, sentences, waiting].into_iter().flatten().min();
        first.unwrap_or_else(|| Instant::now() + Duration::from_hours(1))
    }
}
