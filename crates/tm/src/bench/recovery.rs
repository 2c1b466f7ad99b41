//! How soon a journal is open again after a kill: the journal alone, and the whole uplink until it takes messages.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tm_journal::{Config, Journal, RealDisk};
use tm_service::session::{Options, Qos, Session, SessionEvent};
use tm_sim::Gate;
use tm_sim::gate::GateMode;

use super::load::Load;
use super::mosquitto::Mosquitto;
use super::process::Uplink;
use super::{Bench, per};

/// Polls between two looks at the journal's size.
const ROUND: u64 = 20_000;

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    let (bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let gate = Gate::open(cloud.address())?;
    gate.handle().set_mode(GateMode::Refuse);
    let url = format!("mqtt://{}", gate.address());
    let mut uplink = Uplink::start(
        bench,
        bus.address(),
        &url,
        &[("TM_UPLINK_QUOTA_MIB", "4096")],
    )?;
    super::load::wait_until_taken(bus.address(), 0).await?;
    let mut load = Load::connect(bus.address())?;
    while uplink.journal_bytes() < bench.mib << 20 {
        load.send(ROUND, 16)?;
    }
    // In the midst of the next ones.
    let sender = std::thread::spawn(move || load.send(ROUND, 16));
    tokio::time::sleep(Duration::from_millis(100)).await;
    uplink.kill()?;
    tokio::task::spawn_blocking(move || sender.join().expect("the load does not panic")).await??;
    let data = uplink.journals().join("data");
    forget_cache(&data)?;
    let (cold, segments) = open(&data)?;
    let (warm, _) = open(&data)?;
    forget_cache(&data)?;
    let since = Instant::now();
    uplink.start_again()?;
    let whole = takes_messages(&bus, since).await?;
    println!(
        "a journal of {:.0} MiB in {segments} segments after kill -9: open in {cold:.1?} with a cold cache, {warm:.1?} with a warm one; the uplink takes messages {whole:.1?} after its start",
        per(uplink.journal_bytes(), 1_048_576.0)
    );
    Ok(())
}

fn open(data: &Path) -> Result<(Duration, usize)> {
    let since = Instant::now();
    let disk = RealDisk::open(data).context("open the directory")?;
    let (journal, _) =
        Journal::open(disk, Config::with_quota(8 << 30)).context("open the journal")?;
    Ok((since.elapsed(), journal.segments()))
}

/// Until its health says that its subscription stands: a retained one of before does not count.
async fn takes_messages(bus: &Mosquitto, since: Instant) -> Result<Duration> {
    let mut options = Options::new("look", format!("mqtt://{}", bus.address()).parse()?);
    options.subscriptions = vec![("tm/v1/health/uplink".to_owned(), Qos::AtLeastOnce)];
    let mut session = Session::open(options);
    let wait = async {
        loop {
            if let SessionEvent::Message(message) = session.next().await {
                let is_down = message.payload.windows(6).any(|word| word == b"\"down\"");
                if !message.retain && !is_down {
                    return since.elapsed();
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait)
        .await
        .context("wait for the uplink")
}

fn forget_cache(directory: &Path) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let file = std::fs::File::open(entry?.path())?;
        file.sync_all()?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}
