use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest as _, Sha256};

use crate::config::Secret;

/// Certificates of an encrypted session; without any, the public authorities decide.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsOptions {
    /// The only authorities to trust; the public ones (webpki-roots) without it.
    pub ca: Option<Pem>,
    /// Our own certificate chain; needs the key.
    pub client_certificate: Option<Pem>,
    /// Our own key; needs the certificate.
    pub client_key: Option<Pem>,
    /// What is spoken above TLS (ALPN, RFC 7301), for brokers that share a port with others.
    pub alpn: Option<String>,
}

/// Certificates or a key in PEM form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pem {
    /// In a file, read anew for every connection.
    File(PathBuf),
    /// As it is. Line ends may be written as `\n`, where a variable has to be one line.
    Text(Secret),
}

impl Pem {
    /// From a variable with the text, else from one with a file's name.
    pub fn of(text: Option<&Secret>, file: Option<&str>) -> Option<Self> {
        let text = text.map(|text| Self::Text(text.clone()));
        text.or_else(|| file.map(|file| Self::File(file.into())))
    }

    fn read(&self) -> Result<Vec<u8>, BadTls> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|error| BadTls::File {
                path: path.clone(),
                error,
            }),
            Self::Text(text) => Ok(text.expose().replace("\\n", "\n").into_bytes()),
        }
    }

    fn bad(&self) -> BadTls {
        BadTls::Pem(match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "the variable".to_owned(),
        })
    }
}

/// Why the certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTls {
    /// A file that cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file or variable without a usable PEM object.
    #[error("{0}: no certificate or key in PEM form")]
    Pem(String),
    /// Only one of certificate and key is named.
    #[error("a client certificate needs its key, and the key its certificate")]
    HalfClient,
    /// rustls refuses them.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// A configuration, and what it was made from.
pub(super) type Known = ([u8; 32], Arc<ClientConfig>);

impl TlsOptions {
    /// The configuration for the next connection: the one that is known while the files are the same. What it remembers
    /// of earlier handshakes saves the certificates in the next one, some kilobytes with each connection.
    ///
    /// Blocks for as long as the disk takes.
    pub(super) fn config_again(&self, known: Option<Known>) -> Result<Known, BadTls> {
        let mut digest = Sha256::new();
        for pem in [&self.ca, &self.client_certificate, &self.client_key] {
            // A file that cannot be read is told below.
            let content = pem.as_ref().and_then(|pem| pem.read().ok());
            let content = content.unwrap_or_default();
            digest.update(content.len().to_le_bytes());
            digest.update(content);
        }
        let digest = digest.finalize().into();
        match known {
            Some(known) if known.0 == digest => Ok(known),
            _ => Ok((digest, Arc::new(self.client_config()?))),
        }
    }

    /// Reads the files. Blocks for as long as the disk takes.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, BadTls> {
        let roots = self.roots()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match (&self.client_certificate, &self.client_key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(chain), Some(key)) => {
                let key_der = PrivateKeyDer::from_pem_slice(&key.read()?).map_err(|_| key.bad())?;
                builder.with_client_auth_cert(certificates(chain)?, key_der)?
            }
            _ => return Err(BadTls::HalfClient),
        };
        let alpn = self
            .alpn
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec());
        config.alpn_protocols = alpn.collect();
        Ok(config)
    }

    /// The authorities to trust. Blocks for as long as the disk takes.
    pub(crate) fn roots(&self) -> Result<RootCertStore, BadTls> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(pem) => {
                for certificate in certificates(pem)? {
                    roots.add(certificate)?;
                }
            }
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        Ok(roots)
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let content = pem.read()?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&content)
        .collect::<Result<_, _>>()
        .map_err(|_| pem.bad())?;
    if certificates.is_empty() {
        return Err(pem.bad());
    }
    Ok(certificates)
}
