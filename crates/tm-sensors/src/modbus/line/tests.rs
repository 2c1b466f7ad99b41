//! A line against a peer that does everything a Modbus device can do wrong.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::super::document;
use super::*;

/// What the peer does with a request of `start` and `count` on its `nth` connection.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Each register holds its address.
    Answer,
    /// With this exception.
    Exception(u8),
    /// Never.
    Silence,
    /// After the patience of the asker.
    Late,
    /// For another unit.
    OtherUnit,
    /// For another transaction.
    OtherTransaction,
    /// One register too few, correctly framed.
    Short,
    /// One register too many.
    Long,
    /// Another function's answer.
    OtherFunction,
    /// Bytes that are no frame.
    Garbage(&'static [u8]),
    /// A frame that ends in the middle, then the end.
    Cut,
    /// The end of the connection, without an answer.
    Close,
    /// An answer, then the end of the connection.
    AnswerAndClose,
}

const PATIENCE: Duration = Duration::from_millis(150);

/// A device whose `behaviour` is asked for every request: (connection, unit, start, count).
struct Peer {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Peer {
    async fn new(
        behaviour: impl Fn(usize, u8, u16, u16) -> Act + Copy + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        let server = tokio::spawn(async move {
            for connection in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let log = log.clone();
                tokio::spawn(async move {
                    let mut request = [0_u8; 12];
                    while stream.read_exact(&mut request).await.is_ok() {
                        let [t1, t2, .., unit, function, s1, s2, c1, c2] = request;
                        let (start, count) =
                            (u16::from_be_bytes([s1, s2]), u16::from_be_bytes([c1, c2]));
                        log.lock()
                            .unwrap()
                            .push(format!("{connection}:{unit}:{function} {start}+{count}"));
                        let act = behaviour(connection, unit, start, count);
                        if !reply(&mut stream, act, [t1, t2], unit, function, start, count).await {
                            break;
                        }
                    }
                });
            }
        });
        Self {
            port,
            requests,
            server,
        }
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    /// A line with a device for each unit: input registers 0 to 5 as `a` to `d`, `c` being an f32.
    fn line(&self, units: &[u8]) -> Line {
        let mut document = String::new();
        for unit in units {
            write!(document, "[[device]]\nname='m{unit}'\nport='tcp://127.0.0.1:{}'\nunit_id={unit}\nperiod_s=1\ntimeout_ms={}\n",
                self.port, PATIENCE.as_millis()).unwrap();
            for (name, address, encoding) in [
                ("a", 0, "u16"),
                ("b", 1, "u16"),
                ("c", 2, "u32"),
                ("d", 4, "u16"),
            ] {
                write!(document, "[[device.register]]\nname='{name}'\nfunction='input'\naddress={address}\ntype='{encoding}'\n").unwrap();
            }
        }
        let devices = document::parse(&document, &"sensors".parse().unwrap())
            .unwrap()
            .devices;
        let [line] = lines(devices, Instant::now()).try_into().ok().unwrap();
        line
    }
}

/// Whether the connection stays.
async fn reply(
    stream: &mut TcpStream,
    act: Act,
    transaction: [u8; 2],
    unit: u8,
    function: u8,
    start: u16,
    count: u16,
) -> bool {
    let registers = |n: u16| {
        let mut pdu = vec![function, u8::try_from(2 * n).unwrap()];
        pdu.extend((start..start + n).flat_map(u16::to_be_bytes));
        pdu
    };
    let frame = |transaction: [u8; 2], unit: u8, pdu: &[u8]| {
        let length = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
        let mut bytes = vec![
            transaction[0],
            transaction[1],
            0,
            0,
            length[0],
            length[1],
            unit,
        ];
        bytes.extend_from_slice(pdu);
        bytes
    };
    let good = frame(transaction, unit, &registers(count));
    let bytes = match act {
        Act::Answer | Act::AnswerAndClose => good,
        Act::Exception(code) => frame(transaction, unit, &[function | 0x80, code]),
        Act::Silence => return true,
        Act::Late => {
            tokio::time::sleep(PATIENCE * 2).await;
            good
        }
        Act::OtherUnit => frame(transaction, unit ^ 1, &registers(count)),
        Act::OtherTransaction => frame(
            [transaction[0] ^ 1, transaction[1]],
            unit,
            &registers(count),
        ),
        Act::Short => frame(transaction, unit, &registers(count - 1)),
        Act::Long => frame(transaction, unit, &registers(count + 1)),
        Act::OtherFunction => frame(transaction, unit, &[3, 2, 0, 1]),
        Act::Garbage(bytes) => bytes.to_vec(),
        Act::Cut => good[..good.len() - 1].to_vec(),
        Act::Close => return false,
    };
    // A write to a peer that has hung up is what a late answer is.
    let sent = stream.write_all(&bytes).await.is_ok();
    sent && !matches!(act, Act::Cut | Act::AnswerAndClose)
}

/// The values or reasons of a poll, and the failure.
async fn poll(line: &mut Line) -> (String, Option<Reason>) {
    let polled = timeout(Duration::from_secs(10), line.poll())
        .await
        .expect("a poll ends");
    let words = polled
        .points
        .iter()
        .map(|Measured { point, .. }| match point.reading.value() {
            Some(value) => value.to_string(),
            None => point.reading.reason().unwrap().as_str().to_owned(),
        });
    (words.collect::<Vec<_>>().join(" "), polled.failure)
}

const GOOD: &str = "0 1 131075 4";

#[tokio::test]
async fn neighbours_in_one_request_over_one_connection() {
    let peer = Peer::new(|_, _, _, _| Act::Answer).await;
    let mut line = peer.line(&[7]);
    for _ in 0..3 {
        assert_eq!(poll(&mut line).await, (GOOD.to_owned(), None));
    }
    assert_eq!(peer.requests(), ["0:7:4 0+5"; 3]);
}

#[tokio::test]
async fn whatever_goes_wrong_once_is_over_with_the_next_poll() {
    let cases = [
        (Act::Silence, "timeout"),
        (Act::Late, "timeout"),
        (Act::OtherUnit, "bad_reply"),
        (Act::OtherTransaction, "bad_reply"),
        (Act::Short, "bad_reply"),
        (Act::Long, "bad_reply"),
        (Act::OtherFunction, "bad_reply"),
        // A length of zero; another protocol; a length of 12 kB that never comes.
        (Act::Garbage(&[0; 12]), "bad_reply"),
        (
            Act::Garbage(&[0, 0, 0xff, 0xff, 0, 3, 1, 4, 0]),
            "bad_reply",
        ),
        (Act::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "timeout"),
        (Act::Cut, "not_present"),
        (Act::Close, "not_present"),
    ];
    for (act, reason) in cases {
        // The first connection fails, every later one works: no answer of the first is ever used.
        static FAULT: Mutex<Act> = Mutex::new(Act::Answer);
        *FAULT.lock().unwrap() = act;
        let peer = Peer::new(|connection, _, _, _| match connection {
            0 => *FAULT.lock().unwrap(),
            _ => Act::Answer,
        })
        .await;
        let mut line = peer.line(&[1]);
        let (words, failure) = poll(&mut line).await;
        assert_eq!(words, [reason; 4].join(" "), "{act:?}");
        assert_eq!(failure.map(Reason::as_str), Some(reason), "{act:?}");
        assert_eq!(poll(&mut line).await, (GOOD.to_owned(), None), "{act:?}");
        assert_eq!(peer.requests(), ["0:1:4 0+5", "1:1:4 0+5"], "{act:?}");
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_poll() {
    let peer = Peer::new(|_, _, _, _| Act::AnswerAndClose).await;
    let mut line = peer.line(&[1]);
    for _ in 0..3 {
        assert_eq!(poll(&mut line).await, (GOOD.to_owned(), None));
    }
}

#[tokio::test]
async fn one_refused_register_leaves_its_neighbours() {
    let has_1 = |start: u16, count: u16| (start..start + count).contains(&1);
    let peer = Peer::new(move |_, _, start, count| {
        if has_1(start, count) {
            Act::Exception(2)
        } else {
            Act::Answer
        }
    })
    .await;
    let mut line = peer.line(&[1]);
    assert_eq!(
        poll(&mut line).await,
        ("0 refused 131075 4".to_owned(), None)
    );
    assert_eq!(
        peer.requests(),
        [
            "0:1:4 0+5",
            "0:1:4 0+2",
            "0:1:4 0+1",
            "0:1:4 1+1",
            "0:1:4 2+3"
        ]
    );
    // The split is remembered.
    assert_eq!(
        poll(&mut line).await,
        ("0 refused 131075 4".to_owned(), None)
    );
    assert_eq!(peer.requests(), ["0:1:4 0+1", "0:1:4 1+1", "0:1:4 2+3"]);
}

#[tokio::test]
async fn exceptions_are_told_apart() {
    for (exception, reason) in [
        (1, "refused"),
        (2, "refused"),
        (3, "refused"),
        (4, "device_error"),
        (6, "refused"),
        (10, "refused"),
        (11, "timeout"),
        (99, "refused"),
    ] {
        static CODE: Mutex<u8> = Mutex::new(0);
        *CODE.lock().unwrap() = exception;
        let peer = Peer::new(|_, _, _, _| Act::Exception(*CODE.lock().unwrap())).await;
        let mut line = peer.line(&[1]);
        let (words, failure) = poll(&mut line).await;
        assert_eq!(words, [reason; 4].join(" "), "{exception}");
        assert_eq!(failure.map(Reason::as_str), Some(reason), "{exception}");
    }
}

#[tokio::test]
async fn a_silent_unit_does_not_silence_the_others_on_its_line() {
    let peer = Peer::new(|_, unit, _, _| if unit == 1 { Act::Silence } else { Act::Answer }).await;
    let mut line = peer.line(&[1, 2]);
    let (first, second) = (poll(&mut line).await, poll(&mut line).await);
    assert_eq!(first.1, Some(Reason::Timeout));
    assert_eq!(second, (GOOD.to_owned(), None));
}

#[tokio::test]
async fn nobody_listens() {
    let peer = Peer::new(|_, _, _, _| Act::Answer).await;
    let mut line = peer.line(&[1]);
    peer.server.abort();
    let port = peer.port;
    drop(peer);
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let (words, failure) = poll(&mut line).await;
    assert_eq!(
        (words.as_str(), failure),
        (
            "not_present not_present not_present not_present",
            Some(Reason::NotPresent)
        )
    );
}

#[tokio::test]
async fn a_register_that_is_refused_again_and_again_is_set_aside() {
    let has_1 = |start: u16, count: u16| (start..start + count).contains(&1);
    let peer = Peer::new(move |_, _, start, count| {
        if has_1(start, count) {
            Act::Exception(2)
        } else {
            Act::Answer
        }
    })
    .await;
    let mut line = peer.line(&[1]);
    for _ in 0..3 {
        assert_eq!(poll(&mut line).await.0, "0 refused 131075 4");
    }
    peer.requests();
    for _ in 0..3 {
        assert_eq!(poll(&mut line).await.0, "0 quarantined 131075 4");
    }
    assert_eq!(peer.requests(), ["0:1:4 0+1", "0:1:4 2+3"].repeat(3));
    // Ten minutes in a moment; the socket goes by the real clock.
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(10)).await;
    tokio::time::resume();
    assert_eq!(poll(&mut line).await.0, "0 refused 131075 4");
    assert_eq!(poll(&mut line).await.0, "0 quarantined 131075 4");
}

/// Some devices say nothing about an address that they do not have.
#[tokio::test]
async fn a_register_that_is_never_answered_is_set_aside_too() {
    let has_1 = |start: u16, count: u16| (start..start + count).contains(&1);
    let peer = Peer::new(move |_, _, start, count| {
        if has_1(start, count) {
            Act::Silence
        } else {
            Act::Answer
        }
    })
    .await;
    let mut line = peer.line(&[1]);
    let mut told = Vec::new();
    for _ in 0..12 {
        let (words, failure) = poll(&mut line).await;
        told.push((words, failure.map(Reason::as_str)));
    }
    told.dedup();
    let all = |words: &str, failure| (words.to_owned(), failure);
    // Nothing at first, then what lies beside it, half by half.
    assert_eq!(
        told,
        [
            all("timeout timeout timeout timeout", Some("timeout")),
            all("timeout timeout 131075 4", None),
            all("0 timeout 131075 4", None),
            all("0 quarantined 131075 4", None),
        ]
    );
    peer.requests();
    for _ in 0..3 {
        assert_eq!(poll(&mut line).await.0, "0 quarantined 131075 4");
    }
    let requests = peer.requests();
    let requests = requests
        .iter()
        .map(|request| request.split_once(' ').unwrap().1);
    assert_eq!(requests.collect::<Vec<_>>(), ["0+1", "2+3"].repeat(3));
    // Ten minutes in a moment; the socket goes by the real clock.
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(10)).await;
    tokio::time::resume();
    assert_eq!(poll(&mut line).await.0, "0 timeout 131075 4");
    assert_eq!(poll(&mut line).await.0, "0 quarantined 131075 4");
}

#[tokio::test]
async fn a_device_that_was_away_is_read_in_whole_blocks_again() {
    static IS_AWAY: Mutex<bool> = Mutex::new(true);
    let peer = Peer::new(|_, _, _, _| {
        if *IS_AWAY.lock().unwrap() {
            Act::Silence
        } else {
            Act::Answer
        }
    })
    .await;
    let mut line = peer.line(&[1]);
    for _ in 0..20 {
        assert_eq!(poll(&mut line).await.1, Some(Reason::Timeout));
    }
    *IS_AWAY.lock().unwrap() = false;
    peer.requests();
    assert_eq!(poll(&mut line).await, (GOOD.to_owned(), None));
    assert_eq!(peer.requests().len(), 4, "one by one");
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(10)).await;
    tokio::time::resume();
    assert_eq!(poll(&mut line).await, (GOOD.to_owned(), None));
    peer.requests();
    assert_eq!(poll(&mut line).await, (GOOD.to_owned(), None));
    let requests = peer.requests();
    assert!(
        matches!(&requests[..], [one] if one.ends_with(" 0+5")),
        "{requests:?}"
    );
}

