//! What only a manager of the host tells: its connection for data, and what it makes of the modem.

use tm_proto::sim7600::ServingCell;
use tm_types::RegistrationStatus;

use super::{Knowledge, Level};

/// A connection for data as the host's manager has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bearer {
    /// Names this connection: another one counts its bytes from zero.
    pub(crate) id: String,
    /// Whether it stands.
    pub(crate) is_connected: bool,
    /// The host's network interface, such as `wwan0`.
    pub(crate) interface: Option<String>,
    /// Access point name it was asked for with.
    pub(crate) apn: Option<String>,
    /// Address that the network gave.
    pub(crate) address: Option<String>,
    /// Bytes from the network since it stands; counted every 30 s.
    pub(crate) rx_bytes: Option<u64>,
    /// Bytes to the network since it stands; counted every 30 s.
    pub(crate) tx_bytes: Option<u64>,
    /// When it began by the host's clock, seconds since 1970; absent with a ModemManager before 1.20.
    pub(crate) began_unix_s: Option<u64>,
    /// How long it stands, seconds.
    pub(crate) duration_s: Option<u64>,
    /// Why the last attempt failed, in the manager's words.
    pub(crate) error: Option<String>,
}

impl Knowledge {
    /// The registration as one word, where nobody tells it for each domain.
    pub(crate) fn on_standing(&mut self, status: RegistrationStatus) {
        (self.lte, self.packet) = (status, RegistrationStatus::Unknown);
        self.settle_registration();
    }

    /// The serving cells of the module's own answer.
    pub(crate) fn on_serving_cells(&mut self, cells: Level<Vec<ServingCell>>) {
        self.on_cells(cells);
    }
}
