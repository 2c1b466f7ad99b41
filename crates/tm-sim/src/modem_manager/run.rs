//! The twin's one task.

mod tell;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures_util::StreamExt as _;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use zbus::{Connection, Message, MessageStream, message::Type, zvariant::Value};

use super::{
    Calls, ManagerConfig, NETWORK_MANAGER, Order, SERVICE, Sent, calls,
    modem::{Modem, Sms},
    network,
    objects::{Object, Objects},
    scenario::Scenario,
    schema,
    serve::{self, Answer, Call},
    show,
};
use crate::sim7600::faults::Cure;

/// What happens later by itself.
#[derive(Debug)]
pub(super) enum Later {
    /// A call is carried out and answered.
    Act(Connection, Message, Call),
    /// The modem of this slot is on the bus again.
    Appear(u32),
    /// ModemManager is back.
    ManagerBack,
    /// A report about a message that the modem sent.
    Report(usize, Sms),
}

/// Messages on their way to the task.
const QUEUE: usize = 256;

#[derive(Debug)]
pub(super) struct World {
    pub(super) config: ManagerConfig,
    pub(super) modems: Vec<Modem>,
    away: Vec<Modem>,
    is_manager_up: bool,
    pub(super) is_network_up: bool,
    objects: Objects,
    agenda: Vec<(Instant, Later)>,
    next_number: u32,
    next_sms: u32,
    pub(super) reference: u8,
    pub(super) commands: HashMap<String, String>,
    pub(super) sent: Sent,
    /// Messages that came and went since the last look: modem, number, whether it was received.
    added: Vec<(usize, u32, bool)>,
    pub(super) deleted: Vec<(usize, u32)>,
}

/// Plays both services until the owner is gone.
pub(super) async fn run(
    config: ManagerConfig,
    calls: Calls,
    sent: Sent,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let (incoming, mut messages) = mpsc::channel(QUEUE);
    let mut readers = JoinSet::new();
    let mut world = World::new(config, sent);
    world.publish().await;
    loop {
        let due = world.agenda.first().map(|(at, _)| *at);
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::Connect(connection, done)) => {
                    readers.spawn(read(connection.clone(), incoming.clone()));
                    world.objects.connections.push(connection);
                    world.take_names().await;
                    let _ = done.send(());
                }
                Some(order) => world.obey(order).await,
                None => return,
            },
            Some((connection, message)) = messages.recv() => world.called(connection, message, &calls).await,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => world.due().await,
            Some(_) = readers.join_next() => {}
        }
    }
}

async fn read(connection: Connection, incoming: mpsc::Sender<(Connection, Message)>) {
    let mut stream = MessageStream::from(&connection);
    while let Some(message) = stream.next().await {
        let Ok(message) = message else { return };
        if message.message_type() == Type::MethodCall
            && incoming.send((connection.clone(), message)).await.is_err()
        {
            return;
        }
    }
}

impl World {
    fn new(config: ManagerConfig, sent: Sent) -> Self {
        let mut objects = Objects::new();
        if config.is_old {
            objects.interfaces = schema::old();
        }
        let commands = [
            (
                "+CPSI?",
                "+CPSI: LTE,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12",
            ),
            ("+CPMUTEMP", "+CPMUTEMP: 38"),
            ("+CBC", "+CBC: 3.880V"),
        ];
        let mut world = Self {
            modems: Vec::new(),
            away: vec![Modem::new(0, &config)],
            is_manager_up: true,
            is_network_up: true,
            objects,
            agenda: Vec::new(),
            next_number: 0,
            next_sms: 0,
            reference: 45,
            commands: commands
                .map(|(command, answer)| (command.to_owned(), answer.to_owned()))
                .into(),
            sent,
            added: Vec::new(),
            deleted: Vec::new(),
            config,
        };
        world.appear(0);
        for scenario in world.config.scenarios.clone() {
            world.play(scenario);
        }
        world
    }

