//! A port that is opened anew whenever it ends.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::{Backoff, OpenError, Opened, Port, PortUrl, Ports};

/// The most bytes handed on at once: a burst of NMEA, a long AT answer.
const READ_MAX: usize = 4096;
/// How long a port may take nothing. A tty buffers 4 KiB, so only a wedged one takes this long.
const WRITE_TIME: Duration = Duration::from_secs(5);

/// A port being opened.
pub type Opening = Pin<Box<dyn Future<Output = Result<Opened, OpenError>> + Send>>;

/// Opens ports: [`Ports`] on a machine, streams in memory in tests.
pub trait Opener: Send + Sync {
    /// Begins to open a port.
    fn begin(&self, url: &PortUrl) -> Opening;
}

impl Opener for Ports {
    fn begin(&self, url: &PortUrl) -> Opening {
        let (ports, url) = (self.clone(), url.clone());
        Box::pin(async move { ports.open(&url).await })
    }
}

/// What happened to a port.
#[derive(Debug, PartialEq, Eq)]
pub enum PortEvent {
    /// It is open; the node or address.
    Opened(String),
    /// It could not be opened, and is tried again after a wait.
    Failed(OpenError),
    /// It delivered this.
    Bytes(Vec<u8>),
    /// It ended (unplugged, reset, closed by the peer) and is opened again; what the system said.
    Lost(String),
}

/// One port for as long as a service runs.
///
/// EOF, EIO and ENODEV are all the same here: the port is dropped and opened again, with growing waits
/// that only arriving bytes bring back to the shortest.
pub struct Link {
    url: PortUrl,
    opener: Arc<dyn Opener>,
    backoff: Backoff,
    state: State,
    /// What waits to be written, and until when the port may take its time.
    unsent: Vec<u8>,
    overdue: Instant,
}

enum State {
    Waiting(Instant),
    Opening(Opening),
    Open(Port),
}

impl Link {
    /// A link that opens its port at the first [`next`](Self::next).
    pub fn new(url: PortUrl, opener: Arc<dyn Opener>) -> Self {
        let state = State::Waiting(Instant::now());
        Self {
            url,
            opener,
            backoff: Backoff::default(),
            state,
            unsent: Vec::new(),
            overdue: Instant::now(),
        }
    }

    /// The port's name in the configuration.
    pub fn url(&self) -> &PortUrl {
        &self.url
    }

    /// The next thing that happens. May be dropped at any time without losing anything.
    pub async fn next(&mut self) -> PortEvent {
        loop {
            match &mut self.state {
                State::Waiting(until) => {
                    sleep_until(*until).await;
                    self.state = State::Opening(self.opener.begin(&self.url));
                }
                State::Opening(opening) => match opening.await {
                    Ok(Opened { port, name }) => {
                        self.state = State::Open(port);
                        return PortEvent::Opened(name);
                    }
                    Err(error) => {
                        self.reopen();
                        return PortEvent::Failed(error);
                    }
                },
                State::Open(port) => {
                    let is_writing = !self.unsent.is_empty();
                    let turn = tokio::select! {
                        turn = Self::turn(port, &mut self.unsent) => turn,
                        () = sleep_until(self.overdue), if is_writing => {
                            Err(format!("nothing written within {} s", WRITE_TIME.as_secs()))
                        }
                    };
                    match turn {
                        Ok(bytes) if bytes.is_empty() => {}
                        Ok(bytes) => {
                            self.backoff.reset();
                            return PortEvent::Bytes(bytes);
                        }
                        Err(why) => {
                            self.reopen();
                            return PortEvent::Lost(why);
                        }
                    }
                }
            }
        }
    }

