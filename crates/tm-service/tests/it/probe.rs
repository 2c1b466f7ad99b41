//! The probe on real sockets: a name server, a page, a broker and another host, each as told.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tm_service::probe::{self, Finding, Findings, Look, Targets};
use tm_service::session::Pem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS12;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::peer::within;

/// Each network has addresses of its own, so that a port which nobody listens on stays so.
#[derive(Clone, Copy)]
struct Addresses {
    names: Ipv4Addr,
    broker: Ipv4Addr,
    other: Ipv4Addr,
}

impl Addresses {
    fn fresh() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let network = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = |last| Ipv4Addr::new(127, 77, network, last);
        Self {
            names: address(1),
            broker: address(2),
            other: address(3),
        }
    }
}

/// How the name server behaves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Names {
    True,
    /// Knows every name.
    Wildcard,
    /// Knows no name.
    None,
    /// Its own servers are silent.
    Failing,
    /// Nobody is there.
    Absent,
}

/// A network; the usual one is well.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each of them is one thing that can be broken"
)]
pub(crate) struct Network {
    pub(crate) route: bool,
    pub(crate) names: Names,
    pub(crate) page: &'static str,
    pub(crate) scheme: &'static str,
    pub(crate) host: &'static str,
    pub(crate) broker_listens: bool,
    pub(crate) other_port_listens: bool,
    pub(crate) other_host_listens: bool,
    pub(crate) issued_by_other: bool,
    /// The broker speaks TLS 1.2 and wants a certificate of ours.
    pub(crate) wants_certificate: bool,
    pub(crate) until: i32,
    pub(crate) clock_suspect: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            route: true,
            names: Names::True,
            page: "HTTP/1.1 204 No Content\r\nServer: check\r\n\r\n",
            scheme: "mqtts",
            host: "broker.test",
            broker_listens: true,
            other_port_listens: true,
            other_host_listens: true,
            issued_by_other: false,
            wants_certificate: false,
            until: 2090,
            clock_suspect: false,
        }
    }
}

async fn listen(address: Ipv4Addr, port: u16) -> TcpListener {
    TcpListener::bind((address, port)).await.expect("a port")
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("bound").port()
}

/// A name server (RFC 1035) that knows what `names` says.
async fn name_server(socket: UdpSocket, names: Names, host: &str, addresses: Addresses) {
    let mut buffer = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.expect("a question");
        let question = &buffer[12..length];
        let text = String::from_utf8_lossy(question);
        let is = |name: &str| name.split('.').all(|label| text.contains(label));
        let address = match names {
            Names::Wildcard => Some(addresses.broker),
            Names::True if is(host) => Some(addresses.broker),
            Names::True if is("other.test") || is("page.test") => Some(addresses.other),
            _ => None,
        };
        let code = match (names, address) {
            (Names::Failing, _) => 2,
            (_, None) => 3,
            (_, Some(_)) => 0,
        };
        let is_a = question[question.len() - 3] == 1;
        let count = u8::from(address.is_some() && is_a);
        let mut answer = vec![
            buffer[0],
            buffer[1],
            0x81,
            0x80 | code,
            0,
            1,
            0,
            count,
            0,
            0,
            0,
            0,
        ];
        answer.extend_from_slice(question);
        if let Some(address) = address.filter(|_| is_a) {
            answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend_from_slice(&address.octets());
        }
        socket.send_to(&answer, from).await.expect("sent");
    }
}

async fn page(listener: TcpListener, answer: &'static str) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Acme");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), Issuer::new(params, key))
}

fn acceptor(issuer: &Issuer<'static, KeyPair>, trusted: &str, network: &Network) -> TlsAcceptor {
    let mut params = CertificateParams::new(vec![network.host.to_owned()]).expect("a name");
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(network.until, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let pem = params.signed_by(&key, issuer).expect("a certificate").pem();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key");
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = if network.wants_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(der(trusted)).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder
            .with_protocol_versions(&[&TLS12])
            .expect("ring has it")
            .with_client_cert_verifier(verifier.build().expect("an authority"))
    } else {
        builder
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
    };
    let config = builder.with_single_cert(vec![der(&pem)], key);
    TlsAcceptor::from(Arc::new(config.expect("they belong together")))
}

