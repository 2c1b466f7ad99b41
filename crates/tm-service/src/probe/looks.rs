//! The looks themselves, each within its deadline.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::counted::Bytes;
use super::dns::{self, Answer};
use super::web::{self, Page};
use super::{Finding, Findings, Look, Skipped, Step, Targets, Wrong, route, system, tls};

/// For a TCP connection: Linux sends its SYN again after 1, 3 and 7 s.
const CONNECT: Duration = Duration::from_secs(8);
/// For the page, once connected.
const PAGE: Duration = Duration::from_secs(8);
/// For a TLS handshake, once connected: three round trips and a chain of some KiB, on EDGE as well.
const HANDSHAKE: Duration = Duration::from_secs(12);
/// Addresses of a name that are tried.
const MOST_ADDRESSES: usize = 2;

/// Looks at everything on the way to the broker. Never fails and always ends: within 15 s when no
/// name server answers, within 90 s when everything is silent that can be.
pub async fn run(targets: &Targets) -> Findings {
    let mut run = Run {
        targets,
        servers: system::name_servers(&targets.resolv_conf, targets.dns_port),
        names: Vec::new(),
        bytes: Bytes::default(),
        steps: Vec::with_capacity(Look::ALL.len()),
    };
    run.all().await;
    let (sent_bytes, received_bytes) = run.bytes.total();
    Findings {
        broker: targets.broker.clone(),
        clock_suspect: targets.clock_suspect,
        other_port: targets.other_port,
        steps: run.steps,
        sent_bytes,
        received_bytes,
    }
}

struct Run<'a> {
    targets: &'a Targets,
    servers: Vec<SocketAddr>,
    /// Names asked for so far.
    names: Vec<(String, Answer)>,
    bytes: Bytes,
    steps: Vec<Step>,
}

impl Run<'_> {
    async fn all(&mut self) {
        let broker = &self.targets.broker;
        let mut since = Instant::now();

        let interface = route::default_interface(&self.targets.proc);
        let has_route = interface.is_some();
        let route = interface.map_or(Finding::Wrong(Wrong::NoRoute), Finding::Via);
        self.note(Look::Route, &mut since, route);

        let given = self.given(&broker.host);
        let is_given = !given.is_empty();
        let (name, addresses) = if is_given {
            (Finding::Skipped(Skipped::NotNeeded), given)
        } else if has_route {
            self.name(&broker.host).await
        } else {
            (Finding::Skipped(Skipped::NoRoute), Vec::new())
        };
        let is_dead = name == Finding::Wrong(Wrong::NoServer);
        self.note(Look::Name, &mut since, name);

        let skipped = match (has_route, is_dead, is_given) {
            (false, _, _) => Some(Skipped::NoRoute),
            (_, true, _) => Some(Skipped::NoAddress),
            (_, _, true) => Some(Skipped::NotNeeded),
            _ => None,
        };
        let false_name = if let Some(why) = skipped {
            Finding::Skipped(why)
        } else {
            let name = format!("tm-{:08x}.invalid", fastrand::u32(..));
            self.name(&name).await.0
        };
        self.note(Look::FalseName, &mut since, false_name);

        let web = match (has_route, is_dead) {
            (false, _) => Finding::Skipped(Skipped::NoRoute),
            (_, true) => Finding::Skipped(Skipped::NoAddress),
            _ => self.web().await,
        };
        self.note(Look::Web, &mut since, web);

        let (finding, stream) = match (addresses.is_empty(), has_route) {
            (false, _) => connect(&addresses, broker.port).await,
            (true, false) => (Finding::Skipped(Skipped::NoRoute), None),
            (true, true) => (Finding::Skipped(Skipped::NoAddress), None),
        };
        let is_closed = matches!(finding, Finding::Wrong(_));
        self.note(Look::Broker, &mut since, finding);

        let is_worth = is_closed && has_route;
        let other_port = if is_worth && broker.port != self.targets.other_port {
            connect(&addresses, self.targets.other_port).await.0
        } else {
            Finding::Skipped(Skipped::NotNeeded)
        };
        self.note(Look::OtherPort, &mut since, other_port);
        let other_host = if is_worth {
            self.other_host().await
        } else {
            Finding::Skipped(Skipped::NotNeeded)
        };
        self.note(Look::OtherHost, &mut since, other_host);

        let tls = match stream {
            None => Finding::Skipped(Skipped::NoConnection),
            Some(_) if !broker.tls => Finding::Skipped(Skipped::Plain),
            Some(stream) => {
                let look = tls::look(stream, &broker.host, &self.targets.tls, &self.bytes);
                // A handshake's state is large; it need not be part of every caller's future.
                or_timeout(HANDSHAKE, Box::pin(look)).await
            }
        };
        self.note(Look::Tls, &mut since, tls);
    }

    fn note(&mut self, look: Look, since: &mut Instant, finding: Finding) {
        let now = Instant::now();
        let took = now - std::mem::replace(since, now);
        self.steps.push(Step {
            look,
            finding,
            took,
        });
    }

    /// Addresses that no name server is asked for.
    fn given(&self, host: &str) -> Vec<IpAddr> {
        match host.parse() {
            Ok(address) => vec![address],
            Err(_) => system::of_hosts(&self.targets.hosts, host),
        }
    }

    async fn name(&mut self, name: &str) -> (Finding, Vec<IpAddr>) {
        let known = self.names.iter().find(|(known, _)| known == name);
        let answer = if let Some((_, answer)) = known {
            answer.clone()
        } else {
            let answer = dns::resolve(&self.servers, name, &self.bytes).await;
            self.names.push((name.to_owned(), answer.clone()));
            answer
        };
        match answer {
            Answer::Addresses(addresses) => (Finding::Addresses(addresses.clone()), addresses),
            Answer::NoName => (Finding::NoName, Vec::new()),
            Answer::Nobody => (Finding::Wrong(Wrong::NoServer), Vec::new()),
        }
    }

    async fn addresses(&mut self, host: &str) -> Vec<IpAddr> {
        let given = self.given(host);
        if given.is_empty() {
            self.name(host).await.1
        } else {
            given
        }
    }

    async fn web(&mut self) -> Finding {
        let Some(page) = Page::parse(&self.targets.web_url) else {
            return Finding::Skipped(Skipped::NotConfigured);
        };
        let addresses = self.addresses(page.host).await;
        if addresses.is_empty() {
            return Finding::Skipped(Skipped::NoAddress);
        }
        match connect(&addresses, page.port).await {
            (_, Some(stream)) => {
                let look = web::look(stream, &page, &self.targets.web_body, &self.bytes);
                or_timeout(PAGE, look).await
            }
            (finding, None) => finding,
        }
    }

    async fn other_host(&mut self) -> Finding {
        let host = &self.targets.other_host;
        if host.is_empty() {
            return Finding::Skipped(Skipped::NotConfigured);
        }
        let addresses = self.addresses(host).await;
        if addresses.is_empty() {
            return Finding::Skipped(Skipped::NoAddress);
        }
        connect(&addresses, self.targets.other_port).await.0
    }
}

