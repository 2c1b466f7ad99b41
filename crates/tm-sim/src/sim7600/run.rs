//! The module's one task.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    Order, Scenario, Sim7600Config, Status,
    at::{self, Terminal},
    ports::{self, Ends, Line},
    pty::Pty,
    world::{Boot, Effect, World},
};

/// From the `OK` of a command that ends the module to the ports' vanishing.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// From the second that a burst states to its first byte.
const BURST_AFTER: Duration = Duration::from_millis(20);
/// Less than this before the next one there is none.
const BURSTS_APART: Duration = Duration::from_millis(100);
/// Lines printed, or portions written, that wait for a slow side.
const QUEUE: usize = 64;

/// Plays the module until its owner is gone.
pub(super) async fn run(
    config: Sim7600Config,
    mut orders: mpsc::UnboundedReceiver<Order>,
    truth: watch::Sender<Status>,
) {
    let (typed, mut commands) = mpsc::channel(QUEUE);
    // What is written to the NMEA port is read and ignored.
    let (to_nowhere, mut nowhere) = mpsc::channel(QUEUE);
    let mut module = Module::new(config, typed, to_nowhere);
    let mut lines = JoinSet::new();
    let mut second = next_burst(module.world.now());
    module.power_on();
    loop {
        truth.send_replace(module.world.status(*module.present.borrow()));
        tokio::select! {
            // In a fixed order: the same seed and the same orders give the same bytes.
            biased;
            order = orders.recv() => match order {
                Some(order) => module.obey(order, &mut lines),
                None => return,
            },
            Some(bytes) = commands.recv() => module.typed(&bytes),
            Some(_) = nowhere.recv() => {}
            () = sleep_until(second) => {
                module.second();
                second = next_burst(module.world.now());
            }
            () = sleep_until(module.next_boot_step.unwrap_or_else(Instant::now)), if module.next_boot_step.is_some() => {
                module.boot_step();
            }
            () = sleep_until(module.vanishes.unwrap_or_else(Instant::now)), if module.vanishes.is_some() => {
                module.vanish();
            }
            () = sleep_until(module.returns.unwrap_or_else(Instant::now)), if module.returns.is_some() => {
                module.power_on();
            }
            Some(_) = lines.join_next() => {}
        }
    }
}

/// When the next burst begins: shortly after the next whole second of the module's clock.
fn next_burst(now: SystemTime) -> Instant {
    const SECOND: Duration = Duration::from_secs(1);
    // Before 1970 a burst a second is enough.
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let into_second = Duration::from_nanos(since.subsec_nanos().into());
    let mut wait = (SECOND + BURST_AFTER).saturating_sub(into_second);
    if wait < BURSTS_APART {
        wait += SECOND;
    }
    Instant::now() + wait
}

struct Module {
    world: World,
    terminal: Terminal,
    present: watch::Sender<bool>,
    at: broadcast::Sender<Vec<u8>>,
    nmea: broadcast::Sender<Vec<u8>>,
    typed: mpsc::Sender<Vec<u8>>,
    to_nowhere: mpsc::Sender<Vec<u8>>,
    next_boot_step: Option<Instant>,
    vanishes: Option<Instant>,
    returns: Option<Instant>,
    /// Whether the module comes back by itself after it vanished.
    restarts: bool,
}

impl Module {
    fn new(
        config: Sim7600Config,
        typed: mpsc::Sender<Vec<u8>>,
        to_nowhere: mpsc::Sender<Vec<u8>>,
    ) -> Self {
        Self {
            world: World::new(config),
            terminal: Terminal::default(),
            present: watch::Sender::new(false),
            at: broadcast::Sender::new(QUEUE),
            nmea: broadcast::Sender::new(QUEUE),
            typed,
            to_nowhere,
            next_boot_step: None,
            vanishes: None,
            returns: None,
            restarts: false,
        }
    }

