//! Decides: events in, effects out. No I/O, no clock of its own.

mod clients;
mod event;
mod place;
mod report;
mod suspicion;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tm_proto::calendar::Date;
use tm_proto::nmea0183::{Epoch, Epochs, FixMode, Framer};
use tm_service::port::{OpenError, PortEvent};
use tm_types::{
    Cause, Fix, GnssPresence, GnssState, HealthStatus, Reason, Satellite, Stamp, Timestamp, code,
};
use tokio::time::Instant;

use crate::antenna::{Antenna, Reception};
use crate::clock::SatelliteTime;
use crate::config::Config;
use crate::movement::Movement;
use crate::place::{FenceWatch, Home, Kept};
use crate::points::{doubted, moved, points};
use crate::sky;
use crate::spoofing::{Suspicion, Watch};
use crate::witness::Witnesses;

pub(crate) use event::{Effect, Event, Now, Seen};

/// A pause that ends an epoch: at 1 Hz a receiver rests for about 0.8 s, within a burst for less than 50 ms;
/// the relay adds up to 100 ms.
const QUIET: Duration = Duration::from_millis(180);
/// The state is published no more often than this, but for a change of mode.
const STATE_PERIOD: Duration = Duration::from_secs(5);
/// Fixes come and go under jamming: measurements for a change are published no more often than this.
const CHANGE_PERIOD: Duration = Duration::from_secs(10);
/// A cold start takes up to 12.5 min for the almanac; no fix for longer is worth a word.
const PATIENCE: Duration = Duration::from_mins(15);
/// A port that is open but silent is opened anew so often: its peer may be gone without a word.
const REOPEN_PERIOD: Duration = Duration::from_mins(1);

/// Follows one source of sentences.
#[derive(Debug)]
pub(crate) struct Tracker {
    config: Config,
    seen: Seen,
    floor: Date,
    presence: Option<GnssPresence>,
    /// Why there is no source; unused while there is one.
    trouble: Cause,
    /// The source that is followed: `bus:modem`, `tcp://…`, `/dev/ttyACM0`.
    source: Option<String>,
    /// The source is a port of this service, not a relay.
    is_port: bool,
    epochs: Epochs,
    /// Of sentences for clients.
    framer: Framer,
    /// Counters of the epochs of earlier openings.
    n_skipped: u64,
    n_sentences: u64,
    /// When the source was opened or sent its last good sentence.
    heard: Instant,
    /// When the last bytes came, until the pause after them was told.
    quiet_since: Option<Instant>,
    /// When the epoch that is being received began.
    began: Option<Stamp>,
    mode: FixMode,
    has_fixed: bool,
    no_fix_since: Instant,
    fix: Option<Fix>,
    satellites: Vec<Satellite>,
    time: SatelliteTime,
    movement: Movement,
    watch: Watch,
    witnesses: Witnesses,
    antenna: Antenna,
    reception: Reception,
    home: Home,
    fence: Option<FenceWatch>,
    /// A change waits to be published.
    is_changed: bool,
    points_at: Option<Instant>,
    next_points: Instant,
    state: Option<GnssState>,
    state_at: Option<Instant>,
    health: Option<(HealthStatus, Vec<Cause>)>,
    effects: Vec<Effect>,
}

impl Tracker {
    /// A tracker that has heard nothing in this run.
    pub(crate) fn new(
        config: Config,
        seen: Seen,
        suspicion: Option<Suspicion>,
        place: Kept,
        now: Instant,
    ) -> Self {
        // An earlier date is a rolled-over week counter or nonsense.
        let floor = Date::from_unix_days(Timestamp::FLOOR.unix_ms() / 86_400_000);
        let floor = floor.expect("the first of November exists");
        Self {
            seen,
            floor,
            presence: None,
            trouble: code::GNSS_NOT_CONFIGURED.plain(),
            source: None,
            is_port: false,
            epochs: Epochs::new(floor),
            framer: Framer::default(),
            n_skipped: 0,
            n_sentences: 0,
            heard: now,
            quiet_since: None,
            began: None,
            mode: FixMode::None,
            has_fixed: false,
            no_fix_since: now,
            fix: None,
            satellites: Vec::new(),
            time: SatelliteTime::default(),
            movement: Movement::default(),
            watch: Watch::new(suspicion),
            witnesses: Witnesses::default(),
            antenna: Antenna::default(),
            reception: Reception::Well,
            fence: config
                .geofence
                .map(|fence| FenceWatch::new(fence, place.side.as_ref())),
            home: Home::new(place),
            config,
            is_changed: false,
            points_at: None,
            next_points: now,
            state: None,
            state_at: None,
            health: None,
            effects: Vec::new(),
        }
    }

