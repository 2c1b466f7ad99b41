//! The AT dialogue of the module (SIM7500_SIM7600 AT Command Manual V3.00).

mod ask;
mod card;
mod gnss;
mod set;
pub(super) mod sms;

use super::{
    config::Delivery,
    ports::Line,
    world::{Effect, World},
};

/// Longest command line read (manual, 1.4.4).
const MAX_COMMAND: usize = 559;
/// Longest text at a prompt: a whole message in hexadecimal, with room.
const MAX_PROMPTED: usize = 1024;
/// Kept of what is typed while a command takes its time.
const MAX_AHEAD: usize = 4096;

const CONTROL_Z: u8 = 0x1A;
const ESCAPE: u8 = 0x1B;

/// One port's dialogue: the command line being typed, or what stands in its place.
#[derive(Debug)]
pub(super) struct Terminal {
    port: Line,
    echo: bool,
    line: Vec<u8>,
    mode: Mode,
    /// Which of the lines of [`Delivery::urcs_inside`] is next.
    n_inside: usize,
}

#[derive(Debug)]
enum Mode {
    Command,
    /// A message is being typed.
    Prompt(Prompted),
    /// A command takes its time; what was typed meanwhile.
    Busy {
        ahead: Vec<u8>,
        is_abortable: bool,
    },
}

/// What the prompt of `AT+CMGS` waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Prompted {
    /// Octets of this length without the service centre, in hexadecimal.
    Octets(usize),
    /// A text to this number.
    Text(String),
}

/// How one command of a line ends; its lines are printed before.
#[derive(Debug)]
enum End {
    Ok,
    Error,
    /// `+CME ERROR` with its number and text.
    Cme(u16, &'static str),
    /// `+CMS ERROR` with its number.
    Cms(u16),
    /// A prompt, and no final result yet.
    Prompt(Prompted),
    /// [`Effect::Answer`] brings the final result; any byte aborts it where that is so.
    Later {
        is_abortable: bool,
    },
}

const NOT_ALLOWED: End = End::Cme(3, "operation not allowed");
const NOT_SUPPORTED: End = End::Cme(4, "operation not supported");
const NOT_INSERTED: End = End::Cme(10, "SIM not inserted");
const PIN_REQUIRED: End = End::Cme(11, "SIM PIN required");
const PUK_REQUIRED: End = End::Cme(12, "SIM PUK required");
const SIM_FAILURE: End = End::Cme(13, "SIM failure");
const SIM_BUSY: End = End::Cme(14, "SIM busy");
const WRONG_PASSWORD: End = End::Cme(16, "incorrect password");
const NO_NETWORK: End = End::Cme(30, "no network service");

/// What a command prints and causes.
#[derive(Debug, Default)]
struct Reply {
    lines: Vec<String>,
    effects: Vec<Effect>,
}

impl Reply {
    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }
}

impl Terminal {
    pub(super) fn new(port: Line, delivery: &Delivery) -> Self {
        Self {
            port,
            echo: !delivery.is_echo_off,
            line: Vec::new(),
            mode: Mode::Command,
            n_inside: 0,
        }
    }

    /// Takes in what was written to the port; returns what the module prints and does.
    pub(super) fn feed(&mut self, bytes: &[u8], world: &mut World) -> (Vec<u8>, Vec<Effect>) {
        let (mut output, mut effects) = (Vec::new(), Vec::new());
        for byte in bytes {
            self.byte(*byte, world, &mut output, &mut effects);
        }
        (output, effects)
    }

    /// A command that took its time ends; what was typed meanwhile is taken in.
    pub(super) fn finish(
        &mut self,
        lines: &[String],
        result: &str,
        world: &mut World,
    ) -> (Vec<u8>, Vec<Effect>) {
        let Mode::Busy { ahead, .. } = std::mem::replace(&mut self.mode, Mode::Command) else {
            return (Vec::new(), Vec::new());
        };
        let mut output = Vec::new();
        for line in lines {
            print(&mut output, line);
        }
        print(&mut output, result);
        let (more, effects) = self.feed(&ahead, world);
        output.extend(more);
        (output, effects)
    }

