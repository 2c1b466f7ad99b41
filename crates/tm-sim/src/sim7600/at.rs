//! The AT dialogue of the module (SIM7500_SIM7600 AT Command Manual V3.00).

use super::{
    answers,
    world::{Boot, Effect, SimCard, World},
};

/// Longest command line read (manual, 1.4.4).
const MAX_COMMAND: usize = 559;

/// The command line being typed.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    line: Vec<u8>,
}

/// How one command of a line ends; its lines are printed before.
enum End {
    Ok,
    Error,
    /// `+CME ERROR` with its number and text.
    Cme(u16, &'static str),
}

const NOT_INSERTED: End = End::Cme(10, "SIM not inserted");
const NOT_SUPPORTED: End = End::Cme(4, "operation not supported");

impl Terminal {
    /// Takes in what was written to the port; returns what the module prints and does.
    pub(super) fn feed(&mut self, bytes: &[u8], world: &mut World) -> (Vec<u8>, Vec<Effect>) {
        let (mut output, mut effects) = (Vec::new(), Vec::new());
        for byte in bytes {
            if world.settings.echo {
                output.push(*byte);
            }
            match byte {
                b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    let line = String::from_utf8_lossy(&line).trim().to_owned();
                    answer(&line, world, &mut output, &mut effects);
                }
                b'\n' => {}
                0x08 => {
                    self.line.pop();
                }
                _ if self.line.len() < MAX_COMMAND => self.line.push(*byte),
                _ => {}
            }
        }
        (output, effects)
    }

    /// Forgets the half-typed line.
    pub(super) fn clear(&mut self) {
        self.line.clear();
    }
}

/// One line printed by the module.
pub(super) fn print(output: &mut Vec<u8>, line: &str) {
    output.extend(b"\r\n");
    output.extend(line.as_bytes());
    output.extend(b"\r\n");
}

fn answer(line: &str, world: &mut World, output: &mut Vec<u8>, effects: &mut Vec<Effect>) {
    // Anything before the attention is noise; a line without one is not answered.
    let upper = line.to_ascii_uppercase();
    let Some(start) = upper.find("AT") else {
        return;
    };
    world.n_commands += 1;
    let rest = line.get(start + 2..).unwrap_or_default();
    for command in rest.split(';') {
        let mut lines = Vec::new();
        let end = execute(command.trim(), world, &mut lines, effects);
        for line in lines {
            print(output, &line);
        }
        match (end, world.settings.cmee) {
            (End::Ok, _) => {}
            (End::Error, _) | (End::Cme(..), 0) => return print(output, "ERROR"),
            (End::Cme(code, _), 1) => return print(output, &format!("+CME ERROR: {code}")),
            (End::Cme(_, text), _) => return print(output, &format!("+CME ERROR: {text}")),
        }
    }
    print(output, "OK");
}

fn execute(
    command: &str,
    world: &mut World,
    lines: &mut Vec<String>,
    effects: &mut Vec<Effect>,
) -> End {
    let at = command.find(['=', '?']).unwrap_or(command.len());
    let (name, form) = command.split_at(at);
    let name = name.trim().to_ascii_uppercase();
    match form.strip_prefix('=') {
        Some("?") => test(&name),
        Some(value) => set(&name, value.trim(), world, lines, effects),
        None => ask(&name, form == "?", world, lines, effects),
    }
}

fn test(name: &str) -> End {
    if ACCEPTED.contains(&name) {
        End::Ok
    } else {
        End::Error
    }
}

