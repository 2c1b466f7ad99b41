//! The sockets: clients come and go, none of them can hold up another or the service.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::report::Picture;
use super::session::Session;

/// The most clients at a time; gpsd itself takes 64 on one machine, a cabinet has few.
const CLIENTS_MAX: usize = 16;
/// Reports that wait for a client; who is farther behind loses the oldest.
const REPORTS_WAITING: usize = 16;
/// A client that takes nothing for this long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// A client that watches nothing and asks nothing for this long is gone (as in gpsd 3.27).
const COMMAND_DEADLINE: Duration = Duration::from_mins(15);
/// Before the address is tried again, when somebody else has it.
const RETRY: Duration = Duration::from_secs(10);

/// What clients are told of by themselves.
#[derive(Debug, Clone)]
enum News {
    /// TPV and SKY.
    Reports(Arc<str>),
    /// Sentences as they came.
    Sentences(Arc<[u8]>),
    /// Another receiver, or none.
    Devices(Arc<str>),
}

/// Serves until it is dropped.
pub(crate) struct Server {
    picture: watch::Sender<Picture>,
    news: broadcast::Sender<News>,
    /// Accepts clients; dropped, it ends with all of them.
    _clients: JoinSet<Infallible>,
}

impl Server {
    /// Listens on an address such as `0.0.0.0:2947`, as soon as it can be had.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let picture = watch::Sender::new(Picture::default());
        let news = broadcast::Sender::new(REPORTS_WAITING);
        let mut clients = JoinSet::new();
        clients.spawn(listen(address, picture.subscribe(), news.clone()));
        Self {
            picture,
            news,
            _clients: clients,
        }
    }

    /// Sentences of the receiver, as they came.
    pub(crate) fn sentences(&self, bytes: &[u8]) {
        self.tell(|| News::Sentences(bytes.into()));
    }

    /// The picture changes.
    pub(crate) fn report(&self, change: impl FnOnce(&mut Picture)) {
        let before = self.picture.borrow().devices();
        self.picture.send_modify(change);
        let (devices, reports) = {
            let picture = self.picture.borrow();
            (picture.devices(), picture.reports())
        };
        if devices != before {
            self.tell(|| News::Devices(devices.into()));
        }
        self.tell(|| News::Reports(reports.into()));
    }

    fn tell(&self, news: impl FnOnce() -> News) {
        if self.news.receiver_count() > 0 {
            // Nobody listens any more: nothing is lost.
            let _ = self.news.send(news());
        }
    }
}

