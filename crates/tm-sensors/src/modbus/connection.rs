//! An open line: one request at a time, with silence between frames.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use tm_service::port::{Port, Ports};
use tm_types::Reason;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_modbus::client::{Client, Context, rtu, tcp};
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{ExceptionCode, Request, Response};
use tracing::debug;

use super::map::Table;
use super::place::Place;

/// For the connection itself: SYNs at 0 and 1 s, and a slow network behind a gateway.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A serial bus that has been quiet for so long carries no late answer: USB adapters deliver
/// within 16 ms (FTDI AN232B-04), and a frame has no pauses.
const QUIET: Duration = Duration::from_millis(50);
/// A bus that babbles longer than this is asked all the same: checksums tell its noise apart.
const BABBLE_MAX: Duration = Duration::from_secs(1);

/// Why a request brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The device answered that it will not.
    Exception(ExceptionCode),
    /// The connection can no longer be trusted.
    Lost(Reason),
}

/// Whom a request goes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addressee {
    /// The device on the line.
    pub(super) unit_id: u8,
    /// For its answer.
    pub(super) timeout: Duration,
    /// Left to it between an answer and the next request.
    pub(super) gap: Duration,
}

/// Why a line was not opened.
#[derive(Debug)]
pub(super) struct Unopened {
    /// For the readings.
    pub(super) reason: Reason,
    /// For people.
    pub(super) why: String,
}

/// An open connection or serial port.
pub(super) struct Connection {
    context: Context,
    /// The serial port under the context, which outlives a context that failed.
    wire: Option<Wire>,
    /// Whether a late answer still comes after opening it again.
    is_serial: bool,
    silence: Duration,
    /// When the last exchange ended.
    last: Instant,
}

impl Connection {
    /// Opens the line.
    pub(super) async fn open(place: &Place, ports: &Ports) -> Result<Self, Unopened> {
        match place {
            Place::Tcp { host, port } => Ok(Self::over_tcp(connect(host, *port).await?)),
            Place::RtuOverTcp { host, port } => {
                let stream = Box::new(connect(host, *port).await?);
                Ok(Self::over(Wire::new(stream), Duration::ZERO, false))
            }
            Place::Serial { url, line } => {
                let opened = ports.open_serial(url, Some(*line)).await;
                let opened = opened.map_err(|error| Unopened {
                    reason: Reason::NotPresent,
                    why: error.to_string(),
                })?;
                Ok(Self::over_serial(opened.port, place.silence()))
            }
        }
    }

    /// Modbus TCP over an open connection.
    pub(super) fn over_tcp<T>(stream: T) -> Self
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug + 'static,
    {
        Self {
            context: tcp::attach(stream),
            wire: None,
            is_serial: false,
            silence: Duration::ZERO,
            last: Instant::now(),
        }
    }

    /// RTU over an open serial port.
    pub(super) fn over_serial(port: Port, silence: Duration) -> Self {
        Self::over(Wire::new(port), silence, true)
    }

    fn over(wire: Wire, silence: Duration, is_serial: bool) -> Self {
        Self {
            context: rtu::attach(wire.clone()),
            wire: Some(wire),
            is_serial,
            silence,
            last: Instant::now(),
        }
    }

    /// One request to the device and its answer.
    pub(super) async fn call(
        &mut self,
        to: Addressee,
        request: Request<'_>,
    ) -> Result<Response, Trouble> {
        sleep_until(self.last + self.silence.max(to.gap)).await;
        if let Some(wire) = &mut self.wire {
            wire.drop_waiting();
        }
        self.context.set_slave(Slave(to.unit_id));
        let answer = timeout(to.timeout, self.context.call(request)).await;
        self.last = Instant::now();
        match answer {
            // Bytes came, but they were no answer: noise, a short frame, two devices at once.
            Err(_elapsed) if self.wire.as_ref().is_some_and(Wire::has_read) => {
                Err(Trouble::Lost(Reason::BadReply))
            }
            Err(_elapsed) => Err(Trouble::Lost(Reason::Timeout)),
            Ok(Err(error)) => {
                debug!(unit = to.unit_id, %error, "modbus answer not understood");
                Err(Trouble::Lost(reason_of_error(&error)))
            }
            Ok(Ok(Err(exception))) => Err(Trouble::Exception(exception)),
            Ok(Ok(Ok(response))) => Ok(response),
        }
    }

