//! One look at the evidence: what several reasons ask for.

use std::time::Duration;

use tm_types::{Cause, ModemPresence, SimStatus, code};

use super::{DeviceState, Evidence, NetworkManager, Stage, Standing, Uplink, Watch};

/// An acknowledgement of the cloud younger than this proves the way: two batch periods and some.
const FRESH_ACK: Duration = Duration::from_mins(3);
/// No base station's and no cabinet's battery lasts longer: a contact that still says "away" is broken.
const MAINS_BELIEVED: Duration = Duration::from_hours(12);

pub(super) struct Look<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) watch: &'a Watch,
    pub(super) now: Duration,
}

impl Look<'_> {
    pub(super) fn stage(&self, standing: Standing) -> Stage {
        let evidence = self.evidence;
        if standing == Standing::Healthy {
            return Stage::Open;
        }
        match evidence.presence {
            ModemPresence::Mute => return Stage::Mute,
            ModemPresence::Absent | ModemPresence::NotConfigured => {
                // A failed manager still has the modem's device before it.
                let is_there = evidence.is_on_usb == Some(true);
                return if is_there { Stage::Mute } else { Stage::Gone };
            }
            ModemPresence::Present => {}
        }
        let is_activated = self
            .manager()
            .is_some_and(|manager| manager.device == DeviceState::Activated);
        if evidence.sim != SimStatus::Ready {
            Stage::Present
        } else if !evidence.is_registered() {
            Stage::Card
        } else if evidence.has_context == Some(true) || is_activated {
            Stage::Context
        } else {
            Stage::Registered
        }
    }

    pub(super) fn manager(&self) -> Option<NetworkManager> {
        self.evidence.network_manager
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.manager()
            .is_some_and(|manager| manager.device == DeviceState::Connecting)
    }

    pub(super) fn operator(&self) -> &str {
        self.evidence.operator.as_deref().unwrap_or("?")
    }

    pub(super) fn is_mains_away(&self) -> bool {
        let away = self.watch.mains_away_for(self.now);
        away.is_some_and(|away| away < MAINS_BELIEVED)
    }

    pub(super) fn has_fresh_ack(&self) -> bool {
        let Uplink::Connected {
            last_ack: Some(at), ..
        } = self.evidence.uplink
        else {
            return false;
        };
        self.now.saturating_sub(at) <= FRESH_ACK
    }

    /// Whether what the uplink sees went over the modem.
    pub(super) fn is_cellular(&self) -> bool {
        match self.manager() {
            Some(manager) => manager.is_primary == Some(true),
            None => {
                self.evidence.is_on_usb != Some(false)
                    && matches!(
                        self.evidence.presence,
                        ModemPresence::Present | ModemPresence::Mute
                    )
            }
        }
    }

    /// A plain probe follows the host's route: it counts while that is the modem's. Without NetworkManager it
    /// counts only where nothing better is known, which is neither counters nor a working uplink.
    pub(super) fn probe_counts(&self) -> bool {
        match self.manager() {
            Some(manager) => manager.is_primary == Some(true),
            None => self.watch.is_answered().is_none() && self.is_cellular(),
        }
    }

    pub(super) fn probe_is_open(&self) -> bool {
        let is_open = |probe: &Cause| probe.is(code::LINK_OPEN);
        self.probe_counts() && self.evidence.probe.as_ref().is_some_and(is_open)
    }
}