async fn listen(
    address: SocketAddr,
    picture: watch::Receiver<Picture>,
    news: broadcast::Sender<News>,
) -> Infallible {
    let mut clients = JoinSet::new();
    let mut is_told = false;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) if !is_told => warn!(%address, %error, "cannot listen for clients of gpsd"),
            Err(_) => {}
        }
        is_told = true;
        sleep(RETRY).await;
    };
    info!(%address, "listening for clients of gpsd");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                while clients.try_join_next().is_some() {}
                if clients.len() >= CLIENTS_MAX {
                    debug!(%peer, "too many clients");
                    continue;
                }
                let (picture, news) = (picture.clone(), news.subscribe());
                clients.spawn(async move {
                    let ended = serve(stream, picture, news).await;
                    debug!(%peer, why = ended.err().map(|error| error.to_string()), "client gone");
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: they come back.
                debug!(%error, "cannot accept a client");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    picture: watch::Receiver<Picture>,
    mut news: broadcast::Receiver<News>,
) -> io::Result<()> {
    let mut session = Session::default();
    let mut bytes = [0; 1024];
    let mut asked = Instant::now();
    write(&mut stream, Session::greeting().as_bytes()).await?;
    loop {
        tokio::select! {
            read = stream.read(&mut bytes) => {
                let n = read?;
                if n == 0 {
                    return Ok(());
                }
                asked = Instant::now();
                let answer = session.on_bytes(&bytes[..n], &picture.borrow());
                write(&mut stream, answer.as_bytes()).await?;
            }
            () = sleep_until(asked + COMMAND_DEADLINE), if !session.is_watching() => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            told = news.recv() => match told {
                Ok(News::Reports(lines)) if session.wants_reports() => write(&mut stream, lines.as_bytes()).await?,
                Ok(News::Devices(line)) if session.wants_reports() => write(&mut stream, line.as_bytes()).await?,
                Ok(News::Sentences(sentences)) if session.wants_sentences() => write(&mut stream, &sentences).await?,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    match timeout(WRITE_DEADLINE, stream.write_all(bytes)).await {
        Ok(written) => written,
        Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use tm_proto::nmea0183::Epoch;
    use tm_types::Timestamp;
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    use super::*;

    /// A server on a port that was free a moment ago.
    async fn server() -> (Server, String) {
        let probe = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = probe.local_addr().unwrap();
        drop(probe);
        (Server::start(address), address.to_string())
    }

    async fn connect(address: &str) -> BufReader<TcpStream> {
        loop {
            if let Ok(stream) = TcpStream::connect(address).await {
                return BufReader::new(stream);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn read(client: &mut BufReader<TcpStream>) -> String {
        let mut line = String::new();
        let read = client.read_line(&mut line);
        timeout(Duration::from_secs(20), read)
            .await
            .unwrap()
            .unwrap();
        line
    }

    /// Asks, and reads until the answer to a `?VERSION` behind it.
    async fn ask(client: &mut BufReader<TcpStream>, text: &str) -> Vec<String> {
        let text = format!("{text}?VERSION;");
        client.write_all(text.as_bytes()).await.unwrap();
        let mut lines = Vec::new();
        loop {
            let line = read(client).await;
            if line.contains("VERSION") {
                return lines;
            }
            assert!(!line.is_empty(), "the connection ended after {lines:?}");
            lines.push(line);
        }
    }

    fn show(server: &Server, source: Option<&str>) {
        server.report(|picture| picture.take(source, &Epoch::default(), true, Timestamp::EPOCH));
    }

    #[tokio::test]
    async fn everybody_is_told_what_he_asked_for() {
        let (server, address) = server().await;
        let mut json = connect(&address).await;
        assert!(read(&mut json).await.starts_with("{\"class\":\"VERSION\""));
        assert_eq!(ask(&mut json, "?WATCH={\"json\":true};").await.len(), 4);
        let mut nmea = connect(&address).await;
        read(&mut nmea).await;
        assert_eq!(ask(&mut nmea, "?WATCH={\"nmea\":true};").await.len(), 2);
        server.sentences(b"$GPGGA,,,,,,0,,,,,,,,*66\r\n");
        show(&server, Some("bus:modem"));
        assert_eq!(read(&mut nmea).await, "$GPGGA,,,,,,0,,,,,,,,*66\r\n");
        for class in ["DEVICES", "TPV", "SKY"] {
            let line = read(&mut json).await;
            assert!(
                line.starts_with(&format!("{{\"class\":\"{class}\"")),
                "{line}"
            );
            assert!(line.contains("bus:modem"), "{line}");
        }
    }

    #[tokio::test]
    async fn nonsense_and_sloth_hold_up_nobody() {
        let (server, address) = server().await;
        let mut sloth = connect(&address).await;
        read(&mut sloth).await;
        ask(&mut sloth, "?WATCH={\"nmea\":true};").await;
        let mut client = connect(&address).await;
        read(&mut client).await;
        let nonsense = format!("{}\n\u{0}\u{1};?WATCH={{\"json\":9}};", "x".repeat(100_000));
        let answers = ask(&mut client, &nonsense).await;
        assert_eq!(answers.len(), 3, "{answers:?}");
        // More than the buffers of a connection hold, for the one that does not read.
        for _ in 0..20_000 {
            server.sentences(&[b'n'; 1000]);
        }
        assert_eq!(ask(&mut client, "?DEVICES;").await.len(), 1);
    }

    #[tokio::test]
    async fn who_is_too_many_is_turned_away() {
        let (_server, address) = server().await;
        let mut clients = Vec::new();
        for _ in 0..CLIENTS_MAX {
            let mut client = connect(&address).await;
            read(&mut client).await;
            clients.push(client);
        }
        assert_eq!(read(&mut connect(&address).await).await, "");
        drop(clients);
        loop {
            let mut client = connect(&address).await;
            if read(&mut client).await.contains("VERSION") {
                return;
            }
        }
    }
}
