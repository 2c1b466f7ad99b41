//! A port that is opened anew whenever it ends.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

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
}

enum State {
    Waiting(Instant),
    Opening(Opening),
    Open(Port),
    /// The port failed while something was written to it.
    Broken(String),
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
                    let mut bytes = Vec::with_capacity(READ_MAX);
                    let why = match port.read_buf(&mut bytes).await {
                        Ok(0) => "end of file".to_owned(),
                        Ok(_) => {
                            self.backoff.reset();
                            return PortEvent::Bytes(bytes);
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        Err(error) => error.to_string(),
                    };
                    self.reopen();
                    return PortEvent::Lost(why);
                }
                State::Broken(why) => {
                    let why = std::mem::take(why);
                    self.reopen();
                    return PortEvent::Lost(why);
                }
            }
        }
    }

    /// Writes all of it. A failure shows as [`PortEvent::Lost`]; without an open port nothing happens.
    pub async fn write(&mut self, bytes: &[u8]) {
        let State::Open(port) = &mut self.state else {
            return;
        };
        let why = match timeout(WRITE_TIME, port.write_all(bytes)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("nothing written within {} s", WRITE_TIME.as_secs()),
        };
        self.state = State::Broken(why);
    }

    /// Drops the port, if it is open, and opens it again after a wait.
    pub fn reopen(&mut self) {
        self.state = State::Waiting(Instant::now() + self.backoff.next_wait());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::{DuplexStream, duplex};

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
        link.write(b"AT\r").await;
        let mut bytes = [0; 3];
        far_2.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"AT\r");
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(4);
        let mut link = link(vec![Some(near)]);
        link.write(b"before it is open").await;
        assert!(matches!(link.next().await, PortEvent::Opened(_)));
        link.write(b"too much for it").await;
        assert_eq!(
            link.next().await,
            PortEvent::Lost("nothing written within 5 s".to_owned())
        );
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