fn ask(
    name: &str,
    query: bool,
    world: &mut World,
    lines: &mut Vec<String>,
    effects: &mut Vec<Effect>,
) -> End {
    match name {
        "" | "Z" | "&F" | "&W" => {}
        "E" | "E0" => world.settings.echo = false,
        "E1" => world.settings.echo = true,
        "I" | "+SIMCOMATI" => {
            lines.push("Manufacturer: SIMCOM INCORPORATED".to_owned());
            lines.push("Model: SIMCOM_SIM7600G-H".to_owned());
            lines.push("Revision: LE20B04SIM7600G22".to_owned());
            lines.push(format!("IMEI: {}", world.config.imei));
            lines.push("+GCAP: +CGSM".to_owned());
        }
        "+CGMI" => lines.push("SIMCOM INCORPORATED".to_owned()),
        "+CGMM" => lines.push("SIMCOM_SIM7600G-H".to_owned()),
        "+CGMR" => lines.push("+CGMR: LE20B04SIM7600G22".to_owned()),
        "+CSUB" => lines.push("+CSUB: B04V03".to_owned()),
        "+CGSN" => lines.push(world.config.imei.clone()),
        "+CIMI" | "+CICCID" | "+ICCID" | "+CPIN" | "+SPIC" => return sim(name, world, lines),
        "+CREG" if query => lines.push(answers::registration("+CREG", 0, world)),
        "+CGREG" if query => lines.push(answers::registration("+CGREG", 1, world)),
        "+CEREG" if query => lines.push(answers::registration("+CEREG", 2, world)),
        "+COPS" if query => lines.push(answers::operator(world)),
        "+CSQ" => lines.push(answers::signal(world)),
        "+CPSI" if query => lines.push(answers::serving_cell(world)),
        "+CNSMOD" if query => lines.push(format!(
            "+CNSMOD: 0,{}",
            if world.has_service() { 8 } else { 0 }
        )),
        "+CBC" | "+CPMUTEMP" if world.boot < Boot::MessagesRead => return End::Error,
        "+CBC" => {
            let millivolts = world.millivolts();
            lines.push(format!(
                "+CBC: {}.{:03}V",
                millivolts / 1000,
                millivolts % 1000
            ));
        }
        "+CPMUTEMP" => lines.push(format!("+CPMUTEMP: {}", world.temperature())),
        "+CGDCONT" if query => {
            lines.push(format!(
                "+CGDCONT: 1,\"IP\",\"{}\",\"0.0.0.0\",0,0,0,0",
                world.access_point
            ));
            lines.push(format!(
                "+CGDCONT: 2,\"IPV4V6\",\"ims\",\"{}\",0,0,0,0",
                answers::NO_IPV6
            ));
        }
        "+CGPADDR" => lines.extend(answers::addresses(world)),
        "+CGATT" if query => lines.push(format!("+CGATT: {}", u8::from(world.has_service()))),
        "+CGACT" if query => lines.extend(answers::activity(world)),
        "+CEER" => lines.push(answers::last_error(world)),
        "+CCLK" if query => lines.push(answers::clock(world)),
        "+CGPS" if query => lines.push(format!("+CGPS: {},1", u8::from(world.gnss_on))),
        "+CFUN" if query => lines.push(format!("+CFUN: {}", world.settings.cfun)),
        "+CMEE" if query => lines.push(format!("+CMEE: {}", world.settings.cmee)),
        "+CSCS" if query => lines.push("+CSCS: \"IRA\"".to_owned()),
        "+IFC" if query => lines.push("+IFC: 0,0".to_owned()),
        "+CNMP" if query => lines.push("+CNMP: 2".to_owned()),
        "+CMGF" if query => lines.push("+CMGF: 0".to_owned()),
        "+CUSBPIDSWITCH" if query => lines.push("+CUSBPIDSWITCH: 9001".to_owned()),
        "+CRESET" => effects.push(Effect::Restart),
        "+CPOF" => effects.push(Effect::PowerOff),
        _ => return End::Error,
    }
    End::Ok
}

