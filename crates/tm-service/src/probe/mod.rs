//! Why the way to the cloud is not open: seven cheap looks, one after the other, and a judgement.
//!
//! [`run`] does the I/O and writes down what it saw; [`verdict`] judges that without any. A look that
//! cannot tell anything any more is skipped with its reason. Each has a deadline and reads a bounded
//! number of bytes, so a hostile network costs time and data that are known beforehand.
//!
//! A full run over an open way was measured on loopback: 537 bytes sent and 867 received above TCP and
//! UDP, 28 packets, 2.3 kB with all headers of IP. That was with a chain of one small certificate; those
//! of public authorities have 2 to 4 kB more (UNVERIFIED for any one broker).
//!
//! In a bridge network the container always has a default route: there the first look finds only the
//! host's bridge, and it is the later ones that tell.

mod counted;
mod dns;
mod findings;
mod issuer;
mod looks;
mod route;
mod system;
mod tls;
mod verdict;
mod web;

use std::path::PathBuf;

use crate::session::{Address, TlsOptions};

pub use findings::{Finding, Findings, Look, Skipped, Step, Wrong};
pub use looks::run;
pub use verdict::verdict;

/// Answers 204 or nothing at all; a portal answers something else.
///
/// meta-balena, README.md, "connectivity": `$API_ENDPOINT/connectivity-check`, where an empty
/// `response` means "status code 204 or send no data". Plain HTTP, because a portal cannot answer
/// HTTPS in the name of another.
pub const DEFAULT_WEB_URL: &str = "http://api.balena-cloud.com/connectivity-check";

/// A host that is open on [`Targets::other_port`] whenever the internet is.
const DEFAULT_OTHER_HOST: &str = "api.balena-cloud.com";

/// What is looked at, and with what. Start from [`Targets::new`].
#[derive(Clone, Debug)]
pub struct Targets {
    /// The cloud broker, as the uplink has it.
    pub broker: Address,
    /// Certificates for the broker, as the uplink has them.
    pub tls: TlsOptions,
    /// Plain-HTTP page for finding portals; empty: do not ask.
    pub web_url: String,
    /// What the page says; empty: status 204 or no body.
    pub web_body: String,
    /// The port that tells a blocked port from a broker that is away: 443.
    pub other_port: u16,
    /// Another host that listens on that port.
    pub other_host: String,
    /// Whether the wall clock is not to be believed, so that a certificate's dates prove nothing.
    pub clock_suspect: bool,
    /// `/proc`, for the routes.
    pub proc: PathBuf,
    /// `/etc/resolv.conf`: the name servers.
    pub resolv_conf: PathBuf,
    /// `/etc/hosts`: names that no server is asked for.
    pub hosts: PathBuf,
    /// Port of the name servers: 53.
    pub dns_port: u16,
}

impl Targets {
    /// The broker with everything else as on a cabinet.
    pub fn new(broker: Address) -> Self {
        Self {
            broker,
            tls: TlsOptions::default(),
            web_url: DEFAULT_WEB_URL.to_owned(),
            web_body: String::new(),
            other_port: 443,
            other_host: DEFAULT_OTHER_HOST.to_owned(),
            clock_suspect: false,
            proc: "/proc".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            hosts: "/etc/hosts".into(),
            dns_port: 53,
        }
    }
}