async fn or_timeout(limit: Duration, look: impl Future<Output = Finding>) -> Finding {
    let looked = timeout(limit, look).await;
    looked.unwrap_or(Finding::Wrong(Wrong::Timeout))
}

/// Connects to the first address that takes it; the last one's failure is told.
async fn connect(addresses: &[IpAddr], port: u16) -> (Finding, Option<TcpStream>) {
    let patience = match addresses.len() {
        0 | 1 => CONNECT,
        _ => CONNECT / 2,
    };
    let mut finding = Finding::Wrong(Wrong::Unreachable);
    for address in addresses.iter().take(MOST_ADDRESSES) {
        match timeout(patience, TcpStream::connect((*address, port))).await {
            Ok(Ok(stream)) => return (Finding::Good, Some(stream)),
            Ok(Err(error)) => finding = Finding::Wrong(wrong(&error)),
            Err(_) => finding = Finding::Wrong(Wrong::Timeout),
        }
    }
    (finding, None)
}

fn wrong(error: &io::Error) -> Wrong {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Wrong::Refused,
        io::ErrorKind::TimedOut => Wrong::Timeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Wrong::Closed,
        _ => Wrong::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::TlsOptions;

    /// Paused time passes at once when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn silent_servers_are_given_up() {
        let (bytes, options) = (Bytes::default(), TlsOptions::default());
        let page = Page::parse("http://check.test/").expect("a page");
        let since = Instant::now();
        let (ours, _theirs) = tokio::io::duplex(4096);
        let looking = tls::look(ours, "broker.test", &options, &bytes);
        let finding = or_timeout(HANDSHAKE, looking).await;
        assert_eq!(finding, Finding::Wrong(Wrong::Timeout));
        let (ours, _theirs) = tokio::io::duplex(4096);
        let finding = or_timeout(PAGE, web::look(ours, &page, "", &bytes)).await;
        assert_eq!(finding, Finding::Wrong(Wrong::Timeout));
        assert_eq!(since.elapsed(), HANDSHAKE + PAGE);
    }
}
