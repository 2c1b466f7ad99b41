//! Questions, and commands without a value.

use std::time::Duration;

use super::{End, NOT_SUPPORTED, Reply, card, gnss, sms};
use crate::sim7600::{
    answers,
    ports::Line,
    world::{Boot, Effect, Later, World},
};

/// A search of all operators (up to 180 s on the real module; manual, 4.2.2).
const SEARCH: Duration = Duration::from_secs(30);

/// `AT+X=?`.
pub(super) fn test(name: &str, port: Line, world: &mut World, reply: &mut Reply) -> End {
    let line = match name {
        "+COPS" => return search(port, world),
        "+CESQ" if world.config.has_extended_signal => {
            "+CESQ: (0-63,99),(0-7,99),(0-96,255),(0-49,255),(0-34,255),(0-97,255)"
        }
        "+CMGF" => "+CMGF: (0,1)",
        "+CNMI" => "+CNMI: (0,1,2),(0,1,2,3),(0,2),(0,1,2),(0,1)",
        "+CPMS" => "+CPMS: (\"ME\",\"MT\",\"SM\",\"SR\"),(\"ME\",\"MT\",\"SM\"),(\"ME\",\"SM\")",
        "+CSQ" => "+CSQ: (0-31,99),(0-7,99)",
        "+CFUN" => "+CFUN: (0,1,4,5,6,7),(0,1)",
        "+CUSD" => "+CUSD: (0,1,2)",
        "+CNSMOD" => "+CNSMOD: (0-1)",
        "+AUTOCSQ" => "+AUTOCSQ: (0-1),(0-1)",
        "+CNMP" => "+CNMP: (2,9,10,13,14,19,22,38,39,48,51,54,59,60,63,67)",
        "+CGPS" => "+CGPS: (0-1),(1-3)",
        "+CTZU" => "+CTZU: (0-1)",
        "+CTZR" => "+CTZR: (0-1)",
        "+CSCS" => "+CSCS: (\"IRA\",\"GSM\",\"UCS2\")",
        "+CREG" | "+CGREG" | "+CEREG" => {
            reply.line(format!("{name}: (0-2)"));
            return End::Ok;
        }
        "+CUSBPIDSWITCH" => {
            "+CUSBPIDSWITCH: (9000,9001,9002,9003,9004,9005,9006,9007,9011,9016,9018,9019,901A,901B,9020,9021,9022,\
             9023,9024,9025,9026,9027,9028,9029,902A,902B),(0-1),(0-1)"
        }
        "+CGDCONT" => {
            for kind in ["IP", "PPP", "IPV6", "IPV4V6"] {
                reply.line(format!(
                    "+CGDCONT: (1-24,100-179),\"{kind}\",,,(0-2),(0-4),(0-1),(0-1)"
                ));
            }
            return End::Ok;
        }
        _ if super::set::ACCEPTED.contains(&name) => return End::Ok,
        _ => return End::Error,
    };
    reply.line(line);
    End::Ok
}

/// `AT+X?` and `AT+X`.
pub(super) fn ask(name: &str, query: bool, world: &mut World, reply: &mut Reply) -> End {
    if let Some(end) = card::ask(name, world, reply)
        .or_else(|| sms::ask(name, query, world, reply))
        .or_else(|| gnss::ask(name, query, world, reply))
        .or_else(|| network(name, query, world, reply))
        .or_else(|| identity(name, world, reply))
    {
        return end;
    }
    match name {
        "" | "Z" | "&F" | "&W" | "V1" | "Q0" | "X4" | "&C1" | "&D1" | "&D2" | "H" | "S0" => {}
        "+CBC" | "+CPMUTEMP" if world.boot < Boot::MessagesRead => return End::Error,
        "+CBC" => {
            let millivolts = world.millivolts();
            reply.line(format!(
                "+CBC: {}.{:03}V",
                millivolts / 1000,
                millivolts % 1000
            ));
        }
        "+CPMUTEMP" => reply.line(format!("+CPMUTEMP: {}", world.temperature())),
        "+CCLK" if query => reply.line(answers::clock(world)),
        "+CTZU" if query => reply.line(format!("+CTZU: {}", u8::from(world.settings.kept.ctzu))),
        "+CTZR" if query => reply.line(format!("+CTZR: {}", u8::from(world.settings.ctzr))),
        "+CMTE" if query => {
            // The setting and the temperature (manual, 19.2.6).
            let is_on = u8::from(world.settings.cmte);
            reply.line(format!("+CMTE: {is_on},{}", world.temperature()));
        }
        "+CVALARM" if query => {
            let (low, high) = world.settings.cvalarm.unwrap_or((3300, 4300));
            let is_on = u8::from(world.settings.cvalarm.is_some());
            reply.line(format!("+CVALARM: {is_on},{low},{high}"));
        }
        "+CFUN" if query => reply.line(format!("+CFUN: {}", world.settings.cfun)),
        "+CMEE" if query => reply.line(format!("+CMEE: {}", world.settings.cmee)),
        "+CATR" if query => reply.line(format!("+CATR: {},0", world.settings.catr)),
        "+CSCS" if query => reply.line("+CSCS: \"IRA\""),
        "+IFC" if query => reply.line("+IFC: 0,0"),
        "+IPREX" | "+IPR" if query => reply.line(format!("{name}: 115200")),
        "+CUSD" if query => reply.line(format!("+CUSD: {}", u8::from(world.settings.cusd))),
        "+CUSBPIDSWITCH" if query => {
            reply.line(format!("+CUSBPIDSWITCH: {}", world.composition.product()));
        }
        "+UIMHOTSWAPON" if query => {
            reply.line(format!(
                "+UIMHOTSWAPON: {}",
                u8::from(world.settings.kept.hot_swap)
            ));
        }
        "+UIMHOTSWAPLEVEL" if query => {
            let level = u8::from(world.settings.kept.hot_swap_level);
            reply.line(format!("+UIMHOTSWAPLEVEL: {level}"));
        }
        "+CRESET" => reply.effects.push(Effect::Restart),
        "+CPOF" => reply.effects.push(Effect::PowerOff),
        _ => return End::Error,
    }
    End::Ok
}