async fn broker(listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        if let Ok(mut stream) = acceptor.accept(stream).await {
            let _ = stream.read(&mut [0; 64]).await;
        }
    }
}

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(directory.join("net")).expect("a directory");
    std::fs::write(directory.join(name), text).expect("a file");
}

/// Builds the network and does something in it; the directory has `net/route` and the like.
pub(crate) async fn in_network<T>(
    network: Network,
    work: impl AsyncFnOnce(Targets, &Path) -> T,
) -> T {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let route = if network.route {
        "Iface\nwwan0\t00000000\t0\t0003\t0\t0\t0\t00000000\n"
    } else {
        "Iface\n"
    };
    write(path, "net/route", route);
    write(path, "hosts", "127.0.0.1 localhost\n");
    let addresses = Addresses::fresh();
    let Addresses {
        names: server,
        broker: broker_address,
        other: other_address,
    } = addresses;
    write(path, "resolv.conf", &format!("nameserver {server}\n"));
    let (trusted, own) = authority("Fleet");
    write(path, "ca.pem", &trusted);
    let issuer = if network.issued_by_other {
        authority("Acme Proxy").1
    } else {
        own
    };

    let names = UdpSocket::bind((server, 0)).await.expect("a port");
    let page_listener = listen(other_address, 0).await;
    let broker_listener = listen(broker_address, 0).await;
    let other_listener = listen(other_address, 0).await;
    let other_port = port(&other_listener);
    let same_host = listen(broker_address, other_port).await;

    let address = format!(
        "{}://{}:{}",
        network.scheme,
        network.host,
        port(&broker_listener)
    );
    let mut targets = Targets::new(address.parse().expect("an address"));
    targets.tls.ca = Some(Pem::File(path.join("ca.pem")));
    targets.web_url = format!("http://page.test:{}/check", port(&page_listener));
    targets.other_port = other_port;
    "other.test".clone_into(&mut targets.other_host);
    targets.clock_suspect = network.clock_suspect;
    targets.proc = path.to_owned();
    targets.hosts = path.join("hosts");
    targets.resolv_conf = path.join("resolv.conf");
    targets.dns_port = names.local_addr().map(|it| it.port()).expect("bound");
    if network.names == Names::Wildcard {
        // A wildcard leads the page astray as well; where it leads, the portal answers.
        let portal = port(&page_listener);
        tokio::spawn(page(listen(broker_address, portal).await, network.page));
    }
    let tls = acceptor(&issuer, &trusted, &network);
    let serving = async {
        let forever = std::future::pending::<()>;
        // What does not listen is closed before the probe looks.
        let broker_listener = network.broker_listens.then_some(broker_listener);
        let _same_host = network.other_port_listens.then_some(same_host);
        let _other = network.other_host_listens.then_some(other_listener);
        let names = (network.names != Names::Absent).then_some(names);
        tokio::join!(
            async {
                match names {
                    Some(socket) => {
                        name_server(socket, network.names, network.host, addresses).await;
                    }
                    None => forever().await,
                }
            },
            async {
                match broker_listener {
                    Some(listener) => broker(listener, tls).await,
                    None => forever().await,
                }
            },
            page(page_listener, network.page),
        );
    };
    within(Box::pin(async {
        tokio::select! {
            biased;
            () = serving => unreachable!("they serve for ever"),
            done = work(targets, path) => done,
        }
    }))
    .await
}

async fn check(network: Network, expected: &str) -> Findings {
    let look = async |targets: Targets, _: &Path| probe::run(&targets).await;
    let findings = in_network(network, look).await;
    let cause = probe::verdict(&findings);
    let mut told = cause.code.clone();
    for value in cause.args.values() {
        told = format!("{told} {value}");
    }
    let port = findings.broker.port.to_string();
    let other = findings.other_port.to_string();
    let address = match findings.of(Look::Name) {
        Some(Finding::Addresses(addresses)) => addresses[0].to_string(),
        _ => String::new(),
    };
    let expected = expected.replace("ADDRESS", &address);
    let expected = expected.replace("PORT", &port).replace("443", &other);
    assert!(told.starts_with(&expected), "{told}\n{findings:#?}");
    findings
}

