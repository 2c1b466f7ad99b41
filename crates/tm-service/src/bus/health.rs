use std::time::Duration;

use tm_types::{Cause, Health, HealthStatus, Stamp, code};

/// How long dropped messages keep the health degraded.
const OVERFLOW_SHOWN: Duration = Duration::from_hours(1);

/// What a service says of itself, and what the frame knows besides.
#[derive(Debug)]
pub(super) struct HealthKeeper {
    /// What the service said last; nothing is published before it says something.
    said: Option<(HealthStatus, Vec<Cause>)>,
    notices: Vec<Cause>,
    /// What is wrong with the store at the moment.
    trouble: Option<Cause>,
    dropped: u64,
    dropped_at: Duration,
    last: Option<Health>,
}

impl HealthKeeper {
    pub(super) fn new(notices: Vec<Cause>) -> Self {
        Self {
            said: None,
            notices,
            trouble: None,
            dropped: 0,
            dropped_at: Duration::ZERO,
            last: None,
        }
    }

    /// The service speaks; true when that is news.
    pub(super) fn say(&mut self, status: HealthStatus, reasons: Vec<Cause>) -> bool {
        let said = Some((status, reasons));
        let is_news = self.said != said;
        self.said = said;
        is_news
    }

    /// The frame found something: a damaged file, for example. True when that is news.
    pub(super) fn notice(&mut self, cause: Cause) -> bool {
        let is_news = !self.notices.contains(&cause);
        if is_news {
            self.notices.push(cause);
        }
        is_news
    }

    /// How the store stands; true when that is news.
    pub(super) fn trouble(&mut self, trouble: Option<Cause>) -> bool {
        let is_news = self.trouble != trouble;
        self.trouble = trouble;
        is_news
    }

    /// How many messages the outbox has dropped by now; true when that is news.
    pub(super) fn dropped(&mut self, dropped: u64, now: Duration) -> bool {
        let is_news = dropped > self.dropped;
        if is_news {
            self.dropped = dropped;
            self.dropped_at = now;
        }
        is_news
    }

    /// The message to publish now; `None` before the service has said anything.
    pub(super) fn message(
        &mut self,
        version: &str,
        period_s: u32,
        stamp: &Stamp,
    ) -> Option<Health> {
        let (status, reasons) = self.said.as_ref()?;
        let mut status = *status;
        let mut reasons = reasons.clone();
        let now = Duration::from_millis(stamp.mono_ms);
        let mut own = self.notices.clone();
        own.extend(self.trouble.clone());
        if self.dropped > 0 && now.saturating_sub(self.dropped_at) < OVERFLOW_SHOWN {
            own.push(code::BUS_OUTBOX_OVERFLOW.with("count", self.dropped));
        }
        if status == HealthStatus::Up && !own.is_empty() {
            status = HealthStatus::Degraded;
        }
        reasons.extend(own);
        let health = Health {
            status,
            reasons,
            version: version.to_owned(),
            boot: stamp.boot,
            mono_ms: stamp.mono_ms,
            period_s,
        };
        self.last = Some(health.clone());
        Some(health)
    }

    /// What was published last, or would have been.
    pub(super) fn last(&self) -> Option<Health> {
        self.last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::{BootId, Clock, Timestamp};

    fn stamp(mono_ms: u64) -> Stamp {
        Stamp {
            time: Timestamp::EPOCH,
            mono_ms,
            boot: BootId(7),
            clock: Clock::Ntp,
            err_ms: None,
        }
    }

    #[test]
    fn nothing_before_the_service_speaks() {
        let mut keeper = HealthKeeper::new(Vec::new());
        assert!(keeper.message("1", 30, &stamp(0)).is_none());
        assert!(keeper.say(HealthStatus::Up, Vec::new()));
        assert!(!keeper.say(HealthStatus::Up, Vec::new()), "no news");
        assert_eq!(
            keeper.message("1", 30, &stamp(0)).unwrap().status,
            HealthStatus::Up
        );
    }

    #[test]
    fn notices_and_losses_degrade() {
        let notice = code::CONFIG_UNKNOWN_VARIABLE.with("name", "TM_X");
        let mut keeper = HealthKeeper::new(vec![notice.clone()]);
        keeper.say(HealthStatus::Up, Vec::new());
        let health = keeper.message("1", 30, &stamp(0)).unwrap();
        assert_eq!(
            (health.status, health.reasons),
            (HealthStatus::Degraded, vec![notice.clone()])
        );
        assert!(!keeper.notice(notice));

        let mut keeper = HealthKeeper::new(Vec::new());
        keeper.say(HealthStatus::Up, Vec::new());
        assert!(keeper.dropped(3, Duration::from_secs(10)));
        assert!(!keeper.dropped(3, Duration::from_secs(20)));
        let health = keeper.message("1", 30, &stamp(20_000)).unwrap();
        assert!(health.reasons[0].is(code::BUS_OUTBOX_OVERFLOW));
        let later = keeper.message("1", 30, &stamp(3_700_000)).unwrap();
        assert_eq!(later.status, HealthStatus::Up);
    }

    #[test]
    fn trouble_with_the_store_degrades_until_it_is_over() {
        let mut keeper = HealthKeeper::new(Vec::new());
        keeper.say(HealthStatus::Up, Vec::new());
        let trouble = code::STORE_UNWRITABLE.with("file", "/data");
        assert!(keeper.trouble(Some(trouble.clone())));
        assert!(!keeper.trouble(Some(trouble.clone())));
        let health = keeper.message("1", 30, &stamp(0)).unwrap();
        assert_eq!(
            (health.status, health.reasons),
            (HealthStatus::Degraded, vec![trouble])
        );
        assert!(keeper.trouble(None));
        let health = keeper.message("1", 30, &stamp(0)).unwrap();
        assert_eq!(health.status, HealthStatus::Up);
    }
}