    fn byte(
        &mut self,
        byte: u8,
        world: &mut World,
        output: &mut Vec<u8>,
        effects: &mut Vec<Effect>,
    ) {
        match &mut self.mode {
            Mode::Busy {
                is_abortable: true, ..
            } => {
                // Manual, 4.2.2.
                self.mode = Mode::Command;
                world.withdraw(self.port);
                print(output, "ERROR");
            }
            Mode::Busy { ahead, .. } => {
                if ahead.len() < MAX_AHEAD {
                    ahead.push(byte);
                }
            }
            Mode::Prompt(prompted) => {
                if self.echo {
                    output.push(byte);
                }
                match byte {
                    CONTROL_Z => {
                        let (prompted, typed) = (prompted.clone(), std::mem::take(&mut self.line));
                        self.mode = Mode::Command;
                        let end = sms::typed(self.port, &prompted, &typed, world);
                        self.conclude(end, world, output);
                    }
                    ESCAPE => {
                        self.line.clear();
                        self.mode = Mode::Command;
                        print(output, "OK");
                    }
                    _ if self.line.len() < MAX_PROMPTED => self.line.push(byte),
                    _ => {}
                }
            }
            Mode::Command => {
                if self.echo {
                    output.push(byte);
                }
                match byte {
                    b'\r' => {
                        let line = std::mem::take(&mut self.line);
                        let line = String::from_utf8_lossy(&line).trim().to_owned();
                        self.answer(&line, world, output, effects);
                    }
                    b'\n' => {}
                    0x08 => {
                        self.line.pop();
                    }
                    _ if self.line.len() < MAX_COMMAND => self.line.push(byte),
                    _ => {}
                }
            }
        }
    }

    fn answer(
        &mut self,
        line: &str,
        world: &mut World,
        output: &mut Vec<u8>,
        effects: &mut Vec<Effect>,
    ) {
        // Anything before the attention is noise; a line without one is not answered.
        let upper = line.to_ascii_uppercase();
        let Some(start) = upper.find("AT") else {
            return;
        };
        world.n_commands += 1;
        let rest = line.get(start + 2..).unwrap_or_default();
        for command in commands(rest) {
            let mut reply = Reply::default();
            let end = self.execute(command.trim(), world, &mut reply);
            effects.append(&mut reply.effects);
            for line in reply.lines {
                self.interrupt(world, output);
                print(output, &line);
            }
            if !matches!(end, End::Ok) {
                return self.conclude(end, world, output);
            }
        }
        self.conclude(End::Ok, world, output);
    }

    /// Something that the module says by itself, in the middle of an answer.
    fn interrupt(&mut self, world: &World, output: &mut Vec<u8>) {
        let lines = &world.config.delivery.urcs_inside;
        if let Some(line) = lines.get(self.n_inside % lines.len().max(1)) {
            print(output, line);
            self.n_inside += 1;
        }
    }

    fn conclude(&mut self, end: End, world: &World, output: &mut Vec<u8>) {
        match (end, world.settings.cmee) {
            (End::Ok, _) => print(output, "OK"),
            (End::Error, _) | (End::Cme(..), 0) => print(output, "ERROR"),
            (End::Cme(code, _), 1) => print(output, &format!("+CME ERROR: {code}")),
            (End::Cme(_, text), _) => print(output, &format!("+CME ERROR: {text}")),
            (End::Cms(code), _) => print(output, &format!("+CMS ERROR: {code}")),
            (End::Prompt(prompted), _) => {
                // No end of line: the only one of its kind.
                output.extend(b"\r\n> ");
                self.mode = Mode::Prompt(prompted);
            }
            (End::Later { is_abortable }, _) => {
                self.mode = Mode::Busy {
                    ahead: Vec::new(),
                    is_abortable,
                };
            }
        }
    }

    fn execute(&mut self, command: &str, world: &mut World, reply: &mut Reply) -> End {
        let at = command.find(['=', '?']).unwrap_or(command.len());
        let (name, form) = command.split_at(at);
        let name = name.trim().to_ascii_uppercase();
        match name.as_str() {
            "E" | "E0" => {
                self.echo = false;
                return End::Ok;
            }
            "E1" => {
                self.echo = true;
                return End::Ok;
            }
            _ => {}
        }
        // Offline, nothing but the way out is obeyed (manual, 2.2.x `+CFUN`: "7 offline mode").
        if world.settings.cfun == 7 && !(name.is_empty() || name == "+CFUN" || name == "+CRESET") {
            return NOT_ALLOWED;
        }
        match form.strip_prefix('=') {
            Some("?") => ask::test(&name, self.port, world, reply),
            Some(value) => set::set(&name, value.trim(), world, reply),
            None => ask::ask(&name, form == "?", world, reply),
        }
    }
}

/// The commands of a line; a `;` between quotes divides nothing.
fn commands(line: &str) -> Vec<&str> {
    let (mut commands, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, character) in line.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            ';' if !is_quoted => {
                commands.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    commands.push(&line[start..]);
    commands
}

/// The fields of a value, without quotes.
fn fields(value: &str) -> Vec<&str> {
    let (mut fields, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, character) in value.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                fields.push(value[start..at].trim().trim_matches('"'));
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(value[start..].trim().trim_matches('"'));
    fields
}

/// One line printed by the module.
pub(super) fn print(output: &mut Vec<u8>, line: &str) {
    output.extend(b"\r\n");
    output.extend(line.as_bytes());
    output.extend(b"\r\n");
}
