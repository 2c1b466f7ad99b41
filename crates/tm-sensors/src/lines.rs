//! The Modbus lines that are polled: a change of the map touches only the lines it is about.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use tm_service::Clock;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::Instant;

use crate::driver::{DevicePoll, Driver, Write};
use crate::modbus::{self, Device, Place};

/// The longest that devices are polled before somebody else has the port again.
const TURN_MAX: Duration = Duration::from_secs(20);
/// Writes that may wait for one line.
const WRITES_MAX: usize = 8;

/// A poll on its way: number of the line, the line, what it brought.
type Polling = Abortable<Pin<Box<dyn Future<Output = (u64, Driver, Vec<DevicePoll>)> + Send>>>;

/// Every line of the map in force.
pub(crate) struct Lines {
    clock: Clock,
    wanted: Vec<Device>,
    /// Nothing is polled here for now.
    paused: Option<Place>,
    running: Vec<Running>,
    polling: FuturesUnordered<Polling>,
    /// The number given to a line last.
    last_number: u64,
}

struct Running {
    number: u64,
    devices: Vec<Device>,
    writes: mpsc::Sender<Write>,
    stop: AbortHandle,
}

impl Lines {
    /// No line yet.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            wanted: Vec::new(),
            paused: None,
            running: Vec::new(),
            polling: FuturesUnordered::new(),
            last_number: 0,
        }
    }

    /// Polls these devices from now on. A line with the same devices as before goes on undisturbed,
    /// with its connection and its schedule.
    pub(crate) fn apply(&mut self, wanted: Vec<Device>) {
        self.wanted = wanted;
        let is_free = |device: &&Device| {
            !self
                .paused
                .as_ref()
                .is_some_and(|port| device.place.is_same_port(port))
        };
        let devices = self.wanted.iter().filter(is_free).cloned().collect();
        let mut kept = Vec::new();
        let mut new = Vec::new();
        for line in modbus::lines(devices, Instant::now()) {
            let is_same = |running: &Running| running.devices.iter().eq(line.devices());
            match self.running.iter().position(is_same) {
                Some(index) => kept.push(self.running.swap_remove(index)),
                None => new.push(line),
            }
        }
        // Stopped before the new ones start: a serial port is opened by one at a time.
        for gone in std::mem::replace(&mut self.running, kept) {
            gone.stop.abort();
        }
        for line in new {
            self.last_number += 1;
            let devices = line.devices().cloned().collect();
            let (writes, waiting) = mpsc::channel(WRITES_MAX);
            let driver = Driver::Modbus(Box::new(line), waiting);
            let stop = self.start(self.last_number, driver);
            self.running.push(Running {
                number: self.last_number,
                devices,
                writes,
                stop,
            });
        }
    }

    /// Hands a write to the line of this device; back where too many wait there, or nobody polls it for now.
    pub(crate) fn write(&self, device: &str, write: Write) -> Result<(), Box<Write>> {
        let is_there = |line: &&Running| line.devices.iter().any(|known| known.name == device);
        match self.running.iter().find(is_there) {
            Some(line) => line.writes.try_send(write).map_err(|error| match error {
                TrySendError::Full(write) | TrySendError::Closed(write) => Box::new(write),
            }),
            None => Err(Box::new(write)),
        }
    }

    /// Leaves a port to somebody else. A poll that is on its way there is given up.
    pub(crate) fn pause(&mut self, port: Place) {
        self.paused = Some(port);
        let wanted = std::mem::take(&mut self.wanted);
        self.apply(wanted);
    }

    /// Polls everything again.
    pub(crate) fn resume(&mut self) {
        self.paused = None;
        let wanted = std::mem::take(&mut self.wanted);
        self.apply(wanted);
    }

    /// Long enough for every device of a port to be polled once, the dead ones too; nothing where
    /// nobody is polled, and never long.
    pub(crate) fn turn(&self, port: &Place) -> Duration {
        let devices = self
            .wanted
            .iter()
            .filter(|device| device.place.is_same_port(port));
        let patience: Duration = devices.map(|device| 2 * device.timeout).sum();
        patience.min(TURN_MAX)
    }

    /// The next polls of whichever line is due; never when there is none. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Vec<DevicePoll> {
        loop {
            match self.polling.next().await {
                Some(Ok((number, driver, polls))) => {
                    let running = self.running.iter().position(|line| line.number == number);
                    // Gone meanwhile: nobody asks for this any more.
                    if let Some(index) = running {
                        self.running[index].stop = self.start(number, driver);
                        return polls;
                    }
                }
                Some(Err(_aborted)) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn start(&self, number: u64, mut driver: Driver) -> AbortHandle {
        let clock = self.clock.clone();
        let (stop, registration) = AbortHandle::new_pair();
        let poll: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move {
            let polls = driver.next(&clock).await;
            (number, driver, polls)
        });
        self.polling.push(Abortable::new(poll, registration));
        stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(written: &[(&str, &str, u16)]) -> Vec<Device> {
        let device = |(name, host, address): &(&str, &str, u16)| {
            format!(
                "[[device]]\nname = '{name}'\nport = 'tcp://{host}'\n\
                 register = [{{ name = 'x', function = 'input', address = {address} }}]\n"
            )
        };
        let document: String = written.iter().map(device).collect();
        modbus::parse(&document, &"sensors".parse().unwrap())
            .unwrap()
            .devices
    }

    /// The running lines: number and names of devices.
    fn running(lines: &Lines) -> Vec<(u64, String)> {
        let name = |line: &Running| {
            let names: Vec<_> = line.devices.iter().map(|d| d.name.as_str()).collect();
            (line.number, names.join(" "))
        };
        let mut running: Vec<_> = lines.running.iter().map(name).collect();
        running.sort();
        running
    }

    #[tokio::test]
    async fn only_what_changed_starts_anew() {
        // Name, host and address of each device; then number and devices of each line.
        type Step = (
            &'static [(&'static str, &'static str, u16)],
            &'static [(u64, &'static str)],
        );
        let mut lines = Lines::new(Clock::system());
        let steps: [Step; 5] = [
            (
                &[("a", "h", 0), ("b", "g", 0), ("c", "h", 0)],
                &[(1, "a c"), (2, "b")],
            ),
            (
                &[("b", "g", 0), ("a", "h", 0), ("c", "h", 0)],
                &[(1, "a c"), (2, "b")],
            ),
            (
                &[("b", "g", 7), ("a", "h", 0), ("c", "h", 0)],
                &[(1, "a c"), (3, "b")],
            ),
            (&[("a", "h", 0), ("b", "g", 7)], &[(3, "b"), (4, "a")]),
            (&[], &[]),
        ];
        for (wanted, expected) in steps {
            lines.apply(devices(wanted));
            let expected: Vec<_> = expected
                .iter()
                .map(|(n, d)| (*n, (*d).to_owned()))
                .collect();
            assert_eq!(running(&lines), expected, "{wanted:?}");
        }
    }

    #[tokio::test]
    async fn a_paused_port_is_left_alone_until_it_is_free() {
        let mut lines = Lines::new(Clock::system());
        lines.apply(devices(&[("a", "h", 0), ("b", "g", 0)]));
        lines.pause("tcp://h:502".parse().unwrap());
        assert_eq!(running(&lines), [(2, "b".to_owned())]);
        lines.apply(devices(&[("a", "h", 1), ("b", "g", 0), ("c", "f", 0)]));
        assert_eq!(running(&lines), [(2, "b".to_owned()), (3, "c".to_owned())]);
        let turn = |port: &str| lines.turn(&port.parse().unwrap()).as_millis();
        assert_eq!((turn("tcp://h:502"), turn("tcp://h:503")), (2000, 0));
        lines.resume();
        let names: Vec<_> = running(&lines)
            .into_iter()
            .map(|(_, names)| names)
            .collect();
        assert_eq!(names, ["b", "c", "a"]);
    }
}
