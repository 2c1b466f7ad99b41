use serde::{Deserialize, Serialize};

use crate::topic::Class;
use crate::{BootId, Clock, Invalid, Point, RunId, Source, Stamp, Timestamp, sensor_block};

/// Where a message stands in the run of its publisher.
///
/// Lets a receiver drop repeats (n not above the last) and count losses (a gap).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sequence {
    /// The publisher's run.
    pub run: RunId,
    /// 0, 1, 2… without gaps within a run.
    pub n: u64,
}

/// One poll of one device: the message on `tm/v1/data/<source>`.
///
/// JSON: `{"run":"5f1c20aa","n":7,"time":"…","mono_ms":81234,"boot":"00c0ffee","clock":"ntp",
/// "err_ms":12,"points":[…]}`. A foreign publisher may leave out everything but `points`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Poll {
    /// Run and number; absent from foreign publishers, whose messages are taken as they come.
    pub sequence: Option<Sequence>,
    /// When the device was read.
    pub stamp: Stamp,
    /// What was read.
    pub points: Vec<Point>,
}

/// A wall clock that is disciplined is slewed; one that moved by more than this against the monotonic
/// clock was set.
const SET_MS: i64 = 2000;

/// Whether two stamps are of one boot and of one setting of its wall clock.
fn is_same_clock(stamp: &Stamp, received: &Stamp) -> bool {
    let booted = |stamp: &Stamp| {
        let mono_ms = i64::try_from(stamp.mono_ms).unwrap_or(i64::MAX);
        stamp.time.unix_ms().saturating_sub(mono_ms)
    };
    let apart = booted(stamp).saturating_sub(booted(received));
    stamp.boot == received.boot && apart.saturating_abs() <= SET_MS
}

#[derive(Serialize)]
struct PollOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    time: Timestamp,
    mono_ms: u64,
    boot: BootId,
    clock: Clock,
    err_ms: Option<u32>,
    points: &'a [Point],
}

#[derive(Deserialize)]
struct PollIn {
    run: Option<RunId>,
    n: Option<u64>,
    time: Option<Timestamp>,
    mono_ms: Option<u64>,
    boot: Option<BootId>,
    clock: Option<Clock>,
    err_ms: Option<u32>,
    points: Vec<Point>,
}

impl Poll {
    /// Reads a message of the bus by its topic, with who measured; `None` where the topic carries no measurements.
    ///
    /// The one place that knows which topics do: our own, and those of balena's sensor blocks.
    pub fn of_topic(
        class: Class<'_>,
        payload: &[u8],
        received: &Stamp,
    ) -> Option<Result<(Source, Self), Invalid>> {
        match class {
            Class::Data(source) => Some(
                Source::new(source)
                    .and_then(|source| Ok((source, Self::from_json(payload, received)?))),
            ),
            Class::SensorBlock(below) => Some(sensor_block::poll(below, payload, received)),
            _ => None,
        }
    }

    /// Reads a message; `received` fills in what a foreign publisher left out.
    ///
    /// A stamp that names its boot is taken whole. Its clock, if it says nothing of it, is as good as
    /// the receiver's while both are of one boot and nobody has set the wall clock between the two;
    /// else it is unknown. A bare `time` keeps the receiver's boot, monotonic time and clock
    /// quality; without a `time` the moment of receipt counts.
    pub fn from_json(payload: &[u8], received: &Stamp) -> Result<Self, Invalid> {
        let fields: PollIn =
            serde_json::from_slice(payload).map_err(|error| Invalid::Shape(error.to_string()))?;
        let stamp = match (fields.time, fields.mono_ms, fields.boot) {
            (Some(time), Some(mono_ms), Some(boot)) => {
                let stamp = Stamp {
                    time,
                    mono_ms,
                    boot,
                    clock: fields.clock.unwrap_or_default(),
                    err_ms: fields.err_ms,
                };
                match fields.clock {
                    None if is_same_clock(&stamp, received) => Stamp {
                        clock: received.clock,
                        ..stamp
                    },
                    _ => stamp,
                }
            }
            (Some(time), ..) => Stamp {
                time,
                clock: fields.clock.unwrap_or(received.clock),
                ..*received
            },
            (None, ..) => *received,
        };
        let sequence = fields.run.zip(fields.n).map(|(run, n)| Sequence { run, n });
        Ok(Self {
            sequence,
            stamp,
            points: fields.points,
        })
    }

    /// The message as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let Stamp {
            time,
            mono_ms,
            boot,
            clock,
            err_ms,
        } = self.stamp;
        let fields = PollOut {
            run: self.sequence.map(|s| s.run),
            n: self.sequence.map(|s| s.n),
            time,
            mono_ms,
            boot,
            clock,
            err_ms,
            points: &self.points,
        };
        serde_json::to_vec(&fields).expect("a poll has only string keys and finite numbers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_not_told_is_the_receivers_unless_it_was_set() {
        let received = Stamp {
            time: Timestamp::of_unix_ms(1_790_000_060_000),
            mono_ms: 90_000,
            boot: BootId(7),
            clock: Clock::Ntp,
            err_ms: Some(3),
        };
        for (time_ms, mono_ms, boot, told, expected) in [
            // Read a minute before it arrived, and the same by both clocks.
            (1_790_000_000_000, 30_000, 7, "", Clock::Ntp),
            (1_790_000_001_900, 30_000, 7, "", Clock::Ntp),
            // The wall clock was set by an hour meanwhile, back and forth.
            (1_789_996_400_000, 30_000, 7, "", Clock::None),
            (1_790_003_600_000, 30_000, 7, "", Clock::None),
            // Of another boot; of a boot that lasts for ever.
            (1_790_000_000_000, 30_000, 8, "", Clock::None),
            (1_790_000_000_000, u64::MAX, 7, "", Clock::None),
            // What is told is taken.
            (
                1_790_000_000_000,
                30_000,
                7,
                r#","clock":"rtc""#,
                Clock::Rtc,
            ),
            (
                1_790_000_000_000,
                30_000,
                7,
                r#","clock":"none""#,
                Clock::None,
            ),
        ] {
            let time = Timestamp::of_unix_ms(time_ms);
            let json = format!(
                r#"{{"time":"{time}","mono_ms":{mono_ms},"boot":"{boot:08x}"{told},"points":[]}}"#
            );
            let stamp = Poll::from_json(json.as_bytes(), &received).unwrap().stamp;
            assert_eq!(
                (
                    stamp.time,
                    stamp.mono_ms,
                    stamp.boot,
                    stamp.clock,
                    stamp.err_ms
                ),
                (time, mono_ms, BootId(boot), expected, None),
                "{json}"
            );
        }
    }
}
