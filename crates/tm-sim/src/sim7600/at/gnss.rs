//! The satellite receiver (manual, 17) and its antenna's supply (19.2).

use super::{End, Reply};
use crate::sim7600::{
    answers,
    world::{Effect, World},
};

pub(super) fn ask(name: &str, query: bool, world: &mut World, reply: &mut Reply) -> Option<End> {
    let settings = &world.settings;
    match name {
        "+CGPS" if query => reply.line(format!("+CGPS: {},1", u8::from(world.gnss_on))),
        "+CGPSINFO" | "+CGNSSINFO" => reply.line(answers::position(name, world)),
        "+CGPSAUTO" if query => {
            reply.line(format!("+CGPSAUTO: {}", u8::from(settings.kept.gnss_auto)));
        }
        "+CGPSNMEA" if query => reply.line(format!("+CGPSNMEA: {}", settings.kept.gnss_mask)),
        "+CGPSNMEARATE" if query => {
            reply.line(format!("+CGPSNMEARATE: {}", settings.kept.gnss_rate));
        }
        "+CGNSSMODE" if query => reply.line("+CGNSSMODE: 15,1"),
        "+CVAUXV" if query => reply.line(format!("+CVAUXV: {}", settings.cvauxv)),
        "+CVAUXS" if query => reply.line(format!("+CVAUXS: {}", u8::from(settings.cvauxs))),
        "+CGPSXE" if query => reply.line("+CGPSXE: 0"),
        // Only while the engine is off (17.2.5, 17.2.6); then it starts.
        "+CGPSHOT" | "+CGPSCOLD" | "+CGPSWARM" if world.gnss_on => return Some(End::Error),
        "+CGPSHOT" | "+CGPSCOLD" | "+CGPSWARM" => start(world),
        _ => return None,
    }
    Some(End::Ok)
}

pub(super) fn set(name: &str, value: &str, world: &mut World, reply: &mut Reply) -> Option<End> {
    let is_on = world.gnss_on;
    let kept = &mut world.settings.kept;
    match (name, value) {
        // The mask is refused while the engine runs (17.2.8), and so is its start.
        ("+CGPS", "1" | "1,1") | ("+CGPSNMEA", _) if is_on => return Some(End::Error),
        ("+CGPS", "1" | "1,1") => start(world),
        ("+CGPS", "0") => {
            if !is_on {
                return Some(End::Error);
            }
            world.gnss_on = false;
            // The confirmation comes after the final result.
            reply.effects.push(Effect::Urc("+CGPS: 0".to_owned()));
        }
        ("+CGPSAUTO", "0" | "1") => kept.gnss_auto = value == "1",
        ("+CGPSNMEA", _) => match value.parse() {
            Ok(mask @ 0..=262_143) => kept.gnss_mask = mask,
            _ => return Some(End::Error),
        },
        ("+CGPSNMEARATE", "0" | "1") => kept.gnss_rate = u8::from(value == "1"),
        ("+CGNSSMODE" | "+CGPSXE" | "+CGPSXD" | "+CGPSXDAUTO" | "+CGPSINFOCFG" | "+CGPSDEL", _) => {
        }
        ("+CVAUXV", _) => match value.parse() {
            // 1.7 to 3.05 V in steps of 50 mV (19.2.3).
            Ok(millivolts @ 1700..=3050) if millivolts % 50 == 0 => {
                world.settings.cvauxv = millivolts;
            }
            _ => return Some(End::Error),
        },
        ("+CVAUXS", "0" | "1") => world.settings.cvauxs = value == "1",
        _ => return None,
    }
    Some(End::Ok)
}

fn start(world: &mut World) {
    world.gnss_on = true;
    world.sky.engine_started();
}
