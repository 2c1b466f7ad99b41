//! Ports: where hardware is reached, written as a URL, and how it is opened.
//!
//! | URL | what |
//! |---|---|
//! | `/dev/ttyAMA0`, `/dev/ttyAMA0?baud=9600` | a tty, 115200 8N1 unless it says otherwise |
//! | `usb:1e0e:9001:02` | the tty of a USB device: vendor, product, interface (hexadecimal) |
//! | `usb-path:1-1.3`, `usb-path:1-1.3:02` | the tty of whatever sits in that USB socket |
//! | `tcp://10.0.0.4:2947` | a TCP connection |
//!
//! Numbers of ttyUSB nodes change with every reset, so USB ports are found again at each opening.
//! A read of 0 bytes and every read error mean the same: drop the port and open it anew.

mod backoff;
mod error;
mod link;
mod open;
mod url;
mod usb;

pub use backoff::Backoff;
pub use error::{Absence, OpenError};
pub use link::{Link, Opener, Opening, PortEvent};
pub use open::{Opened, Parity, Port, Ports, SerialLine, Stream};
pub use url::{InvalidUrl, PortUrl};