fn identity(name: &str, world: &World, reply: &mut Reply) -> Option<End> {
    match name {
        "I" | "+SIMCOMATI" => {
            reply.line("Manufacturer: SIMCOM INCORPORATED");
            reply.line("Model: SIMCOM_SIM7600G-H");
            reply.line("Revision: LE20B04SIM7600G22");
            reply.line(format!("IMEI: {}", world.imei));
            reply.line("+GCAP: +CGSM");
        }
        "+GCAP" => reply.line("+GCAP: +CGSM"),
        "+CGMI" => reply.line("SIMCOM INCORPORATED"),
        "+CGMM" => reply.line("SIMCOM_SIM7600G-H"),
        "+CGMR" => reply.line("+CGMR: LE20B04SIM7600G22"),
        "+CSUB" => reply.line("+CSUB: B04V03"),
        "+CGSN" => reply.line(world.imei.clone()),
        _ => return None,
    }
    Some(End::Ok)
}

fn network(name: &str, query: bool, world: &World, reply: &mut Reply) -> Option<End> {
    match name {
        "+CREG" if query => reply.line(answers::registration("+CREG", 0, world)),
        "+CGREG" if query => reply.line(answers::registration("+CGREG", 1, world)),
        "+CEREG" if query => reply.line(answers::registration("+CEREG", 2, world)),
        "+COPS" if query => reply.line(answers::operator(world)),
        "+CSQ" => reply.line(answers::signal(world)),
        "+CESQ" if world.config.has_extended_signal => reply.line(answers::extended_signal(world)),
        "+CESQ" => return Some(NOT_SUPPORTED),
        "+CPSI" if query => reply.line(answers::serving_cell(world)),
        "+CNSMOD" if query => {
            let n = u8::from(world.settings.cnsmod);
            reply.line(format!("+CNSMOD: {n},{}", answers::access(world)));
        }
        "+AUTOCSQ" if query => {
            reply.line(format!("+AUTOCSQ: {},1", u8::from(world.settings.autocsq)));
        }
        "+CNMP" if query => reply.line(format!("+CNMP: {}", world.settings.kept.cnmp)),
        "+CNLSA" if query => reply.line(format!("+CNLSA: {}", u8::from(world.settings.cnlsa))),
        "+CGDCONT" if query => {
            let access_point = &world.access_point;
            reply.line(format!(
                "+CGDCONT: 1,\"IP\",\"{access_point}\",\"0.0.0.0\",0,0,0,0"
            ));
            let empty = answers::NO_IPV6;
            reply.line(format!(
                "+CGDCONT: 2,\"IPV4V6\",\"ims\",\"{empty}\",0,0,0,0"
            ));
        }
        "+CGPADDR" => reply.lines.extend(answers::addresses(world)),
        "+CGATT" if query => {
            let is_attached = world.has_service() && world.is_attached;
            reply.line(format!("+CGATT: {}", u8::from(is_attached)));
        }
        "+CGACT" if query => reply.lines.extend(answers::activity(world)),
        "+CGEREP" if query => {
            reply.line(format!(
                "+CGEREP: {},1",
                u8::from(world.settings.cgerep) * 2
            ));
        }
        "+CEER" => reply.line(answers::last_error(world)),
        _ => return None,
    }
    Some(End::Ok)
}

/// `AT+COPS=?`.
fn search(port: Line, world: &mut World) -> End {
    let found = vec![answers::operators(world)];
    let answer = Effect::Answer(port, found, "OK".to_owned());
    world.later(SEARCH, Later::Do(answer));
    End::Later { is_abortable: true }
}
