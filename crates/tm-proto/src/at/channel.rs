//! One command in flight on one port, and everything the module says beside it.

use std::collections::VecDeque;

use super::{
    command::Command,
    failure::Failure,
    joined::{Joined, Unfinished},
    line::{Lines, Step},
};

/// Most outputs kept until the caller takes them; beyond it the oldest unsolicited line is dropped and counted.
const MAX_OUTPUTS: usize = 256;
/// Most lines of one answer: 255 messages (a record number of the card is one octet) of two lines each.
const MAX_ANSWER: usize = 512;
/// Ends a prompt without sending (3GPP TS 27.005, 3.5.1).
const ESCAPE: u8 = 0x1b;

/// Questions that a module answers in any state and that change nothing, with the prefix of their answer.
///
/// After a command was given up, its late final result could be taken for that of the next command. The module
/// answers strictly in order, so the channel first asks one of these and throws away everything up to its answer.
/// They rotate: with several markers in flight only the answer to the last one counts.
const MARKERS: [(&str, &str); 4] = [
    ("AT+CMEE?", "+CMEE"),
    ("AT+CFUN?", "+CFUN"),
    ("AT+CSCS?", "+CSCS"),
    ("AT+IFC?", "+IFC"),
];

/// An AT port: sans-I/O, one command in flight, time kept by the caller.
///
/// Write what [`Channel::start`] returns, [`Channel::feed`] what the port delivers, and take what happened from
/// [`Channel::next`] until it is empty. When a command has had its time, call [`Channel::give_up`].
/// After the port was opened anew, make a new channel.
#[derive(Debug, Default)]
pub struct Channel {
    lines: Lines,
    state: State,
    unfinished: Option<Unfinished>,
    outputs: VecDeque<Output>,
    counters: Counters,
    next_marker: usize,
}

/// What came out of the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The running command is finished.
    Reply(Reply),
    /// A line nobody asked for; [`crate::sim7600::Urc`] reads it. Several lines joined by line feeds where they belong
    /// together: a PDU behind its header, the words of a `+CUSD`.
    Urc(String),
    /// The running command waits for its payload: write what [`Channel::payload`] returns.
    Prompt,
    /// Write these bytes now: the channel found its place again and sends the command it was given, or it leaves a
    /// prompt whose command was given up.
    Send(Vec<u8>),
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The command that is answered.
    pub command: Command,
    /// Its answer lines, without echo, blank lines and final result.
    pub lines: Vec<String>,
    /// How it ended.
    pub outcome: Result<(), Failure>,
}

impl Reply {
    /// The lines of a command that succeeded.
    pub fn ok(&self) -> Result<&[String], &Failure> {
        self.outcome.as_ref().map(|()| self.lines.as_slice())
    }
}

/// What the channel dropped, for health and logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lines longer than 4096 bytes.
    pub n_overflows: u64,
    /// Lines and results that came after their command was given up.
    pub n_late: u64,
    /// Results when no command was running.
    pub n_stray: u64,
    /// Outputs and answer lines beyond the bounds.
    pub n_dropped: u64,
}

/// The channel has a command in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a command is already in flight")]
pub struct Busy;

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Running(Running),
    /// A command was given up. `certain`: nothing but this command is outstanding, so its final result ends the state.
    Stale {
        command: Command,
        certain: bool,
    },
    /// A marker is on its way; the command follows when it is answered.
    Resync {
        stale: Command,
        marker: usize,
        seen: bool,
        then: Command,
    },
}

#[derive(Debug)]
struct Running {
    command: Command,
    lines: Vec<String>,
    payload: Option<String>,
}

impl Channel {
    /// Puts `command` in flight and returns the bytes to write.
    ///
    /// After a command was given up these bytes are a marker question; the command itself follows as [`Output::Send`],
    /// within the same deadline.
    pub fn start(&mut self, command: Command) -> Result<Vec<u8>, Busy> {
        match std::mem::take(&mut self.state) {
            State::Idle => Ok(self.send(command)),
            State::Stale { command: stale, .. } => {
                // A marker that is itself the given-up question proves nothing.
                while stale
                    .text()
                    .eq_ignore_ascii_case(marker(self.next_marker).0)
                {
                    self.next_marker += 1;
                }
                let marker = self.next_marker;
                self.next_marker += 1;
                self.state = State::Resync {
                    stale,
                    marker,
                    seen: false,
                    then: command,
                };
                Ok(line(self::marker(marker).0))
            }
            busy => {
                self.state = busy;
                Err(Busy)
            }
        }
    }

