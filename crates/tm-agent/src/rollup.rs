//! How every service is, from what it last said and how long ago that was.

use std::collections::BTreeMap;
use std::time::Duration;

use tm_types::{BootId, Cause, Health, HealthStatus, Instance, ServiceHealth, code};

/// Without a word for this many of its periods a service is unknown (`docs/bus.md`, health).
const PERIODS: u32 = 3;
/// What a period may be; a wrong one must not make a service immortal.
const PERIOD_S: std::ops::RangeInclusive<u32> = 1..=3600;
/// The most services that are followed; the product has eight.
const SERVICES_MAX: usize = 64;

/// What was heard of every service.
#[derive(Debug)]
pub(crate) struct Rollup {
    boot: BootId,
    services: BTreeMap<Instance, Heard>,
}

/// What was heard of one service.
#[derive(Debug)]
struct Heard {
    health: Health,
    /// When anything was first heard of it, by our monotonic clock.
    first: Duration,
    /// When it last said that it lives.
    alive: Option<Duration>,
}

/// A service that does not live.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing<'a> {
    /// Which one.
    pub(crate) service: &'a Instance,
    /// What is known about it: stopped, connection lost, silent.
    pub(crate) cause: Cause,
    /// Since when it has not been heard to live, by our monotonic clock.
    pub(crate) since: Duration,
    /// How long that may last before a person should know.
    pub(crate) patience: Duration,
}

impl Rollup {
    /// Nothing heard yet, in this boot.
    pub(crate) fn new(boot: BootId) -> Self {
        Self {
            boot,
            services: BTreeMap::new(),
        }
    }

    /// Takes note of a health message received at `now`; `None` means that it was cleared, and the
    /// service is forgotten.
    pub(crate) fn hear(&mut self, service: Instance, health: Option<Health>, now: Duration) {
        let Some(health) = health else {
            self.services.remove(&service);
            return;
        };
        let earlier = self.services.get(&service);
        if earlier.is_none() && self.services.len() >= SERVICES_MAX {
            return;
        }
        let lives = health.boot == self.boot && health.status != HealthStatus::Down;
        let said_at = Duration::from_millis(health.mono_ms).min(now);
        let heard = Heard {
            first: earlier.map_or(now, |heard| heard.first),
            alive: if lives {
                Some(said_at)
            } else {
                earlier.and_then(|heard| heard.alive)
            },
            health,
        };
        self.services.insert(service, heard);
    }

    /// The services as they are at `now`, by name.
    pub(crate) fn services(&self, now: Duration) -> Vec<ServiceHealth> {
        let each = self.services.iter().map(|(service, heard)| {
            let (status, reasons) = self.judge(heard, now);
            ServiceHealth {
                service: service.to_string(),
                status,
                reasons,
            }
        });
        each.collect()
    }

    /// The services that do not live at `now`.
    pub(crate) fn missing(&self, now: Duration) -> impl Iterator<Item = Missing<'_>> {
        self.services.iter().filter_map(move |(service, heard)| {
            let (status, reasons) = self.judge(heard, now);
            if matches!(status, Some(HealthStatus::Up | HealthStatus::Degraded)) {
                return None;
            }
            let first_reason = reasons.into_iter().next();
            Some(Missing {
                service,
                cause: first_reason.unwrap_or_else(|| code::SERVICE_CONNECTION_LOST.plain()),
                since: heard.alive.unwrap_or(heard.first),
                patience: patience(&heard.health),
            })
        })
    }

    /// Whether the service lives at `now`; false for one never heard of.
    pub(crate) fn lives(&self, service: &Instance, now: Duration) -> bool {
        let heard = self.services.get(service);
        let status = heard.and_then(|heard| self.judge(heard, now).0);
        matches!(status, Some(HealthStatus::Up | HealthStatus::Degraded))
    }

    /// Whether anything was ever heard of the service.
    pub(crate) fn knows(&self, service: &Instance) -> bool {
        self.services.contains_key(service)
    }

    fn judge(&self, heard: &Heard, now: Duration) -> (Option<HealthStatus>, Vec<Cause>) {
        let patience = patience(&heard.health);
        let silent = || vec![code::SERVICE_SILENT.with("seconds", patience.as_secs())];
        if heard.health.boot != self.boot {
            // It may still be starting in this boot; then it has a while.
            let waited = now.saturating_sub(heard.first);
            let starting = waited <= patience && heard.alive.is_none();
            let reasons = if starting {
                vec![code::SERVICE_STARTING.plain()]
            } else {
                silent()
            };
            return (None, reasons);
        }
        // `down` is the last word of this boot, and a will carries the time of its making.
        let is_down = heard.health.status == HealthStatus::Down;
        let said_at = Duration::from_millis(heard.health.mono_ms);
        if !is_down && now.saturating_sub(said_at) > patience {
            return (None, silent());
        }
        (Some(heard.health.status), heard.health.reasons.clone())
    }
}

