//! A source that is faster than anything it feeds: bare MQTT on a blocking socket, a window of messages on the way.

use std::io::{BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tm_service::session::{Options, Qos, Session, SessionEvent};
use tm_types::{Poll, Source, UplinkState, topic};

/// Messages on the way at once.
const WINDOW: u64 = 1000;
/// Written together.
const BATCH: u64 = 100;

/// Every load is a run of its own, so that none is taken for a repeat of another.
static RUNS: AtomicU32 = AtomicU32::new(1);

pub(super) struct Load {
    stream: TcpStream,
    acks: BufReader<TcpStream>,
    run: u32,
    /// The number of the next poll.
    next: u64,
}

impl Load {
    pub(super) fn connect(bus: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(bus)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        stream.write_all(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04load")?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        ensure!(answer == [0x20, 2, 0, 0], "the bus refuses the load");
        let acks = BufReader::new(stream.try_clone()?);
        Ok(Self {
            stream,
            acks,
            run: RUNS.fetch_add(1, Ordering::Relaxed),
            next: 0,
        })
    }

    /// Publishes that many further polls of so many points each; returns when the broker has taken all.
    pub(super) fn send(&mut self, polls: u64, points: u64) -> Result<()> {
        let (run, first) = (self.run, self.next);
        self.next += polls;
        self.send_all(polls, |out, n| poll(out, run, first + n, points))
    }

    /// Publishes the next polls of a stream without end.
    pub(super) fn send_from(
        &mut self,
        stream: &mut impl Iterator<Item = (Source, Poll)>,
        polls: u64,
    ) -> Result<()> {
        self.send_all(polls, |out, n| {
            let (source, poll) = stream.next().expect("the stream has no end");
            publish(out, n, &topic::data(&source), &poll.to_json());
        })
    }

    fn send_all(&mut self, polls: u64, mut write: impl FnMut(&mut Vec<u8>, u64)) -> Result<()> {
        let (mut sent, mut acked) = (0, 0);
        let mut out = Vec::new();
        while acked < polls {
            while sent < polls && sent - acked < WINDOW {
                out.clear();
                for n in sent..polls.min(sent + BATCH) {
                    write(&mut out, n);
                }
                sent = polls.min(sent + BATCH);
                self.stream.write_all(&out)?;
            }
            let mut ack = [0; 4];
            self.acks.read_exact(&mut ack)?;
            ensure!(ack[..2] == [0x40, 2], "the bus does not acknowledge");
            acked += 1;
        }
        Ok(())
    }
}

/// Waits until the uplink tells that its disk holds so many records; how many points that is.
pub(super) async fn wait_until_taken(bus: SocketAddr, records: u64) -> Result<u64> {
    let mut options = Options::new("look", format!("mqtt://{bus}").parse()?);
    options.subscriptions = vec![("tm/v1/state/uplink".to_owned(), Qos::AtLeastOnce)];
    let mut session = Session::open(options);
    let wait = async {
        loop {
            if let SessionEvent::Message(message) = session.next().await {
                let state: UplinkState = serde_json::from_slice(&message.payload)?;
                if state.journal.records_pending >= records {
                    return Ok(state.journal.points_pending);
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(2), wait)
        .await
        .context("wait until everything is on disk")?
}

/// A poll as our services make it.
fn poll(out: &mut Vec<u8>, run: u32, n: u64, points: u64) {
    let mut payload = Vec::with_capacity(128 + 110 * usize::try_from(points).unwrap_or(1));
    let time = 1_790_000_000_000 + i64::try_from(n).unwrap_or(0) * 100;
    let stamp = tm_types::Timestamp::of_unix_ms(time);
    let mono = n * 100 + 5_000;
    write!(payload, r#"{{"run":"{run:08x}","n":{n},"time":"{stamp}","mono_ms":{mono},"boot":"00c0ffee","clock":"ntp","err_ms":12,"points":["#).expect("a Vec takes everything");
    for point in 0..points {
        let comma = if point == 0 { "" } else { "," };
        // A slow drift, and noise in the last digit but a bit, different for every point: what a sensor shows.
        let noise = mixed(n * 31 + point) >> 60;
        let value = 2000 + n / 50 % 500 + noise;
        write!(payload, r#"{comma}{{"name":"channel-{point}","kind":"gauge","unit":"Cel","value":{}.{:02},"quality":"good","reason":null,"scale":2}}"#, value / 100, value % 100)
            .expect("a Vec takes everything");
    }
    payload.extend_from_slice(b"]}");
    publish(out, n, "tm/v1/data/load", &payload);
}

/// One PUBLISH at QoS 1; `n` gives its packet id.
fn publish(out: &mut Vec<u8>, n: u64, topic: &str, payload: &[u8]) {
    let mut remaining = 2 + topic.len() + 2 + payload.len();
    out.push(0x32);
    loop {
        let digit = u8::try_from(remaining % 128).unwrap_or(0);
        remaining /= 128;
        out.push(if remaining > 0 { digit | 0x80 } else { digit });
        if remaining == 0 {
            break;
        }
    }
    out.extend_from_slice(&u16::try_from(topic.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(topic.as_bytes());
    // Packet ids 1 to 60000, far more than the window.
    out.extend_from_slice(&u16::try_from(n % 60_000 + 1).unwrap_or(1).to_be_bytes());
    out.extend_from_slice(payload);
}

/// SplitMix64: no two neighbours alike, so that nothing compresses that would not in the field.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
