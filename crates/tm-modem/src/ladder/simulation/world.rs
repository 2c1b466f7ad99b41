//! A small world: a machine, a module, and one failure at a time.

use std::time::Duration;

use tm_types::{
    BootId, Clock, ModemPresence, RegistrationStatus, SimStatus, Stamp, Timestamp, code,
};

use super::faults::{Fault, Show};
use crate::diagnosis::{Bytes, Connectivity, DeviceState, Evidence, NetworkManager, Uplink};
use crate::ladder::{Call, Rung};

/// Numbers from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// From `least` to `most`, both included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.next().is_multiple_of(count)
    }

    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let count = choices.len() as u64;
        &choices[usize::try_from(self.next() % count).unwrap()]
    }
}

pub(super) const SECOND: u64 = 1000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;

/// The failure under way.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub(super) fault: Fault,
    pub(super) since: u64,
    pub(super) passes_at: Option<u64>,
    /// It has passed, and the modem still shows it.
    pub(super) is_stuck: bool,
}

pub(super) struct World {
    /// True time, ms.
    pub(super) now: u64,
    pub(super) boot: u32,
    pub(super) booted_at: u64,
    pub(super) wall_offset: i64,
    pub(super) clock: Clock,
    pub(super) chance: Chance,
    pub(super) active: Option<Active>,
    has_contact: bool,
    tells_connectivity: bool,
    // When each stage is reached, if nothing prevents it.
    usb_at: u64,
    answers_at: u64,
    card_at: u64,
    registered_at: u64,
    context_at: u64,
    open_at: u64,
    bytes: Bytes,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let (has_contact, tells_connectivity) = (chance.one_in(2), chance.one_in(2));
        Self {
            now: 0,
            boot: 1,
            booted_at: 0,
            wall_offset: 0,
            clock: Clock::Ntp,
            chance,
            active: None,
            has_contact,
            tells_connectivity,
            usb_at: 0,
            answers_at: 0,
            card_at: 0,
            registered_at: 0,
            context_at: 0,
            open_at: 0,
            bytes: Bytes::default(),
        }
    }

    pub(super) fn mono(&self) -> Duration {
        Duration::from_millis(self.now - self.booted_at)
    }

    pub(super) fn stamp(&self) -> Stamp {
        let wall = 1_790_000_000_000 + i64::try_from(self.now).unwrap() + self.wall_offset;
        Stamp {
            time: Timestamp::of_unix_ms(wall),
            mono_ms: self.now - self.booted_at,
            boot: BootId(self.boot),
            clock: self.clock,
            err_ms: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.active.is_none() && self.now >= self.open_at
    }

    /// When the module appeared on USB, if it is there.
    pub(super) fn on_usb_since(&self) -> Option<u64> {
        (self.is_on_usb()).then_some(self.usb_at)
    }

    fn show(&self) -> Option<Show> {
        self.active.as_ref().map(|active| active.fault.show)
    }

    fn is_on_usb(&self) -> bool {
        let is_shaking = matches!(self.show(), Some(Show::BrownOut | Show::Flapping))
            && (self.now / (30 * SECOND)) % 2 == 1;
        self.now >= self.usb_at && self.show() != Some(Show::Gone) && !is_shaking
    }

    /// A failure begins.
    pub(super) fn strike(&mut self, fault: Fault, passes: Option<(u64, u64)>) {
        let passes_at = passes
            .map(|(least, most)| self.now + self.chance.between(least * 60, most * 60) * SECOND);
        if fault.show == Show::SlowStart {
            self.restart(15 * SECOND);
            self.answers_at = self.usb_at + 110 * SECOND;
            self.follow_card();
        }
        self.active = Some(Active {
            fault,
            since: self.now,
            passes_at,
            is_stuck: false,
        });
    }

    /// Lets failures pass.
    pub(super) fn pass(&mut self) {
        let Some(active) = &mut self.active else {
            return;
        };
        if active.passes_at.is_none_or(|at| self.now < at) {
            return;
        }
        if !active.fault.sticks.is_empty() {
            active.is_stuck = true;
            return;
        }
        let show = active.fault.show;
        self.active = None;
        match show {
            Show::Gone | Show::BrownOut | Show::Flapping | Show::Composition => {
                self.restart(15 * SECOND);
            }
            Show::Puk | Show::Pin | Show::Denied | Show::Emergency | Show::Deaf | Show::Dark => {
                self.follow_registration(0);
            }
            Show::SlowStart => {}
            _ => self.follow_context(),
        }
    }

    fn heal(&mut self, rung: u8) {
        let Some(active) = &self.active else {
            return;
        };
        let is_healing = if active.is_stuck {
            active.fault.sticks
        } else {
            active.fault.heals
        };
        if is_healing.contains(&rung) {
            self.active = None;
        }
    }

    /// The module starts anew and is on USB after `delay`.
    fn restart(&mut self, delay: u64) {
        self.usb_at = self.now + delay;
        self.answers_at = self.usb_at + self.chance.between(20, 90) * SECOND;
        self.follow_card();
    }

    fn follow_card(&mut self) {
        self.card_at = self.answers_at + self.chance.between(2, 12) * SECOND;
        self.follow_registration(self.card_at);
    }

    fn follow_registration(&mut self, from: u64) {
        let from = from.max(self.now).max(self.card_at);
        self.registered_at = from + self.chance.between(8, 45) * SECOND;
        self.follow_context();
    }

    fn follow_context(&mut self) {
        let from = self.registered_at.max(self.now);
        self.context_at = from + self.chance.between(2, 8) * SECOND;
        self.open_at = self.context_at + self.chance.between(3, 20) * SECOND;
        self.bytes = Bytes::default();
    }

    /// Does what the ladder asked for; the call's answer.
    pub(super) fn act(&mut self, rung: Rung) -> Call {
        let number = rung.number();
        let failed = Call::Failed(code::MODEM_TIMEOUT.with("seconds", 30));
        let fails = self
            .active
            .as_ref()
            .is_some_and(|active| active.fault.fails.contains(&number));
        let answers = self.is_on_usb() && self.now >= self.answers_at;
        match rung {
            _ if fails => return failed,
            Rung::Reconnect | Rung::CycleRadio if !answers => return failed,
            Rung::Reset | Rung::UsbRebind if !self.is_on_usb() => return failed,
            _ => {}
        }
        self.heal(number);
        match rung {
            Rung::Reconnect => self.follow_context(),
            Rung::CycleRadio => self.follow_registration(self.now + 6 * SECOND),
            Rung::Reset => {
                let delay = self.chance.between(15, 30) * SECOND;
                self.restart(delay);
            }
            Rung::UsbRebind => self.restart(3 * SECOND),
            Rung::PowerKey => self.restart(45 * SECOND),
            Rung::Reboot => {}
        }
        Call::Taken
    }

    /// The machine starts again after `off`; the module too, if its power was cut.
    pub(super) fn reboot(&mut self, off: u64, is_power_cut: bool) {
        self.now += off;
        self.booted_at = self.now;
        self.boot += 1;
        if is_power_cut {
            self.heal(5);
        }
        self.heal(6);
        self.restart(20 * SECOND);
    }

    pub(super) fn evidence(&mut self) -> Evidence {
        let mut evidence = Evidence {
            presence: ModemPresence::Present,
            is_on_usb: Some(true),
            sim: SimStatus::Ready,
            is_radio_on: Some(true),
            registration: RegistrationStatus::Home,
            operator: Some("vodafone UA".to_owned()),
            hears_cell: Some(true),
            was_registered: true,
            has_context: Some(true),
            temperature_cel: Some(45),
            supply_v: Some(3.9),
            has_mains: self.has_contact.then_some(true),
            ..Evidence::default()
        };
        if !self.is_on_usb() {
            evidence.presence = ModemPresence::Absent;
            evidence.trouble = Some(code::MODEM_ABSENT.with("port", "1-1.3"));
            evidence.is_on_usb = Some(false);
        } else if self.now < self.answers_at {
            evidence.presence = ModemPresence::Mute;
            evidence.trouble = Some(code::MODEM_MUTE.with("port", "1-1.3"));
        } else if self.now < self.card_at {
            evidence.sim = SimStatus::Busy;
        }
        if evidence.presence != ModemPresence::Present {
            (evidence.sim, evidence.is_radio_on) = (SimStatus::Unknown, None);
            (evidence.hears_cell, evidence.has_context) = (None, None);
            (evidence.temperature_cel, evidence.supply_v) = (None, None);
        }
        if self.now < self.registered_at || evidence.sim != SimStatus::Ready {
            evidence.registration = RegistrationStatus::Searching;
        }
        if let Some(show) = self.show() {
            spoil(&mut evidence, show);
        }
        let is_connected = evidence.presence == ModemPresence::Present
            && evidence.sim == SimStatus::Ready
            && evidence.registration == RegistrationStatus::Home
            && evidence.has_context == Some(true)
            && self.now >= self.context_at;
        if !is_connected && evidence.has_context == Some(true) {
            evidence.has_context = Some(false);
        }
        self.count(&mut evidence, is_connected);
        evidence
    }

    /// Bytes, NetworkManager and the uplink.
    fn count(&mut self, evidence: &mut Evidence, is_connected: bool) {
        let show = self.show();
        let is_answered = !matches!(show, Some(Show::Stalled | Show::Dns | Show::Hot));
        if is_connected {
            self.bytes.tx += 700;
            if is_answered {
                self.bytes.rx += 900;
            }
            evidence.bytes = Some(self.bytes);
        }
        let has_route = is_connected && show != Some(Show::NoRoute);
        let is_registering = evidence.registration == RegistrationStatus::Home && !is_connected;
        evidence.network_manager = Some(NetworkManager {
            device: if has_route {
                DeviceState::Activated
            } else if is_registering
                && !matches!(show, Some(Show::NoContext | Show::WrongApn | Show::Limit))
            {
                DeviceState::Connecting
            } else {
                DeviceState::Disconnected
            },
            state_reason: None,
            connectivity: if self.tells_connectivity && self.is_open() {
                Connectivity::Full
            } else {
                Connectivity::Unknown
            },
            is_primary: has_route.then_some(true),
        });
        evidence.uplink = if self.is_open() {
            let age = Duration::from_secs(self.now / 1000 % 60);
            Uplink::Connected {
                last_ack: Some(self.mono().saturating_sub(age)),
                has_backlog: true,
            }
        } else {
            Uplink::Failing(match show {
                Some(Show::Refused) => code::UPLINK_REFUSED
                    .with("broker", "cloud:8883")
                    .and("error", "not authorized"),
                Some(Show::Dns) => code::UPLINK_DNS_FAILED.with("broker", "cloud:8883"),
                Some(Show::Clock) => code::UPLINK_TLS_CLOCK_SUSPECT.with("broker", "cloud:8883"),
                _ => code::UPLINK_UNREACHABLE
                    .with("broker", "cloud:8883")
                    .and("error", "timeout"),
            })
        };
    }
}

