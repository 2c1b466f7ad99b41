//! Encrypted sessions: a good certificate, a wrong authority, a certificate of another time.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};
use tm_service::config::Secret;
use tm_service::session::{
    DownReason, Options, Outgoing, Pem, Qos, Session, SessionEvent, TlsOptions,
};
use tm_sim::Gate;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::peer::{Peer, Seen, within};
use crate::session::options;

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    Authority {
        pem: certificate.pem(),
        issuer: Issuer::new(params, key),
    }
}

/// A broker with a certificate for 127.0.0.1 that ends in the given year.
async fn broker(authority: &Authority, until: i32) -> (TcpListener, TlsAcceptor) {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = params
        .signed_by(&key, &authority.issuer)
        .expect("a certificate");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(
            vec![
                CertificateDer::from_pem_slice(certificate.pem().as_bytes())
                    .expect("a certificate"),
            ],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key"),
        )
        .expect("they belong together");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    (listener, TlsAcceptor::from(Arc::new(config)))
}

fn session(listener: &TcpListener, ca_file: &Path) -> Session {
    let port = listener.local_addr().expect("bound").port();
    Session::open(Options {
        tls: TlsOptions {
            ca: Some(Pem::File(ca_file.to_owned())),
            ..TlsOptions::default()
        },
        ..options(&format!("mqtts://127.0.0.1:{port}"))
    })
}

async fn first_event(
    session: &mut Session,
    listener: &TcpListener,
    acceptor: &TlsAcceptor,
) -> SessionEvent {
    let serve = async {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut peer = Peer::new(stream);
            assert!(matches!(peer.read().await, Seen::Connect { .. }));
            peer.send(&[0x20, 2, 0, 0]).await;
            peer.try_read().await;
        }
    };
    within(async {
        tokio::select! {
            event = session.next() => event,
            () = serve => unreachable!("it serves for ever"),
        }
    })
    .await
}

/// Certificates in variables, on one line, and a protocol for a port that is shared.
#[tokio::test]
async fn certificates_as_text_and_a_protocol() {
    let issuer = authority("the issuer");
    let (listener, acceptor) = broker(&issuer, 2100).await;
    let mut config = ServerConfig::clone(acceptor.config());
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let port = listener.local_addr().expect("bound").port();
    let open = |alpn: &str| {
        Session::open(Options {
            tls: TlsOptions {
                ca: Some(Pem::Text(Secret::new(issuer.pem.replace('\n', "\\n")))),
                alpn: Some(alpn.to_owned()),
                ..TlsOptions::default()
            },
            ..options(&format!("mqtts://127.0.0.1:{port}"))
        })
    };
    let event = first_event(&mut open("mqtt"), &listener, &acceptor).await;
    assert!(matches!(event, SessionEvent::Up { .. }), "{event:?}");
    let event = first_event(&mut open("http/1.1"), &listener, &acceptor).await;
    assert!(
        matches!(event, SessionEvent::Down(DownReason::Tls(_))),
        "{event:?}"
    );
}

/// What a proxy between us and the broker counts, handshakes included.
#[tokio::test]
async fn every_byte_on_the_wire_is_counted() {
    let issuer = authority("the issuer");
    let (listener, acceptor) = broker(&issuer, 2100).await;
    let gate = Gate::open(listener.local_addr().expect("bound")).expect("a port");
    let options = Options {
        tls: TlsOptions {
            ca: Some(Pem::Text(Secret::new(issuer.pem.clone()))),
            ..TlsOptions::default()
        },
        ..options(&format!("mqtts://{}", gate.address()))
    };
    let wire = options.wire.clone();
    let mut session = Session::open(options);
    let serve = async {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut peer = Peer::new(acceptor.accept(stream).await.expect("a handshake"));
            assert!(matches!(peer.read().await, Seen::Connect { .. }));
            peer.send(&[0x20, 2, 0, 0]).await;
            while let Some(Seen::Publish { packet, .. }) = peer.try_read().await {
                peer.puback(packet).await;
            }
        }
    };
    let mut handshakes = Vec::new();
    let talk = async {
        for token in 0..40 {
            // Every tenth connection is cut after an answer, so that nothing is on its way.
            if token % 10 == 0 {
                gate.handle().cut();
                let before = wire.received();
                while !matches!(session.next().await, SessionEvent::Up { .. }) {}
                handshakes.push(wire.received() - before);
            }
            let message = Outgoing {
                token,
                topic: "t".to_owned(),
                payload: vec![7; 3000].into(),
                qos: Qos::AtLeastOnce,
                retain: false,
            };
            session.feed(message).expect("room in the window");
            while !matches!(session.next().await, SessionEvent::Acked(_)) {}
        }
    };
    within(async {
        tokio::select! {
            () = talk => {}
            () = serve => unreachable!("it serves for ever"),
        }
    })
    .await;
    let counts = gate.handle().counts();
    assert!(counts.to_target > 120_000, "{counts:?}");
    assert_eq!(
        (wire.sent(), wire.received()),
        (counts.to_target, counts.to_clients)
    );
    assert_eq!(wire.connections(), counts.n_connections);
    // The certificates come once.
    let [first, others @ ..] = &handshakes[..] else {
        panic!("four connections");
    };
    assert!(
        others.iter().all(|other| other + 300 < *first),
        "{handshakes:?}"
    );
}

async fn check(until: i32, trusts_issuer: bool) -> SessionEvent {
    let directory = tempfile::tempdir().expect("a directory");
    let ca_file = directory.path().join("ca.pem");
    let issuer = authority("the issuer");
    let trusted = if trusts_issuer {
        issuer.pem.clone()
    } else {
        authority("another").pem
    };
    std::fs::write(&ca_file, trusted).expect("a file");
    let (listener, acceptor) = broker(&issuer, until).await;
    let mut session = session(&listener, &ca_file);
    first_event(&mut session, &listener, &acceptor).await
}

#[tokio::test]
async fn a_certificate_of_the_named_authority_is_trusted() {
    assert!(matches!(check(2090, true).await, SessionEvent::Up { .. }));
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let event = check(2090, false).await;
    assert!(
        matches!(event, SessionEvent::Down(DownReason::TlsForeign)),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_certificate_of_another_time_points_at_the_clock() {
    let event = check(2001, true).await;
    assert!(
        matches!(event, SessionEvent::Down(DownReason::TlsClockSuspect)),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_missing_authority_file_is_told() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let mut session = session(&listener, Path::new("/nowhere/ca.pem"));
    let event = within(session.next()).await;
    assert!(
        matches!(&event, SessionEvent::Down(DownReason::Tls(words)) if words.contains("/nowhere/ca.pem")),
        "{event:?}"
    );
}
