//! Where the AT ports are in each USB composition, and which of the two is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tm_service::port::{Absence, OpenError, Opener, Opening, PortUrl};

/// SIMCom's USB vendor.
pub(crate) const VENDOR: u16 = 0x1e0e;

/// The interfaces of one composition (manual V1.12, 4.23; kernel `option.c`; ModemManager's port types).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// USB product.
    product: u16,
    /// The port for commands.
    at: u8,
    /// The port for commands and dialling: answers where the other does not.
    sibling: u8,
    /// The port of the satellite receiver.
    nmea: u8,
}

/// The compositions with ports for us. In 9011 the network card comes first (seen on an M.2 module).
///
/// 9018 has no entry in the kernel's `option` driver: its ports are missing until somebody writes `new_id`.
const LAYOUTS: [Layout; 8] = [
    Layout::usual(0x9000),
    Layout::usual(0x9001),
    Layout::usual(0x9002),
    Layout::usual(0x9003),
    Layout::usual(0x9006),
    Layout::usual(0x9007),
    Layout {
        product: 0x9011,
        at: 4,
        sibling: 5,
        nmea: 3,
    },
    Layout::usual(0x9018),
];

impl Layout {
    const fn usual(product: u16) -> Self {
        Self {
            product,
            at: 2,
            sibling: 3,
            nmea: 1,
        }
    }

    fn of(product: u16) -> Option<&'static Self> {
        LAYOUTS.iter().find(|layout| layout.product == product)
    }

    /// The interface that does in this composition what `interface` does in `from`.
    fn translate(&self, from: &Self, interface: u8) -> Option<u8> {
        [
            (from.at, self.at),
            (from.sibling, self.sibling),
            (from.nmea, self.nmea),
        ]
        .into_iter()
        .find_map(|(theirs, ours)| (theirs == interface).then_some(ours))
    }
}

/// Opens a port of the modem in whatever known composition it is found.
pub(crate) struct Layouts {
    ports: Arc<dyn Opener>,
    /// Whether the other AT port is tried: the first one does not answer.
    uses_sibling: AtomicBool,
}

impl Layouts {
    /// Opens by way of these ports.
    pub(crate) fn new(ports: Arc<dyn Opener>) -> Self {
        Self {
            ports,
            uses_sibling: AtomicBool::new(false),
        }
    }

    /// The port does not answer: the next opening tries the other one, if there is one.
    pub(crate) fn change_port(&self) {
        self.uses_sibling.fetch_xor(true, Ordering::Relaxed);
    }

    fn sibling(url: &PortUrl) -> Option<PortUrl> {
        let PortUrl::Usb {
            vendor: VENDOR,
            product,
            interface,
        } = url
        else {
            return None;
        };
        let layout = Layout::of(*product).filter(|layout| layout.at == *interface)?;
        Some(PortUrl::Usb {
            vendor: VENDOR,
            product: *product,
            interface: layout.sibling,
        })
    }
}

/// The same port in the composition that was found instead.
fn elsewhere(url: &PortUrl, error: &OpenError) -> Option<PortUrl> {
    let OpenError::Absent(Absence::OtherProduct { found, .. }) = error else {
        return None;
    };
    let PortUrl::Usb {
        vendor: VENDOR,
        product,
        interface,
    } = url
    else {
        return None;
    };
    let interface = Layout::of(*found)?.translate(Layout::of(*product)?, *interface)?;
    Some(PortUrl::Usb {
        vendor: VENDOR,
        product: *found,
        interface,
    })
}

impl Opener for Layouts {
    fn begin(&self, url: &PortUrl) -> Opening {
        let sibling = Self::sibling(url).filter(|_| self.uses_sibling.load(Ordering::Relaxed));
        let (ports, url) = (
            Arc::clone(&self.ports),
            sibling.unwrap_or_else(|| url.clone()),
        );
        Box::pin(async move {
            let error = match ports.begin(&url).await {
                Ok(opened) => return Ok(opened),
                Err(error) => error,
            };
            match elsewhere(&url, &error) {
                Some(url) => ports.begin(&url).await,
                None => Err(error),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tm_service::port::Opened;

    use super::*;

    /// A machine with one module in this composition; what was opened.
    struct Machine {
        product: u16,
        interfaces: &'static [u8],
        opened: Arc<Mutex<Vec<String>>>,
    }

    impl Opener for Machine {
        fn begin(&self, url: &PortUrl) -> Opening {
            let PortUrl::Usb {
                vendor,
                product,
                interface,
            } = *url
            else {
                panic!("{url}");
            };
            let result = if product != self.product {
                Err(Absence::OtherProduct {
                    vendor,
                    product,
                    found: self.product,
                }
                .into())
            } else if self.interfaces.contains(&interface) {
                self.opened.lock().unwrap().push(url.to_string());
                Ok(Opened {
                    port: Box::new(tokio::io::duplex(1).0),
                    name: url.to_string(),
                })
            } else {
                Err(Absence::Interface.into())
            };
            Box::pin(async move { result })
        }
    }

    async fn check(product: u16, url: &str, expected: Result<&str, &str>) {
        let opened = Arc::default();
        let machine = Machine {
            product,
            interfaces: &[1, 2, 3, 4, 5],
            opened: Arc::clone(&opened),
        };
        let layouts = Layouts::new(Arc::new(machine));
        let result = layouts.begin(&url.parse().unwrap()).await;
        let found = result.map(|opened| opened.name);
        let found = found.map_err(|error| error.to_string());
        assert_eq!(
            found.as_deref().map_err(String::as_str),
            expected,
            "{product:x} {url}"
        );
    }

    #[tokio::test]
    async fn the_same_port_in_every_composition() {
        let at = "usb:1e0e:9001:02";
        check(0x9001, at, Ok(at)).await;
        check(0x9003, at, Ok("usb:1e0e:9003:02")).await;
        check(0x9011, at, Ok("usb:1e0e:9011:04")).await;
        check(0x9018, at, Ok("usb:1e0e:9018:02")).await;
        check(0x9011, "usb:1e0e:9001:01", Ok("usb:1e0e:9011:03")).await;
        check(0x9001, "usb:1e0e:9011:04", Ok(at)).await;
        // No ports for us there, and an interface that is none of ours.
        let unknown = "the USB device is 1e0e:9016, not 1e0e:9001";
        check(0x9016, at, Err(unknown)).await;
        let other = "the USB device is 1e0e:9011, not 1e0e:9001";
        check(0x9011, "usb:1e0e:9001:04", Err(other)).await;
    }

    #[tokio::test]
    async fn a_port_that_does_not_answer_has_a_sibling() {
        let opened = Arc::default();
        let machine = Machine {
            product: 0x9001,
            interfaces: &[2, 3],
            opened: Arc::clone(&opened),
        };
        let layouts = Layouts::new(Arc::new(machine));
        let url = "usb:1e0e:9001:02".parse().unwrap();
        for _ in 0..3 {
            layouts.begin(&url).await.unwrap();
            layouts.change_port();
        }
        let opened = opened.lock().unwrap().clone();
        assert_eq!(
            opened,
            ["usb:1e0e:9001:02", "usb:1e0e:9001:03", "usb:1e0e:9001:02"]
        );
    }
}