fn spoil(evidence: &mut Evidence, show: Show) {
    let answers = evidence.presence == ModemPresence::Present;
    let is_read = answers && evidence.sim == SimStatus::Ready;
    let is_in = is_read && evidence.registration == RegistrationStatus::Home;
    let fail = |evidence: &mut Evidence, cause| {
        evidence.presence = ModemPresence::Absent;
        evidence.trouble = Some(cause);
        evidence.sim = SimStatus::Unknown;
        evidence.registration = RegistrationStatus::Unknown;
        (evidence.hears_cell, evidence.has_context) = (None, None);
    };
    match show {
        Show::Mute if answers => {
            fail(evidence, code::MODEM_MUTE.with("port", "/dev/ttyUSB2"));
            evidence.presence = ModemPresence::Mute;
        }
        Show::ManagerFailed if answers => {
            fail(
                evidence,
                code::MODEM_MANAGER_FAILED.with("reason", "ten timeouts"),
            );
        }
        Show::ManagerAbsent if answers => {
            fail(
                evidence,
                code::MODEM_MANAGER_ABSENT.with("error", "no owner"),
            );
        }
        Show::Composition if evidence.is_on_usb == Some(true) => fail(
            evidence,
            code::MODEM_WRONG_COMPOSITION
                .with("found", "9011")
                .and("expected", "9001")
                .and("pid", "9001"),
        ),
        Show::SimMissing if answers => {
            fail(
                evidence,
                code::MODEM_MANAGER_FAILED.with("reason", "sim-missing"),
            );
        }
        Show::SimBusy if answers => evidence.sim = SimStatus::Busy,
        Show::Puk if answers => evidence.sim = SimStatus::PukRequired,
        Show::Pin if answers => evidence.sim = SimStatus::PinRequired,
        Show::Flight if is_read => {
            evidence.is_radio_on = Some(false);
            evidence.registration = RegistrationStatus::Idle;
        }
        Show::Denied if is_in => evidence.registration = RegistrationStatus::Denied,
        Show::Emergency if is_in => evidence.registration = RegistrationStatus::EmergencyOnly,
        Show::Deaf | Show::Dark if is_read => {
            evidence.registration = RegistrationStatus::Searching;
            evidence.hears_cell = Some(false);
            evidence.has_mains = None;
        }
        Show::Searching if is_read => evidence.registration = RegistrationStatus::Searching,
        Show::Idle if is_read => evidence.registration = RegistrationStatus::Idle,
        Show::NoContext | Show::WrongApn if is_in => {
            evidence.has_context = Some(false);
            if show == Show::WrongApn {
                evidence.data_trouble = Some(
                    code::MODEM_WRONG_APN
                        .with("operator", "vodafone UA")
                        .and("apn", "statcip")
                        .and("known", "internet, staticip"),
                );
            }
        }
        Show::Limit if is_in => {
            evidence.has_context = Some(false);
            evidence.data_limit = Some(code::MODEM_DATA_LIMIT.with("limit", 500).and("used", 500));
        }
        Show::Portal if is_in => {
            evidence.probe = Some(code::LINK_CAPTIVE_PORTAL.with("url", "http://pay"));
        }
        Show::Hijacked if is_in => {
            evidence.probe = Some(
                code::LINK_DNS_HIJACKED
                    .with("host", "cloud")
                    .and("address", "10.0.0.1"),
            );
        }
        Show::Intercepted if is_in => {
            evidence.probe = Some(
                code::LINK_TLS_INTERCEPTED
                    .with("host", "cloud")
                    .and("issuer", "Box"),
            );
        }
        Show::Blocked if is_in => {
            evidence.probe = Some(code::LINK_PORT_BLOCKED.with("port", 8883).and("open", 443));
        }
        Show::Hot if answers => evidence.temperature_cel = Some(86),
        Show::BrownOut if evidence.is_on_usb == Some(true) => evidence.supply_v = Some(3.1),
        _ => {}
    }
    if show == Show::Dark {
        evidence.has_mains = Some(false);
    }
}