    /// Writes what waits and reads what comes: what was read, nothing when all is written, or how the port ended.
    ///
    /// Both are tried in every turn, so that a port that takes nothing is heard nevertheless; what was taken is
    /// taken off the buffer at once, so that a dropped future writes nothing twice.
    async fn turn(port: &mut Port, unsent: &mut Vec<u8>) -> Result<Vec<u8>, String> {
        let was_writing = !unsent.is_empty();
        poll_fn(|context| {
            while !unsent.is_empty() {
                match Pin::new(&mut *port).poll_write(context, unsent) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err("end of file".to_owned())),
                    Poll::Ready(Ok(n)) => drop(unsent.drain(..n)),
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error.to_string())),
                    Poll::Pending => break,
                }
            }
            let mut bytes = vec![0; READ_MAX];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *port).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) => {
                    let n = buffer.filled().len();
                    if n == 0 {
                        return Poll::Ready(Err("end of file".to_owned()));
                    }
                    bytes.truncate(n);
                    Poll::Ready(Ok(bytes))
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                    Poll::Ready(Ok(Vec::new()))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.to_string())),
                Poll::Pending if was_writing && unsent.is_empty() => Poll::Ready(Ok(Vec::new())),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Writes all of it while [`next`](Self::next) is waited for. A failure shows as [`PortEvent::Lost`]; without
    /// an open port nothing happens.
    pub fn send(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Open(_)) {
            self.unsent.extend_from_slice(bytes);
            self.overdue = Instant::now() + WRITE_TIME;
        }
    }

    /// Drops the port, if it is open, and opens it again after a wait.
    pub fn reopen(&mut self) {
        self.unsent.clear();
        self.state = State::Waiting(Instant::now() + self.backoff.next_wait());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::super::Absence;
    use super::*;

    /// Hands out its streams in order; `None` and an empty list are an absent port.
    struct Hand(Mutex<Vec<Option<DuplexStream>>>);

    impl Opener for Hand {
        fn begin(&self, url: &PortUrl) -> Opening {
            let name = url.to_string();
            let stream = self.0.lock().unwrap().pop().flatten();
            let absent = || {
                Absence::Device {
                    vendor: 0x1e0e,
                    product: 0x9001,
                }
                .into()
            };
            let opened = stream.map(|stream| Opened {
                port: Box::new(stream),
                name,
            });
            Box::pin(async move { opened.ok_or_else(absent) })
        }
    }

    fn link(mut streams: Vec<Option<DuplexStream>>) -> Link {
        streams.reverse();
        Link::new(
            "usb:1e0e:9001:02".parse().unwrap(),
            Arc::new(Hand(Mutex::new(streams))),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn absent_there_lost_and_there_again() {
        let ((near, mut far), (near_2, mut far_2)) = (duplex(64), duplex(64));
        let mut link = link(vec![None, Some(near), Some(near_2)]);
        let started = Instant::now();
        assert!(matches!(
            link.next().await,
            PortEvent::Failed(OpenError::Absent(_))
        ));
        assert_eq!(
            link.next().await,
            PortEvent::Opened("usb:1e0e:9001:02".to_owned())
        );
        assert!(started.elapsed() <= Duration::from_millis(502));
        far.write_all(b"RDY").await.unwrap();
        assert_eq!(link.next().await, PortEvent::Bytes(b"RDY".to_vec()));
        drop(far);
        assert_eq!(link.next().await, PortEvent::Lost("end of file".to_owned()));
        assert!(matches!(link.next().await, PortEvent::Opened(_)));
        link.send(b"AT\r");
        let mut bytes = [0; 3];
        tokio::select! {
            event = link.next() => panic!("{event:?}"),
            read = far_2.read_exact(&mut bytes) => drop(read.unwrap()),
        }
        assert_eq!(&bytes, b"AT\r");
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(4);
        let mut link = link(vec![Some(near)]);
        link.send(b"before it is open");
        assert!(matches!(link.next().await, PortEvent::Opened(_)));
        link.send(b"too much for it");
        assert_eq!(
            link.next().await,
            PortEvent::Lost("nothing written within 5 s".to_owned())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_is_dropped_writes_nothing_twice() {
        let (near, mut far) = duplex(4);
        let mut link = link(vec![Some(near)]);
        assert!(matches!(link.next().await, PortEvent::Opened(_)));
        link.send(b"AT+CSQ\r");
        let mut got = Vec::new();
        while got.len() < 7 {
            let mut byte = [0; 1];
            tokio::select! {
                biased;
                event = link.next() => panic!("{event:?}"),
                // Dropped at every byte.
                read = far.read(&mut byte) => got.extend_from_slice(&byte[..read.unwrap()]),
            }
        }
        assert_eq!(got, b"AT+CSQ\r");
    }

    #[tokio::test(start_paused = true)]
    async fn an_absent_port_is_tried_ever_less_often() {
        let mut link = link(Vec::new());
        let started = Instant::now();
        for _ in 0..30 {
            assert!(matches!(link.next().await, PortEvent::Failed(_)));
        }
        let took = started.elapsed();
        assert!(
            took > Duration::from_secs(150) && took < Duration::from_mins(5),
            "{took:?}"
        );
    }
}