    /// The bytes of a payload for a command that prompted: the text and Ctrl-Z.
    pub fn payload(&mut self, text: &str) -> Vec<u8> {
        if let State::Running(running) = &mut self.state {
            running.payload = Some(text.to_owned());
        }
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0x1a);
        bytes
    }

    /// Takes in what the port delivered, in any portions.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match self.lines.push(*byte) {
                Step::More => self.check_prompt(),
                Step::Overflow => self.counters.n_overflows += 1,
                Step::Line(line) => self.on_line(line),
            }
        }
    }

    /// What happened, oldest first.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is no iterator: it yields again after more bytes"
    )]
    pub fn next(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The running command has had its time; returns it. Its late answer will not be taken for another's.
    ///
    /// A module that waits for a payload takes everything for it, so an [`Output::Send`] with the escape that ends
    /// the prompt follows: take it from [`Channel::next`] before the next command is started.
    pub fn give_up(&mut self) -> Option<Command> {
        match std::mem::take(&mut self.state) {
            State::Running(running) => {
                if running.command.prompts() {
                    self.emit(Output::Send(vec![ESCAPE]));
                }
                self.state = State::Stale {
                    command: running.command.clone(),
                    certain: true,
                };
                Some(running.command)
            }
            State::Resync { stale, then, .. } => {
                self.state = State::Stale {
                    command: stale,
                    certain: false,
                };
                Some(then)
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Whether a command is in flight.
    pub fn is_busy(&self) -> bool {
        matches!(self.state, State::Running(_) | State::Resync { .. })
    }

    /// What was dropped so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn send(&mut self, command: Command) -> Vec<u8> {
        let bytes = line(command.text());
        self.state = State::Running(Running {
            command,
            lines: Vec::new(),
            payload: None,
        });
        bytes
    }

    fn check_prompt(&mut self) {
        let answer = match &self.state {
            State::Running(r) if r.command.prompts() && r.payload.is_none() => Output::Prompt,
            // It prompts now, after it was given up.
            State::Stale { command, .. } | State::Resync { stale: command, .. }
                if command.prompts() =>
            {
                Output::Send(vec![ESCAPE])
            }
            _ => return,
        };
        if self.lines.at_prompt() {
            self.lines.clear();
            self.emit(answer);
        }
    }

    fn on_line(&mut self, line: String) {
        if let Some(unfinished) = self.unfinished.take() {
            let ends_answer = final_result(&line, None).is_some();
            match unfinished.go_on(&line, ends_answer) {
                Joined::More(unfinished) => {
                    self.unfinished = Some(unfinished);
                    return;
                }
                Joined::Whole(text) => return self.emit(Output::Urc(text)),
                Joined::Foreign(text) => self.emit(Output::Urc(text)),
            }
        }
        match &mut self.state {
            State::Idle => match final_result(&line, None) {
                Some(_) => self.counters.n_stray += 1,
                None => self.unsolicited(line),
            },
            State::Running(running) => {
                if running.lines.is_empty() && running.is_echo(&line) {
                    return;
                }
                if let Some(outcome) = final_result(&line, Some(&running.command)) {
                    let command = running.command.clone();
                    let lines = std::mem::take(&mut running.lines);
                    self.state = State::Idle;
                    self.emit(Output::Reply(Reply {
                        command,
                        lines,
                        outcome,
                    }));
                } else if !running.command.is_answer(&line) {
                    self.unsolicited(line);
                } else if running.lines.len() < MAX_ANSWER {
                    running.lines.push(line);
                } else {
                    self.counters.n_dropped += 1;
                }
            }
            State::Stale { command, certain } => {
                if final_result(&line, Some(command)).is_some() {
                    self.counters.n_late += 1;
                    if *certain {
                        self.state = State::Idle;
                    }
                } else if is_late(command, &line) {
                    self.counters.n_late += 1;
                } else {
                    self.unsolicited(line);
                }
            }
            State::Resync {
                stale,
                marker,
                seen,
                then,
            } => {
                let (question, prefix) = self::marker(*marker);
                if line.split(':').next() == Some(prefix) {
                    *seen = true;
                } else if line.ends_with(question) {
                    // The marker's echo.
                } else if final_result(&line, Some(stale)).is_some() {
                    if *seen {
                        let then = then.clone();
                        let bytes = self.send(then);
                        self.emit(Output::Send(bytes));
                    } else {
                        self.counters.n_late += 1;
                    }
                } else if is_late(stale, &line) {
                    self.counters.n_late += 1;
                } else {
                    self.unsolicited(line);
                }
            }
        }
    }

    fn unsolicited(&mut self, line: String) {
        match Unfinished::begin(line) {
            Ok(unfinished) => self.unfinished = Some(unfinished),
            Err(line) => self.emit(Output::Urc(line)),
        }
    }

    fn emit(&mut self, output: Output) {
        if self.outputs.len() >= MAX_OUTPUTS {
            // Replies are few (one per command) and awaited; unsolicited lines give way.
            let oldest_urc = self
                .outputs
                .iter()
                .position(|kept| matches!(kept, Output::Urc(_)));
            self.outputs.remove(oldest_urc.unwrap_or(0));
            self.counters.n_dropped += 1;
        }
        self.outputs.push_back(output);
    }
}

impl Running {
    fn is_echo(&self, line: &str) -> bool {
        let payload = || {
            self.payload
                .as_deref()
                .is_some_and(|text| !text.is_empty() && line.ends_with(text))
        };
        self.command.is_echo(line) || payload()
    }
}

fn marker(index: usize) -> (&'static str, &'static str) {
    MARKERS[index % MARKERS.len()]
}

/// A line that only the given-up command can have caused: its answer, its echo or the answer of an older marker.
fn is_late(command: &Command, line: &str) -> bool {
    let marker = MARKERS
        .iter()
        .any(|(_, prefix)| line.split(':').next() == Some(prefix));
    marker || command.is_answer(line) || command.is_echo(line)
}

fn line(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(b'\r');
    bytes
}

fn final_result(line: &str, command: Option<&Command>) -> Option<Result<(), Failure>> {
    if line == "OK" {
        return Some(Ok(()));
    }
    if let Some(failure) = Failure::parse(line) {
        return Some(Err(failure));
    }
    if !command.is_some_and(Command::is_call) {
        return None;
    }
    match line {
        "NO CARRIER" | "BUSY" | "NO ANSWER" | "NO DIALTONE" => {
            Some(Err(Failure::Call(line.to_owned())))
        }
        _ if line.starts_with("CONNECT") => Some(Ok(())),
        _ => None,
    }
}
