//! Decides: events in, effects out. No I/O, no clock of its own, and no knowledge of the way to the modem.

mod event;
mod evidence;
mod hear;
mod operate;
mod recovery;
mod report;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tm_service::port::PortEvent;
use tm_types::{Cause, Device, HealthStatus, ModemPresence, ModemState, Stamp, Timestamp, code};
use tokio::time::Instant;

use crate::antenna::Antenna;
use crate::backend::modem_manager::Device as HostDevice;
use crate::backend::{Report, Ticket, Tickets};
use crate::balance::{self, Codes};
use crate::config::Config;
use crate::data::Sight;
use crate::knowledge::Knowledge;
use crate::ladder::{self, Rung};
use crate::messages::{self, Messages};
use crate::network_time::NetworkTime;
use crate::relay::Relay;
use crate::situation::Seen;
use crate::surroundings::Surroundings;
use crate::usage::{self, Usage};
use crate::usb::UsbLook;

pub(crate) use crate::backend::Now;
pub(crate) use event::{Asking, Effect, Event, File, Probe};

use recovery::Care;

pub(crate) use recovery::RECOVERY;

/// What was kept from earlier runs.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// What was ever there.
    pub(crate) seen: Seen,
    /// Where a context for data was ever shown.
    pub(crate) sight: Sight,
    /// Where the recovery stands.
    pub(crate) recovery: ladder::Memory,
    /// How much data went through.
    pub(crate) usage: usage::Memory,
    /// Text messages.
    pub(crate) messages: messages::Memory,
    /// The balance.
    pub(crate) balance: balance::Memory,
    /// The modem's serial number.
    pub(crate) imei: Option<String>,
}

/// The manager of the modem in one slot.
#[derive(Debug)]
pub(crate) struct Manager {
    config: Config,
    /// How people call the cabinet.
    site: String,
    seen: Seen,
    sight: Sight,
    imei: Option<String>,
    presence: Option<ModemPresence>,
    /// Why it is not present; unused while it is.
    trouble: Cause,
    port: Option<String>,
    backend: Option<&'static str>,
    known: Knowledge,
    /// Whether something was read since the modem came.
    is_read: bool,
    stamp: Option<Stamp>,
    /// Since when data cannot flow although a modem answers.
    waiting_since: Option<Instant>,
    network_time: NetworkTime,
    /// The network's time as it was told last.
    told_time: Option<Timestamp>,
    relay: Relay,
    nmea_port: Option<String>,
    antenna: Antenna,
    usb: UsbLook,
    surroundings: Surroundings,
    care: Care,
    usage: Usage,
    messages: Messages,
    codes: Codes,
    /// Steps of the recovery that the modem takes.
    steps: BTreeMap<Ticket, Rung>,
    tickets: Tickets,
    /// The link is to be looked at: something has changed.
    is_news: bool,
    state: Option<ModemState>,
    /// When it was told.
    state_at: Option<Instant>,
    /// The messages whose texts were told; nothing before the first time.
    told_texts: Option<Vec<u64>>,
    health: Option<(HealthStatus, Vec<Cause>)>,
    effects: Vec<Effect>,
}