fn set(
    name: &str,
    value: &str,
    world: &mut World,
    lines: &mut Vec<String>,
    effects: &mut Vec<Effect>,
) -> End {
    let settings = &mut world.settings;
    match (name, value) {
        ("+CMEE", "0" | "1" | "2") => settings.cmee = value.parse().unwrap_or(2),
        ("+CREG", "0" | "1" | "2") => settings.creg[0] = value.parse().unwrap_or(0),
        ("+CGREG", "0" | "1" | "2") => settings.creg[1] = value.parse().unwrap_or(0),
        ("+CEREG", "0" | "1" | "2") => settings.creg[2] = value.parse().unwrap_or(0),
        ("+CNLSA", "0" | "1") => settings.cnlsa = value == "1",
        ("+COPS", "0") => world.deregistered = false,
        ("+COPS", "2") => world.deregistered = true,
        ("+COPS", "3,0" | "3,1") => settings.cops_format = 0,
        ("+COPS", "3,2") => settings.cops_format = 2,
        ("+CFUN", "1,1" | "6") => effects.push(Effect::Restart),
        ("+CFUN", "0" | "1" | "4") => settings.cfun = value.parse().unwrap_or(1),
        ("+CPIN", _) => return enter_pin(value.trim_matches('"'), world, lines),
        ("+CGPS", "1" | "1,1") if world.gnss_on => return End::Error,
        ("+CGPS", "1" | "1,1") => {
            world.gnss_on = true;
            world.sky.engine_started();
        }
        ("+CGPS", "0") => {
            if !world.gnss_on {
                return End::Error;
            }
            world.gnss_on = false;
            // The confirmation comes after the final result.
            effects.push(Effect::GnssStopped);
        }
        ("+CGDCONT", _) => {
            let mut fields = value.split(',').map(|field| field.trim().trim_matches('"'));
            let (id, _, access_point) = (fields.next(), fields.next(), fields.next());
            if id == Some("1") {
                access_point
                    .unwrap_or_default()
                    .clone_into(&mut world.access_point);
            }
        }
        ("+CGPADDR", "1") => lines.extend(answers::addresses(world).into_iter().take(1)),
        _ if ACCEPTED.contains(&name) => {}
        _ => return NOT_SUPPORTED,
    }
    End::Ok
}

/// Commands that are taken and change nothing here.
const ACCEPTED: &[&str] = &[
    "+CTZU",
    "+CTZR",
    "+CVALARM",
    "+CMTE",
    "+CGEREP",
    "+CATR",
    "+CNMI",
    "+CMGF",
    "+CPMS",
    "+CSCS",
    "+CNMP",
    "+CNSMOD",
    "+AUTOCSQ",
    "+CPSI",
    "+CUSD",
    "+CLIP",
    "+IFC",
    "+CVAUXV",
    "+CVAUXS",
    "+CGPSAUTO",
    "+CGPSNMEA",
    "+CMEE",
    "+COPS",
    "+CREG",
    "+CGREG",
    "+CEREG",
    "+CGPS",
    "+CFUN",
    "+CSQ",
];

fn sim(name: &str, world: &World, lines: &mut Vec<String>) -> End {
    if world.sim == SimCard::Missing {
        return NOT_INSERTED;
    }
    if world.boot < Boot::SimRead {
        return End::Cme(14, "SIM busy");
    }
    match (name, world.sim) {
        ("+CPIN", SimCard::PinRequired) => lines.push("+CPIN: SIM PIN".to_owned()),
        ("+CPIN", SimCard::PukRequired) => lines.push("+CPIN: SIM PUK".to_owned()),
        ("+CPIN", _) => lines.push("+CPIN: READY".to_owned()),
        ("+SPIC", _) => lines.push(format!("+SPIC: {},10,3,10", world.pin_tries)),
        ("+CIMI", SimCard::PinRequired) => return End::Cme(11, "SIM PIN required"),
        ("+CIMI", SimCard::PukRequired) => return End::Cme(12, "SIM PUK required"),
        ("+CIMI", _) => lines.push(world.config.imsi.clone()),
        _ => lines.push(format!("+ICCID: {}F", world.config.iccid)),
    }
    End::Ok
}

fn enter_pin(pin: &str, world: &mut World, lines: &mut Vec<String>) -> End {
    match world.sim {
        SimCard::Missing => return NOT_INSERTED,
        SimCard::PukRequired => return End::Cme(12, "SIM PUK required"),
        SimCard::Ready => return End::Cme(3, "operation not allowed"),
        SimCard::PinRequired => {}
    }
    if pin == world.config.pin {
        world.sim = SimCard::Ready;
        world.pin_tries = 3;
        lines.push("+CPIN: READY".to_owned());
        return End::Ok;
    }
    world.pin_tries = world.pin_tries.saturating_sub(1);
    if world.pin_tries == 0 {
        world.sim = SimCard::PukRequired;
    }
    End::Cme(16, "incorrect password")
}
