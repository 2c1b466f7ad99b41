//! One TCP connection and the devices behind it.

use std::collections::VecDeque;
use std::time::Duration;

use tm_types::{Point, Reading, Reason};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{ExceptionCode, Request, Response};
use tracing::debug;

use super::decode;
use super::map::{Device, Table};
use super::plan::{Block, plan};
use crate::report::Measured;
use crate::schedule::Schedule;

/// For the connection itself: SYNs at 0 and 1 s, and a slow network behind a gateway.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What a poll of one device brought.
#[derive(Debug)]
pub(crate) struct DeviceReading {
    /// The device's name.
    pub(crate) device: String,
    /// Between two polls of it.
    pub(crate) period: Duration,
    /// Every register, with a value or the reason why not.
    pub(crate) points: Vec<Measured>,
    /// Why the device as a whole counts as failed; `None` when it answered.
    pub(crate) failure: Option<Reason>,
}

/// A connection that is polled in turn for all its devices: many gateways take only one.
pub(crate) struct Line {
    host: String,
    port: u16,
    context: Option<Context>,
    units: Vec<Unit>,
}

/// A device with its schedule and its requests.
struct Unit {
    device: Device,
    schedule: Schedule,
    blocks: Vec<Block>,
}

/// Sorts devices onto the connections they share; all are due at `start`.
pub(crate) fn lines(devices: Vec<Device>, start: Instant) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for device in devices {
        let unit = Unit {
            schedule: Schedule::new(start, device.period),
            blocks: plan(&device.registers, device.max_count),
            device,
        };
        let (host, port) = (&unit.device.host, unit.device.port);
        match lines
            .iter_mut()
            .find(|line| line.host == *host && line.port == port)
        {
            Some(line) => line.units.push(unit),
            None => lines.push(Line {
                host: host.clone(),
                port,
                context: None,
                units: vec![unit],
            }),
        }
    }
    lines
}

impl Line {
    /// When the next device is due.
    pub(crate) fn due(&self) -> Instant {
        let dues = self.units.iter().map(|unit| unit.schedule.due());
        dues.min().expect("a line is made for a device")
    }

    /// Reads the device that is due first.
    pub(crate) async fn poll(&mut self) -> DeviceReading {
        let units = self.units.iter_mut();
        let unit = units
            .min_by_key(|unit| unit.schedule.due())
            .expect("a line is made for a device");
        let address = (self.host.as_str(), self.port);
        let mut answer = None;
        if let Some(context) = self.context.take() {
            let over_old = read_over(context, unit).await;
            // Devices close idle connections; that is no reason to miss a poll.
            answer = (over_old.lost != Some(Reason::NotPresent)).then_some(over_old);
        }
        let answer = match answer {
            Some(answer) => answer,
            None => read_anew(address, unit).await,
        };
        self.context = answer.context;
        let (readings, lost) = (answer.readings, answer.lost);
        unit.schedule.advance(Instant::now());
        let none_answered = readings.iter().all(|reading| reading.value().is_none());
        let first_reason = readings.iter().find_map(Reading::reason);
        let points = unit.device.registers.iter().zip(readings);
        DeviceReading {
            device: unit.device.name.clone(),
            period: unit.device.period,
            failure: lost.or_else(|| first_reason.filter(|_| none_answered)),
            points: points
                .map(|(register, reading)| Measured {
                    point: Point {
                        name: register.name.clone(),
                        kind: register.kind,
                        unit: register.unit.clone(),
                        reading,
                        scale: register.scale,
                    },
                    deadband: register.deadband,
                })
                .collect(),
        }
    }
}

/// What a device answered, and the connection where it can be used again.
struct Answer {
    readings: Vec<Reading>,
    lost: Option<Reason>,
    context: Option<Context>,
}

/// Connects, and reads every register of the device, beginning with whole blocks: it may be
/// another device, or another firmware, than before.
async fn read_anew((host, port): (&str, u16), unit: &mut Unit) -> Answer {
    unit.blocks = plan(&unit.device.registers, unit.device.max_count);
    match connect(host, port, unit.device.unit_id).await {
        Ok(context) => read_over(context, unit).await,
        Err(reason) => Answer {
            readings: vec![Reading::Missing(reason); unit.device.registers.len()],
            lost: Some(reason),
            context: None,
        },
    }
}

/// Reads every register of the device over this connection.
async fn read_over(mut context: Context, unit: &mut Unit) -> Answer {
    context.set_slave(Slave(unit.device.unit_id));
    let (readings, lost) = read_device(&mut context, &unit.device, &mut unit.blocks).await;
    Answer {
        readings,
        lost,
        // A late answer would be taken for the next one's: a context that failed once is never
        // used again.
        context: lost.is_none().then_some(context),
    }
}

async fn connect(host: &str, port: u16, unit_id: u8) -> Result<Context, Reason> {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => {
            // Requests are single small packets: they must not wait for one another.
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "failed to set TCP_NODELAY");
            }
            Ok(tcp::attach_slave(stream, Slave(unit_id)))
        }
        Ok(Err(error)) => {
            debug!(host, port, %error, "modbus connection refused");
            Err(Reason::NotPresent)
        }
        Err(_elapsed) => Err(Reason::Timeout),
    }
}

