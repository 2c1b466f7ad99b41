//! The far end: counts records as they arrive, looking no deeper than the first bytes of a batch.

use std::io::Read as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tm_columns::Dictionaries;
use tm_service::session::{Options, Qos, Session, SessionEvent};

/// Counts what arrives at the cloud.
pub(crate) struct Collector {
    session: Session,
    records: u64,
    pub(crate) batches: u64,
    pub(crate) payload_bytes: u64,
    is_up: bool,
    dictionaries: Dictionaries,
}

impl Collector {
    pub(crate) async fn connect(cloud: SocketAddr) -> Result<Self> {
        Self::connect_with(Options::new(
            "collector",
            format!("mqtt://{cloud}").parse()?,
        ))
        .await
    }

    pub(crate) async fn connect_with(mut options: Options) -> Result<Self> {
        options.subscriptions = vec![("tm/#".to_owned(), Qos::AtLeastOnce)];
        options.max_packet = 4 << 20;
        let mut session = Session::open(options);
        let up = async { while !matches!(session.next().await, SessionEvent::Up { .. }) {} };
        tokio::time::timeout(Duration::from_secs(10), up)
            .await
            .context("connect the collector")?;
        Ok(Self {
            session,
            records: 0,
            batches: 0,
            payload_bytes: 0,
            is_up: false,
            dictionaries: Dictionaries::default(),
        })
    }

    /// Waits until the uplink has connected to the cloud.
    pub(crate) async fn up(&mut self) -> Result<()> {
        let wait = async {
            while !self.is_up {
                self.next().await?;
            }
            Ok(())
        };
        tokio::time::timeout(Duration::from_secs(30), wait)
            .await
            .context("wait for the uplink")?
    }

    /// Waits until so many records have arrived in all.
    pub(crate) async fn records(&mut self, records: u64, most: Duration) -> Result<u64> {
        let wait = async {
            while self.records < records {
                self.next().await?;
            }
            Ok(self.records)
        };
        let arrived = tokio::time::timeout(most, wait).await;
        arrived.with_context(|| format!("only {} records have arrived", self.records))?
    }

    /// Waits for the next batch, and says when it came.
    pub(crate) async fn first_new(&mut self) -> Result<Instant> {
        let before = self.batches;
        let wait = async {
            while self.batches == before {
                self.next().await?;
            }
            Ok(Instant::now())
        };
        tokio::time::timeout(Duration::from_mins(2), wait)
            .await
            .context("wait for a batch")?
    }

    async fn next(&mut self) -> Result<()> {
        if let SessionEvent::Message(message) = self.session.next().await {
            if message.topic.ends_with("/health") {
                self.is_up = !message.payload.windows(6).any(|text| text == b"\"down\"");
            }
            if message.topic.ends_with("/data") {
                let records = self.records_of(&message.payload)?;
                self.records += records;
                self.batches += u64::from(records > 0);
                self.payload_bytes += message.payload.len() as u64;
            }
        }
        Ok(())
    }

    /// How many records a batch has: of one that stands alone, by its first bytes.
    fn records_of(&mut self, payload: &[u8]) -> Result<u64> {
        let mut head = [0; 256];
        let read = flate2::read::GzDecoder::new(payload).read(&mut head);
        if let Some(n) = read.ok().and_then(|read| n_of(head.get(..read)?)) {
            return Ok(n);
        }
        n_of(&self.dictionaries.unpack(payload)?).context("read a batch")
    }
}

/// The field `n` of a batch.
fn n_of(json: &[u8]) -> Option<u64> {
    let (_, behind_class) = std::str::from_utf8(json).ok()?.split_once("\"class\":")?;
    behind_class
        .split("\"n\":")
        .nth(1)?
        .split([',', '}'])
        .next()?
        .parse()
        .ok()
}
