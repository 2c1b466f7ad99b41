//! When a person should know: a service that is missing for too long.

use std::collections::BTreeMap;
use std::time::Duration;

use tm_types::{Alarm, Cause, Instance, Severity, Timestamp, code};

use crate::rollup::Rollup;

/// What our ids of this rule begin with; the service's name follows.
const PREFIX: &str = "service-";

/// What to publish about an alarm.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It holds from now on.
    Raise(Alarm),
    /// The alarm of this id is over.
    Clear(String),
}

/// The alarms that hold, by the service they are about.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    active: BTreeMap<Instance, Alarm>,
}

impl Alarms {
    /// Takes over an alarm that an earlier run of the agent left on the bus; others are not ours.
    pub(crate) fn adopt(&mut self, alarm: Alarm) {
        let service = alarm
            .id
            .strip_prefix(PREFIX)
            .and_then(|name| Instance::new(name).ok());
        if let Some(service) = service {
            self.active.entry(service).or_insert(alarm);
        }
    }

    /// What changes at `now`, while the bus is connected since `connected`.
    ///
    /// Silence counts from the connection on: without a bus nobody is heard. An alarm ends when its
    /// service lives again, or when nothing at all is known of it any more.
    pub(crate) fn decide(
        &mut self,
        rollup: &Rollup,
        own: &Instance,
        now: Duration,
        connected: Duration,
        wall: Timestamp,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        self.active.retain(|service, alarm| {
            // A fresh connection delivers what is retained within moments.
            let is_forgotten = !rollup.knows(service) && now.saturating_sub(connected) > SETTLED;
            let is_over = rollup.lives(service, now) || is_forgotten || service == own;
            if is_over {
                changes.push(Change::Clear(alarm.id.clone()));
            }
            !is_over
        });
        for missing in rollup.missing(now) {
            let waited = now.saturating_sub(missing.since.max(connected));
            let is_new = !self.active.contains_key(missing.service) && missing.service != own;
            if is_new && waited > missing.patience {
                let alarm = alarm_of(missing.service, missing.cause, wall);
                self.active.insert(missing.service.clone(), alarm.clone());
                changes.push(Change::Raise(alarm));
            }
        }
        changes
    }
}

/// After this long on a connection, everything retained has arrived.
const SETTLED: Duration = Duration::from_secs(30);

fn alarm_of(service: &Instance, cause: Cause, wall: Timestamp) -> Alarm {
    // Somebody stopped it on purpose; everything else is a fault.
    let severity = if cause.is(code::SERVICE_STOPPED) {
        Severity::Warning
    } else {
        Severity::Critical
    };
    let mut args = cause.args;
    args.insert("service".to_owned(), service.to_string());
    Alarm {
        id: format!("{PREFIX}{service}"),
        source: service.source(),
        code: cause.code,
        severity,
        active: true,
        acked: false,
        since: wall,
        args,
    }
}

#[cfg(test)]
mod tests {
    use tm_types::{BootId, Health, HealthStatus};

    use super::*;

    const BOOT: BootId = BootId(7);

