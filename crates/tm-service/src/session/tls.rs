use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Certificates of an encrypted session; without any, the public authorities decide.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsOptions {
    /// PEM file of the only authorities to trust; the public ones (webpki-roots) without it.
    pub ca_file: Option<PathBuf>,
    /// PEM file of our own certificate chain; needs the key.
    pub client_certificate_file: Option<PathBuf>,
    /// PEM file of our own key; needs the certificate.
    pub client_key_file: Option<PathBuf>,
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
    /// A file without a usable PEM object.
    #[error("{0}: no certificate or key in PEM form")]
    Pem(PathBuf),
    /// Only one of certificate and key is named.
    #[error("a client certificate needs its key, and the key its certificate")]
    HalfClient,
    /// rustls refuses them.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

impl TlsOptions {
    /// Reads the files. Blocks for as long as the disk takes.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, BadTls> {
        let roots = self.roots()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match (&self.client_certificate_file, &self.client_key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(chain), Some(key)) => {
                let key_der = PrivateKeyDer::from_pem_slice(&read(key)?)
                    .map_err(|_| BadTls::Pem(key.clone()))?;
                builder.with_client_auth_cert(certificates(chain)?, key_der)?
            }
            _ => return Err(BadTls::HalfClient),
        };
        Ok(config)
    }

    /// The authorities to trust. Blocks for as long as the disk takes.
    pub(crate) fn roots(&self) -> Result<RootCertStore, BadTls> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate)?;
                }
            }
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let bad = || BadTls::Pem(path.to_owned());
    let content = read(path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&content)
        .collect::<Result<_, _>>()
        .map_err(|_| bad())?;
    if certificates.is_empty() {
        return Err(bad());
    }
    Ok(certificates)
}

fn read(path: &Path) -> Result<Vec<u8>, BadTls> {
    std::fs::read(path).map_err(|error| BadTls::File {
        path: path.to_owned(),
        error,
    })
}
