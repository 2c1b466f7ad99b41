//! What is known of the link at one moment: neutral facts for the diagnosis.

use std::time::Duration;

use tm_types::{LinkStatus, ModemPresence, Reason, SimStatus};
use tokio::time::Instant;

use super::recovery::PROBE_AGE;
use super::{Manager, Now};
use crate::backend::chosen::{MODEM_MANAGER, SERIAL};
use crate::diagnosis::{Bytes, Evidence, Uplink};

impl Manager {
    /// What is known now, as the diagnosis wants it.
    pub(super) fn evidence(&self, now: Now) -> Evidence {
        let known = &self.known;
        let is_trouble = matches!(
            self.presence,
            Some(ModemPresence::Absent | ModemPresence::Mute)
        );
        let registration = &known.registration;
        let data_trouble = known
            .data
            .trouble(registration, known.sim.imsi.as_deref(), &self.sight);
        let bearer = known.bearer.as_ref();
        // An absent context is believed of a port only where `Data` has reason to, and of ModemManager once there
        // was one: a card may be there for text messages only.
        let is_missed = self.backend == Some(MODEM_MANAGER) && self.seen.context;
        let has_context = bearer
            .map(|bearer| bearer.is_connected)
            .or_else(|| data_trouble.as_ref().map(|_| false))
            .or_else(|| known.data.is_active().filter(|is_active| *is_active))
            .or_else(|| (is_missed && known.is_registered()).then_some(false));
        let counted = bearer.and_then(|bearer| Some((bearer.rx_bytes?, bearer.tx_bytes?)));
        let counted = counted.or_else(|| {
            let network = self.usb.modem()?.network.as_ref()?;
            Some((network.rx_bytes, network.tx_bytes))
        });
        let probe = self.care.probe.as_ref();
        let fresh = |at: Instant| now.instant.saturating_duration_since(at) < PROBE_AGE;
        Evidence {
            presence: self.presence.unwrap_or(ModemPresence::NotConfigured),
            trouble: is_trouble.then(|| self.trouble.clone()),
            is_on_usb: self.usb.is_present(),
            sim: known.sim.status,
            is_card_expected: self.config.expected.is_fault(self.seen.sim),
            is_pin_withheld: known.is_pin_withheld,
            pin_tries: known.pin_tries,
            is_radio_on: known.radio_on,
            registration: registration.status,
            operator: registration
                .operator
                .clone()
                .or_else(|| registration.plmn.clone()),
            reject_cause: registration.reject_cause.clone(),
            hears_cell: self.hears_cell(),
            was_registered: self.seen.registered,
            data_trouble,
            has_context,
            bytes: counted.map(|(rx, tx)| Bytes { rx, tx }),
            network_manager: self.care.network_manager,
            uplink: self.uplink(now),
            probe: probe
                .filter(|(_, at)| fresh(*at))
                .map(|(cause, _)| cause.clone()),
            temperature_cel: known.levels.temperature.ok().map(rounded),
            supply_v: known.levels.supply.ok(),
            has_mains: self.surroundings.mains(),
            data_limit: self.usage.limit_reached(),
        }
    }

    /// Not told while no modem answers, or a level could not be read.
    fn hears_cell(&self) -> Option<bool> {
        let levels = &self.known.levels;
        if levels.rssi.is_ok() || levels.rsrp.is_ok() || levels.cell.is_ok() {
            return Some(true);
        }
        let is_silent = self.presence == Some(ModemPresence::Present)
            && self.known.sim.status == SimStatus::Ready
            // Without levels of its own ModemManager tells of none; what it lets us ask tells whether it has.
            && (self.backend == Some(SERIAL) || levels.temperature.is_ok())
            // Told to listen to none, it hears none.
            && !self.known.is_deregistered
            && levels.rssi == Err(Reason::NotPresent)
            && levels.cell == Err(Reason::NotPresent);
        is_silent.then_some(false)
    }

    /// Whether the host's way to the internet is known not to be the modem's.
    fn is_by_another_way(&self) -> bool {
        let manager = self.care.network_manager;
        manager.is_some_and(|manager| manager.is_primary == Some(false))
    }

    fn uplink(&self, now: Now) -> Uplink {
        let Some((uplink, heard)) = self.surroundings.uplink() else {
            return Uplink::Silent;
        };
        match uplink.link {
            LinkStatus::NotConfigured => Uplink::Silent,
            LinkStatus::Connecting => Uplink::Connecting,
            // What fails by another way, such as Ethernet, says nothing about the modem's.
            LinkStatus::Failed if self.is_by_another_way() => Uplink::Silent,
            LinkStatus::Failed => Uplink::Failing(uplink.cause.clone()),
            LinkStatus::Connected => {
                // The state is told with every batch; its age is that of the telling and that told.
                let since = now.instant.saturating_duration_since(heard);
                let mono = Duration::from_millis(now.stamp.mono_ms);
                let last_ack = uplink.ack_age_ms.map(|age| {
                    mono.saturating_sub(since)
                        .saturating_sub(Duration::from_millis(age))
                });
                Uplink::Connected {
                    last_ack,
                    has_backlog: uplink.journal.records_pending > 0,
                }
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a temperature; `as` saturates"
)]
fn rounded(celsius: f64) -> i32 {
    celsius.round() as i32
}
