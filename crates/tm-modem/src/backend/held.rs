//! A port that ModemManager holds is not ours: two readers on one port steal each other's answers.

use std::sync::Arc;

use tm_service::port::{OpenError, Opener, Opening, PortUrl};

use super::modem_manager::{SystemBus, holds};

/// Opens ports, but none of ModemManager's.
pub(crate) struct NotHeld {
    ports: Arc<dyn Opener>,
    bus: SystemBus,
}

impl NotHeld {
    /// Opens by way of these ports; `bus` tells which are held.
    pub(crate) fn new(ports: Arc<dyn Opener>, bus: SystemBus) -> Self {
        Self { ports, bus }
    }
}

impl Opener for NotHeld {
    fn begin(&self, url: &PortUrl) -> Opening {
        let (opening, bus) = (self.ports.begin(url), self.bus.clone());
        Box::pin(async move {
            let opened = opening.await;
            // A tty says that it is taken only to those who may not take it by force, as root may.
            let is_held = match &opened {
                Ok(opened) => {
                    let name = opened.name.rsplit('/').next().unwrap_or_default();
                    holds(&bus, Some(name)).await
                }
                Err(OpenError::Busy) => holds(&bus, None).await,
                Err(_) => false,
            };
            if is_held {
                return Err(OpenError::Held("ModemManager"));
            }
            opened
        })
    }
}
