//! The evidence in words, for events and for people. No number of the card or the subscriber gets in.

use std::time::Duration;

use tm_types::{ModemPresence, RegistrationStatus, SimStatus};

use super::watch::APPEARANCES;
use super::{Connectivity, DeviceState, Evidence, Uplink, Watch};

/// The most characters of somebody else's words.
const QUOTED: usize = 48;

/// A length of time that changes a few times only, so that what carries it does not change every second.
pub(super) fn coarse(time: Duration) -> u64 {
    let seconds = time.as_secs();
    let steps = [
        86_400, 43_200, 21_600, 10_800, 3600, 1800, 900, 300, 120, 60, 30,
    ];
    steps.into_iter().find(|step| seconds >= *step).unwrap_or(0)
}

/// The facts that were told, in the order of the way to the internet.
pub(super) fn facts(evidence: &Evidence, watch: &Watch, now: Duration) -> String {
    let mut facts: Vec<String> = Vec::new();
    let mut add = |fact: String| facts.push(fact);
    add(match evidence.presence {
        ModemPresence::NotConfigured => "no modem".to_owned(),
        ModemPresence::Absent => "modem absent".to_owned(),
        ModemPresence::Mute => "modem mute".to_owned(),
        ModemPresence::Present => "modem answers".to_owned(),
    });
    if let Some(trouble) = &evidence.trouble {
        add(trouble.code.clone());
    }
    if let Some(is_on_usb) = evidence.is_on_usb {
        add(if is_on_usb { "on USB" } else { "not on USB" }.to_owned());
    }
    if watch.comes_and_goes(now) {
        add(format!("appeared {APPEARANCES} times within 10 min"));
    }
    if evidence.presence == ModemPresence::Present {
        add(card(evidence.sim).to_owned());
        if evidence.is_radio_on == Some(false) {
            add("radio off".to_owned());
        }
        add(registration(evidence.registration).to_owned());
        if let Some(reject) = &evidence.reject_cause {
            add(format!("reject cause {}", quoted(reject)));
        }
        if let Some(silent) = watch.no_cell_for(now) {
            add(format!("no cell heard for {} s", coarse(silent)));
        }
        if let Some(has_context) = evidence.has_context {
            add(if has_context { "data up" } else { "data down" }.to_owned());
        }
    }
    if let Some(silent) = watch.unanswered_for(1, now) {
        add(format!("sent without an answer for {} s", coarse(silent)));
    }
    if let Some(manager) = evidence.network_manager {
        add(format!(
            "NetworkManager: {}, {}",
            device(manager.device),
            connectivity(manager.connectivity)
        ));
    }
    match &evidence.uplink {
        Uplink::Silent | Uplink::Connecting => {}
        Uplink::Connected { last_ack, .. } => {
            if let Some(at) = last_ack {
                let age = coarse(now.saturating_sub(*at));
                add(format!("last acknowledgement {age} s ago"));
            }
        }
        Uplink::Failing(cause) => add(quoted(&cause.code)),
    }
    if let Some(probe) = &evidence.probe {
        add(format!("probe {}", quoted(&probe.code)));
    }
    if let Some(temperature) = evidence.temperature_cel {
        add(format!("{temperature} °C"));
    }
    if let Some(supply) = evidence.supply_v {
        add(format!("{supply:.2} V"));
    }
    if evidence.has_mains == Some(false) {
        add("mains away".to_owned());
    }
    facts.join("; ")
}

/// Somebody else's words: short, and without characters that do something.
pub(crate) fn quoted(text: &str) -> String {
    let printable = text.chars().filter(|letter| !letter.is_control());
    printable.take(QUOTED).collect()
}

fn card(status: SimStatus) -> &'static str {
    match status {
        SimStatus::Unknown => "card not read",
        SimStatus::Absent => "no card",
        SimStatus::Busy => "card busy",
        SimStatus::PinRequired => "card asks for its PIN",
        SimStatus::PukRequired => "card asks for its PUK",
        SimStatus::Failure => "card fails",
        SimStatus::Ready => "card ready",
    }
}

fn registration(status: RegistrationStatus) -> &'static str {
    match status {
        RegistrationStatus::Unknown => "registration not told",
        RegistrationStatus::Idle => "not registered, not searching",
        RegistrationStatus::Searching => "searching",
        RegistrationStatus::Denied => "registration denied",
        RegistrationStatus::Home => "registered",
        RegistrationStatus::Roaming => "registered, roaming",
        RegistrationStatus::EmergencyOnly => "emergency calls only",
    }
}

fn device(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Unknown => "unknown",
        DeviceState::Unmanaged => "unmanaged",
        DeviceState::Disconnected => "disconnected",
        DeviceState::Connecting => "connecting",
        DeviceState::Activated => "activated",
        DeviceState::Failed => "failed",
    }
}

fn connectivity(connectivity: Connectivity) -> &'static str {
    match connectivity {
        Connectivity::Unknown => "not checked",
        Connectivity::None => "no network",
        Connectivity::Portal => "portal",
        Connectivity::Limited => "limited",
        Connectivity::Full => "full",
    }
}
