//! The order in which facts are believed. The first function that has a word is right.

use std::time::Duration;

use tm_types::{Cause, ModemPresence, RegistrationStatus, SimStatus, code};

use super::look::Look;
use super::{
    Connectivity, DeviceState, Diagnosis, Evidence, NetworkManager, Standing, Uplink, Watch,
    describe,
};

/// A connected uplink with something to send is stalled at this age: more than its keep-alive of 10 min.
const STALE_ACK: Duration = Duration::from_mins(15);
/// So long must nothing come back: ModemManager refreshes its counters every 30 s.
const SILENCE: Duration = Duration::from_secs(90);
/// Sent without an answer while the uplink fails: a few TCP connection attempts.
const SENT_BY_UPLINK: u64 = 200;
/// Sent without an answer otherwise: more than an idle interface's own noise, such as router solicitations.
const SENT_BY_ANYBODY: u64 = 1500;
/// `NO SERVICE` comes and goes while the modem changes cells.
const NO_CELL: Duration = Duration::from_mins(1);
/// `NM_DEVICE_STATE_REASON_GSM_APN_FAILED`.
const APN_FAILED: u32 = 29;

type Word = Option<(Cause, Standing)>;

pub(super) fn diagnose(evidence: &Evidence, watch: &Watch, now: Duration) -> Diagnosis {
    let look = Look {
        evidence,
        watch,
        now,
    };
    let (cause, standing) = look
        .data_flows()
        .or_else(|| look.place())
        .or_else(|| look.module())
        .or_else(|| look.presence())
        .or_else(|| look.card())
        .or_else(|| look.registration())
        .or_else(|| look.context())
        .or_else(|| look.route())
        .or_else(|| look.probe())
        .or_else(|| look.traffic())
        .or_else(|| look.uplink())
        .unwrap_or_else(|| look.nothing_wrong());
    Diagnosis {
        standing,
        stage: look.stage(standing),
        is_mains_away: look.is_mains_away(),
        has_other_way: standing != Standing::Healthy && look.has_fresh_ack(),
        evidence: describe::facts(evidence, watch, now),
        cause,
    }
}

