//! One request at a time over a port that is ours for a while.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tm_service::port::{PortUrl, Ports, SerialLine};
use tm_types::{Cause, code};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_modbus::client::{Client as _, Context, rtu, tcp};
use tokio_modbus::slave::{Slave, SlaveContext as _};
use tokio_modbus::{Error, ExceptionCode, Request, Response};

use super::super::map::Table;

/// For a TCP connection: SYNs at 0 and 1 s, and a slow network behind a gateway.
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// Bits of a character on the line, for the silence between two frames (MODBUS over Serial Line
/// V1.02, 2.5.1): 3.5 characters, at least 1.75 ms.
const CHARACTER_BITS: u64 = 11;
const SILENCE_MIN: Duration = Duration::from_micros(1750);

/// Opens the port anew; a tty with these settings.
pub(super) type Open =
    Box<dyn Fn(SerialLine) -> BoxFuture<'static, Result<Client, Cause>> + Send + Sync>;

/// A connection over which devices are asked.
pub(super) struct Client {
    context: Context,
    /// Before each request.
    silence: Duration,
    /// Whether a late answer cannot be told from the next one's.
    is_serial: bool,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The registers; bits are 0 and 1.
    Words(Vec<u16>),
    /// The device is there, and refuses.
    Refused(ExceptionCode),
    /// A gateway says that it cannot reach the device.
    Unreachable,
    /// No answer in time.
    Silent,
    /// Bytes that are no answer to this.
    Garbled,
    /// The connection has ended.
    Ended,
}

impl Answer {
    /// Whether a device is there.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self, Self::Words(_) | Self::Refused(_))
    }

    /// For people.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Words(_) => "answers".to_owned(),
            Self::Refused(exception) => format!("refuses: {exception}"),
            Self::Unreachable => "the gateway does not reach it".to_owned(),
            Self::Silent => "no answer in time".to_owned(),
            Self::Garbled => "bytes that are no answer".to_owned(),
            Self::Ended => "the connection was closed".to_owned(),
        }
    }
}

/// How this port is opened.
pub(super) fn opener(port: &PortUrl) -> Open {
    let port = port.clone();
    Box::new(move |line| {
        let port = port.clone();
        Box::pin(async move {
            let opened = match &port {
                PortUrl::Tcp { host, port } => connect(host, *port).await.map(Client::over_tcp),
                tty => match Ports::default().open_serial(tty, Some(line)).await {
                    Ok(opened) => Ok(Client::over_serial(opened.port, line.baud)),
                    Err(error) => Err(error.to_string()),
                },
            };
            opened.map_err(|error| {
                let cause = code::SENSORS_PORT_UNUSABLE.with("port", &port);
                cause.and("error", error)
            })
        })
    })
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = timeout(CONNECT_TIME, TcpStream::connect((host, port)))
        .await
        .map_err(|_elapsed| format!("no answer within {} s", CONNECT_TIME.as_secs()))?
        .map_err(|error| error.to_string())?;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    Ok(stream)
}

impl Client {
    /// Speaks Modbus TCP.
    pub(super) fn over_tcp<T>(stream: T) -> Self
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + Debug + 'static,
    {
        Self {
            context: tcp::attach(stream),
            silence: Duration::ZERO,
            is_serial: false,
        }
    }

    /// Speaks Modbus RTU.
    pub(super) fn over_serial<T>(port: T, baud: u32) -> Self
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let characters = Duration::from_micros(CHARACTER_BITS * 3_500_000 / u64::from(baud.max(1)));
        Self {
            context: rtu::attach(port),
            silence: characters.max(SILENCE_MIN),
            is_serial: true,
        }
    }

    /// Whether the next request may go over this connection: a serial line is the same after
    /// opening it again, and its frames name the unit they come from.
    pub(super) fn is_fit_after(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Words(_) | Answer::Refused(_) | Answer::Unreachable => true,
            Answer::Silent | Answer::Garbled => self.is_serial,
            Answer::Ended => false,
        }
    }

    /// Reads registers or bits of a device.
    pub(super) async fn read(
        &mut self,
        unit_id: u8,
        table: Table,
        address: u16,
        count: u16,
        patience: Duration,
    ) -> Answer {
        sleep(self.silence).await;
        self.context.set_slave(Slave(unit_id));
        let request = match table {
            Table::Coil => Request::ReadCoils(address, count),
            Table::Discrete => Request::ReadDiscreteInputs(address, count),
            Table::Holding => Request::ReadHoldingRegisters(address, count),
            Table::Input => Request::ReadInputRegisters(address, count),
        };
        let words = match timeout(patience, self.context.call(request)).await {
            Err(_elapsed) => return Answer::Silent,
            Ok(Err(Error::Transport(error))) if is_end(&error) => return Answer::Ended,
            Ok(Ok(Err(
                ExceptionCode::GatewayTargetDevice | ExceptionCode::GatewayPathUnavailable,
            ))) => {
                return Answer::Unreachable;
            }
            Ok(Ok(Err(exception))) => return Answer::Refused(exception),
            Ok(Ok(Ok(Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits)))) => {
                bits.into_iter().map(u16::from).collect()
            }
            Ok(Ok(Ok(
                Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words),
            ))) => words,
            Ok(Err(_) | Ok(Ok(_))) => return Answer::Garbled,
        };
        exact(table, count, words)
    }
}

/// Bits come in whole bytes; registers in the number that was asked for.
fn exact(table: Table, count: u16, mut words: Vec<u16>) -> Answer {
    let count = usize::from(count);
    let sent = if table.is_bits() {
        count.div_ceil(8) * 8
    } else {
        count
    };
    if words.len() != sent && words.len() != count {
        return Answer::Garbled;
    }
    words.truncate(count);
    Answer::Words(words)
}

