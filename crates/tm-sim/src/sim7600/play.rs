//! Scenarios: what changes in the world, and what the module says to that at once.

use std::time::Duration;

use super::{
    Scenario,
    messages::Memory,
    pdu,
    world::{Effect, Later, Network, SimCard, Technology, World},
};

/// `staticip` with a typing error.
const MISTYPED: &str = "statikip";
/// What another card and another module are.
const OTHER_ICCID: &str = "8938001000000000002";
const OTHER_IMSI: &str = "255010000000002";
const OTHER_IMEI: &str = "860000000000002";
/// What unlocks the card of [`Scenario::WrongPin`]; the default of the configuration is another.
const OTHER_PIN: &str = "7731";
/// From the card's leaving to the next one's being read.
const CARD_READ_AFTER: Duration = Duration::from_secs(1);

/// Changes what the scenario is about and leaves the rest; the lines the module prints by itself.
pub(super) fn play(world: &mut World, scenario: Scenario) -> Vec<&'static str> {
    world.break_down(scenario);
    match scenario {
        Scenario::Normal => {
            let was_missing = world.sim() == SimCard::Missing;
            world.mend();
            return if was_missing {
                vec!["+CPIN: READY"]
            } else {
                vec![]
            };
        }
        Scenario::NoSim => {
            world.sim = SimCard::Missing;
            return vec!["+SIMCARD: NOT AVAILABLE"];
        }
        Scenario::NoSimUntilReset => return vec!["+SIMCARD: NOT AVAILABLE"],
        Scenario::PinRequired | Scenario::WrongPin | Scenario::PinLastTry => {
            world.sim = SimCard::PinRequired;
            let pin = if scenario == Scenario::WrongPin {
                OTHER_PIN.to_owned()
            } else {
                world.config.pin.clone()
            };
            world.card.pin = Some(pin);
            world.card.pin_tries = if scenario == Scenario::PinLastTry {
                1
            } else {
                3
            };
            return vec!["+CPIN: SIM PIN"];
        }
        Scenario::PukRequired => {
            world.sim = SimCard::PukRequired;
            world.card.pin = Some(world.config.pin.clone());
            world.card.pin_tries = 0;
            return vec!["+CPIN: SIM PUK"];
        }
        Scenario::SimSwapped => {
            OTHER_ICCID.clone_into(&mut world.card.iccid);
            OTHER_IMSI.clone_into(&mut world.card.imsi);
            world.sim = SimCard::Ready;
            world.card.pin = None;
            world.messages.card_swapped();
            let ready = Effect::Urc("+CPIN: READY".to_owned());
            world.later(CARD_READ_AFTER, Later::Do(ready));
            return vec!["+SIMCARD: NOT AVAILABLE"];
        }
        Scenario::ModemSwapped => OTHER_IMEI.clone_into(&mut world.imei),
        Scenario::WrongApn => {
            MISTYPED.clone_into(&mut world.access_point);
            world.seen.data_is_known(false);
            return vec!["+CGEV: NW DEACT \"IP\",\"0.0.0.0\",1"];
        }
        Scenario::ApnNormal => {
            world.access_point.clone_from(&world.config.access_point);
            world.seen.data_is_known(true);
            return vec!["+CGEV: EPS PDN ACT 1"];
        }
        Scenario::Searching => world.set_network(Network::Searching),
        Scenario::Denied => world.set_network(Network::Denied),
        Scenario::Roaming => world.set_network(Network::Roaming),
        Scenario::AreaOutage => world.is_area_out = true,
        Scenario::Deregistered => world.deregistered = true,
        Scenario::FlightMode => world.is_flight = true,
        Scenario::Gsm => world.cells = Technology::Gsm,
        Scenario::Wcdma => world.cells = Technology::Wcdma,
        Scenario::Reselecting => world.is_reselecting = true,
        Scenario::OverTemperature => world.heat = 45.0,
        Scenario::Overheated => world.heat = 52.0,
        Scenario::ModemUnderVoltage => world.sag_millivolts = 530,
        Scenario::MessagesFull => {
            let old = pdu::deliver("1500", "Old news", world.now(), 1).concat();
            world.messages.fill(Memory::Sm, &old);
            world.messages.fill(Memory::Me, &old);
        }
        Scenario::NoSky => world.sky.cover(),
        Scenario::Spoofing => world.sky.spoof(),
        Scenario::SpoofingOver => world.sky.tell_truth(),
        _ => {}
    }
    Vec::new()
}
