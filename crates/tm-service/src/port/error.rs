//! Why a port could not be opened.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

/// Why a port could not be opened; fits "the port cannot be used: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Nothing is there: not plugged in, not powered, or in another mode.
    #[error(transparent)]
    Absent(#[from] Absence),
    /// Another program has it open.
    #[error("another program is using it")]
    Busy,
    /// Another program has it, and would lose what it reads there.
    #[error("{0} is using it")]
    Held(&'static str),
    /// This program may not open it.
    #[error("permission denied")]
    Denied,
    /// The host is there, but nothing listens.
    #[error("connection refused")]
    Refused,
    /// The host does not answer or has no known address.
    #[error("host not reached: {0}")]
    Unreachable(String),
    /// Something else, in the system's words.
    #[error("{0}")]
    Other(String),
}

/// What exactly is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// No such USB device is plugged in.
    #[error("no USB device {vendor:04x}:{product:04x}")]
    Device {
        /// Vendor that was looked for.
        vendor: u16,
        /// Product that was looked for.
        product: u16,
    },
    /// A device of that vendor is there with another product id: a modem in another composition.
    #[error("the USB device is {vendor:04x}:{found:04x}, not {vendor:04x}:{product:04x}")]
    OtherProduct {
        /// Vendor that was looked for.
        vendor: u16,
        /// Product that was looked for.
        product: u16,
        /// Product that is there.
        found: u16,
    },
    /// Nothing is plugged in there.
    #[error("no USB device in socket {0}")]
    Socket(String),
    /// The USB device is there, but the kernel made no tty of that interface.
    #[error("the USB device has no serial port on that interface")]
    Interface,
    /// The kernel knows the tty, or the path is configured, but there is no such node.
    #[error("{} does not exist", .0.display())]
    Node(PathBuf),
}

impl OpenError {
    /// What the system's error number means for a tty.
    pub(super) fn of_errno(errno: Errno, node: &std::path::Path) -> Self {
        match errno {
            Errno::NOENT | Errno::NODEV | Errno::NXIO => Absence::Node(node.to_owned()).into(),
            Errno::BUSY | Errno::AGAIN => Self::Busy,
            // EPERM is the container's device rule, EACCES the node's mode.
            Errno::PERM | Errno::ACCESS => Self::Denied,
            other => Self::Other(other.to_string()),
        }
    }

    /// What an error means for a TCP connection.
    pub(super) fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Unreachable(error.to_string()),
        }
    }
}
