//! Collects the sentences of the NMEA port into messages: one per burst, whole lines.

use std::time::Duration;

use tokio::time::Instant;

/// How long a message collects. At 1 Hz the engine writes its sentences within about 50 ms, then rests.
const BURST: Duration = Duration::from_millis(100);
/// The largest message.
const MESSAGE_MAX: usize = 4096;

/// What waits to be relayed.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    buffer: Vec<u8>,
    deadline: Option<Instant>,
}

impl Relay {
    /// Takes in what the port delivered; a message when one is full.
    pub(crate) fn feed(&mut self, bytes: &[u8], now: Instant) -> Vec<Vec<u8>> {
        self.buffer.extend_from_slice(bytes);
        let mut messages = Vec::new();
        while self.buffer.len() >= MESSAGE_MAX {
            let end = line_end(&self.buffer[..MESSAGE_MAX]).unwrap_or(MESSAGE_MAX);
            messages.push(self.buffer.drain(..end).collect());
        }
        if line_end(&self.buffer).is_some() {
            self.deadline.get_or_insert(now + BURST);
        } else {
            self.deadline = None;
        }
        messages
    }

    /// When [`due`](Self::due) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The burst is over: its whole lines. The start of another line waits for its end.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.deadline.take_if(|deadline| *deadline <= now)?;
        let end = line_end(&self.buffer)?;
        Some(self.buffer.drain(..end).collect())
    }

    /// The port is gone: half a line has no other half.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Where the last whole line ends.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_message_of_whole_lines() {
        let mut relay = Relay::default();
        assert!(
            relay
                .feed(b"$GPGGA,1*00\r\n$GPR", Instant::now())
                .is_empty()
        );
        tokio::time::advance(Duration::from_millis(60)).await;
        assert!(relay.feed(b"MC,2*00\r\n$GPG", Instant::now()).is_empty());
        assert_eq!(relay.due(Instant::now()), None);
        tokio::time::advance(Duration::from_millis(40)).await;
        assert_eq!(
            relay.due(Instant::now()).unwrap(),
            b"$GPGGA,1*00\r\n$GPRMC,2*00\r\n"
        );
        assert_eq!(relay.deadline(), None, "half a line wakes nobody");
        assert!(relay.feed(b"SA,3*00\r\n", Instant::now()).is_empty());
        tokio::time::advance(BURST).await;
        assert_eq!(relay.due(Instant::now()).unwrap(), b"$GPGSA,3*00\r\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_and_an_endless_line_stay_bounded() {
        let mut relay = Relay::default();
        let flood = b"$GPGSV,1,1,00*79\r\n".repeat(600);
        let messages = relay.feed(&flood, Instant::now());
        assert!(
            messages
                .iter()
                .all(|m| m.len() <= MESSAGE_MAX && m.ends_with(b"\r\n"))
        );
        relay.clear();
        let messages = relay.feed(&[b'x'; 10_000], Instant::now());
        assert_eq!(messages.len(), 2);
        assert!(relay.buffer.len() < MESSAGE_MAX);
    }
}