    /// Reads registers; bits become words of 0 and 1. The answer has exactly `count` of them.
    pub(super) async fn read(
        &mut self,
        to: Addressee,
        table: Table,
        start: u16,
        count: u16,
    ) -> Result<Vec<u16>, Trouble> {
        let request = match table {
            Table::Coil => Request::ReadCoils(start, count),
            Table::Discrete => Request::ReadDiscreteInputs(start, count),
            Table::Holding => Request::ReadHoldingRegisters(start, count),
            Table::Input => Request::ReadInputRegisters(start, count),
        };
        // `call`, not `read_…`: those assert the length of the answer in debug builds.
        let words: Vec<u16> = match self.call(to, request).await? {
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
        };
        if words.len() == usize::from(count) {
            Ok(words)
        } else {
            Err(Trouble::Lost(Reason::BadReply))
        }
    }

    /// The connection after it was lost for this reason, where it can be used again.
    ///
    /// A late answer would be taken for the next one's. Over TCP a new connection leaves it
    /// behind; on a serial port it is waited for and thrown away. The context is never used
    /// again: after a timeout it may hold half a frame.
    pub(super) async fn recover(self, reason: Reason) -> Option<Self> {
        let is_there = self.is_serial && reason != Reason::NotPresent;
        let mut wire = self.wire.filter(|_| is_there)?;
        if !wire.fall_quiet().await {
            return None;
        }
        Some(Self::over(wire, self.silence, true))
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, Unopened> {
    let unopened = |reason: Reason, why: String| Unopened { reason, why };
    match timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => {
            // Requests are single small packets: they must not wait for one another.
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "failed to set TCP_NODELAY");
            }
            Ok(stream)
        }
        Ok(Err(error)) => Err(unopened(Reason::NotPresent, error.to_string())),
        Err(_elapsed) => {
            let why = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
            Err(unopened(Reason::Timeout, why))
        }
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

/// A port that a context uses and its line keeps.
#[derive(Clone)]
struct Wire(Arc<Mutex<Ends>>);

struct Ends {
    port: Port,
    /// Whether anything came since the last request.
    has_read: bool,
}

impl Wire {
    fn new(port: Port) -> Self {
        let has_read = false;
        Self(Arc::new(Mutex::new(Ends { port, has_read })))
    }

    fn has_read(&self) -> bool {
        self.ends().has_read
    }

    /// Throws away what has arrived unasked, without waiting.
    fn drop_waiting(&mut self) {
        let mut bytes = [0; 256];
        while let Some(Ok(1..)) = self.read(&mut bytes).now_or_never() {}
        self.ends().has_read = false;
    }

    /// Throws away what arrives until nothing does; whether the port is still there.
    async fn fall_quiet(&mut self) -> bool {
        let until = Instant::now() + BABBLE_MAX;
        let mut bytes = [0; 256];
        while Instant::now() < until {
            match timeout(QUIET, self.read(&mut bytes)).await {
                Err(_elapsed) => return true,
                Ok(Ok(1..)) => {}
                Ok(Ok(0) | Err(_)) => return false,
            }
        }
        true
    }