    /// A bus since second 0, one service, and the alarms about it.
    struct Scene {
        rollup: Rollup,
        alarms: Alarms,
        connected: Duration,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                rollup: Rollup::new(BOOT),
                alarms: Alarms::default(),
                connected: Duration::ZERO,
            }
        }

        fn hears(
            &mut self,
            second: u64,
            service: &str,
            status: HealthStatus,
            cause: Option<Cause>,
        ) {
            let health = Health {
                status,
                reasons: cause.into_iter().collect(),
                version: String::new(),
                boot: BOOT,
                mono_ms: second * 1000,
                period_s: 30,
            };
            let service = service.parse().unwrap();
            self.rollup
                .hear(service, Some(health), Duration::from_secs(second));
        }

        /// What changes at this second, as `+id code severity` and `-id`.
        fn at(&mut self, second: u64) -> Vec<String> {
            let own = "agent".parse().unwrap();
            let now = Duration::from_secs(second);
            let changes =
                self.alarms
                    .decide(&self.rollup, &own, now, self.connected, Timestamp::EPOCH);
            let told = changes.into_iter().map(|change| match change {
                Change::Raise(alarm) => {
                    format!("+{} {} {:?}", alarm.id, alarm.code, alarm.severity)
                }
                Change::Clear(id) => format!("-{id}"),
            });
            told.collect()
        }
    }

    const NOTHING: [&str; 0] = [];

    #[test]
    fn silence_is_an_alarm_after_three_periods_and_over_at_the_next_word() {
        let mut scene = Scene::new();
        scene.hears(10, "gnss", HealthStatus::Up, None);
        assert_eq!(scene.at(100), NOTHING);
        assert_eq!(scene.at(101), ["+service-gnss service.silent Critical"]);
        assert_eq!(scene.at(5000), NOTHING, "raised once");
        scene.hears(5001, "gnss", HealthStatus::Degraded, None);
        assert_eq!(scene.at(5001), ["-service-gnss"]);
        assert_eq!(scene.at(5002), NOTHING);
    }

    #[test]
    fn a_restart_is_none_and_a_stop_is_a_lesser_one() {
        let mut scene = Scene::new();
        scene.hears(10, "gnss", HealthStatus::Up, None);
        scene.hears(
            20,
            "gnss",
            HealthStatus::Down,
            Some(code::SERVICE_STOPPED.plain()),
        );
        assert_eq!(scene.at(50), NOTHING);
        scene.hears(60, "gnss", HealthStatus::Up, None);
        assert_eq!(scene.at(130), NOTHING);
        scene.hears(
            131,
            "gnss",
            HealthStatus::Down,
            Some(code::SERVICE_STOPPED.plain()),
        );
        assert_eq!(scene.at(151), ["+service-gnss service.stopped Warning"]);

        let mut scene = Scene::new();
        scene.hears(10, "modem", HealthStatus::Up, None);
        scene.hears(
            15,
            "modem",
            HealthStatus::Down,
            Some(code::SERVICE_CONNECTION_LOST.plain()),
        );
        assert_eq!(
            scene.at(101),
            ["+service-modem service.connection_lost Critical"]
        );
    }

    #[test]
    fn without_a_bus_nobody_is_missed() {
        let mut scene = Scene::new();
        scene.hears(10, "gnss", HealthStatus::Up, None);
        // Away from 20 to 1000; the service needs a moment to come back too.
        scene.connected = Duration::from_secs(1000);
        assert_eq!(scene.at(1001), NOTHING);
        assert_eq!(scene.at(1090), NOTHING);
        assert_eq!(scene.at(1091), ["+service-gnss service.silent Critical"]);
    }

    #[test]
    fn alarms_of_an_earlier_run() {
        let adopted = |service: &str| {
            let cause = code::SERVICE_STOPPED.plain();
            alarm_of(&service.parse().unwrap(), cause, Timestamp::EPOCH)
        };
        let mut scene = Scene::new();
        for service in ["gnss", "modem", "gone", "agent"] {
            scene.alarms.adopt(adopted(service));
        }
        scene.alarms.adopt(Alarm {
            id: "door-open".to_owned(),
            ..adopted("io")
        });
        scene.hears(1, "gnss", HealthStatus::Up, None);
        scene.hears(1, "modem", HealthStatus::Down, None);
        assert_eq!(scene.at(2), ["-service-agent", "-service-gnss"]);
        assert_eq!(scene.at(31), ["-service-gone"], "nobody knows it any more");
        scene.hears(499, "gnss", HealthStatus::Up, None);
        assert_eq!(
            scene.at(500),
            NOTHING,
            "still missing: neither raised again nor cleared"
        );
        scene
            .rollup
            .hear("modem".parse().unwrap(), None, Duration::from_secs(501));
        assert_eq!(scene.at(502), ["-service-modem"], "forgotten on purpose");
    }

    #[test]
    fn the_agent_does_not_miss_itself() {
        let mut scene = Scene::new();
        scene.hears(1, "agent", HealthStatus::Down, None);
        assert_eq!(scene.at(10_000), NOTHING);
    }
}
