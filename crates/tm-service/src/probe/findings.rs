//! What the looks saw: the evidence that a verdict is made from.

use std::net::IpAddr;
use std::time::Duration;

use crate::session::Address;

/// Everything that was seen, in the order of looking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Findings {
    /// The broker that was looked for.
    pub broker: Address,
    /// Whether the wall clock was not to be believed.
    pub clock_suspect: bool,
    /// The port that was tried besides the broker's.
    pub other_port: u16,
    /// One entry per look.
    pub steps: Vec<Step>,
    /// Bytes handed to the system for sending, without the headers of UDP, TCP and IP.
    pub sent_bytes: u64,
    /// Bytes received, counted the same way.
    pub received_bytes: u64,
}

/// One look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What was looked at.
    pub look: Look,
    /// What was seen.
    pub finding: Finding,
    /// How long it took.
    pub took: Duration,
}

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Look {
    /// A default route in the kernel's tables.
    Route,
    /// The broker's name at the name servers.
    Name,
    /// A name that does not exist (RFC 6761, section 6.4).
    FalseName,
    /// The plain-HTTP page.
    Web,
    /// A TCP connection to the broker.
    Broker,
    /// The broker's host on the other port; only when the broker's port is closed.
    OtherPort,
    /// Another host on the other port; only when the broker's port is closed.
    OtherHost,
    /// The broker's certificate.
    Tls,
}

impl Look {
    /// Every look, in order.
    pub const ALL: [Self; 8] = [
        Self::Route,
        Self::Name,
        Self::FalseName,
        Self::Web,
        Self::Broker,
        Self::OtherPort,
        Self::OtherHost,
        Self::Tls,
    ];

    /// The word in machine forms: `route`, `name`, `false_name`, `web`, `broker`, `other_port`,
    /// `other_host`, `tls`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Name => "name",
            Self::FalseName => "false_name",
            Self::Web => "web",
            Self::Broker => "broker",
            Self::OtherPort => "other_port",
            Self::OtherHost => "other_host",
            Self::Tls => "tls",
        }
    }
}

/// What a look saw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// As it should be.
    Good,
    /// A default route by this network interface.
    Via(String),
    /// The name has these addresses; never empty.
    Addresses(Vec<IpAddr>),
    /// The name does not exist, or has no address.
    NoName,
    /// Not looked at.
    Skipped(Skipped),
    /// Not as it should be.
    Wrong(Wrong),
}

/// Why a look was skipped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Skipped {
    /// There is no route at all.
    NoRoute,
    /// The address needs no name server.
    NotNeeded,
    /// No address is known.
    NoAddress,
    /// There is no connection to look into.
    NoConnection,
    /// The broker is not encrypted.
    Plain,
    /// Nothing is configured to look at.
    NotConfigured,
}

/// What is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// No default route.
    NoRoute,
    /// No name server is configured, or none answers, or all of them give up.
    NoServer,
    /// Something else than the page answers; the URL is printable, without its query, at most 200 characters.
    Portal(String),
    /// Nobody listens: the connection was refused.
    Refused,
    /// No answer in time.
    Timeout,
    /// The system says that there is no way there.
    Unreachable,
    /// The connection ended before the answer.
    Closed,
    /// The answer is not what it should be, or longer than it may be.
    Garbage,
    /// The certificate is of an unknown authority, or for another name; who issued it.
    Foreign(String),
    /// The certificate is not valid yet, or not any more, by our clock.
    Dates,
    /// Our own certificate files cannot be used.
    OwnFiles(String),
    /// The handshake failed otherwise, in rustls' words.
    Handshake(String),
}

impl Findings {
    /// Host and port of the broker, as the uplink's causes name it.
    pub fn broker_name(&self) -> String {
        let Address { host, port, .. } = &self.broker;
        if host.contains(':') {
            return format!("[{host}]:{port}");
        }
        format!("{host}:{port}")
    }

    /// What a look saw; `None` when it was never come to.
    pub fn of(&self, look: Look) -> Option<&Finding> {
        let step = self.steps.iter().find(|step| step.look == look)?;
        Some(&step.finding)
    }

    /// Whether a look saw what it should.
    pub fn is_good(&self, look: Look) -> bool {
        matches!(
            self.of(look),
            Some(Finding::Good | Finding::Via(_) | Finding::Addresses(_))
        )
    }

    /// What a look found wrong.
    pub fn wrong(&self, look: Look) -> Option<&Wrong> {
        match self.of(look) {
            Some(Finding::Wrong(wrong)) => Some(wrong),
            _ => None,
        }
    }
}
