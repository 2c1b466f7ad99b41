//! The service: one loop over the bus, the cloud and the keeper of the journals.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context as _;
use tm_service::Host;
use tm_service::bus::{Bus, BusOptions};
use tm_types::{HealthStatus, code, topic};

use crate::anchors::Anchors;
use crate::config::{Config, Payload};
use crate::keeper::{Keeper, Opened, Start};
use crate::outlet::{Terms, Thinning};
use crate::uplink::{ANCHORS, Ended, OPERATIONS, Uplink};

/// Somebody else holds the journals: perhaps our predecessor, who is just writing its cursor.
const LOCKED_RETRY: Duration = Duration::from_secs(1);
/// Locked for longer than this is no predecessor's good-bye.
const LOCKED_TOLD: Duration = Duration::from_mins(1);

/// Runs the uplink: journals what the bus brings, and delivers it to the cloud at least once.
///
/// Dropping the future stops it; the journals are whole at every await, and their cursors are written on the way out.
///
/// # Errors
/// Only when the system gives no thread for the journals, or that thread has died.
pub async fn run(config: Config, host: Host) -> Result<Infallible, anyhow::Error> {
    // States and anchors are retained: their newest value is all that is wanted, so no session is kept for them.
    let mut bus = host.bus.open(BusOptions {
        subscriptions: subscriptions(config.payload),
        operations: OPERATIONS,
        // What a service answers is taken in with everything else; here it counts that one has answered at all.
        follow_results: true,
        ..BusOptions::default()
    });
    loop {
        let opened = open(&config, &host, &bus).await?;
        let anchors = Anchors::of_earlier(host.store.load(ANCHORS).unwrap_or_default());
        let (keeper, start, is_absent) =
            start(opened, &config, &host, anchors.clone()).context("start the journal's thread")?;
        let uplink = Uplink::new(&config, &host, &mut bus, keeper, start, anchors, is_absent);
        let Ended::DiskIsBack = uplink.run().await?;
    }
}

/// What is retained on the bus and wanted here.
fn subscriptions(payload: Payload) -> Vec<String> {
    // Whether a source is alive is told to who knows devices.
    let health = (payload == Payload::Sparkplug).then_some(topic::HEALTH_ALL);
    let all = [topic::STATE_ALL, topic::CLOCK_ALL]
        .into_iter()
        .chain(health);
    all.map(str::to_owned).collect()
}

/// Opens the journals, however long somebody else holds them.
async fn open(config: &Config, host: &Host, bus: &Bus) -> Result<Opened, anyhow::Error> {
    let directory = host.store.directory().join(&config.directory);
    let quota_bytes = config.quota_bytes();
    let mut waited = Duration::ZERO;
    loop {
        let directory = directory.clone();
        let opened = tokio::task::spawn_blocking(move || Opened::open(&directory, quota_bytes))
            .await
            .context("open the journals")?;
        match opened {
            Ok(opened) => return Ok(opened),
            Err(error) => tracing::debug!(%error, "waiting for the journals"),
        }
        if waited == LOCKED_TOLD {
            tracing::warn!("another process holds the journals");
            bus.health(HealthStatus::Degraded, vec![code::JOURNAL_LOCKED.plain()]);
        }
        host.progress.beat();
        tokio::time::sleep(LOCKED_RETRY).await;
        waited += LOCKED_RETRY;
    }
}

/// Starts the keeper, and says whether it has no disk.
fn start(
    opened: Opened,
    config: &Config,
    host: &Host,
    anchors: Anchors,
) -> std::io::Result<(Keeper, Start, bool)> {
    let terms = Terms {
        device: host.device.id.clone(),
        topic_names_device: config.topic.names_device(&host.device),
        payload: config.payload,
        has_dictionary: config.dictionary,
        is_ring: config.url.is_none(),
        thinning: Thinning {
            intervals: config.intervals.clone(),
            is_sparse: false,
        },
    };
    let (clock, commit_ms) = (host.clock.clone(), u64::from(config.commit_ms));
    match opened {
        Opened::Disk(journals) => Keeper::start(journals, None, terms, clock, commit_ms, anchors)
            .map(|(keeper, start)| (keeper, start, false)),
        Opened::Nothing(journals, cause) => {
            tracing::warn!(
                code = cause.code,
                "the journals cannot be opened; nothing is acknowledged before the cloud has it"
            );
            Keeper::start(journals, Some(cause), terms, clock, commit_ms, anchors)
                .map(|(keeper, start)| (keeper, start, true))
        }
    }
}