fn usual() -> Network {
    Network::default()
}

#[tokio::test]
async fn an_open_way_is_open_and_cheap() {
    let findings = check(usual(), "link.open").await;
    assert_eq!(findings.steps.len(), Look::ALL.len());
    let (sent, received) = (findings.sent_bytes, findings.received_bytes);
    println!("a full run sends {sent} and receives {received} bytes");
    assert!(sent < 1000 && received < 2000, "{sent} {received}");
}

#[tokio::test]
async fn a_plain_broker_is_open_when_it_listens() {
    let plain = Network {
        scheme: "mqtt",
        ..usual()
    };
    check(plain, "link.open").await;
}

#[tokio::test]
async fn a_broker_that_wants_a_certificate_has_proved_itself() {
    let network = |issued_by_other| Network {
        wants_certificate: true,
        issued_by_other,
        ..usual()
    };
    check(network(false), "link.open").await;
    check(network(true), "link.tls_intercepted").await;
}

#[tokio::test]
async fn names_that_are_dead_or_false_are_told() {
    let names = |names| Network { names, ..usual() };
    check(names(Names::Absent), "link.dns_dead").await;
    check(names(Names::Failing), "link.dns_dead").await;
    check(
        names(Names::None),
        "link.cloud_unreachable broker.test:PORT",
    )
    .await;
    let wildcard = Network {
        issued_by_other: true,
        ..names(Names::Wildcard)
    };
    check(wildcard, "link.dns_hijacked ADDRESS broker.test").await;
    let private = Network {
        host: "broker.acme.ua",
        broker_listens: false,
        ..usual()
    };
    check(private, "link.dns_hijacked ADDRESS broker.acme.ua").await;
}

#[tokio::test]
async fn no_route_is_told_at_once() {
    let none = Network {
        route: false,
        ..usual()
    };
    let findings = check(none, "link.no_route").await;
    assert_eq!((findings.sent_bytes, findings.received_bytes), (0, 0));
}

#[tokio::test]
async fn a_portal_is_named() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://pay.ua/x?msisdn=380501112233\r\n\r\n";
    for (page, names, expected) in [
        (redirect, Names::True, "http://pay.ua/x"),
        (redirect, Names::Wildcard, "http://pay.ua/x"),
        (
            "HTTP/1.1 200 OK\r\n\r\n<html>pay</html>",
            Names::True,
            "http://page.test:",
        ),
    ] {
        let network = Network {
            page,
            names,
            issued_by_other: true,
            ..usual()
        };
        let findings = check(network, &format!("link.captive_portal {expected}")).await;
        assert!(!format!("{findings:?}").contains("38050"));
    }
}

#[tokio::test]
async fn false_certificates_are_told_from_a_false_clock() {
    let foreign = Network {
        issued_by_other: true,
        ..usual()
    };
    let told = "link.tls_intercepted broker.test Acme Proxy, Acme";
    check(foreign, told).await;
    let expired = |clock_suspect| Network {
        until: 2001,
        clock_suspect,
        ..usual()
    };
    check(expired(true), "link.clock_suspect").await;
    check(expired(false), "link.cloud_unreachable").await;
}

#[tokio::test]
async fn a_blocked_port_is_told_from_a_broker_that_is_away() {
    let shut = |same: bool, other: bool| Network {
        broker_listens: false,
        other_port_listens: same,
        other_host_listens: other,
        ..usual()
    };
    check(shut(true, true), "link.port_blocked 443 PORT").await;
    check(shut(false, true), "link.cloud_unreachable").await;
    // The page still answers: the internet is there.
    check(shut(false, false), "link.cloud_unreachable").await;
}

/// The probe runs within tasks that may move between threads.
#[test]
fn the_probe_can_be_spawned() {
    fn is_send(_: impl Send) {}
    let targets = Targets::new("mqtts://broker.test".parse().expect("an address"));
    is_send(probe::run(&targets));
}
