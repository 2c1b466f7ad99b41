//! What counters gained between two readings.

use serde::{Deserialize, Serialize};
use tm_types::{BootId, DataBytes};

use super::Counters;

/// Connections that are remembered: more are never open at once, and a reading that comes late finds its own.
const KEPT: usize = 8;
/// The longest name that is kept; a bearer's path has about 40 characters.
const NAME_MAX: usize = 128;

/// The last reading of the latest connections, the present one last.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Sessions(Vec<Session>);

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Session {
    name: String,
    /// Names are given anew in every boot.
    boot: BootId,
    bytes: DataBytes,
}

impl Sessions {
    /// Takes in a reading; the bytes that no earlier reading has told.
    pub(super) fn on_counters(&mut self, counters: &Counters, boot: BootId) -> DataBytes {
        let name: String = counters.session.chars().take(NAME_MAX).collect();
        let bytes = DataBytes {
            rx_bytes: counters.rx_bytes,
            tx_bytes: counters.tx_bytes,
        };
        let known = self
            .0
            .iter()
            .position(|session| session.name == name && session.boot == boot)
            .map(|at| self.0.remove(at).bytes);
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        self.0.push(Session { name, boot, bytes });
        match known {
            Some(last) if bytes.rx_bytes >= last.rx_bytes && bytes.tx_bytes >= last.tx_bytes => {
                DataBytes {
                    rx_bytes: bytes.rx_bytes - last.rx_bytes,
                    tx_bytes: bytes.tx_bytes - last.tx_bytes,
                }
            }
            // Another connection, or the same one made anew.
            _ => bytes,
        }
    }

    /// The present connection's bytes since it began.
    pub(super) fn present(&self) -> Option<DataBytes> {
        Some(self.0.last()?.bytes)
    }
}