/// Thirty devices on one line, of which five never answer, for 10 minutes.
#[tokio::test(start_paused = true)]
async fn dead_devices_do_not_cost_the_others_their_periods() {
    let mut document = String::new();
    for unit in 0..30 {
        write!(document, "[[device]]\nname='m{unit}'\nport='/dev/none'\nunit_id={unit}\nperiod_s=10\ntimeout_ms=1000\nregister=[{{name='x',function='input',address=0}}]\n").unwrap();
    }
    let devices = document::parse(&document, &"sensors".parse().unwrap()).unwrap();
    let start = Instant::now();
    let [mut line] = lines(devices.devices, start).try_into().ok().unwrap();
    let mut polls = vec![Vec::new(); 30];
    loop {
        let (index, due) = line.turn();
        tokio::time::sleep_until(due).await;
        let began = Instant::now() - start;
        if began > Duration::from_mins(10) {
            break;
        }
        polls[index].push(began);
        let unit = &mut line.units[index];
        // An answer takes 100 ms, a dead device its whole timeout.
        if index < 5 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let readings = unit.all_missing(Reason::Timeout);
            unit.finish(readings, Some(Reason::Timeout));
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let readings = vec![(0, Reading::from(7))];
            unit.finish(readings, None);
        }
    }
    for (index, polls) in polls.iter().enumerate() {
        let asked = polls.len();
        if index < 5 {
            assert!((5..=25).contains(&asked), "dead m{index}: {asked}");
        } else {
            assert!((60..=61).contains(&asked), "m{index}: {asked}");
            // After the dead are known, nobody is late by more than one pause.
            let late = polls.iter().skip(4).map(|at| at.as_millis() % 10_000);
            assert!(late.max() <= Some(3000), "m{index}: {polls:?}");
        }
    }
}
