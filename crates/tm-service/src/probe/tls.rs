//! The broker's certificate: verified as the uplink verifies it, and its issuer told when it fails.

use std::io;
use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::counted::{Bytes, Counted};
use super::issuer::issuer;
use super::web::printable;
use super::{Finding, Wrong};
use crate::session::{BadTls, TlsOptions};

/// Most bytes read: a chain has 2 to 6 KiB; a handshake message may have 64 (rustls).
const MOST: usize = 64 * 1024;
/// Longest words of rustls that are told, characters.
const LONGEST: usize = 200;

/// Verifies like any session, and remembers what came of it.
#[derive(Debug)]
struct Remembering {
    verifier: Arc<WebPkiServerVerifier>,
    /// `None` before a certificate came; who issued it when it was refused.
    outcome: Mutex<Option<Result<(), String>>>,
}

impl ServerCertVerifier for Remembering {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .verifier
            .verify_server_cert(certificate, chain, name, ocsp, now);
        if let Ok(mut outcome) = self.outcome.lock() {
            let told = verified
                .as_ref()
                .map(|_| ())
                .map_err(|_| issuer(certificate));
            *outcome = Some(told);
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Shakes hands as `host`, and leaves.
pub(super) async fn look<S>(stream: S, host: &str, options: &TlsOptions, bytes: &Bytes) -> Finding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (config, remembering) = match prepare(options) {
        Ok(prepared) => prepared,
        Err(error) => {
            let words = printable(&error.to_string(), LONGEST);
            return Finding::Wrong(Wrong::OwnFiles(words));
        }
    };
    let Ok(name) = ServerName::try_from(host.to_owned()) else {
        return Finding::Wrong(Wrong::Handshake("the host is no name".to_owned()));
    };
    let connector = TlsConnector::from(Arc::new(config));
    let stream = Counted::new(stream, bytes, MOST);
    match connector.connect(name, stream).await {
        Ok(mut stream) => {
            // Politeness: the broker's log then holds no broken connection.
            let _ = stream.shutdown().await;
            Finding::Good
        }
        Err(error) => {
            let outcome = remembering.outcome.lock().ok().and_then(|mut it| it.take());
            judge(&error, outcome)
        }
    }
}

fn prepare(options: &TlsOptions) -> Result<(ClientConfig, Arc<Remembering>), BadTls> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(options.roots()?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let remembering = Arc::new(Remembering {
        verifier,
        outcome: Mutex::default(),
    });
    let mut config = options.client_config()?;
    config
        .dangerous()
        .set_certificate_verifier(remembering.clone());
    Ok((config, remembering))
}

fn judge(error: &io::Error, outcome: Option<Result<(), String>>) -> Finding {
    use CertificateError as Bad;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    Finding::Wrong(match inner {
        // The broker has proved itself, and wants a certificate of ours: the way is open.
        Some(Error::AlertReceived(_)) if outcome == Some(Ok(())) => return Finding::Good,
        Some(Error::InvalidCertificate(
            Bad::Expired
            | Bad::ExpiredContext { .. }
            | Bad::NotValidYet
            | Bad::NotValidYetContext { .. },
        )) => Wrong::Dates,
        Some(Error::InvalidCertificate(_)) => {
            let issuer = outcome.and_then(Result::err);
            Wrong::Foreign(issuer.unwrap_or_else(|| "?".to_owned()))
        }
        Some(other) => Wrong::Handshake(printable(&other.to_string(), LONGEST)),
        None if error.kind() == io::ErrorKind::InvalidData => Wrong::Garbage,
        None => Wrong::Closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hostile_servers_end() {
        // A record of 16 KiB that never becomes a handshake, a portal, nothing.
        let records = [[22, 3, 3, 0x40, 0].as_slice(), &[0; 0x4000]].concat();
        for sent in [
            records.repeat(20),
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            vec![0xff; 200_000],
            Vec::new(),
        ] {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            let (bytes, options) = (Bytes::default(), TlsOptions::default());
            let looking = look(ours, "broker.test", &options, &bytes);
            let serving = async {
                let _ = theirs.write_all(&sent).await;
                drop(theirs);
            };
            let (finding, ()) = tokio::join!(looking, serving);
            assert!(matches!(finding, Finding::Wrong(_)), "{finding:?}");
            assert!(bytes.total().1 <= MOST as u64 + 32 * 1024);
        }
    }
}
