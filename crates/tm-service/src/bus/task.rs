//! The bus's own task: two sessions, one outbox, and the clock's ticks.

use std::sync::Arc;
use std::time::Duration;

use tm_types::{code, topic};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connector::BusConnector;
use super::filter::covers;
use super::outbox::json;
use super::shared::Shared;
use super::{BusEvent, BusOptions};
use crate::session::{NotTaken, Outgoing, Qos, Session, SessionEvent};

/// Whose health says that measurements are stored from now on.
pub(super) const UPLINK_HEALTH: &str = "tm/v1/health/uplink";
/// How long a stop waits for acknowledgements.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// How long a new bus waits for the one before it.
const PREVIOUS_DEADLINE: Duration = Duration::from_secs(5);
/// How often ages and waits are looked at while something has a deadline of seconds.
const TICK: Duration = Duration::from_secs(1);
/// How often otherwise: every waking costs.
const IDLE_TICK: Duration = Duration::from_secs(5);
/// A service whose loop turned within this is not stuck; while it waits for the bus it is marked
/// every 15 s.
const TURNING: Duration = Duration::from_mins(1);
/// Events handled before the outbox is fed again.
const BURST: usize = 64;

/// Runs until the bus is dropped.
pub(super) async fn run(
    shared: Arc<Shared>,
    options: BusOptions,
    stopped: oneshot::Receiver<()>,
    previous: Option<JoinHandle<()>>,
) {
    if let Some(previous) = previous {
        let _ = tokio::time::timeout(PREVIOUS_DEADLINE, previous).await;
    }
    let mut task = Task::new(shared, options);
    task.open_book().await;
    task.turn_until(stopped).await;
    task.stop().await;
}

pub(super) struct Task {
    pub(super) shared: Arc<Shared>,
    pub(super) options: BusOptions,
    /// Publishes, and receives what needs no memory of the broker.
    main: Session,
    /// Receives with a persistent session.
    ingest: Option<Session>,
    /// Since when the main session is up.
    up_since: Option<Instant>,
    /// Whether this connection has seen the uplink's health.
    pub(super) uplink_seen: bool,
    health_at: Instant,
}

enum Turn {
    Main(SessionEvent),
    Ingest(SessionEvent),
    Woken,
    Tick,
    Stopped,
}

impl Task {
    fn new(shared: Arc<Shared>, options: BusOptions) -> Self {
        let connector = BusConnector::of_shared(shared.clone());
        let instance = &shared.options.instance;
        let mut filters = Vec::new();
        if !options.operations.is_empty() {
            filters.push(topic::commands(instance));
        }
        if options.follow_results {
            filters.push(topic::RESULT_ALL.to_owned());
        }
        if !options.persistent {
            filters.extend(options.subscriptions.iter().cloned());
        }
        if !filters.iter().any(|filter| covers(filter, UPLINK_HEALTH)) {
            filters.push(UPLINK_HEALTH.to_owned());
        }
        let mut main = connector.session_options("");
        main.will = Some(BusConnector::will(&shared.options));
        main.subscriptions = at_least_once(filters);
        let ingest = options.persistent.then(|| {
            let mut ingest = connector.session_options("-in");
            ingest.clean_session = false;
            ingest.subscriptions = at_least_once(options.subscriptions.clone());
            Session::open(ingest)
        });
        Self {
            main: Session::open(main),
            ingest,
            shared,
            options,
            up_since: None,
            uplink_seen: false,
            health_at: Instant::now(),
        }
    }

    /// Stops only between two turns: what a turn has begun, such as storing an operation, is whole.
    async fn turn_until(&mut self, mut stopped: oneshot::Receiver<()>) {
        let mut looked = Instant::now();
        loop {
            let tick = self.next_look(looked);
            let has_room = !self.shared.lock().inbox.is_full();
            let turn = tokio::select! {
                event = self.main.next(), if has_room => Turn::Main(event),
                event = next_of(&mut self.ingest), if has_room && self.ingest.is_some() => Turn::Ingest(event),
                () = self.shared.wake.notified() => Turn::Woken,
                () = tokio::time::sleep_until(tick) => Turn::Tick,
                _ = &mut stopped => Turn::Stopped,
            };
            match turn {
                Turn::Main(event) => self.on_main_burst(event).await,
                Turn::Ingest(event) => self.on_ingest(event),
                Turn::Woken => {}
                Turn::Tick => {
                    self.on_tick().await;
                    looked = Instant::now();
                }
                Turn::Stopped => return,
            }
            self.settle().await;
            self.pump();
        }
    }

    /// Handles an event and those right behind it, so that one feeding serves many.
    async fn on_main_burst(&mut self, event: SessionEvent) {
        self.on_main(event).await;
        for _ in 1..BURST {
            let Some(event) = self.main.try_next() else {
                break;
            };
            self.on_main(event).await;
        }
    }