fn is_end(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    !matches!(error.kind(), InvalidData | UnexpectedEof)
}

#[cfg(test)]
pub(super) mod fake {
    //! A gateway in memory.

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// What the gateway answers to (unit, function, address, count): a PDU, or nothing.
    pub(in super::super) type Behaviour = fn(u8, u8, u16, u16) -> Option<Vec<u8>>;

    /// The PDU with these registers.
    pub(in super::super) fn words(function: u8, words: &[u16]) -> Vec<u8> {
        let mut pdu = vec![function, u8::try_from(words.len() * 2).unwrap()];
        pdu.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        pdu
    }

    /// The PDU of an exception.
    pub(in super::super) fn exception(function: u8, code: u8) -> Vec<u8> {
        vec![function | 0x80, code]
    }

    pub(in super::super) fn opener(behaviour: Behaviour) -> Open {
        Box::new(move |_line| {
            Box::pin(async move {
                let (ours, mut theirs) = duplex(1024);
                tokio::spawn(async move {
                    let mut head = [0; 12];
                    while theirs.read_exact(&mut head).await.is_ok() {
                        let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
                        let Some(pdu) = behaviour(head[6], head[7], number(8), number(10)) else {
                            continue;
                        };
                        let mut frame = head[..4].to_vec();
                        let length = u16::try_from(pdu.len() + 1).unwrap();
                        frame.extend(length.to_be_bytes());
                        frame.push(head[6]);
                        frame.extend(pdu);
                        theirs.write_all(&frame).await.unwrap();
                    }
                });
                Ok(Client::over_tcp(ours))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::fake::{exception, opener, words};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_kind_of_answer() {
        let open = opener(|unit, function, _, count| match unit {
            1 => Some(words(function, &vec![7; count.into()])),
            2 => Some(exception(function, 2)),
            3 => Some(exception(function, 11)),
            4 => None,
            5 => Some(words(function, &[1])),
            6 => Some(vec![function, 1, 0b101]),
            _ => Some(vec![0x7f, 1, 2, 3]),
        });
        for (unit, table, expected) in [
            (1, Table::Input, Answer::Words(vec![7, 7, 7])),
            (
                2,
                Table::Input,
                Answer::Refused(ExceptionCode::IllegalDataAddress),
            ),
            (3, Table::Holding, Answer::Unreachable),
            (4, Table::Holding, Answer::Silent),
            (5, Table::Holding, Answer::Garbled),
            (6, Table::Coil, Answer::Words(vec![1, 0, 1])),
            (6, Table::Discrete, Answer::Words(vec![1, 0, 1])),
            (9, Table::Holding, Answer::Garbled),
        ] {
            let mut client = open(SerialLine::plain(9600)).await.unwrap();
            let got = client.read(unit, table, 0, 3, Duration::from_secs(1)).await;
            assert_eq!(got, expected, "unit {unit}");
        }
    }

    #[tokio::test]
    async fn a_port_that_cannot_be_opened_says_why() {
        let open = super::opener(&"tcp://127.0.0.1:1".parse().unwrap());
        let cause = open(SerialLine::plain(9600)).await.err().unwrap();
        assert!(cause.is(code::SENSORS_PORT_UNUSABLE));
        assert_eq!(cause.args["port"], "tcp://127.0.0.1:1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_serial_line_is_used_on_after_a_silence() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
        let (ours, mut theirs) = duplex(256);
        tokio::spawn(async move {
            let mut request = [0; 8];
            theirs.read_exact(&mut request).await.unwrap();
            // The example of MODBUS Application Protocol V1.1b3, 6.3, in the frame of the serial line.
            theirs.read_exact(&mut request).await.unwrap();
            assert_eq!(request[..6], [2, 3, 0, 107, 0, 3]);
            let mut frame = vec![2, 3, 6, 0x02, 0x2b, 0, 0, 0, 0x64];
            let crc = crc16(&frame).to_le_bytes();
            frame.extend(crc);
            theirs.write_all(&frame).await.unwrap();
        });
        let mut client = Client::over_serial(ours, 9600);
        let patience = Duration::from_millis(200);
        let nobody = client.read(1, Table::Holding, 107, 3, patience).await;
        assert_eq!(nobody, Answer::Silent);
        assert!(client.is_fit_after(&nobody));
        let found = client.read(2, Table::Holding, 107, 3, patience).await;
        assert_eq!(found, Answer::Words(vec![0x022b, 0, 0x0064]));
    }

    #[tokio::test]
    async fn a_device_answers_on_a_real_line() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let node = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let device = std::thread::spawn(move || {
            let mut request = [0; 8];
            let mut n_read = 0;
            while n_read < request.len() {
                n_read += rustix::io::read(&master, &mut request[n_read..]).unwrap();
            }
            let mut frame = vec![request[0], request[1], 2, 0x09, 0x05];
            frame.extend(crc16(&frame).to_le_bytes());
            rustix::io::write(&master, &frame).unwrap();
            (master, request)
        });
        let line = SerialLine {
            parity: tm_service::port::Parity::Even,
            ..SerialLine::plain(19_200)
        };
        let mut client = super::opener(&node.parse().unwrap())(line).await.unwrap();
        let patience = Duration::from_secs(10);
        let answer = client.read(5, Table::Input, 9, 1, patience).await;
        assert_eq!(answer, Answer::Words(vec![0x0905]));
        let (_master, request) = device.join().unwrap();
        assert_eq!(request[..6], [5, 4, 0, 9, 0, 1]);
    }

    /// MODBUS over Serial Line V1.02, 6.2.2.
    fn crc16(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0xffff, |crc, byte| {
            (0..8).fold(crc ^ u16::from(*byte), |crc: u16, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0xa001 } else { 0 }
            })
        })
    }
}
