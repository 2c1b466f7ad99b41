//! Whether what the cloud sends still arrives.
//!
//! A subscription can be lost without a word, at a broker that forgot it or in a bridge behind it, while
//! publishing goes on. So the device sends itself a message now and then.

use std::time::Duration;

use tm_types::CommandsStatus;

/// So long after the broker has acknowledged it, an echo is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two connections that are made anew for want of an echo.
const RETRY: Duration = Duration::from_mins(10);

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Send an echo under this mark.
    Probe(u64),
    /// Make another connection.
    Reconnect,
}

/// Follows the echoes of a broker.
#[derive(Debug)]
pub(super) struct Liveness {
    period: Option<Duration>,
    status: CommandsStatus,
    /// An echo has arrived from this broker: so it lets us send to ourselves.
    has_echoed: bool,
    next: Option<Duration>,
    /// The mark that is waited for, and until when, once it is acknowledged.
    waiting: Option<(u64, Option<Duration>)>,
    mark: u64,
    not_before: Duration,
}

impl Liveness {
    /// `period` between two echoes; none are sent without it. Marks begin anywhere, so that an echo of an earlier run
    /// is not taken for one of this.
    pub(super) fn new(period: Option<Duration>, mark: u64) -> Self {
        Self {
            period,
            status: CommandsStatus::Off,
            has_echoed: false,
            next: None,
            waiting: None,
            mark,
            not_before: Duration::ZERO,
        }
    }

    pub(super) fn status(&self) -> CommandsStatus {
        self.status
    }

    /// A connection stands, with or without the subscription.
    pub(super) fn came_up(&mut self, is_subscribed: bool, now: Duration) {
        self.went_down();
        let is_dead = self.status == CommandsStatus::Dead;
        self.status = match is_subscribed {
            false => CommandsStatus::Forbidden,
            true if is_dead => CommandsStatus::Dead,
            true => CommandsStatus::Subscribed,
        };
        // One that was dead is tried at once; else the broker has just said that it stands.
        let period = self.period.filter(|_| is_subscribed);
        self.next = period.map(|period| if is_dead { now } else { now + period });
    }

    /// No echo comes over a connection that is gone.
    pub(super) fn went_down(&mut self) {
        (self.next, self.waiting) = (None, None);
    }

    /// Something arrived.
    pub(super) fn heard(&mut self, now: Duration) {
        self.status = CommandsStatus::Alive;
        self.waiting = None;
        self.next = self.period.map(|period| now + period);
    }

    /// An echo arrived, of this run or not.
    pub(super) fn echoed(&mut self, mark: u64, now: Duration) {
        if self.waiting.is_some_and(|(waiting, _)| waiting == mark) {
            self.has_echoed = true;
            self.heard(now);
        }
    }

    /// The broker has acknowledged the last echo.
    pub(super) fn acked(&mut self, now: Duration) {
        if let Some((_, until)) = &mut self.waiting {
            *until = Some(now + PATIENCE);
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let until = self.waiting.and_then(|(_, until)| until);
        until.or(self.next)
    }

    pub(super) fn on_tick(&mut self, now: Duration) -> Option<Step> {
        if let Some((_, until)) = self.waiting {
            if until.is_none_or(|until| now < until) {
                return None;
            }
            self.waiting = None;
            self.next = self.period.map(|period| now + period.min(RETRY));
            if !self.has_echoed {
                // It may not let us send to ourselves: that proves nothing.
                self.status = CommandsStatus::Unproven;
                self.next = self.period.map(|period| now + period);
                return None;
            }
            self.status = CommandsStatus::Dead;
            if now < self.not_before {
                return None;
            }
            self.not_before = now + RETRY;
            return Some(Step::Reconnect);
        }
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        self.next = None;
        self.mark = self.mark.wrapping_add(1);
        self.waiting = Some((self.mark, None));
        Some(Step::Probe(self.mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn hourly() -> Liveness {
        let mut liveness = Liveness::new(Some(at(3600)), 10);
        liveness.came_up(true, at(0));
        liveness
    }

    #[test]
    fn an_echo_an_hour_while_all_is_well() {
        let mut liveness = hourly();
        assert_eq!(liveness.status(), CommandsStatus::Subscribed);
        assert_eq!(
            (liveness.on_tick(at(3599)), liveness.deadline()),
            (None, Some(at(3600)))
        );
        assert_eq!(liveness.on_tick(at(3600)), Some(Step::Probe(11)));
        liveness.acked(at(3601));
        liveness.echoed(9, at(3601));
        assert_eq!(
            liveness.status(),
            CommandsStatus::Subscribed,
            "of another run"
        );
        liveness.echoed(11, at(3602));
        assert_eq!(liveness.status(), CommandsStatus::Alive);
        // A command says as much, and saves the next echo.
        liveness.heard(at(5000));
        assert_eq!(
            (liveness.on_tick(at(8599)), liveness.deadline()),
            (None, Some(at(8600)))
        );
    }

    #[test]
    fn silence_after_echoes_makes_a_new_connection_and_not_too_often() {
        let mut liveness = hourly();
        liveness.on_tick(at(3600));
        liveness.echoed(11, at(3601));
        assert_eq!(liveness.on_tick(at(7201)), Some(Step::Probe(12)));
        assert_eq!(
            liveness.on_tick(at(9000)),
            None,
            "not even acknowledged: that is for others to notice"
        );
        liveness.acked(at(9000));
        assert_eq!(liveness.on_tick(at(9059)), None);
        assert_eq!(liveness.on_tick(at(9060)), Some(Step::Reconnect));
        assert_eq!(liveness.status(), CommandsStatus::Dead);
        liveness.went_down();
        liveness.came_up(true, at(9070));
        assert_eq!(
            liveness.status(),
            CommandsStatus::Dead,
            "until the contrary is shown"
        );
        assert_eq!(liveness.on_tick(at(9070)), Some(Step::Probe(13)));
        liveness.acked(at(9070));
        assert_eq!(
            liveness.on_tick(at(9130)),
            None,
            "another connection so soon is no help"
        );
        assert_eq!(liveness.on_tick(at(9730)), Some(Step::Probe(14)));
        liveness.echoed(14, at(9731));
        assert_eq!(liveness.status(), CommandsStatus::Alive);
    }

    #[test]
    fn a_broker_that_never_echoes_proves_nothing() {
        let mut liveness = hourly();
        liveness.on_tick(at(3600));
        liveness.acked(at(3600));
        assert_eq!(liveness.on_tick(at(3660)), None);
        assert_eq!(liveness.status(), CommandsStatus::Unproven);
        assert_eq!(liveness.deadline(), Some(at(7260)));
    }

    #[test]
    fn nothing_is_sent_where_nothing_is_subscribed_or_asked_for() {
        let mut forbidden = hourly();
        forbidden.came_up(false, at(0));
        let mut never = Liveness::new(None, 0);
        never.came_up(true, at(0));
        for liveness in [&mut forbidden, &mut never] {
            assert_eq!(
                (liveness.on_tick(at(90_000)), liveness.deadline()),
                (None, None)
            );
        }
        assert_eq!(forbidden.status(), CommandsStatus::Forbidden);
    }
}
