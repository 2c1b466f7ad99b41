//! A source in real time, whose stamps tell how late it arrives.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use tm_service::session::{Options, Outgoing, Qos, Session, SessionEvent};

/// Its name.
pub(super) const LIVE: &str = "live";

/// One poll a second.
pub(super) struct Live {
    session: Session,
    n: u64,
}

impl Live {
    pub(super) async fn connect(bus: SocketAddr) -> Result<Self> {
        let mut session = Session::open(Options::new(LIVE, format!("mqtt://{bus}").parse()?));
        let up = async { while !matches!(session.next().await, SessionEvent::Up { .. }) {} };
        tokio::time::timeout(Duration::from_secs(10), up)
            .await
            .context("connect the live source")?;
        Ok(Self { session, n: 0 })
    }

    /// Publishes until it is dropped.
    pub(super) async fn run(&mut self) -> Result<Infallible> {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = seconds.tick() => self.publish()?,
                _ = self.session.next() => {}
            }
        }
    }

    /// How many polls there were.
    pub(super) fn count(&self) -> u64 {
        self.n
    }

    fn publish(&mut self) -> Result<()> {
        let n = self.n;
        let stamp = tm_types::Timestamp::of_unix_ms(now_ms()?);
        let payload = format!(
            r#"{{"run":"11fe11fe","n":{n},"time":"{stamp}","mono_ms":{},"boot":"00c0ffee","clock":"ntp","err_ms":12,"points":[{{"name":"level","kind":"gauge","unit":"m","value":1.{:02},"quality":"good","reason":null,"scale":2}}]}}"#,
            n * 1000 + 5_000,
            n % 100
        );
        let message = Outgoing {
            token: n,
            topic: format!("tm/v1/data/{LIVE}"),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain: false,
        };
        self.n += 1;
        self.session
            .feed(message)
            .map_err(|_| anyhow::anyhow!("the bus takes nothing"))
    }
}

/// Wall time, Unix milliseconds.
pub(super) fn now_ms() -> Result<i64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}
