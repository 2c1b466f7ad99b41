//! What the module says by itself when something about it changed, as far as it was told to.

use super::{
    answers,
    world::{Network, World},
};

/// What was true when it was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    registration: Option<[u8; 3]>,
    access: u8,
    has_service: bool,
    has_data: bool,
    rssi: i64,
}

/// `AT+CSQDELTA` as delivered (AT Command Manual V3.00, 3.2).
const SIGNAL_DELTA: i64 = 5;
/// The supply alarm comes again this often (19.2).
const ALARM_PERIOD_S: u64 = 10;
/// From here on it is too hot, and from here on too hot to live (3.2.2 of the Hardware Design).
const WARM: i64 = 80;
const HOT: i64 = 85;

impl Seen {
    fn of(world: &World) -> Self {
        Self {
            registration: Some([0, 1, 2].map(|index| world.registration(index))),
            access: answers::access(world),
            has_service: world.has_service(),
            has_data: world.has_data(),
            rssi: answers::rssi(world),
        }
    }

    /// Takes what is now as known: somebody else has told it.
    pub(super) fn data_is_known(&mut self, has_data: bool) {
        self.has_data = has_data;
    }
}

/// The lines of what changed since the last look.
pub(super) fn lines(world: &mut World) -> Vec<String> {
    let before = std::mem::take(&mut world.seen);
    let mut now = Seen::of(world);
    let mut lines = Vec::new();
    let settings = &world.settings;
    if let (Some(was), Some(is)) = (before.registration, now.registration) {
        for (index, name) in ["+CREG", "+CGREG", "+CEREG"].into_iter().enumerate() {
            if settings.creg[index] > 0 && was[index] != is[index] {
                lines.push(answers::registration_change(name, index, world));
            }
        }
        if settings.cnsmod && before.access != now.access {
            lines.push(format!("+CNSMOD: {}", now.access));
        }
        if settings.cgerep {
            lines.extend(packet_events(&before, &now, world));
        }
        if settings.ctzr && settings.kept.ctzu && now.has_service && !before.has_service {
            lines.extend(answers::time_zone(world));
        }
        if settings.autocsq && (before.rssi - now.rssi).abs() >= SIGNAL_DELTA {
            lines.push(answers::signal(world));
        } else {
            // Small steps add up to a change.
            now.rssi = before.rssi;
        }
    }
    world.seen = now;
    lines
}

fn packet_events(before: &Seen, now: &Seen, world: &World) -> Option<String> {
    let line = match (before, now) {
        _ if before.has_service && !now.has_service => {
            // Who left whom.
            if world.may_register() && world.network() != Network::Home {
                "+CGEV: NW DETACH"
            } else {
                "+CGEV: ME DETACH"
            }
        }
        _ if !before.has_data && now.has_data => "+CGEV: EPS PDN ACT 1",
        _ if before.has_data && !now.has_data => "+CGEV: ME PDN DEACT 1",
        _ => return None,
    };
    Some(line.to_owned())
}

/// Heat and supply, once a second; the module switches itself off when told so by the second value.
pub(super) fn alarms(world: &mut World) -> (Vec<String>, bool) {
    let mut lines = Vec::new();
    let degrees = world.temperature();
    let is_too_hot = world.settings.cmte && degrees > HOT;
    if is_too_hot {
        lines.push("+CMTE:2".to_owned());
    }
    world.alarm_age = world.alarm_age.saturating_add(1);
    if world.alarm_age < ALARM_PERIOD_S {
        return (lines, is_too_hot);
    }
    world.alarm_age = 0;
    if world.settings.cmte && !is_too_hot && degrees > WARM {
        lines.push("+CMTE:1".to_owned());
    }
    if let Some((low, high)) = world.settings.cvalarm {
        // Spelled so by the firmware.
        if world.millivolts() < low {
            lines.push("UNDER-VOLTAGE WARNNING".to_owned());
        } else if world.millivolts() > high {
            lines.push("OVER-VOLTAGE WARNNING".to_owned());
        }
    }
    (lines, is_too_hot)
}