/// Reads every block once; a refused one is halved, for this poll and those after it.
///
/// The second value is why the connection cannot be used any more.
async fn read_device(
    context: &mut Context,
    device: &Device,
    blocks: &mut Vec<Block>,
) -> (Vec<Reading>, Option<Reason>) {
    let registers = &device.registers;
    let mut readings = vec![Reading::Missing(Reason::NotPresent); registers.len()];
    let mut waiting = VecDeque::from(std::mem::take(blocks));
    while let Some(block) = waiting.pop_front() {
        match read_block(context, &block, device.timeout).await {
            Ok(words) => {
                for index in &block.members {
                    let register = &registers[*index];
                    let start = usize::from(register.address - block.start);
                    let end = start + usize::from(register.encoding.n_words());
                    readings[*index] = decode::reading(register, &words[start..end]);
                }
                blocks.push(block);
            }
            Err(Trouble::Exception(exception)) => {
                debug!(device = %device.name, start = block.start, count = block.count, ?exception, "modbus exception");
                let halves = if may_be_one_address(exception) {
                    block.halves(registers)
                } else {
                    None
                };
                if let Some((first, second)) = halves {
                    waiting.push_front(second);
                    waiting.push_front(first);
                } else {
                    for index in &block.members {
                        readings[*index] = Reading::Missing(reason_of(exception));
                    }
                    blocks.push(block);
                }
            }
            Err(Trouble::Lost(reason)) => {
                waiting.push_front(block);
                for index in waiting.iter().flat_map(|block| &block.members) {
                    readings[*index] = Reading::Missing(reason);
                }
                blocks.extend(waiting);
                return (readings, Some(reason));
            }
        }
    }
    (readings, None)
}

/// Why a block was not read.
enum Trouble {
    /// The device answered that it will not.
    Exception(ExceptionCode),
    /// The connection can no longer be trusted.
    Lost(Reason),
}

/// One request; bits become words of 0 and 1. The answer has exactly `block.count` of them.
async fn read_block(
    context: &mut Context,
    block: &Block,
    patience: Duration,
) -> Result<Vec<u16>, Trouble> {
    let (start, count) = (block.start, block.count);
    let request = match block.table {
        Table::Coil => Request::ReadCoils(start, count),
        Table::Discrete => Request::ReadDiscreteInputs(start, count),
        Table::Holding => Request::ReadHoldingRegisters(start, count),
        Table::Input => Request::ReadInputRegisters(start, count),
    };
    // `call`, not `read_…`: those assert the length of the answer in debug builds.
    let words = match timeout(patience, context.call(request)).await {
        Err(_elapsed) => return Err(Trouble::Lost(Reason::Timeout)),
        Ok(Err(error)) => {
            debug!(%error, "modbus answer not understood");
            return Err(Trouble::Lost(reason_of_error(&error)));
        }
        Ok(Ok(Err(exception))) => return Err(Trouble::Exception(exception)),
        Ok(Ok(Ok(response))) => match response {
            Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => {
                // Bits come in whole bytes.
                let padded = usize::from(count).div_ceil(8) * 8;
                let exact = if bits.len() == padded {
                    usize::from(count)
                } else {
                    bits.len()
                };
                bits.into_iter().take(exact).map(u16::from).collect()
            }
            Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) => words,
            _ => Vec::new(),
        },
    };
    if words.len() == usize::from(count) {
        Ok(words)
    } else {
        Err(Trouble::Lost(Reason::BadReply))
    }
}

/// A connection that ends is a device that is gone; anything else is an answer that cannot be one.
fn reason_of_error(error: &tokio_modbus::Error) -> Reason {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        tokio_modbus::Error::Protocol(_) => Reason::BadReply,
        tokio_modbus::Error::Transport(error) => match error.kind() {
            InvalidData | UnexpectedEof => Reason::BadReply,
            _ => Reason::NotPresent,
        },
    }
}

/// Whether a smaller request may succeed (MODBUS Application Protocol V1.1b3, section 7; some
/// devices answer 4 for an address in the middle that they do not have).
fn may_be_one_address(exception: ExceptionCode) -> bool {
    matches!(
        exception,
        ExceptionCode::IllegalDataAddress
            | ExceptionCode::IllegalDataValue
            | ExceptionCode::ServerDeviceFailure
    )
}

fn reason_of(exception: ExceptionCode) -> Reason {
    match exception {
        ExceptionCode::ServerDeviceFailure | ExceptionCode::MemoryParityError => {
            Reason::DeviceError
        }
        // The gateway waited for the device in vain.
        ExceptionCode::GatewayTargetDevice => Reason::Timeout,
        _ => Reason::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::map;
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
                            if !reply(&mut stream, act, [t1, t2], unit, function, start, count)
                                .await
                            {
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
            let devices = map::parse(&document, &"sensors".parse().unwrap()).unwrap();
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
        let words =
            polled
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
        let peer =
            Peer::new(|_, unit, _, _| if unit == 1 { Act::Silence } else { Act::Answer }).await;
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
}
