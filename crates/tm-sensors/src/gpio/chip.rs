//! The kernel's GPIO character devices, uapi v2 (Linux 5.10 and newer).

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::chip::Chip;
use gpiocdev::line::{self, EdgeDetection, EdgeKind, Value};
use rustix::time::{ClockId, clock_gettime};
use tm_types::Reason;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::debug;

use super::line::{Bias, Edge, Edges, Line, LineName, Lines, Wire};

/// Who holds the line, as other programs see it.
const CONSUMER: &str = "tm-sensors";
/// Edges that the kernel keeps for us; the oldest goes when it is full, and its number is missing.
const KERNEL_BUFFER: u32 = 64;
/// Edges that are taken at once.
const BATCH: usize = 32;

/// The chips below `/dev`. A call takes microseconds on the processor's own lines.
pub(crate) struct GpioChips;

impl Lines for GpioChips {
    type Line = Held;

    fn take(&mut self, wire: &Wire) -> Result<Held, Reason> {
        let path = path(&wire.chip);
        // Says whether it is there and may be used; the library's errors do not.
        File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => Reason::NotPresent,
                ErrorKind::PermissionDenied => Reason::Refused,
                _ => Reason::DeviceError,
            })?;
        request(&path, wire).map_err(|error| {
            debug!(chip = %path.display(), line = ?wire.line, error, "line not taken");
            // Held by somebody else, or no such line.
            Reason::Refused
        })
    }
}

/// `gpiochip0` is short for `/dev/gpiochip0`.
fn path(chip: &str) -> PathBuf {
    // An absolute path takes the place of the whole.
    Path::new("/dev").join(chip)
}

fn request(path: &Path, wire: &Wire) -> Result<Held, String> {
    let offset = match &wire.line {
        LineName::Number(number) => *number,
        LineName::Name(name) => {
            let chip = Chip::from_path(path).map_err(|error| error.to_string())?;
            let info = chip.find_line_info(name);
            info.ok_or_else(|| format!("no line is called {name}"))?
                .offset
        }
    };
    let mut builder = Request::builder();
    builder
        .on_chip(path)
        .with_consumer(CONSUMER)
        .with_kernel_event_buffer_size(KERNEL_BUFFER)
        .with_line(offset)
        .as_input()
        .with_edge_detection(match wire.edges {
            Edges::Both => EdgeDetection::BothEdges,
            Edges::Active => EdgeDetection::RisingEdge,
        });
    if wire.inverted {
        builder.as_active_low();
    }
    builder.with_bias(match wire.bias {
        Bias::AsIs => None,
        Bias::PullUp => Some(line::Bias::PullUp),
        Bias::PullDown => Some(line::Bias::PullDown),
        Bias::None => Some(line::Bias::Disabled),
    });
    if !wire.debounce.is_zero() {
        builder.with_debounce_period(wire.debounce);
    }
    let request = builder.request().map_err(|error| error.to_string())?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe; what that asks for holds: a request owns one file and never another"
    )]
    let file = AsyncFd::with_interest(request, Interest::READABLE);
    let file = file.map_err(|error| error.to_string())?;
    Ok(Held { file, offset })
}

/// A line of a chip, held as an input.
pub(crate) struct Held {
    file: AsyncFd<Request>,
    offset: u32,
}

impl Line for Held {
    fn is_active(&self) -> Result<bool, Reason> {
        let value = self.file.get_ref().value(self.offset);
        value.map(|value| value == Value::Active).map_err(failed)
    }

    async fn edges(&mut self) -> Result<Vec<Edge>, Reason> {
        loop {
            let mut ready = self.file.readable().await.map_err(failed)?;
            let request = self.file.get_ref();
            if !request.has_edge_event().map_err(failed)? {
                ready.clear_ready();
                continue;
            }
            // Not `read_edge_event`: in gpiocdev 0.8.0 with uapi v2 alone its buffer takes eight events from the
            // kernel, of which it gives the first (seen on Linux 6.1, 2026-11-26).
            let words = request.edge_event_u64_size();
            let mut events = vec![0; BATCH * words];
            let n_words = request.read_edge_events_into_slice(&mut events);
            let events = &events[..n_words.map_err(failed)?];
            let edges = events.chunks_exact(words).map(|event| {
                let event = request.edge_event_from_slice(event).map_err(failed)?;
                Ok(Edge {
                    is_active: event.kind == EdgeKind::Rising,
                    age: age(event.timestamp_ns),
                    number: event.line_seqno,
                })
            });
            return edges.collect();
        }
    }
}

/// How long ago that was by the clock that the kernel stamps edges with, `CLOCK_MONOTONIC`.
fn age(timestamp_ns: u64) -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let now = Duration::try_from(now).unwrap_or_default();
    now.saturating_sub(Duration::from_nanos(timestamp_ns))
}

/// A chip that is pulled gives `ENODEV`, one behind a disturbed bus `EIO`: either way the line is taken anew.
fn failed(error: impl std::fmt::Display) -> Reason {
    debug!(%error, "line lost");
    Reason::DeviceError
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(chip: &str) -> Wire {
        Wire {
            chip: chip.to_owned(),
            line: LineName::Number(17),
            inverted: false,
            bias: Bias::PullUp,
            debounce: Duration::from_millis(50),
            edges: Edges::Both,
        }
    }

    #[test]
    fn what_is_no_chip() {
        let take = |chip: &str| GpioChips.take(&wire(chip)).err();
        assert_eq!(take("gpiochip-none"), Some(Reason::NotPresent));
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = file.path().to_str().unwrap();
        assert_eq!(take(file), Some(Reason::Refused));
        assert_eq!(take("/dev/null"), Some(Reason::Refused));
        let named = Wire {
            line: LineName::Name("GPIO17".to_owned()),
            ..wire("/dev/null")
        };
        assert_eq!(GpioChips.take(&named).err(), Some(Reason::Refused));
    }

    #[test]
    fn names_of_chips() {
        assert_eq!(path("gpiochip0"), Path::new("/dev/gpiochip0"));
        assert_eq!(path("/run/chip"), Path::new("/run/chip"));
    }
}