    pub(super) fn later(&mut self, after: Duration, what: Later) {
        let at = Instant::now() + after;
        let place = self.agenda.partition_point(|(known, _)| *known <= at);
        self.agenda.insert(place, (at, what));
    }

    async fn due(&mut self) {
        while self
            .agenda
            .first()
            .is_some_and(|(at, _)| *at <= Instant::now())
        {
            match self.agenda.remove(0).1 {
                Later::Act(connection, message, call) => {
                    let answer = match serve::wrong(&self.objects, &message, &call) {
                        Some(refusal) => Answer::Refusal(refusal),
                        None => calls::act(self, &message, &call),
                    };
                    // The properties change before the answer comes, as in the real service.
                    self.publish().await;
                    serve::answer(&self.objects, &connection, &message, &call, answer).await;
                }
                Later::Appear(slot) => self.appear(slot),
                Later::ManagerBack => {
                    self.is_manager_up = true;
                    self.take_names().await;
                }
                Later::Report(index, report) => {
                    if index < self.modems.len() {
                        self.add_message(index, report);
                    }
                }
            }
            self.publish().await;
        }
    }

    async fn called(&mut self, connection: Connection, message: Message, calls: &Calls) {
        let call = Call::of(&message);
        if serve::standard(&self.objects, &connection, &message, &call).await {
            return;
        }
        calls.add(call.clone());
        self.later(
            self.config.action_time,
            Later::Act(connection, message, call),
        );
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Connect(..) => {}
            Order::Settled(done) => drop(done.send(())),
            Order::Play(scenario) => {
                self.play(scenario);
                self.take_names().await;
            }
            Order::Nmea(text) => {
                for modem in &mut self.modems {
                    text.lines().for_each(|line| modem.location.feed(line));
                }
            }
            Order::Transfer(received, sent) => {
                for modem in self.modems.iter_mut().filter(|modem| modem.has_traffic()) {
                    let traffic = &mut modem.traffic;
                    traffic.received += received;
                    traffic.total_received += received;
                    traffic.sent += sent;
                    traffic.total_sent += sent;
                }
            }
            Order::Receive {
                from,
                text,
                is_complete,
            } => {
                let message = Sms {
                    state: if is_complete { 3 } else { 2 },
                    kind: 1,
                    number: from,
                    text: if is_complete { text } else { String::new() },
                    wants_report: false,
                    reference: 0,
                    timestamp: self.network_time(),
                    storage: 1,
                    delivery: 256,
                };
                if !self.modems.is_empty() {
                    self.add_message(0, message);
                }
            }
            Order::Ussd(code, answer) => {
                for modem in &mut self.modems {
                    modem.ussd.set(code.clone(), answer.clone());
                }
            }
            Order::Levels(levels) => {
                for modem in &mut self.modems {
                    modem.levels = levels;
                }
            }
            Order::Command(command, answer) => {
                let command = command.trim_start_matches("AT").to_owned();
                self.commands.insert(command, answer);
            }
            Order::AllowCommands(allows) => self.config.allows_commands = allows,
            Order::RefuseMessages(refusal) => self.config.message_refusal = refusal,
        }
        self.publish().await;
    }

    fn play(&mut self, scenario: Scenario) {
        let all = self.modems.iter_mut().chain(&mut self.away);
        all.filter(|modem| modem.slot == 0 || scenario == Scenario::Normal)
            .for_each(|modem| modem.play(scenario));
        match scenario {
            Scenario::Normal => {
                self.is_manager_up = true;
                self.is_network_up = true;
                let away: Vec<u32> = self.away.iter().map(|modem| modem.slot).collect();
                for slot in away {
                    self.appear(slot);
                }
            }
            Scenario::ManagerAbsent | Scenario::ManagerRestarted => {
                self.is_manager_up = false;
                self.objects.forget(show::ROOT);
                self.next_number = 0;
                for modem in &mut self.modems {
                    modem.number = self.next_number;
                    modem.bearer = self.next_number;
                    modem.told_state = None;
                    modem.messages.clear();
                    self.next_number += 1;
                }
                if scenario == Scenario::ManagerRestarted {
                    self.later(self.config.outage, Later::ManagerBack);
                }
            }
            Scenario::NetworkManagerAbsent => {
                self.is_network_up = false;
                self.objects.forget(network::ROOT);
            }
            Scenario::Dropped | Scenario::Unplugged if !self.modems.is_empty() => {
                self.drop_modem(0);
            }
            Scenario::Reenumerated | Scenario::ModemSwapped if !self.modems.is_empty() => {
                self.reset(0);
            }
            Scenario::SecondModem => {
                let is_known = self
                    .modems
                    .iter()
                    .chain(&self.away)
                    .any(|modem| modem.slot == 1);
                if !is_known {
                    self.away.push(Modem::new(1, &self.config));
                    self.appear(1);
                }
            }
            _ => {}
        }
    }

    /// The modem restarts, and comes back under another number.
    pub(super) fn reset(&mut self, index: usize) {
        let slot = self.modems[index].slot;
        self.drop_modem(index);
        self.later(self.config.outage, Later::Appear(slot));
    }

    /// ModemManager shows it no more.
    pub(super) fn drop_modem(&mut self, index: usize) {
        let mut modem = self.modems.remove(index);
        modem.messages.clear();
        self.away.push(modem);
    }

    fn appear(&mut self, slot: u32) {
        let Some(index) = self.away.iter().position(|modem| modem.slot == slot) else {
            return;
        };
        let mut modem = self.away.remove(index);
        modem.treat(Cure::Restart);
        modem.reset();
        modem.number = self.next_number;
        modem.bearer = self.next_number;
        // Beside the loopback and the Ethernet device.
        modem.device = self.next_number + 3;
        modem.activation += 1;
        self.next_number += 1;
        self.modems.push(modem);
        self.modems.sort_by_key(|modem| modem.slot);
    }

    pub(super) fn add_message(&mut self, index: usize, message: Sms) -> u32 {
        let number = self.next_sms;
        self.next_sms += 1;
        self.added.push((index, number, message.kind != 2));
        self.modems[index].messages.insert(number, message);
        number
    }

    pub(super) fn network_time(&self) -> String {
        let time = jiff::Timestamp::try_from(self.config.clock.time()).unwrap_or_default();
        let local = time.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)));
        local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// On a bus, the names of the services that are up.
    async fn take_names(&mut self) {
        let names = [
            (SERVICE, self.is_manager_up),
            (NETWORK_MANAGER, self.is_network_up),
        ];
        for connection in self
            .objects
            .connections
            .iter()
            .filter(|connection| connection.is_bus())
        {
            for (name, is_up) in names {
                // Taken or released already is well.
                if is_up {
                    let _ = connection.request_name(name).await;
                } else {
                    let _ = connection.release_name(name).await;
                }
            }
        }
    }

    /// Shows how everything is, and tells of what changed.
    async fn publish(&mut self) {
        if self.is_manager_up {
            let version = if self.config.is_old {
                "1.18.12"
            } else {
                "1.20.4"
            };
            let root = Object::from([(
                "org.freedesktop.ModemManager1",
                BTreeMap::from([("Version", Value::from(version))]),
            )]);
            let mut all = BTreeMap::from([(show::ROOT.to_owned(), root)]);
            for modem in &self.modems {
                all.extend(show::objects(modem, &self.config));
            }
            self.objects.show(show::ROOT, show::ROOT, all).await;
            self.tell_states().await;
            self.tell_messages().await;
        }
        if self.is_network_up {
            let none = Vec::new();
            let modems = if self.is_manager_up {
                &self.modems
            } else {
                &none
            };
            let all = network::objects(modems);
            self.objects
                .show(network::ROOT, serve::NETWORK_MANAGER_ROOT, all)
                .await;
            self.tell_devices().await;
        }
    }
}
