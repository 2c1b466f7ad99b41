//! The module's one task.

mod presence;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    Order, Scenario, Sim7600Config, Status,
    at::{self, Terminal},
    changes,
    faults::Cure,
    messages::Sent,
    pdu, play,
    ports::{self, Ends, Line},
    pty::Pty,
    usb::UsbDevice,
    world::{Boot, Effect, Later, World},
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
    sent: Sent,
    mut orders: mpsc::UnboundedReceiver<Order>,
    truth: watch::Sender<Status>,
) {
    let (typed, mut commands) = mpsc::channel(QUEUE);
    let (typed_modem, mut modem_commands) = mpsc::channel(QUEUE);
    // What is written to the other ports is read and ignored.
    let (to_nowhere, mut nowhere) = mpsc::channel(QUEUE);
    let mut module = Module::new(config, sent, [typed, typed_modem, to_nowhere]);
    let mut lines = JoinSet::new();
    let mut second = next_burst(module.world.now());
    module.power_on();
    for scenario in module.world.config.scenarios.clone() {
        module.play(scenario);
    }
    loop {
        module.say_changes();
        truth.send_replace(module.world.status(*module.present.borrow(), module.is_on));
        let at = |time: Option<Instant>| sleep_until(time.unwrap_or_else(Instant::now));
        tokio::select! {
            // In a fixed order: the same seed and the same orders give the same bytes.
            biased;
            order = orders.recv() => match order {
                Some(order) => module.obey(order, &mut lines),
                None => return,
            },
            Some(bytes) = commands.recv() => module.typed(Line::At, &bytes),
            Some(bytes) = modem_commands.recv() => module.typed(Line::Modem, &bytes),
            Some(_) = nowhere.recv() => {}
            () = sleep_until(second) => {
                module.second();
                second = next_burst(module.world.now());
            }
            () = at(module.next_boot_step), if module.next_boot_step.is_some() => module.boot_step(),
            () = at(module.vanishes), if module.vanishes.is_some() => module.vanish(),
            () = at(module.returns), if module.returns.is_some() => module.power_on(),
            () = at(module.reappears), if module.reappears.is_some() => module.appear(),
            () = at(module.world.next_due()), if module.world.next_due().is_some() => module.due(),
            () = at(module.usb_look), if module.usb_look.is_some() => module.usb_look(),
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

#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Module {
    world: World,
    terminals: [Terminal; 2],
    present: watch::Sender<bool>,
    at: broadcast::Sender<Vec<u8>>,
    modem: broadcast::Sender<Vec<u8>>,
    nmea: broadcast::Sender<Vec<u8>>,
    silence: broadcast::Sender<Vec<u8>>,
    typed: [mpsc::Sender<Vec<u8>>; 3],
    bytewise: Arc<AtomicBool>,
    usb: Option<UsbDevice>,
    /// The ports of the USB device as it is enumerated now.
    usb_lines: JoinSet<()>,
    usb_look: Option<Instant>,
    /// The supply is there.
    is_supplied: bool,
    is_on: bool,
    next_boot_step: Option<Instant>,
    vanishes: Option<Instant>,
    returns: Option<Instant>,
    /// When the ports of a module that runs are there again.
    reappears: Option<Instant>,
    /// Whether the module comes back by itself after it vanished.
    restarts: bool,
    /// Whether the supply breaks down after each start.
    is_looping: bool,
}

impl Module {
    fn new(config: Sim7600Config, sent: Sent, typed: [mpsc::Sender<Vec<u8>>; 3]) -> Self {
        let terminal = |line| Terminal::new(line, &config.delivery);
        let terminals = [terminal(Line::At), terminal(Line::Modem)];
        let bytewise = Arc::new(AtomicBool::new(config.delivery.is_bytewise));
        let channel = || broadcast::Sender::new(QUEUE);
        Self {
            terminals,
            bytewise,
            world: World::new(config, sent),
            present: watch::Sender::new(false),
            at: channel(),
            modem: channel(),
            nmea: channel(),
            silence: channel(),
            typed,
            usb: None,
            usb_lines: JoinSet::new(),
            usb_look: None,
            is_supplied: true,
            is_on: false,
            next_boot_step: None,
            vanishes: None,
            returns: None,
            reappears: None,
            restarts: false,
            is_looping: false,
        }
    }

    fn boot_step(&mut self) {
        let line = self.world.boot_step();
        self.say(&[line]);
        let more = self.world.boot < Boot::Done;
        self.next_boot_step = more.then(|| Instant::now() + self.world.config.boot_time / 4);
        if !more {
            self.deliver();
        }
    }

    fn obey(&mut self, order: Order, lines: &mut JoinSet<()>) {
        match order {
            Order::Play(scenario) => self.play(scenario),
            Order::Garbage(line, bytes) => drop(self.printer(line).send(bytes)),
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
                let _ = done.send(self.serial(line, path, lines));
            }
            Order::Tcp(line, port) => {
                lines.spawn(ports::tcp(port, self.ends(line)));
            }
            Order::Usb(root, socket, done) => {
                let _ = done.send(self.plug_in(&root, &socket));
            }
            Order::PowerKey(press) => self.power_key(press),
            Order::UsbRebind => self.rebind(),
            Order::Receive(from, text, parts) => self.receive(&from, &text, parts),
            Order::Messages(service) => self.world.config.messages = service,
            Order::Ussd(code, answer) => self.world.ussd.set(code, answer),
            Order::Delivery(delivery) => {
                self.bytewise.store(delivery.is_bytewise, Ordering::Relaxed);
                self.world.config.delivery = delivery;
            }
        }
    }

    fn serial(
        &mut self,
        line: Line,
        path: PathBuf,
        lines: &mut JoinSet<()>,
    ) -> std::io::Result<()> {
        // Made here, so that the link exists when the caller goes on.
        let first = if *self.present.borrow() {
            Some(Pty::open(&path)?)
        } else {
            None
        };
        lines.spawn(ports::serial(path, first, self.ends(line)));
        Ok(())
    }

    fn receive(&mut self, from: &str, text: &str, parts: Option<Vec<usize>>) {
        let reference = self.world.messages.concatenation();
        let all = pdu::deliver(from, text, self.world.now(), reference);
        let order = parts.unwrap_or_else(|| (0..all.len()).collect());
        for part in order.into_iter().filter_map(|index| all.get(index)) {
            self.world.messages.hold(part.clone());
        }
        self.deliver();
    }

    /// What the network holds comes, where it can.
    fn deliver(&mut self) {
        if self.is_on {
            let lines = at::sms::deliver(&mut self.world);
            self.say(&lines);
        }
    }

    fn play(&mut self, scenario: Scenario) {
        let printed = play::play(&mut self.world, scenario);
        match scenario {
            Scenario::Unplugged => {
                self.is_supplied = false;
                self.restarts = false;
                self.world.treat(Cure::PowerKey);
                self.vanish();
            }
            Scenario::BrownOutReset | Scenario::BrownOutLoop | Scenario::ModemSwapped => {
                self.restarts = true;
                self.is_looping = scenario == Scenario::BrownOutLoop;
                self.world.treat(Cure::PowerKey);
                self.vanish();
            }
            Scenario::Normal => {
                if self.is_looping {
                    self.vanishes = None;
                }
                self.is_looping = false;
                if self.is_on {
                    self.say(&printed);
                } else {
                    self.power_on();
                }
            }
            _ => self.say(&printed),
        }
    }

    fn typed(&mut self, line: Line, bytes: &[u8]) {
        if !*self.present.borrow() {
            return;
        }
        let is_heard = match self.world.faults.mute {
            None | Some(Cure::Restart) => true,
            Some(_) => false,
        };
        if !is_heard {
            return;
        }
        let terminal = &mut self.terminals[usize::from(line == Line::Modem)];
        let (output, effects) = terminal.feed(bytes, &mut self.world);
        self.print(line, output);
        self.effects(effects);
    }

    fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Urc(line) => self.say(&[line]),
                Effect::Answer(line, lines, result) => {
                    let terminal = &mut self.terminals[usize::from(line == Line::Modem)];
                    let (output, more) = terminal.finish(&lines, &result, &mut self.world);
                    self.print(line, output);
                    self.effects(more);
                }
                Effect::Restart | Effect::PowerOff => {
                    self.restarts = effect == Effect::Restart;
                    self.vanishes = Some(Instant::now() + LAST_WORDS);
                }
            }
        }
    }

    fn due(&mut self) {
        while let Some(later) = self.world.due() {
            match later {
                Later::Do(effect) => self.effects(vec![effect]),
                Later::Send(line, sent) => {
                    let effect = at::sms::send(line, &sent, &mut self.world);
                    self.effects(vec![effect]);
                }
                Later::Report(octets) => {
                    if self.is_on {
                        let lines = at::sms::report(octets, &mut self.world);
                        self.say(&lines);
                    }
                }
                Later::Deliver => self.deliver(),
            }
        }
    }

    fn second(&mut self) {
        self.world.tick();
        if !self.is_on {
            return;
        }
        self.deliver();
        let (lines, is_too_hot) = changes::alarms(&mut self.world);
        self.say(&lines);
        if is_too_hot && self.vanishes.is_none() {
            self.effects(vec![Effect::PowerOff]);
        }
        let is_silent = self
            .world
            .faults
            .mute
            .is_some_and(|cure| cure != Cure::Restart);
        if self.world.gnss_on && !is_silent && *self.present.borrow() {
            let now = self.world.now();
            let burst = self.world.sky.burst(now, &mut self.world.random);
            let _ = self.nmea.send(burst);
        }
    }

    fn say_changes(&mut self) {
        if self.is_on {
            let lines = changes::lines(&mut self.world);
            self.say(&lines);
        }
    }

    /// Prints what the module says by itself, on the ports that `AT+CATR` chose.
    fn say(&self, lines: &[impl AsRef<str>]) {
        let mut output = Vec::new();
        for line in lines {
            at::print(&mut output, line.as_ref());
        }
        let ports = match self.world.settings.catr {
            2 => &[Line::Modem][..],
            3 => &[Line::At],
            _ => &[Line::At, Line::Modem],
        };
        for port in ports {
            self.print(*port, output.clone());
        }
    }

    fn print(&self, line: Line, output: Vec<u8>) {
        let is_mute = match self.world.faults.mute {
            None => false,
            // The sibling of a mute port speaks.
            Some(Cure::Restart) => line == Line::At,
            Some(_) => true,
        };
        if !output.is_empty() && !is_mute {
            // Nobody listening is no fault.
            let _ = self.printer(line).send(output);
        }
    }

    fn printer(&self, line: Line) -> &broadcast::Sender<Vec<u8>> {
        match line {
            Line::At => &self.at,
            Line::Modem => &self.modem,
            Line::Nmea => &self.nmea,
            Line::Silent => &self.silence,
        }
    }

    fn ends(&self, line: Line) -> Ends {
        let typed = match line {
            Line::At => 0,
            Line::Modem => 1,
            Line::Nmea | Line::Silent => 2,
        };
        Ends {
            typed: self.typed[typed].clone(),
            printed: self.printer(line).subscribe(),
            present: self.present.subscribe(),
            bytewise: self.bytewise.clone(),
        }
    }
}