impl Manager {
    /// A manager that has heard nothing in this run.
    pub(crate) fn new(config: Config, device: &Device, kept: Kept, now: Now) -> Self {
        let usage = Usage::new(
            kept.usage,
            &device.timezone,
            config.billing_day,
            config.data_limit_mb,
        );
        let site = [&device.site, &device.name]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty());
        Self {
            site: site.unwrap_or(&device.id).clone(),
            seen: kept.seen,
            sight: kept.sight,
            imei: kept.imei,
            presence: None,
            trouble: code::MODEM_STARTING.plain(),
            port: None,
            backend: None,
            known: Knowledge::new(),
            is_read: false,
            stamp: None,
            waiting_since: None,
            network_time: NetworkTime::default(),
            told_time: None,
            relay: Relay::default(),
            nmea_port: None,
            antenna: Antenna::default(),
            usb: UsbLook::Unknown,
            surroundings: Surroundings::new(config.mains_series.as_deref()),
            care: Care::new(&config, kept.recovery, seed(&device.id), now.instant),
            usage,
            messages: Messages::new(kept.messages, &config, now.instant),
            codes: Codes::new(kept.balance, &config),
            steps: BTreeMap::new(),
            tickets: Tickets::default(),
            is_news: false,
            state: None,
            state_at: None,
            told_texts: None,
            health: None,
            effects: Vec::new(),
            config,
        }
    }

    /// The topics that tell of the surroundings.
    pub(crate) fn topics(&self) -> Vec<String> {
        self.surroundings.topics()
    }

    /// Takes in what happened; what is to be done, in this order.
    pub(crate) fn on(&mut self, event: Event, now: Now) -> Vec<Effect> {
        // The receiver speaks every second, in several pieces: that is no reason to describe everything anew.
        let is_sky = match &event {
            Event::Nmea(PortEvent::Bytes(_)) | Event::Backend(Report::Sentences(_)) => true,
            Event::Due => self.is_relay_due_only(now),
            _ => false,
        };
        match event {
            Event::Backend(report) => self.on_report(report, now),
            Event::Nmea(event) => self.on_nmea(event, now),
            Event::Usb(usb) => self.on_usb(usb, now),
            Event::Network(word) => self.on_network(word),
            Event::Bus(message) => {
                self.surroundings.hear(&message, &now.stamp, now.instant);
                self.is_news = true;
            }
            Event::BusDown => self.surroundings.forget(),
            Event::Command(request) => self.on_command(request, now),
            Event::Operation(operation) => self.on_operation(&operation, now),
            Event::Probed(cause) => self.on_probed(cause, now),
            Event::Stepped(rung, call) => self.on_stepped(rung, call, now),
            Event::Due => self.on_due(now),
        }
        if self.is_news && self.presence.is_some() {
            self.is_news = false;
            self.look(now);
        }
        if !is_sky || self.has_sky_changed(now) {
            self.publish(now);
        }
        std::mem::take(&mut self.effects)
    }

    fn on_due(&mut self, now: Now) {
        let sentences = self.relay.due(now.instant);
        self.on_sentences(sentences, now);
        self.on_messages_due(now);
        if self.codes.deadline().is_some_and(|due| due <= now.instant) {
            self.with_codes(|codes, tickets| codes.on_due(now, tickets));
        }
        if self
            .care_deadline(now)
            .is_some_and(|due| due <= now.instant)
        {
            self.on_time(now);
            self.is_news = true;
        }
    }

    /// Whether the antenna's cause is another one than was told: of every sentence that is all that counts.
    fn has_sky_changed(&self, now: Now) -> bool {
        let told = self.state.as_ref().and_then(|state| state.modems.first());
        told.is_none_or(|told| {
            let told = told.gnss.as_ref().and_then(|gnss| gnss.cause.as_ref());
            self.presence == Some(ModemPresence::Present)
                && told != self.antenna.cause(now.instant).as_ref()
        })
    }

    /// When [`Event::Due`] is due.
    pub(crate) fn deadline(&self, now: Now) -> Instant {
        [
            self.care_deadline(now),
            self.relay.deadline(),
            self.messages.deadline(),
            self.codes.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(now.instant + Duration::from_hours(1))
    }

    fn is_relay_due_only(&self, now: Now) -> bool {
        let others = [
            self.care_deadline(now),
            self.messages.deadline(),
            self.codes.deadline(),
        ];
        others.into_iter().flatten().all(|due| due > now.instant)
    }

    /// There is nothing to look at before the way to the modem has said a first word.
    fn care_deadline(&self, now: Now) -> Option<Instant> {
        self.presence.map(|_| self.care.deadline(now))
    }

    /// By which way the modem is reached from now on.
    pub(crate) fn use_backend(&mut self, backend: &'static str) {
        self.backend = Some(backend);
    }

    /// What names the modem to NetworkManager.
    pub(crate) fn device(&self) -> HostDevice {
        let by_manager = self.known.device.clone();
        by_manager.unwrap_or_else(|| {
            let network = self.usb.modem().and_then(|usb| usb.network.as_ref());
            HostDevice {
                interface: network.map(|network| network.interface.clone()),
                ..HostDevice::default()
            }
        })
    }

    /// Now by the best clock there is: the network's, where the machine's own is not trusted.
    fn best_stamp(&self, now: Now) -> Stamp {
        self.network_time.improve(now.stamp)
    }
}

/// What is written to the store.
fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("our own types are serialised to memory")
}

/// Different on each device: FNV-1a of its id.
fn seed(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