impl Look<'_> {
    /// 1. Data flows over the modem. Nothing else matters, not even a mute AT port.
    fn data_flows(&self) -> Word {
        let is_proved = self.has_fresh_ack() && self.is_cellular();
        is_proved.then(|| (code::LINK_OPEN.plain(), Standing::Healthy))
    }

    /// 2. No modem, and none expected.
    fn place(&self) -> Word {
        let is_empty = self.evidence.presence == ModemPresence::NotConfigured
            && self.evidence.trouble.is_none();
        is_empty.then(|| (code::MODEM_NOT_CONFIGURED.plain(), Standing::Unknown))
    }

    /// 3. Heat and supply: they explain every other failure, and every step makes them worse.
    fn module(&self) -> Word {
        if let Some(temperature) = self.watch.too_hot(self.now) {
            return fault(code::MODEM_OVER_TEMPERATURE.with("temperature", temperature));
        }
        if self.watch.too_low(self.now).is_none() && self.watch.comes_and_goes(self.now) {
            return fault(code::MODEM_UNDER_VOLTAGE.with("voltage", "?"));
        }
        let supply = self.watch.too_low(self.now)?;
        fault(code::MODEM_UNDER_VOLTAGE.with("voltage", format!("{supply:.2}")))
    }

    /// 4. The modem is not there, or does not answer.
    fn presence(&self) -> Word {
        let evidence = self.evidence;
        if evidence.presence == ModemPresence::Present {
            return None;
        }
        let trouble = evidence.trouble.clone();
        let port = trouble
            .as_ref()
            .and_then(|cause| cause.args.get("port").cloned())
            .unwrap_or_else(|| "USB".to_owned());
        let cause = trouble.unwrap_or_else(|| match evidence.presence {
            ModemPresence::Mute => code::MODEM_MUTE.with("port", &port),
            _ => code::MODEM_ABSENT.with("port", &port),
        });
        if cause.is(code::MODEM_MANAGER_FAILED) {
            // ModemManager's `failed` with the reason `sim-missing` is a card that came up too late, or none.
            let reason = cause.args.get("reason").map_or("", String::as_str);
            if reason.contains("sim-missing") || evidence.sim == SimStatus::Absent {
                return self.no_card();
            }
        }
        if cause.is(code::MODEM_ABSENT) && evidence.is_on_usb == Some(true) {
            return fault(code::MODEM_MUTE.with("port", port));
        }
        let is_known = super::FAULTS.iter().any(|code| cause.is(*code));
        fault(if is_known {
            cause
        } else {
            code::MODEM_MUTE.with("port", port)
        })
    }

    /// 5. The card.
    fn card(&self) -> Word {
        match self.evidence.sim {
            SimStatus::Unknown | SimStatus::Busy => may_pass(code::MODEM_STARTING.plain()),
            SimStatus::Absent => self.no_card(),
            SimStatus::PinRequired if self.evidence.is_pin_withheld => {
                let tries = self.evidence.pin_tries;
                let tries = tries.map_or_else(|| "?".to_owned(), |tries| tries.to_string());
                fault(code::MODEM_SIM_PIN_WITHHELD.with("tries", tries))
            }
            SimStatus::PinRequired => fault(code::MODEM_SIM_PIN_REQUIRED.plain()),
            SimStatus::PukRequired => fault(code::MODEM_SIM_PUK_REQUIRED.plain()),
            SimStatus::Failure => fault(code::MODEM_SIM_FAILURE.plain()),
            SimStatus::Ready => None,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "a word of the chain above")]
    fn no_card(&self) -> Word {
        let standing = if self.evidence.is_card_expected {
            Standing::Faulty
        } else {
            Standing::Unknown
        };
        Some((code::MODEM_SIM_ABSENT.plain(), standing))
    }

    /// 6. The radio and the network's answer.
    fn registration(&self) -> Word {
        let evidence = self.evidence;
        if evidence.is_registered() {
            return None;
        }
        if evidence.is_radio_on == Some(false) {
            return fault(code::MODEM_FLIGHT_MODE.plain());
        }
        if evidence.registration == RegistrationStatus::Denied {
            return fault(code::MODEM_DENIED.plain());
        }
        if let Some(outage) = self.area_outage() {
            return fault(outage);
        }
        match evidence.registration {
            RegistrationStatus::EmergencyOnly => fault(code::MODEM_EMERGENCY_ONLY.plain()),
            RegistrationStatus::Searching => may_pass(code::MODEM_SEARCHING.plain()),
            _ => may_pass(code::MODEM_NOT_REGISTERED.plain()),
        }
    }

    /// The cells are dark: mains is away here as well, or a modem that once was registered hears none at all.
    fn area_outage(&self) -> Option<Cause> {
        if self.is_mains_away() {
            let evidence = "mains supply is away";
            return Some(code::MODEM_AREA_OUTAGE.with("evidence", evidence));
        }
        let silent = self.watch.no_cell_for(self.now)?;
        let is_sure = silent >= NO_CELL && self.watch.was_registered();
        is_sure.then(|| {
            let evidence = format!("no cell is heard for {} s", describe::coarse(silent));
            code::MODEM_AREA_OUTAGE.with("evidence", evidence)
        })
    }

    /// 7. Registered: is there a connection for data?
    fn context(&self) -> Word {
        let evidence = self.evidence;
        if let Some(limit) = &evidence.data_limit {
            return fault(limit.clone());
        }
        if evidence.has_context == Some(true) {
            return None;
        }
        let is_refused = self.manager().is_some_and(|manager| {
            manager.device != DeviceState::Activated && manager.state_reason == Some(APN_FAILED)
        });
        let trouble = evidence.data_trouble.clone().or_else(|| {
            if is_refused {
                let cause = code::MODEM_WRONG_APN.with("operator", self.operator());
                return Some(cause.and("apn", "?").and("known", "?"));
            }
            let is_down = evidence.has_context == Some(false) && !self.is_connecting();
            is_down.then(|| {
                let cause = code::MODEM_NO_DATA_CONTEXT.with("operator", self.operator());
                cause.and("apn", "?")
            })
        })?;
        // With the mains away the network is on its batteries: no data is part of the outage.
        let is_outage = self.is_mains_away() && trouble.is(code::MODEM_NO_DATA_CONTEXT);
        fault(if is_outage {
            self.area_outage().unwrap_or(trouble)
        } else {
            trouble
        })
    }

    /// 8. Does the host use it?
    fn route(&self) -> Word {
        let manager = self.manager()?;
        match manager.device {
            DeviceState::Connecting => may_pass(code::LINK_NO_ROUTE.plain()),
            DeviceState::Disconnected | DeviceState::Failed => fault(code::LINK_NO_ROUTE.plain()),
            DeviceState::Unmanaged | DeviceState::Activated | DeviceState::Unknown => None,
        }
    }

    /// 9. What a probe found, while it went over the modem.
    fn probe(&self) -> Word {
        let is_portal = |manager: NetworkManager| manager.connectivity == Connectivity::Portal;
        let probe = self
            .evidence
            .probe
            .as_ref()
            .filter(|_| self.probe_counts())
            .filter(|probe| !probe.is(code::LINK_OPEN));
        match probe {
            Some(probe) if super::FAULTS.iter().any(|code| probe.is(*code)) => {
                if probe.is(code::LINK_STALLED) && self.is_mains_away() {
                    return fault(self.area_outage()?);
                }
                fault(probe.clone())
            }
            _ if self.manager().is_some_and(is_portal) => {
                fault(code::LINK_CAPTIVE_PORTAL.with("url", "?"))
            }
            _ => None,
        }
    }

    /// 10. Traffic: nothing comes back.
    fn traffic(&self) -> Word {
        let needs = match &self.evidence.uplink {
            // Only where the uplink tries by way of the modem are the few bytes its attempts.
            Uplink::Failing(_) if self.is_cellular() => Some(SENT_BY_UPLINK),
            Uplink::Connected {
                has_backlog: false, ..
            } => None,
            _ => Some(SENT_BY_ANYBODY),
        };
        let counted = needs.and_then(|least| self.watch.unanswered_for(least, self.now));
        let counted = counted.filter(|silent| *silent >= SILENCE);
        let acked = match &self.evidence.uplink {
            Uplink::Connected {
                last_ack: Some(at),
                has_backlog: true,
            } if self.is_cellular() => Some(self.now.saturating_sub(*at)),
            _ => None,
        };
        let acked = acked.filter(|age| *age >= STALE_ACK);
        let limited = self.watch.limited_for(self.now).filter(|_| {
            // A check is at most an hour old; what came back meanwhile knows better.
            self.watch.is_answered() != Some(true)
        });
        let silent = counted.or(acked).or(limited)?;
        if self.probe_is_open() {
            return None;
        }
        if self.is_mains_away() {
            return fault(self.area_outage()?);
        }
        let is_without_route = self.manager().is_some_and(|manager| {
            manager.connectivity == Connectivity::None && counted.is_none() && acked.is_none()
        });
        fault(if is_without_route {
            code::LINK_NO_ROUTE.plain()
        } else {
            code::LINK_STALLED.with("seconds", describe::coarse(silent))
        })
    }

    /// 11. The way is open as far as anybody can tell, and the cloud still does not answer.
    fn uplink(&self) -> Word {
        let Uplink::Failing(cause) = &self.evidence.uplink else {
            return None;
        };
        if !self.is_cellular() {
            return None;
        }
        let argument = |name: &str| cause.args.get(name).map_or("?", String::as_str).to_owned();
        if cause.is_any(&code::UPLINK_REFUSALS) {
            return fault(code::LINK_CLOUD_REFUSES.with("reason", argument("error")));
        }
        if cause.is(code::UPLINK_TLS_CLOCK_SUSPECT) {
            return fault(code::LINK_CLOCK_SUSPECT.plain());
        }
        if cause.is(code::UPLINK_TLS_INTERCEPTED) {
            let intercepted = code::LINK_TLS_INTERCEPTED.with("host", argument("broker"));
            return fault(intercepted.and("issuer", argument("issuer")));
        }
        if cause.is(code::UPLINK_TLS_FAILED) {
            return fault(cause.clone());
        }
        if cause.is(code::UPLINK_DNS_FAILED) && !self.probe_is_open() {
            return fault(code::LINK_DNS_DEAD.plain());
        }
        if cause.is(code::UPLINK_STALLED) && !self.probe_is_open() {
            if self.is_mains_away() {
                return fault(self.area_outage()?);
            }
            return fault(code::LINK_STALLED.with("seconds", argument("seconds")));
        }
        let is_cloud = [
            code::UPLINK_UNREACHABLE,
            code::UPLINK_DNS_FAILED,
            code::UPLINK_STALLED,
        ]
        .iter()
        .any(|code| cause.is(*code));
        if !is_cloud {
            // A wrong address and the like: the uplink says so itself, and the link is not to blame.
            return None;
        }
        let is_full = |manager: NetworkManager| manager.connectivity == Connectivity::Full;
        let is_open = self.probe_is_open()
            || self.watch.is_answered() == Some(true)
            || self.manager().is_some_and(is_full);
        fault(if is_open {
            code::LINK_CLOUD_UNREACHABLE.with("broker", argument("broker"))
        } else {
            cause.clone()
        })
    }

    /// 12. Nothing is wrong; whether it works, somebody has to have seen.
    fn nothing_wrong(&self) -> (Cause, Standing) {
        let is_full = |manager: NetworkManager| {
            manager.device == DeviceState::Activated && manager.connectivity == Connectivity::Full
        };
        if self.probe_is_open() || self.manager().is_some_and(is_full) {
            return (code::LINK_OPEN.plain(), Standing::Healthy);
        }
        let code = match self.evidence.registration {
            RegistrationStatus::Roaming => code::MODEM_ROAMING,
            _ => code::MODEM_REGISTERED,
        };
        (code.with("operator", self.operator()), Standing::Unknown)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a word of the chain above")]
fn fault(cause: Cause) -> Word {
    Some((cause, Standing::Faulty))
}

#[expect(clippy::unnecessary_wraps, reason = "a word of the chain above")]
fn may_pass(cause: Cause) -> Word {
    Some((cause, Standing::MayPass))
}