    async fn on_main(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Up {
                session_present, ..
            } => {
                self.up_since = Some(Instant::now());
                self.uplink_seen = false;
                self.on_up(session_present, false);
                self.shared.publish_health();
            }
            SessionEvent::Down(reason) => {
                self.up_since = None;
                let mut state = self.shared.lock();
                state.outbox.down();
                let cause = reason.cause_for_bus(&self.shared.options.address);
                tracing::warn!(%reason, "not connected to the local broker");
                state.inbox.push(BusEvent::Down(cause));
                drop(state);
                self.shared.arrived.notify_one();
            }
            SessionEvent::Acked(token) => self.shared.lock().outbox.acked(token),
            SessionEvent::Message(message) => self.on_message(message).await,
            // Its will is always the same.
            SessionEvent::Connects(_) => {}
        }
    }

    fn on_ingest(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Up {
                session_present, ..
            } => self.on_up(session_present, true),
            SessionEvent::Message(message) => self.deliver(message),
            // The main session tells of the same broker.
            SessionEvent::Down(_) | SessionEvent::Acked(_) | SessionEvent::Connects(_) => {}
        }
    }

    /// The session that carries the subscriptions is up.
    fn on_up(&self, session_present: bool, is_ingest: bool) {
        if is_ingest == self.ingest.is_some() {
            tracing::info!(session_present, "connected to the local broker");
            let mut state = self.shared.lock();
            state.inbox.push(BusEvent::Up { session_present });
            drop(state);
            self.shared.arrived.notify_one();
        }
    }

    /// Whether measurements go out: the uplink listens, or was waited for long enough.
    fn is_gate_open(&self, up_since: Instant) -> bool {
        let wait = Duration::from_secs(self.shared.options.settings.uplink_wait_s.into());
        self.uplink_seen || up_since.elapsed() >= wait
    }

    /// When ages and waits are due to be looked at again.
    fn next_look(&self, looked: Instant) -> Instant {
        let gate_is_shut = self.up_since.is_some_and(|since| !self.is_gate_open(since));
        let has_deadline = gate_is_shut || self.shared.lock().requests.is_waiting();
        let pause = if has_deadline { TICK } else { IDLE_TICK };
        (looked + pause).min(self.health_at + self.health_period())
    }

    fn health_period(&self) -> Duration {
        Duration::from_secs(self.shared.options.settings.health_period_s.into())
    }

    async fn on_tick(&mut self) {
        let own = &self.shared.options;
        let now = own.clock.stamp();
        let (notices, trouble) = (own.store.take_notices(), own.store.trouble());
        let mut is_news = false;
        {
            let mut state = self.shared.lock();
            let state = &mut *state;
            let mono = Duration::from_millis(now.mono_ms);
            state.outbox.hold_limits(mono);
            is_news |= state.health.dropped(state.outbox.dropped(), mono);
            is_news |= state.health.trouble(trouble);
            for notice in notices {
                is_news |= state.health.notice(notice);
            }
            state.book.forget_old(&now);
            let overdue = state.requests.overdue(Instant::now(), now.time);
            if !overdue.is_empty() {
                for operation in overdue {
                    state.inbox.push(BusEvent::Operation(operation));
                }
                self.shared.arrived.notify_one();
            }
        }
        let is_due = self.health_at.elapsed() >= self.health_period();
        if is_due {
            let store = own.store.clone();
            let _ = tokio::task::spawn_blocking(move || store.write_due()).await;
        }
        // A service that is stuck falls silent: three periods later it counts as unknown.
        if is_news || (is_due && own.progress.age() < TURNING) {
            self.shared.publish_health();
        }
        if is_due {
            self.health_at = Instant::now();
        }
    }

    /// Feeds as much as the session takes.
    fn pump(&mut self) {
        let Some(up_since) = self.up_since else {
            return;
        };
        let gate_is_open = self.is_gate_open(up_since);
        let mut state = self.shared.lock();
        let is_deaf = state.speaks_while.as_ref().is_some_and(|it| !it.is_up());
        let held = is_deaf.then(|| topic::health(&self.shared.options.instance));
        state.outbox.hold(held);
        while let Some(message) = state.outbox.next_fleeting() {
            if self.main.feed(message).is_err() {
                break;
            }
        }
        while self.main.room() > 0 {
            let message = match state.requests.next_unsent() {
                Some((topic, payload)) => Outgoing {
                    // Never fed again: an answer or its absence decides.
                    token: 0,
                    topic,
                    payload,
                    qos: Qos::AtLeastOnce,
                    retain: false,
                },
                None => match state.outbox.next(gate_is_open) {
                    Some(message) => message,
                    None => break,
                },
            };
            match self.main.feed(message) {
                Ok(()) => {}
                Err(NotTaken::Unsendable(message)) => {
                    tracing::warn!(topic = message.topic, "a message cannot be sent");
                    state.outbox.acked(message.token);
                }
                // A connection that has just ended: its Down gives everything back.
                Err(NotTaken::Full(_) | NotTaken::Down(_)) => break,
            }
        }
    }

    /// Says `down/stopped` and waits a moment for what is on its way.
    async fn stop(mut self) {
        let own = &self.shared.options;
        let health = BusConnector::down(own, code::SERVICE_STOPPED);
        let topic = topic::health(&own.instance);
        // Nobody waits for this word.
        self.shared.lock().speaks_while = None;
        self.shared.lock().outbox.retain(topic, json(&health));
        // Better published to a broker that may have no one listening than lost for certain.
        self.uplink_seen = true;
        let farewell = async {
            while self.up_since.is_some() {
                self.settle().await;
                self.pump();
                if !self.shared.lock().outbox.is_fed() {
                    return;
                }
                let event = self.main.next().await;
                self.on_main(event).await;
            }
        };
        let _ = tokio::time::timeout(STOP_DEADLINE, farewell).await;
        self.main.close(STOP_DEADLINE).await;
        if let Some(ingest) = self.ingest {
            ingest.close(STOP_DEADLINE).await;
        }
        self.shared.lock().outbox.down();
    }
}

fn at_least_once(filters: Vec<String>) -> Vec<(String, Qos)> {
    filters
        .into_iter()
        .map(|filter| (filter, Qos::AtLeastOnce))
        .collect()
}

async fn next_of(session: &mut Option<Session>) -> SessionEvent {
    match session {
        Some(session) => session.next().await,
        None => std::future::pending().await,
    }
}
