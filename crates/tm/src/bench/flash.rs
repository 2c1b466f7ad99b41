//! Bytes that reach the block device while the standard load flows in real time.
//!
//! The kernel counts them for the whole device: `--directory` on a file system of its own leaves out everybody else.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tm_columns::cabinet::Cabinet;

use super::collector::Collector;
use super::load::Load;
use super::mosquitto::Mosquitto;
use super::process::Uplink;
use super::{Bench, per};

/// The segments of the first minutes are small and grow: not what a day looks like.
const GROWN_BYTES: u64 = 8 << 20;

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    let (bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let mut collector = Collector::connect(cloud.address()).await?;
    let url = format!("mqtt://{}", cloud.address());
    let uplink = Uplink::start(bench, bus.address(), &url, &[])?;
    collector.up().await?;
    let mut cabinet = Cabinet::new(42, false);
    let mut load = Load::connect(bus.address())?;
    while uplink.journal_bytes() < GROWN_BYTES {
        load.send_from(&mut cabinet, 10_000)?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let journals = uplink.journals();
    let (name, before) = device_bytes(&journals).context("read the device's counters")?;
    let start = Instant::now();
    for second in 1..=bench.seconds {
        load.send_from(&mut cabinet, if second % 10 == 1 { 3 } else { 2 })?;
        // What arrives meanwhile is taken, so that the cursor moves as it does in the field.
        let rest = Duration::from_secs(second).saturating_sub(start.elapsed());
        let _ = tokio::time::timeout(rest, collector.forever()).await;
    }
    let (_, after) = device_bytes(&journals).context("read the device's counters")?;
    println!(
        "{} s of the standard load in real time, a commit each second, batches of 60 s, cursor and segments included: {:.2} KiB a commit on {name} (everybody's)",
        bench.seconds,
        per(after - before, 1024.0) / per(bench.seconds, 1.0)
    );
    Ok(())
}

/// The block device that holds `path`, and the bytes written to it since the system's start, by everybody.
///
/// What waits in the kernel's memory is written first. `None` where the path is on no block device, such as in a
/// `tmpfs`, or cannot be opened.
pub fn device_bytes(path: &Path) -> Option<(String, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let place = std::fs::File::open(path).ok()?;
    rustix::fs::syncfs(&place).ok()?;
    let number = place.metadata().ok()?.dev();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let device = format!("/sys/dev/block/{major}:{minor}");
    let stat = std::fs::read_to_string(format!("{device}/stat")).ok()?;
    let sectors: u64 = stat.split_whitespace().nth(6)?.parse().ok()?;
    let name = std::fs::read_link(&device).ok()?;
    Some((
        name.file_name()?.to_string_lossy().into_owned(),
        sectors * 512,
    ))
}
