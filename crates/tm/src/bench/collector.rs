//! The far end: counts records as they arrive, looking no deeper than the first bytes of a batch
//! unless there is a witness.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tm_columns::Dictionaries;
use tm_service::session::{Options, Qos, Session, SessionEvent};

use super::witness::Witness;

/// Counts what arrives at the cloud.
pub(super) struct Collector {
    session: Session,
    records: u64,
    pub(super) batches: u64,
    pub(super) payload_bytes: u64,
    /// Looks at every record.
    pub(super) witness: Option<Witness>,
    is_up: bool,
    dictionaries: Dictionaries,
}

impl Collector {
    pub(super) async fn connect(cloud: SocketAddr) -> Result<Self> {
        Self::connect_with(Options::new(
            "collector",
            format!("mqtt://{cloud}").parse()?,
        ))
        .await
    }

    pub(super) async fn connect_with(mut options: Options) -> Result<Self> {
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
            witness: None,
            is_up: false,
            dictionaries: Dictionaries::default(),
        })
    }

    /// Waits until the uplink has connected to the cloud.
    pub(super) async fn up(&mut self) -> Result<()> {
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
    pub(super) async fn records(&mut self, records: u64, most: Duration) -> Result<u64> {
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
    pub(super) async fn first_new(&mut self) -> Result<Instant> {
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

    /// Waits until the witness has seen so many different records of others than the live source.
    pub(super) async fn witnessed(&mut self, records: u64, most: Duration) -> Result<()> {
        let seen = |collector: &Self| collector.witness.as_ref().map_or(0, Witness::backlog);
        let wait = async {
            while seen(self) < records {
                self.next().await?;
            }
            Ok(())
        };
        let arrived = tokio::time::timeout(most, wait).await;
        arrived.with_context(|| format!("only {} of {records} records have arrived", seen(self)))?
    }

    /// Takes what arrives, until it is dropped.
    pub(super) async fn forever(&mut self) -> Result<Infallible> {
        loop {
            self.next().await?;
        }
    }

    /// What has arrived so far.
    pub(super) fn count(&self) -> u64 {
        self.records
    }

    pub(super) async fn next(&mut self) -> Result<()> {
        if let SessionEvent::Message(message) = self.session.next().await {
            if message.topic.ends_with("/health") {
                self.is_up = !message.payload.windows(6).any(|text| text == b"\"down\"");
            }
            if message.topic.ends_with("/data") {
                let records = if self.witness.is_some() {
                    let json = self.dictionaries.unpack(&message.payload)?;
                    let batch = tm_columns::decode_json(&json).context("read a batch")?;
                    if let Some(witness) = &mut self.witness {
                        witness.batch(&batch)?;
                    }
                    batch.records.len() as u64
                } else {
                    self.records_of(&message.payload)?
                };
                self.records += records;
                self.batches += u64::from(records > 0);
                self.payload_bytes += message.payload.len() as u64;
            }
        }
        Ok(())
    }

    /// How many records a batch has: of one that stands alone, by its first bytes.
    fn records_of(&mut self, payload: &[u8]) -> Result<u64> {
        if payload.starts_with(b"{") {
            // Readable: one record each.
            return Ok(1);
        }
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
