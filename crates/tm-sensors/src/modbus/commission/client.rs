//! Asking a device over a port that is ours for a while, and what became of it.

use futures_util::future::BoxFuture;
use tm_service::port::{Ports, SerialLine};
use tm_types::{Cause, Reason, code};
use tokio_modbus::ExceptionCode;

use super::super::connection::{Addressee, Connection, Trouble};
use super::super::map::Table;
use super::super::place::Place;

/// Opens the port anew; a tty with these settings.
pub(super) type Open =
    Box<dyn Fn(SerialLine) -> BoxFuture<'static, Result<Connection, Cause>> + Send + Sync>;

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
    fn of(read: Result<Vec<u16>, Trouble>) -> Self {
        use ExceptionCode::{GatewayPathUnavailable, GatewayTargetDevice};
        match read {
            Ok(words) => Self::Words(words),
            Err(Trouble::Exception(GatewayTargetDevice | GatewayPathUnavailable)) => {
                Self::Unreachable
            }
            Err(Trouble::Exception(exception)) => Self::Refused(exception),
            Err(Trouble::Lost(Reason::Timeout)) => Self::Silent,
            Err(Trouble::Lost(Reason::NotPresent)) => Self::Ended,
            Err(Trouble::Lost(_)) => Self::Garbled,
        }
    }

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
pub(super) fn opener(port: &Place) -> Open {
    let port = port.clone();
    Box::new(move |line| {
        let place = port.with(line);
        Box::pin(async move {
            let opened = Connection::open(&place, &Ports::default()).await;
            opened.map_err(|unopened| {
                let cause = code::SENSORS_PORT_UNUSABLE.with("port", &place);
                cause.and("error", unopened.why)
            })
        })
    })
}

/// Reads registers or bits of a device; the connection comes back where it can be used again.
pub(super) async fn ask(
    mut connection: Connection,
    to: Addressee,
    table: Table,
    address: u16,
    count: u16,
) -> (Answer, Option<Connection>) {
    let read = connection.read(to, table, address, count).await;
    let connection = match &read {
        Err(Trouble::Lost(reason)) => connection.recover(*reason).await,
        _ => Some(connection),
    };
    (Answer::of(read), connection)
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
                Ok(Connection::over_tcp(ours))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::fake::{exception, opener, words};
    use super::*;

    fn to(unit_id: u8, timeout_ms: u64) -> Addressee {
        Addressee {
            unit_id,
            timeout: Duration::from_millis(timeout_ms),
            gap: Duration::ZERO,
        }
    }

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
            let connection = open(SerialLine::plain(9600)).await.unwrap();
            let (got, _) = ask(connection, to(unit, 1000), table, 0, 3).await;
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
        let place: Place = "/dev/ttyS0?baud=9600".parse().unwrap();
        let connection = Connection::over_serial(Box::new(ours), place.silence());
        let (nobody, connection) = ask(connection, to(1, 200), Table::Holding, 107, 3).await;
        assert_eq!(nobody, Answer::Silent);
        let connection = connection.expect("the same line serves again");
        let (found, _) = ask(connection, to(2, 200), Table::Holding, 107, 3).await;
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
        let connection = super::opener(&node.parse().unwrap())(line).await.unwrap();
        let (answer, _) = ask(connection, to(5, 10_000), Table::Input, 9, 1).await;
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