    /// Takes in what happened; what is to be done, in this order.
    pub(crate) fn on(&mut self, event: Event, now: Now) -> Vec<Effect> {
        match event {
            Event::Relayed { source, bytes } => self.on_relayed(&source, &bytes, now),
            Event::Port(PortEvent::Opened(name)) => {
                tracing::info!(port = %name, "port opened");
                self.follow(name, now);
                self.is_port = true;
            }
            Event::Port(PortEvent::Failed(error)) => self.on_failed(&error, now),
            Event::Port(PortEvent::Lost(why)) => {
                tracing::info!(source = self.source.as_deref(), why, "port lost");
                self.end_epoch(now);
                self.show_nothing();
            }
            Event::Port(PortEvent::Bytes(bytes)) => self.on_bytes(&bytes, now),
            Event::Anchor(anchor) => self.witnesses.on_anchor(&anchor, &now.stamp),
            Event::Rtc(unix_s) => self.witnesses.on_rtc(unix_s, &now.stamp),
            Event::Due => self.on_due(now),
        }
        self.publish(now);
        std::mem::take(&mut self.effects)
    }

    /// When [`Event::Due`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let quiet = self.quiet_since.map(|since| since + QUIET);
        let silent = if self.is_listening() {
            Some(self.heard + self.silence())
        } else {
            self.is_port_open().then(|| self.heard + REOPEN_PERIOD)
        };
        [quiet, silent].into_iter().flatten().min()
    }

    /// Whether silence would be news.
    fn is_listening(&self) -> bool {
        self.presence
            .is_none_or(|presence| presence == GnssPresence::Present)
    }

    fn is_port_open(&self) -> bool {
        self.source.is_some() && self.is_port
    }

    fn silence(&self) -> Duration {
        Duration::from_secs(self.config.silent_after_s.into())
    }

    fn is_silent(&self, now: Now) -> bool {
        now.instant >= self.heard + self.silence()
    }

    /// One relay is followed; another one when that is silent.
    fn on_relayed(&mut self, relay: &str, bytes: &[u8], now: Now) {
        let name = format!("bus:{relay}");
        if self.source.as_ref() != Some(&name) {
            if self.source.is_some() && !self.is_silent(now) {
                return;
            }
            tracing::info!(source = %name, "following a relay on the bus");
            self.follow(name, now);
            self.is_port = false;
        }
        self.on_bytes(bytes, now);
    }

    fn follow(&mut self, source: String, now: Now) {
        self.end_epoch(now);
        let counters = self.epochs.counters();
        self.n_skipped += counters.n_corrupt + counters.n_overflows;
        self.n_sentences = 0;
        self.epochs = Epochs::new(self.floor);
        self.pass_on_anew();
        self.time = SatelliteTime::default();
        self.watch.on_other_receiver();
        (self.antenna, self.reception) = (Antenna::default(), Reception::Well);
        self.source = Some(source);
        self.heard = now.instant;
    }

    fn on_bytes(&mut self, bytes: &[u8], now: Now) {
        tracing::trace!(text = %bytes.escape_ascii(), "read");
        self.pass_on(bytes);
        let mut began = self.began.unwrap_or(now.stamp);
        for epoch in self.epochs.feed(bytes) {
            self.on_epoch(&epoch, began, now);
            began = now.stamp;
        }
        self.began = Some(began);
        self.quiet_since = Some(now.instant);
        let n_sentences = self.epochs.counters().n_sentences;
        if n_sentences > self.n_sentences {
            self.n_sentences = n_sentences;
            self.on_heard(now);
        }
    }

    /// A good sentence came: the source is there.
    fn on_heard(&mut self, now: Now) {
        self.heard = now.instant;
        if self.presence.replace(GnssPresence::Present) != Some(GnssPresence::Present) {
            tracing::info!(source = self.source.as_deref(), "source sends sentences");
            self.no_fix_since = now.instant;
        }
        if !self.seen.source {
            self.seen.source = true;
            self.effects.push(Effect::Remember(self.seen));
        }
    }

    fn on_due(&mut self, now: Now) {
        if self
            .quiet_since
            .is_some_and(|since| now.instant >= since + QUIET)
        {
            self.end_epoch(now);
        }
        let is_news = self.is_listening() && self.is_silent(now);
        if is_news {
            self.on_silent(now);
        }
        // A TCP peer may be gone without a word; a receiver that rests does not mind.
        let is_overdue = !self.is_listening() && now.instant >= self.heard + REOPEN_PERIOD;
        if self.is_port_open() && (is_news || is_overdue) {
            self.heard = now.instant;
            self.effects.push(Effect::Reopen);
        }
    }

    /// Nothing more belongs to the epoch at hand.
    fn end_epoch(&mut self, now: Now) {
        self.quiet_since = None;
        let began = self.began.take().unwrap_or(now.stamp);
        if let Some(epoch) = self.epochs.silence() {
            self.on_epoch(&epoch, began, now);
        }
    }

    fn on_silent(&mut self, now: Now) {
        let source = self
            .source
            .clone()
            .unwrap_or_else(|| self.config.source.to_string());
        let is_fault = self.config.expected.is_fault(self.seen.source);
        if is_fault {
            tracing::warn!(%source, "source is silent");
            let cause = code::GNSS_SILENT.with("source", source);
            let cause = cause.and("seconds", self.config.silent_after_s);
            self.leave(GnssPresence::Silent, cause, now);
        } else {
            self.leave(
                GnssPresence::NotConfigured,
                code::GNSS_NOT_CONFIGURED.plain(),
                now,
            );
        }
    }

    fn on_failed(&mut self, error: &OpenError, now: Now) {
        let is_absent = matches!(error, OpenError::Absent(_));
        let was_seen = self.seen.source || !is_absent;
        let source = self.config.source.to_string();
        let (presence, trouble) = if self.config.expected.is_fault(was_seen) {
            let cause = code::GNSS_SOURCE_UNUSABLE
                .with("source", &source)
                .and("error", error);
            (GnssPresence::Silent, cause)
        } else {
            (
                GnssPresence::NotConfigured,
                code::GNSS_NOT_CONFIGURED.plain(),
            )
        };
        if self.trouble != trouble {
            tracing::warn!(%source, %error, "source cannot be opened");
        }
        self.source = None;
        self.leave(presence, trouble, now);
    }

    /// There is no source any more.
    fn leave(&mut self, presence: GnssPresence, trouble: Cause, now: Now) {
        let was_present = self.presence == Some(GnssPresence::Present);
        (self.presence, self.trouble) = (Some(presence), trouble);
        self.time = SatelliteTime::default();
        self.satellites.clear();
        (self.antenna, self.reception) = (Antenna::default(), Reception::Well);
        self.lose_fix(now);
        self.show_nothing();
        if was_present {
            self.effects.push(Effect::Points(
                now.stamp,
                points(&Epoch::default(), Reason::Timeout),
            ));
            self.is_changed = false;
        }
    }

    fn lose_fix(&mut self, now: Now) {
        if std::mem::take(&mut self.mode) != FixMode::None {
            self.no_fix_since = now.instant;
        }
        self.watch.on_no_fix();
        if let Some(fix) = &mut self.fix {
            fix.mode = tm_types::FixMode::None;
        }
    }

    fn on_epoch(&mut self, epoch: &Epoch, began: Stamp, now: Now) {
        let mode = if epoch.position.is_some() {
            epoch.mode
        } else {
            FixMode::None
        };
        if let Some(heard) = &epoch.satellites {
            self.satellites = sky::satellites(heard);
            // The levels of a forged sky are nobody's usual ones.
            if self.watch.suspicion().is_none() {
                let levels = sky::levels(&self.satellites);
                self.reception = self.antenna.look(began.mono_ms, levels);
            }
        }
        if (mode == FixMode::None) != (self.mode == FixMode::None) {
            tracing::info!(?mode, "fix changed");
            self.is_changed = true;
        }
        if mode == FixMode::None {
            self.lose_fix(now);
        } else {
            self.mode = mode;
            self.has_fixed = true;
            self.fix = Some(report::fix(epoch, began));
            if !epoch.refines_previous {
                self.watch_sky(epoch, began);
            }
        }
        let is_trusted = self.watch.suspicion().is_none();
        if is_trusted && !epoch.refines_previous {
            // A date that was moved over a rollover is a guess about the century, not a time.
            let utc_ms = epoch.unix_ms().filter(|_| !epoch.is_date_corrected);
            let floor_ms = self.floor.unix_days() * 86_400_000;
            let anchor = self
                .time
                .on_epoch(&began, report::mode(mode), utc_ms, floor_ms);
            self.effects.extend(anchor.map(Effect::Anchor));
        }
        if is_trusted {
            self.is_changed |= self.movement.on_epoch(epoch, self.config.move_m);
            if mode == FixMode::ThreeD && !epoch.refines_previous {
                self.place_fix(epoch, began);
            }
        } else {
            self.doubt_place();
        }
        self.show(epoch, began);
        self.tell_points(epoch, began, now);
    }

    fn tell_points(&mut self, epoch: &Epoch, began: Stamp, now: Now) {
        let period = Duration::from_secs(self.config.publish_s.into());
        let is_due = now.instant >= self.next_points;
        let may_change = self
            .points_at
            .is_none_or(|at| now.instant >= at + CHANGE_PERIOD.min(period));
        if !(is_due || (self.is_changed && may_change)) {
            return;
        }
        let why = if self.has_fixed {
            Reason::NotPresent
        } else {
            Reason::WarmingUp
        };
        let mut points = points(epoch, why);
        points.extend(self.home.moved().map(moved));
        if self.watch.suspicion().is_some() {
            points = doubted(points);
        } else {
            self.movement.published(epoch.position);
        }
        self.effects.push(Effect::Points(began, points));
        self.is_changed = false;
        self.points_at = Some(now.instant);
        // From due time to due time, so that a period of 1 s keeps step with a receiver at 1 Hz.
        self.next_points = if is_due && now.instant < self.next_points + period {
            self.next_points + period
        } else {
            now.instant + period
        };
    }
}