    fn power_on(&mut self) {
        self.returns = None;
        self.vanishes = None;
        self.world.boot();
        self.terminal.clear();
        self.present.send_replace(true);
        self.next_boot_step = Some(Instant::now() + self.world.config.boot_time / 4);
    }

    fn boot_step(&mut self) {
        let line = self.world.boot_step();
        self.print(&[line]);
        let more = self.world.boot < Boot::Done;
        self.next_boot_step = more.then(|| Instant::now() + self.world.config.boot_time / 4);
    }

    fn vanish(&mut self) {
        self.vanishes = None;
        self.next_boot_step = None;
        self.present.send_replace(false);
        self.returns = self
            .restarts
            .then(|| Instant::now() + self.world.config.outage);
    }

    fn obey(&mut self, order: Order, lines: &mut JoinSet<()>) {
        match order {
            Order::Play(scenario) => self.play(scenario),
            Order::Garbage(Line::At, bytes) => drop(self.at.send(bytes)),
            Order::Garbage(Line::Nmea, bytes) => drop(self.nmea.send(bytes)),
            Order::Connect(line, stream, done) => {
                let answer = if *self.present.borrow() {
                    lines.spawn(ports::stream(stream, self.ends(line)));
                    Ok(())
                } else {
                    Err(std::io::Error::new(
                        std::io::ErrorKind::NotFound,
                        "the module is unplugged",
                    ))
                };
                let _ = done.send(answer);
            }
            Order::Serial(line, path, done) => {
                // Made here, so that the link exists when the caller goes on.
                let first = if *self.present.borrow() {
                    Pty::open(&path).map(Some)
                } else {
                    Ok(None)
                };
                let answer = first.map(|first| {
                    lines.spawn(ports::serial(path, first, self.ends(line)));
                });
                let _ = done.send(answer);
            }
            Order::Tcp(line, port) => {
                lines.spawn(ports::tcp(port, self.ends(line)));
            }
        }
    }

    fn play(&mut self, scenario: Scenario) {
        let is_present = *self.present.borrow();
        let printed = self.world.play(scenario);
        match scenario {
            Scenario::Unplugged => {
                self.restarts = false;
                self.vanish();
            }
            Scenario::BrownOutReset => {
                self.restarts = true;
                self.vanish();
            }
            Scenario::Normal if !is_present => self.power_on(),
            _ => self.print(&printed),
        }
    }

    fn typed(&mut self, bytes: &[u8]) {
        if self.world.muted || !*self.present.borrow() {
            return;
        }
        let (mut output, effects) = self.terminal.feed(bytes, &mut self.world);
        for effect in effects {
            match effect {
                Effect::GnssStopped => at::print(&mut output, "+CGPS: 0"),
                Effect::Restart | Effect::PowerOff => {
                    self.restarts = effect == Effect::Restart;
                    self.vanishes = Some(Instant::now() + LAST_WORDS);
                }
            }
        }
        if !output.is_empty() {
            // Nobody listening is no fault.
            let _ = self.at.send(output);
        }
    }

    fn second(&mut self) {
        self.world.tick();
        if self.world.gnss_on && !self.world.muted && *self.present.borrow() {
            let now = self.world.now();
            let burst = self.world.sky.burst(now, &mut self.world.random);
            let _ = self.nmea.send(burst);
        }
    }

    fn print(&self, lines: &[&str]) {
        if lines.is_empty() || self.world.muted {
            return;
        }
        let mut output = Vec::new();
        for line in lines {
            at::print(&mut output, line);
        }
        let _ = self.at.send(output);
    }

    fn ends(&self, line: Line) -> Ends {
        let (printed, typed) = match line {
            Line::At => (&self.at, &self.typed),
            Line::Nmea => (&self.nmea, &self.to_nowhere),
        };
        Ends {
            typed: typed.clone(),
            printed: printed.subscribe(),
            present: self.present.subscribe(),
        }
    }
}
