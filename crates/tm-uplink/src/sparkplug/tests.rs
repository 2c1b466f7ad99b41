//! The edge node between tickets and messages.

use tm_sparkplug::{Config, Event, Id, Next, decode};
use tm_types::{BootId, Clock, Point, PointName, Timestamp, Unit};

use super::*;

fn later(ms: u64) -> Stamp {
    Stamp {
        time: Timestamp::of_unix_ms(1_790_000_000_000).plus_ms(ms.cast_signed()),
        mono_ms: 60_000 + ms,
        boot: BootId(7),
        clock: Clock::Ntp,
        err_ms: None,
    }
}

fn config() -> Config {
    Config::new(Id::new("g").unwrap(), Id::new("n").unwrap())
}

fn polled(seq: u64, source: &str) -> Polled {
    let point = Point::gauge(PointName::new("level").unwrap(), Unit::new("m").unwrap(), 3);
    Polled {
        seq,
        source: Source::new(source).unwrap(),
        poll: Poll {
            sequence: None,
            stamp: later(0),
            points: vec![point],
        },
    }
}

struct Bench {
    edge: Edge,
    now: Stamp,
}

impl Bench {
    fn born(config: Config) -> Self {
        let mut bench = Self {
            edge: Edge::new(config, 0),
            now: later(0),
        };
        bench.edge.begin(0, true, &later(0));
        bench.on(Event::Connected);
        bench
    }

    fn on(&mut self, event: Event<'_>) -> Vec<Order> {
        let mut orders = Vec::new();
        self.edge.on(event, &self.now, &mut orders);
        orders
    }

    fn hears_of(&mut self, source: &str, is_lost: bool) -> Vec<Order> {
        let source = Source::new(source).unwrap();
        let mut orders = Vec::new();
        self.edge.hears_of(source, is_lost, &self.now, &mut orders);
        orders
    }

    fn send(&mut self, ticket: u64, is_backlog: bool, polls: Vec<Polled>) -> Vec<Order> {
        let mut orders = Vec::new();
        self.edge
            .send(ticket, is_backlog, polls, &self.now, &mut orders);
        orders
    }
}

/// Orders in short: the verb of a message with the number of its metrics, or what it is.
fn told(orders: &[Order]) -> Vec<String> {
    let one = |order: &Order| match order {
        Order::Publish(message) => {
            let verb = message.topic.split('/').nth(2).unwrap();
            let payload = decode(&message.payload).unwrap();
            let n_past = payload.metrics.iter().filter(|metric| metric.is_historical);
            format!("{verb} {} {}", payload.metrics.len(), n_past.count())
        }
        Order::Ask(_) => "ask".to_owned(),
        Order::Read(ticket) => format!("read {ticket}"),
        Order::Acked(ticket) => format!("acked {ticket}"),
        Order::Leave(next) => format!("{next:?}"),
    };
    orders.iter().map(one).collect()
}

fn question(orders: &[Order]) -> u64 {
    let ask = |order: &Order| match order {
        Order::Ask(fence) => Some(*fence),
        _ => None,
    };
    orders.iter().find_map(ask).unwrap()
}

#[test]
fn a_ticket_is_acknowledged_with_its_last_record() {
    let mut bench = Bench::born(config());
    let sent = bench.send(4, false, vec![polled(10, "a"), polled(11, "b")]);
    assert_eq!(told(&sent), ["DBIRTH 1 0", "DBIRTH 1 0"]);
    bench.now = later(30_000);
    let asked = bench.on(Event::Tick);
    assert_eq!(told(&asked), ["ask"]);
    let answered = bench.on(Event::Fenced(question(&asked)));
    assert_eq!(told(&answered), ["acked 4", "read 4"]);
}

#[test]
fn backlog_shares_messages_by_source_and_is_fenced_at_once() {
    let mut bench = Bench::born(config());
    bench.send(0, false, vec![polled(1, "a"), polled(2, "b")]);
    let polls = (3..9).map(|seq| polled(seq, if seq % 2 == 0 { "a" } else { "b" }));
    let sent = bench.send(1, true, polls.collect());
    assert_eq!(told(&sent), ["DDATA 3 3", "DDATA 3 3", "ask"]);
    let answered = bench.on(Event::Fenced(question(&sent)));
    assert_eq!(told(&answered), ["acked 0", "acked 1", "read 0", "read 1"]);
}