    fn ends(&self) -> std::sync::MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut ends = self.ends();
        let before = buf.filled().len();
        let polled = Pin::new(&mut ends.port).poll_read(cx, buf);
        ends.has_read |= buf.filled().len() > before;
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.ends().port).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.ends().port).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.ends().port).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream};

    use super::super::document;
    use super::*;

    /// What the bus does with one request.
    #[derive(Debug, Clone, Copy)]
    enum Act {
        Answer,
        Silence,
        /// The right answer after this many milliseconds.
        Late(u64),
        OtherUnit,
        /// One register too few.
        Short,
        /// One register too many.
        Long,
        BadChecksum,
        /// The first bytes of an answer.
        Half,
        /// Noise, then the answer.
        NoiseFirst,
        /// The answer, then bytes that nobody asked for.
        NoiseAfter,
        Noise,
        Unplugged,
    }

    fn frame(unit: u8, values: &[u16]) -> Vec<u8> {
        let mut bytes = vec![unit, 4, u8::try_from(2 * values.len()).unwrap()];
        bytes.extend(values.iter().flat_map(|value| value.to_be_bytes()));
        // MODBUS over Serial Line V1.02, 6.2.2.
        let mut crc = 0xffff_u16;
        for byte in &bytes {
            crc ^= u16::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 {
                    crc >> 1 ^ 0xa001
                } else {
                    crc >> 1
                };
            }
        }
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    async fn serve(mut bus: DuplexStream, acts: Vec<Act>) {
        let mut request = [0; 8];
        for act in acts {
            if bus.read_exact(&mut request).await.is_err() {
                return;
            }
            let [unit, 4, _, start, _, count, ..] = request else {
                panic!("{request:?}");
            };
            let values = |n: u8| (0..n).map(|i| u16::from(start + i)).collect::<Vec<_>>();
            let good = frame(unit, &values(count));
            let bytes = match act {
                Act::Answer => good,
                Act::Silence => Vec::new(),
                Act::Late(ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    good
                }
                Act::OtherUnit => frame(unit + 1, &values(count)),
                Act::Short => frame(unit, &values(count - 1)),
                Act::Long => frame(unit, &values(count + 1)),
                Act::BadChecksum => [&good[..good.len() - 1], &[good[good.len() - 1] ^ 1]].concat(),
                Act::Half => good[..5].to_vec(),
                Act::NoiseFirst => [&[0xff, 0x00, 0xfe], &good[..]].concat(),
                Act::NoiseAfter => [&good[..], &[0x00, 0xff, 0x00, 0x07]].concat(),
                Act::Noise => vec![0xf8; 40],
                Act::Unplugged => return,
            };
            if bus.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The bus stays, silent.
        let _ = bus.read_exact(&mut request).await;
        std::future::pending::<()>().await;
    }

    /// Requests for registers 10, 20, 30 … of unit 3, two each, over a bus that does this.
    async fn run(acts: &[Act]) -> Vec<String> {
        let (ours, theirs) = tokio::io::duplex(1024);
        let server = tokio::spawn(serve(theirs, acts.to_vec()));
        let document = "[[device]]\nname='m'\nport='/dev/t'\nunit_id=3\ntimeout_ms=200\nregister=[{name='x',function='input',address=0}]\n";
        let map = document::parse(document, &"sensors".parse().unwrap()).unwrap();
        let device = &map.devices[0];
        let silence = device.place.silence();
        let mut connection = Some(Connection::over_serial(Box::new(ours), silence));
        let mut results = Vec::new();
        for n in 1..=acts.len() {
            let start = u16::try_from(n * 10).unwrap();
            let Some(mut open) = connection.take() else {
                results.push("closed".to_owned());
                continue;
            };
            let answer = open
                .call(device.addressee(), Request::ReadInputRegisters(start, 2))
                .await;
            results.push(match answer {
                Ok(Response::ReadInputRegisters(words)) => format!("{words:?}"),
                Err(Trouble::Lost(reason)) => reason.as_str().to_owned(),
                other => format!("{other:?}"),
            });
            connection = match answer_lost(&results[n - 1]) {
                Some(reason) => open.recover(reason).await,
                None => Some(open),
            };
        }
        server.abort();
        results
    }

    fn answer_lost(result: &str) -> Option<Reason> {
        [Reason::Timeout, Reason::BadReply, Reason::NotPresent]
            .into_iter()
            .find(|reason| reason.as_str() == result)
    }

    #[tokio::test(start_paused = true)]
    async fn after_whatever_went_wrong_the_next_answer_is_the_right_one() {
        for (act, first) in [
            (Act::Answer, "[10, 11]"),
            (Act::Silence, "timeout"),
            (Act::Late(230), "timeout"),
            (Act::OtherUnit, "bad_reply"),
            (Act::Short, "[10]"),
            (Act::Long, "[10, 11, 12]"),
            (Act::BadChecksum, "bad_reply"),
            (Act::Half, "bad_reply"),
            (Act::NoiseFirst, "[10, 11]"),
            (Act::NoiseAfter, "[10, 11]"),
            (Act::Noise, "bad_reply"),
        ] {
            let results = run(&[act, Act::Answer, Act::Answer]).await;
            assert_eq!(results, [first, "[20, 21]", "[30, 31]"], "{act:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_is_gone_is_not_kept() {
        let results = run(&[Act::Answer, Act::Unplugged, Act::Answer]).await;
        assert_eq!(results, ["[10, 11]", "not_present", "closed"]);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_apart() {
        let begun = Instant::now();
        run(&[Act::Answer; 10]).await;
        // 3.5 characters of 11 bits at 9600 baud before each; the clock has milliseconds.
        assert!(
            begun.elapsed() >= Duration::from_millis(40),
            "{:?}",
            begun.elapsed()
        );
    }
}