fn patience(health: &Health) -> Duration {
    let period_s = health.period_s.clamp(*PERIOD_S.start(), *PERIOD_S.end());
    Duration::from_secs(period_s.into()) * PERIODS
}

#[cfg(test)]
mod tests {
    use super::*;
    use HealthStatus::{Degraded, Down, Up};

    const BOOT: BootId = BootId(7);

    fn health(status: HealthStatus, boot: BootId, mono_s: u64) -> Health {
        let reasons = match status {
            Up => Vec::new(),
            Degraded => vec![code::GNSS_SILENT.plain()],
            Down => vec![code::SERVICE_STOPPED.plain()],
        };
        Health {
            status,
            reasons,
            version: "0.1.0".to_owned(),
            boot,
            mono_ms: mono_s * 1000,
            period_s: 30,
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Said at 100 s with this status and boot; how it is seen at `now`.
    fn check(
        status: HealthStatus,
        boot: BootId,
        now: u64,
        expected: Option<HealthStatus>,
        reason: &str,
    ) {
        let mut rollup = Rollup::new(BOOT);
        let gnss: Instance = "gnss".parse().unwrap();
        rollup.hear(gnss.clone(), Some(health(status, boot, 100)), at(100));
        let [seen] = rollup.services(at(now)).try_into().unwrap();
        let case = format!("{status:?} in {boot} at {now}");
        assert_eq!(seen.status, expected, "{case}");
        assert_eq!(
            seen.reasons.first().map_or("", |cause| &cause.code),
            reason,
            "{case}"
        );
        let lives = matches!(expected, Some(Up | Degraded));
        assert_eq!(rollup.lives(&gnss, at(now)), lives, "{case}");
        assert_eq!(
            rollup.missing(at(now)).count(),
            usize::from(!lives),
            "{case}"
        );
    }

    #[test]
    fn what_was_said_and_how_long_ago() {
        check(Up, BOOT, 100, Some(Up), "");
        check(Up, BOOT, 190, Some(Up), "");
        check(Up, BOOT, 191, None, "service.silent");
        check(Degraded, BOOT, 150, Some(Degraded), "gnss.silent");
        check(Degraded, BOOT, 191, None, "service.silent");
        check(Down, BOOT, 100, Some(Down), "service.stopped");
        check(Down, BOOT, 100_000, Some(Down), "service.stopped");
        check(Up, BootId(6), 100, None, "service.starting");
        check(Up, BootId(6), 190, None, "service.starting");
        check(Up, BootId(6), 191, None, "service.silent");
        check(Down, BootId(6), 100, None, "service.starting");
        // A message from the future of this boot: the other clock runs a little ahead.
        check(Up, BOOT, 99, Some(Up), "");
    }

    #[test]
    fn since_when_it_is_missing() {
        let modem: Instance = "modem".parse().unwrap();
        let mut rollup = Rollup::new(BOOT);
        let since = |rollup: &Rollup, now| rollup.missing(at(now)).next().map(|m| m.since);

        rollup.hear(modem.clone(), Some(health(Up, BootId(6), 5000)), at(20));
        assert_eq!(
            since(&rollup, 30),
            Some(at(20)),
            "another boot: from when we heard of it"
        );
        rollup.hear(modem.clone(), Some(health(Up, BOOT, 40)), at(41));
        assert_eq!(since(&rollup, 50), None);
        assert_eq!(
            since(&rollup, 131),
            Some(at(40)),
            "silence counts from its last word"
        );
        rollup.hear(modem.clone(), Some(health(Down, BOOT, 39)), at(140));
        assert_eq!(
            since(&rollup, 141),
            Some(at(40)),
            "a will is older than the last word"
        );
        rollup.hear(modem.clone(), None, at(150));
        assert!(
            !rollup.knows(&modem) && since(&rollup, 9999).is_none(),
            "cleared is forgotten"
        );
    }

    #[test]
    fn absurd_messages() {
        let mut rollup = Rollup::new(BOOT);
        let mut odd = health(Up, BOOT, 0);
        (odd.period_s, odd.mono_ms) = (u32::MAX, u64::MAX);
        rollup.hear("odd".parse().unwrap(), Some(odd.clone()), at(10));
        assert_eq!(rollup.services(at(20))[0].status, Some(Up));
        odd.period_s = 0;
        odd.mono_ms = 10_000;
        rollup.hear("odd".parse().unwrap(), Some(odd), at(10));
        assert_eq!(rollup.services(at(14))[0].status, None);
        for n in 0..1000 {
            rollup.hear(
                format!("s{n}").parse().unwrap(),
                Some(health(Up, BOOT, 1)),
                at(1),
            );
        }
        assert_eq!(rollup.services(at(1)).len(), SERVICES_MAX);
    }
}