#[test]
fn with_a_primary_host_a_ticket_is_read_long_before_it_is_acknowledged() {
    let host = Config {
        primary_host: Some(Id::new("scada").unwrap()),
        ..config()
    };
    let mut bench = Bench::born(host);
    assert!(bench.edge.is_waiting_for_host());
    assert_eq!(told(&bench.send(0, true, vec![polled(1, "a")])), [""; 0]);
    let topic = "spBv1.0/STATE/scada";
    let online = bench.on(Event::Message {
        topic,
        payload: br#"{"online":true,"timestamp":5}"#,
    });
    assert_eq!(
        told(&online),
        ["NBIRTH 2 0", "DBIRTH 1 0", "DDATA 1 1", "ask"],
        "what waited goes out behind the births"
    );
    let answered = bench.on(Event::Fenced(question(&online)));
    assert_eq!(told(&answered), ["read 0"]);
    bench.now = later(90_000);
    assert_eq!(told(&bench.on(Event::Tick)), ["acked 0"]);
    let offline = bench.on(Event::Message {
        topic,
        payload: br#"{"online":false,"timestamp":6}"#,
    });
    assert_eq!(
        told(&offline),
        ["NDEATH 1 0", &format!("{:?}", Next::SameServer)]
    );
}

#[test]
fn a_full_node_makes_the_next_ticket_wait() {
    let mut bench = Bench::born(Config {
        records_max: 2,
        ..config()
    });
    let sent = bench.send(0, true, vec![polled(1, "a"), polled(2, "a")]);
    assert_eq!(told(&bench.send(1, true, vec![polled(3, "a")])), [""; 0]);
    let answered = bench.on(Event::Fenced(question(&sent)));
    assert_eq!(
        told(&answered),
        ["acked 0", "read 0", "DDATA 1 1", "ask"],
        "in this order"
    );
}

#[test]
fn what_is_on_its_way_is_forgotten_with_the_connection() {
    let mut bench = Bench::born(config());
    let sent = bench.send(0, true, vec![polled(1, "a")]);
    let lost = question(&sent);
    bench.on(Event::Disconnected {
        connect_was_sent: true,
    });
    bench.edge.begin(0, true, &later(0));
    bench.on(Event::Connected);
    let again = bench.send(0, true, vec![polled(1, "a")]);
    assert_eq!(told(&bench.on(Event::Fenced(lost))), [""; 0]);
    let answered = bench.on(Event::Fenced(question(&again)));
    assert_eq!(told(&answered), ["acked 0", "read 0"]);
}

#[test]
fn a_birth_knows_what_the_bus_has_brought_before() {
    let mut edge = Edge::new(config(), 0);
    let known = polled(1, "tank");
    edge.remember(&known.source, &known.poll, &later(0));
    edge.begin(0, true, &later(0));
    let mut orders = Vec::new();
    edge.on(Event::Connected, &later(0), &mut orders);
    assert_eq!(told(&orders), ["NBIRTH 2 0", "DBIRTH 1 0"]);
}

#[test]
fn a_number_is_spent_by_a_connect_and_by_nothing_else() {
    let mut edge = Edge::new(config(), 254);
    for (was_connect_sent, expected) in [(true, 255), (false, 255), (true, 0), (true, 1)] {
        let connect = edge.begin(0, was_connect_sent, &later(0));
        assert_eq!(connect.next_bd_seq, expected);
    }
}

#[test]
fn a_device_dies_with_its_service_and_is_born_by_what_it_measures_next() {
    let mut bench = Bench::born(config());
    bench.send(0, false, vec![polled(1, "a"), polled(2, "b")]);
    assert_eq!(told(&bench.hears_of("a", true)), ["DDEATH 0 0"]);
    assert_eq!(told(&bench.hears_of("a", true)), [""; 0], "once");
    // What it had still said is its past, and leaves it dead.
    let sent = bench.send(1, false, vec![polled(3, "a"), polled(4, "b")]);
    let its = ["DBIRTH 1 0", "DDATA 1 1"];
    assert_eq!(
        told(&sent),
        [&its[..], &["DDATA 1 0", "DDEATH 0 0"]].concat()
    );
    bench.on(Event::Disconnected {
        connect_was_sent: true,
    });
    bench.edge.begin(0, true, &later(0));
    assert_eq!(
        told(&bench.on(Event::Connected)),
        ["NBIRTH 2 0", "DBIRTH 1 0"]
    );
    assert_eq!(told(&bench.hears_of("a", false)), [""; 0]);
    assert_eq!(
        told(&bench.send(2, false, vec![polled(5, "a")])),
        ["DBIRTH 1 0"]
    );
}

#[test]
fn a_service_that_is_gone_before_the_first_birth_is_not_in_it() {
    let mut edge = Edge::new(config(), 0);
    let mut orders = Vec::new();
    let known = polled(1, "tank");
    edge.hears_of(known.source.clone(), true, &later(0), &mut orders);
    edge.remember(&known.source, &known.poll, &later(0));
    edge.begin(0, true, &later(0));
    edge.on(Event::Connected, &later(0), &mut orders);
    assert_eq!(told(&orders), ["NBIRTH 2 0"]);
}
