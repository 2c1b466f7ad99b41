//! The SIM card.

use super::{
    End, NOT_ALLOWED, NOT_INSERTED, PIN_REQUIRED, PUK_REQUIRED, Reply, SIM_BUSY, SIM_FAILURE,
    WRONG_PASSWORD, fields,
};
use crate::sim7600::{
    answers,
    world::{Boot, PIN_TRIES, SimCard, World},
};

/// Why the card cannot be asked anything, where it cannot.
fn unreadable(world: &World) -> Option<End> {
    match world.sim() {
        SimCard::Missing => Some(NOT_INSERTED),
        _ if world.boot < Boot::SimRead => Some(SIM_BUSY),
        // Its supply is off. UNVERIFIED: what the module says then.
        _ if world.settings.cfun == 0 => Some(SIM_FAILURE),
        SimCard::Blocked => Some(SIM_FAILURE),
        _ => None,
    }
}

/// Why the card tells nothing of what it holds.
pub(super) fn locked(world: &World) -> Option<End> {
    unreadable(world).or(match world.sim() {
        SimCard::PinRequired => Some(PIN_REQUIRED),
        SimCard::PukRequired => Some(PUK_REQUIRED),
        _ => None,
    })
}

pub(super) fn ask(name: &str, world: &World, reply: &mut Reply) -> Option<End> {
    if !["+CIMI", "+CICCID", "+ICCID", "+CPIN", "+SPIC", "+CNUM"].contains(&name) {
        return None;
    }
    if let Some(end) = unreadable(world) {
        return Some(end);
    }
    match (name, world.sim()) {
        ("+CPIN", SimCard::PinRequired) => reply.line("+CPIN: SIM PIN"),
        ("+CPIN", SimCard::PukRequired) => reply.line("+CPIN: SIM PUK"),
        ("+CPIN", _) => reply.line("+CPIN: READY"),
        ("+SPIC", _) => reply.line(answers::tries(world)),
        ("+CIMI" | "+CNUM", _) => {
            if let Some(end) = locked(world) {
                return Some(end);
            }
            // The operator wrote no number onto the card.
            if name == "+CIMI" {
                reply.line(world.card.imsi.clone());
            }
        }
        _ => reply.line(format!("+ICCID: {}F", world.card.iccid)),
    }
    Some(End::Ok)
}

pub(super) fn set(name: &str, value: &str, world: &mut World, reply: &mut Reply) -> Option<End> {
    if name != "+CPIN" {
        return None;
    }
    // A PUK comes with the new PIN.
    let fields = fields(value);
    let (secret, new_pin) = (fields.first().copied().unwrap_or_default(), fields.get(1));
    Some(match (world.sim(), new_pin) {
        (SimCard::Missing, _) => NOT_INSERTED,
        (SimCard::Blocked, _) => SIM_FAILURE,
        (SimCard::Ready, _) => NOT_ALLOWED,
        (SimCard::PukRequired, None) => PUK_REQUIRED,
        (SimCard::PukRequired, Some(pin)) => enter_puk(secret, pin, world, reply),
        (SimCard::PinRequired, _) => enter_pin(secret, world, reply),
    })
}

fn enter_pin(pin: &str, world: &mut World, reply: &mut Reply) -> End {
    if world.card.pin.as_deref() == Some(pin) {
        world.sim = SimCard::Ready;
        world.card.pin_tries = PIN_TRIES;
        reply.line("+CPIN: READY");
        return End::Ok;
    }
    world.card.pin_tries = world.card.pin_tries.saturating_sub(1);
    if world.card.pin_tries == 0 {
        world.sim = SimCard::PukRequired;
    }
    WRONG_PASSWORD
}

/// The card's PUK.
pub(crate) const PUK: &str = "12345678";

fn enter_puk(puk: &str, pin: &str, world: &mut World, reply: &mut Reply) -> End {
    if puk == PUK {
        world.sim = SimCard::Ready;
        world.card.pin = Some(pin.to_owned());
        world.card.pin_tries = PIN_TRIES;
        reply.line("+CPIN: READY");
        return End::Ok;
    }
    world.card.puk_tries = world.card.puk_tries.saturating_sub(1);
    if world.card.puk_tries == 0 {
        world.sim = SimCard::Blocked;
    }
    WRONG_PASSWORD
}
