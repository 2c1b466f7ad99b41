//! The manager alone, in steps: what was reported, and what is told.

use std::time::Duration;

use tm_types::{Clock, Device, GnssEngine, ModemPresence, ModemState, Stamp, Timestamp, code};
use tokio::time::Instant;

use super::bench::{config, stamped};
use crate::backend::chosen::SERIAL;
use crate::backend::{Action, MessageHandle, Presence, Received, Report, Round};
use crate::knowledge::Knowledge;
use crate::manager::{Effect, Event, Kept, Manager, Now};
use crate::usb::{Network, UsbLook, UsbModem};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// 2026-11-23T08:00:00Z, when the story begins.
const NOW_S: i64 = 1_795_420_800;

struct Alone {
    manager: Manager,
    started: Instant,
    elapsed: Duration,
    clock: Clock,
    state: Option<ModemState>,
    asked: Vec<Action>,
}

impl Alone {
    fn new(variables: &[(&str, &str)]) -> Self {
        let started = Instant::now();
        let device = Device {
            timezone: "UTC".to_owned(),
            ..Device::default()
        };
        let now = stamped(started, Duration::ZERO);
        let mut manager = Manager::new(config(variables), &device, Kept::default(), now);
        manager.use_backend(SERIAL);
        Self {
            manager,
            started,
            elapsed: Duration::ZERO,
            clock: Clock::Restored,
            state: None,
            asked: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        let now = stamped(self.started + self.elapsed, self.elapsed);
        let stamp = Stamp {
            clock: self.clock,
            ..now.stamp
        };
        Now { stamp, ..now }
    }

    fn tell(&mut self, event: Event) {
        let mut effects = self.manager.on(event, self.now());
        while !effects.is_empty() {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::State(state) => self.state = Some(*state),
                    Effect::SaveThen(.., then) => effects.extend(then),
                    Effect::Ask(_, action) => self.asked.push(action),
                    _ => {}
                }
            }
        }
    }

    fn presence(&mut self, presence: ModemPresence) {
        let is_present = presence == ModemPresence::Present;
        self.tell(Event::Backend(Report::Presence(Presence {
            presence,
            trouble: (!is_present).then(|| code::MODEM_MUTE.with("port", "/dev/x")),
            port: None,
            is_on_usb: None,
        })));
        if is_present {
            let mut known = Knowledge::new();
            known.gnss = Some(GnssEngine {
                on: Some(true),
                ..GnssEngine::default()
            });
            self.tell(Event::Backend(Report::Known(
                Box::new(known),
                Round::Service,
            )));
        }
    }

    /// The network tells its time.
    fn network_time(&mut self) {
        let unix_s = NOW_S + i64::try_from(self.elapsed.as_secs()).unwrap();
        self.tell(Event::Backend(Report::NetworkTime { unix_s }));
    }

    /// The host has counted so many bytes; how many the day has.
    fn counted(&mut self, bytes: u64) -> u64 {
        self.tell(Event::Usb(UsbLook::Present(UsbModem {
            socket: "1-1.3".to_owned(),
            product: "9001".to_owned(),
            directory: "/sys".into(),
            network: Some(Network {
                interface: "wwan0".to_owned(),
                rx_bytes: bytes,
                tx_bytes: 0,
            }),
        })));
        self.manager.usage.usage().unwrap().day.rx_bytes
    }

    /// A command that was sent so long before now; how many were answered.
    fn command(&mut self, age: Duration) -> usize {
        let sent_s = NOW_S + i64::try_from(self.elapsed.as_secs()).unwrap();
        let sent_s = sent_s - i64::try_from(age.as_secs()).unwrap();
        self.asked.clear();
        self.tell(Event::Backend(Report::Message(Received {
            handle: MessageHandle(vec![sent_s.to_string()]),
            from: "+380501112233".to_owned(),
            text: "sesame status".to_owned(),
            sent_at: Some(Timestamp::of_unix_ms(sent_s * 1000)),
            is_incomplete: false,
        })));
        let is_answer = |action: &&Action| matches!(action, Action::Send { .. });
        self.asked.iter().filter(is_answer).count()
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_clock_of_its_own_days_end_by_the_networks_time() {
    for (tells_time, day) in [(false, 300), (true, 200)] {
        let mut alone = Alone::new(&[]);
        alone.presence(ModemPresence::Present);
        for _ in 0..2 {
            alone.elapsed += MINUTE;
            if tells_time {
                alone.network_time();
            }
        }
        assert_eq!(alone.counted(100), 100);
        // The modem is gone, the monotonic clock goes on.
        alone.presence(ModemPresence::Mute);
        alone.elapsed += HOUR * 17;
        assert_eq!(alone.counted(100), if tells_time { 0 } else { 100 });
        assert_eq!(alone.counted(300), day);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stamp_is_improved_only_where_the_hosts_clock_is_not_trusted() {
    let mut alone = Alone::new(&[]);
    alone.presence(ModemPresence::Present);
    alone.elapsed += MINUTE;
    alone.network_time();
    assert_eq!(
        alone.manager.best_stamp(alone.now()),
        alone.now().stamp,
        "one reading proves nothing"
    );
    alone.elapsed += MINUTE;
    alone.network_time();
    alone.elapsed += HOUR;
    let now = alone.now();
    let best = alone.manager.best_stamp(now);
    assert_eq!(best.time.to_string(), "2026-11-23T09:02:00.500Z");
    assert_eq!((best.clock, best.err_ms), (Clock::Network, Some(3_180)));
    assert_eq!(
        (best.mono_ms, best.boot),
        (now.stamp.mono_ms, now.stamp.boot)
    );
    alone.clock = Clock::Ntp;
    assert_eq!(alone.manager.best_stamp(alone.now()), alone.now().stamp);
}

#[tokio::test(start_paused = true)]
async fn a_command_is_stale_by_the_networks_time() {
    let allow = [
        ("TM_MODEM_SMS_ALLOW", "+380501112233"),
        ("TM_MODEM_SMS_SECRET", "sesame"),
    ];
    // Without any clock a late command cannot be told from a fresh one once the backlog is over.
    for (tells_time, n_late) in [(false, 1), (true, 0)] {
        let mut alone = Alone::new(&allow);
        alone.presence(ModemPresence::Present);
        for _ in 0..6 {
            alone.elapsed += MINUTE;
            if tells_time {
                alone.network_time();
            }
        }
        assert_eq!(alone.command(HOUR), n_late);
        if tells_time {
            assert_eq!(alone.command(MINUTE), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_modem_that_was_away_has_its_antenna_watched_anew() {
    let mut alone = Alone::new(&[]);
    let suspected = |alone: &mut Alone, minutes: u32| {
        for _ in 0..minutes * 60 {
            alone.elapsed += Duration::from_secs(1);
            let silence = b"$GPGSV,1,1,00*79\r\n".to_vec();
            alone.tell(Event::Backend(Report::Sentences(silence)));
        }
        let modem = &alone.state.as_ref().unwrap().modems[0];
        modem.gnss.as_ref().and_then(|gnss| gnss.cause.clone())
    };
    alone.presence(ModemPresence::Present);
    let cause = suspected(&mut alone, 16).unwrap();
    assert!(cause.is(code::GNSS_ANTENNA_SUSPECT));
    alone.presence(ModemPresence::Mute);
    alone.presence(ModemPresence::Present);
    assert_eq!(suspected(&mut alone, 14), None);
    assert!(suspected(&mut alone, 2).is_some());
}
