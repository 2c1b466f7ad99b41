//! A counter between a meter, a disk and a clock of the test's.

use super::*;
use crate::gpio::line::fake::Bench;
use crate::gpio::line::{Bias, Edges, LineName};
use tm_service::Store;
use tm_types::{BootId, Clock as Quality, Decimal, Stamp, Timestamp};

const NOW: Stamp = Stamp {
    time: Timestamp::EPOCH,
    mono_ms: 1_000_000,
    boot: BootId(7),
    clock: Quality::Ntp,
    err_ms: None,
};
const PERIOD: Duration = Duration::from_mins(1);

struct Meter {
    bench: Bench,
    directory: tempfile::TempDir,
    clock: Clock,
}

impl Meter {
    fn new() -> Self {
        Self {
            bench: Bench::default(),
            directory: tempfile::tempdir().unwrap(),
            clock: Clock::manual(NOW).0,
        }
    }

    /// A counter as a new process has it.
    fn counter(&self) -> Pulse<Bench> {
        let spec = PulseSpec {
            name: "energy".parse().unwrap(),
            wire: Wire {
                chip: "gpiochip0".to_owned(),
                line: LineName::Number(27),
                inverted: true,
                bias: Bias::PullUp,
                debounce: Duration::from_millis(5),
                edges: Edges::Active,
            },
            scale: Scale {
                per_unit: Decimal::integer(1000),
                start: Decimal::new(12_345, 1).unwrap(),
            },
            unit: Unit::known("kWh"),
            period: PERIOD,
            max_hz: 50,
        };
        let store = Store::open(self.directory.path()).unwrap();
        Pulse::new(
            spec,
            self.bench.clone(),
            Totals::open(&store),
            Instant::now(),
        )
    }

    fn pulses(&self, n: u32) {
        (0..n).for_each(|_| self.bench.edge(true, Duration::ZERO));
    }

    /// The next thing told: `total`, with `?` and the reason when it is uncertain.
    async fn told(&self, counter: &mut Pulse<Bench>) -> String {
        loop {
            let polls = counter.next(&self.clock).await;
            let Some(poll) = polls.first() else { continue };
            let point = &poll.points[0].point;
            assert_eq!(
                (point.name.as_str(), point.unit.as_str()),
                ("energy", "kWh")
            );
            assert_eq!(poll.failure, point.reading.reason());
            let value = point.reading.value().unwrap();
            return match point.reading.reason() {
                None => value.to_string(),
                Some(reason) => format!("{value}? {}", reason.as_str()),
            };
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pulses_are_counted_at_once_and_told_in_the_period() {
    let meter = Meter::new();
    let mut counter = meter.counter();
    let start = Instant::now();
    assert_eq!(meter.told(&mut counter).await, "1234.5");
    for (n, expected) in [
        (1, "1234.501"),
        (0, "1234.501"),
        (40, "1234.541"),
        (9, "1234.55"),
    ] {
        meter.pulses(n);
        assert_eq!(meter.told(&mut counter).await, expected);
    }
    assert_eq!(start.elapsed(), 4 * PERIOD);
}

#[tokio::test(start_paused = true)]
async fn edges_that_the_kernel_dropped_are_counted() {
    let meter = Meter::new();
    let mut counter = meter.counter();
    meter.told(&mut counter).await;
    // The line is taken with the next wait.
    meter.told(&mut counter).await;
    meter.pulses(3);
    meter.bench.lose(6);
    meter.pulses(1);
    assert_eq!(meter.told(&mut counter).await, "1234.51");
}

#[tokio::test(start_paused = true)]
async fn the_count_goes_on_after_a_restart() {
    let meter = Meter::new();
    let mut counter = meter.counter();
    meter.told(&mut counter).await;
    meter.told(&mut counter).await;
    meter.pulses(20);
    meter.told(&mut counter).await;
    meter.pulses(5);
    // Stopped with pulses that nobody fetched: those are lost with the line, as they would be without power.
    drop(counter);
    let mut counter = meter.counter();
    assert_eq!(meter.told(&mut counter).await, "1234.52");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_not_there_or_goes_is_told_once_and_tried_again() {
    let meter = Meter::new();
    meter.bench.trouble(Some(Reason::Refused));
    let mut counter = meter.counter();
    let start = Instant::now();
    assert_eq!(meter.told(&mut counter).await, "1234.5? refused");
    assert_eq!(meter.told(&mut counter).await, "1234.5? refused");
    assert_eq!(start.elapsed(), PERIOD, "once, and then in the period");
    meter.bench.trouble(None);
    assert_eq!(meter.told(&mut counter).await, "1234.5");
    meter.pulses(2);
    meter.bench.trouble(Some(Reason::DeviceError));
    let told = meter.told(&mut counter).await;
    assert!(told.ends_with("? device_error"), "{told}");
    meter.bench.trouble(None);
    assert!(!meter.told(&mut counter).await.contains('?'));
}

#[tokio::test(start_paused = true)]
async fn a_storm_costs_a_message_and_leaves_the_count_in_doubt_until_it_is_calm() {
    let meter = Meter::new();
    let mut counter = meter.counter();
    meter.told(&mut counter).await;
    meter.told(&mut counter).await;
    let start = Instant::now();
    meter.pulses(51);
    assert_eq!(meter.told(&mut counter).await, "1234.551? device_error");
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(!meter.bench.is_held());
    // For five minutes at every chance: one message a period.
    let mut n_told = 0;
    while start.elapsed() < 5 * PERIOD {
        if meter.bench.is_held() {
            meter.pulses(1000);
        }
        let told = tokio::time::timeout(Duration::from_secs(1), meter.told(&mut counter)).await;
        n_told += u32::from(told.is_ok());
    }
    assert!(n_told <= 6, "{n_told} messages in five minutes");
    tokio::time::sleep(2 * REST).await;
    let mut last = String::new();
    for _ in 0..2 {
        last = meter.told(&mut counter).await;
    }
    assert!(!last.contains('?'), "believed again: {last}");
}
