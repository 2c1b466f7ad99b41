//! The satellites' time for chrony, as its SOCK reference clock reads it (chrony, `refclock_sock.c`).
//!
//! ```text
//! struct timeval tv;  when, by the system's clock      16 bytes
//! double offset;      true time less the system's, s    8
//! int pulse;          0: a whole time, no pulse         4
//! int leap;           0: no leap second announced       4
//! int _pad;                                             4
//! int magic;          0x534f434b, "SOCK"                4
//! ```

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use tm_types::Timestamp;
use tracing::{info, warn};

const MAGIC: i32 = 0x534f_434b;

/// One comparison of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// This machine's clock.
    pub(crate) system: Timestamp,
    /// The satellites' time at that moment.
    pub(crate) utc: Timestamp,
}

impl Sample {
    /// As the structure lies in memory on a 64-bit machine.
    fn encode(self) -> [u8; 40] {
        let system_ms = self.system.unix_ms();
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of centuries are exact in a double"
        )]
        let offset_s = (self.utc.unix_ms() - system_ms) as f64 / 1000.0;
        let mut bytes = [0; 40];
        bytes[0..8].copy_from_slice(&system_ms.div_euclid(1000).to_ne_bytes());
        bytes[8..16].copy_from_slice(&(system_ms.rem_euclid(1000) * 1000).to_ne_bytes());
        bytes[16..24].copy_from_slice(&offset_s.to_ne_bytes());
        bytes[36..40].copy_from_slice(&MAGIC.to_ne_bytes());
        bytes
    }
}

/// The way to a chronyd, which makes the socket and may do so again at any time.
#[derive(Debug)]
pub(crate) struct Chrony {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    is_reached: Option<bool>,
}

impl Chrony {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            socket: None,
            is_reached: None,
        }
    }

    /// Sends a sample, or drops it where nobody takes it; never waits.
    pub(crate) fn send(&mut self, sample: Sample) {
        let sent = self.try_send(sample);
        if self.is_reached != Some(sent.is_ok()) {
            match &sent {
                Ok(()) => info!(path = %self.path.display(), "chrony takes the satellites' time"),
                Err(error) => {
                    warn!(path = %self.path.display(), %error, "chrony cannot be reached");
                }
            }
        }
        self.is_reached = Some(sent.is_ok());
    }

    fn try_send(&mut self, sample: Sample) -> io::Result<()> {
        let socket = if let Some(socket) = self.socket.take() {
            socket
        } else {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket
        };
        let sent = socket.send_to(&sample.encode(), &self.path);
        self.socket = Some(socket);
        sent.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(system_ms: i64, utc_ms: i64) -> Sample {
        Sample {
            system: Timestamp::of_unix_ms(system_ms),
            utc: Timestamp::of_unix_ms(utc_ms),
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_structure() {
        #[rustfmt::skip]
        let expected = [
            0xd2, 0x02, 0x96, 0x49, 0, 0, 0, 0, // 1234567890 s
            0xd0, 0xfb, 0x01, 0, 0, 0, 0, 0, // 130000 µs
            0, 0, 0, 0, 0, 0, 0xf8, 0xbf, // -1.5
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0x4b, 0x43, 0x4f, 0x53,
        ];
        assert_eq!(
            sample(1_234_567_890_130, 1_234_567_888_630).encode(),
            expected
        );
        // Before 1970, where a board without a battery may be.
        let early = sample(-1, 0).encode();
        assert_eq!(early[0..8], (-1_i64).to_ne_bytes());
        assert_eq!(early[8..16], 999_000_i64.to_ne_bytes());
    }

    #[test]
    fn chrony_may_come_late_and_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gnss.sock");
        let mut chrony = Chrony::new(path.clone());
        chrony.send(sample(0, 0));
        assert_eq!(chrony.is_reached, Some(false));
        for _ in 0..2 {
            let chronyd = UnixDatagram::bind(&path).unwrap();
            chronyd.set_nonblocking(true).unwrap();
            chrony.send(sample(1000, 2000));
            let mut bytes = [0; 64];
            assert_eq!(chronyd.recv(&mut bytes).unwrap(), 40);
            assert_eq!(bytes[..40], sample(1000, 2000).encode());
            // Nobody reads: samples are dropped, and nothing waits.
            for _ in 0..2000 {
                chrony.send(sample(1000, 2000));
            }
            assert_eq!(chrony.is_reached, Some(false));
            std::fs::remove_file(&path).unwrap();
        }
    }
}
