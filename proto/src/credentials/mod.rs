//! What a caller shows to a coordinator, and where it lies: certificates in a folder, a token in a file. Both programs call, so
//! both find them here; what a coordinator makes of them is the coordinator's.

mod caller;
mod dial;
mod error;
mod link;
mod pem;
mod token;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub use caller::Caller;
pub use dial::{Dial, Stream};
pub use error::CredentialsError;
pub use link::{Bearer, Link};
pub use pem::{Name, Pair};
pub use token::Token;

/// The protocol that both ends speak inside TLS.
pub const ALPN: &[u8] = b"h2";

/// What a caller shows, and whom it believes.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    tls: Option<Arc<ClientConfig>>,
    token: Option<Token>,
}

impl Credentials {
    /// Reads the folder of certificates and the file of a token, where they are given. The certificate is that of the first of
    /// `callers` that the folder has; with a token there need be none.
    ///
    /// # Errors
    /// A file is missing or is not what it should be.
    pub fn read(
        folder: Option<&Path>,
        token_file: Option<&Path>,
        callers: &[Caller],
    ) -> Result<Self, CredentialsError> {
        let token = token_file.map(Token::read).transpose()?;
        let tls = folder.map(|folder| client(folder, callers, token.is_some())).transpose()?;
        Ok(Self { tls: tls.map(Arc::new), token })
    }
}

/// The certificates of the authority in `folder`: who signed by it is believed.
///
/// # Errors
/// There are none, or they are no certificates.
pub fn authority(folder: &Path) -> Result<RootCertStore, CredentialsError> {
    let path = Name::Authority.certificate(folder);
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(&path)? {
        roots
            .add(certificate)
            .map_err(|source| CredentialsError::Tls { path: path.clone(), source })?;
    }
    Ok(roots)
}

/// The cryptography of every connection.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Makes that cryptography the process's too, for libraries that ask the process: with several built in they could not choose.
pub fn install_provider() {
    // Whoever was first has chosen; a program calls this before anything else.
    let _ = ring::default_provider().install_default();
}

fn client(
    folder: &Path,
    callers: &[Caller],
    has_token: bool,
) -> Result<ClientConfig, CredentialsError> {
    let failed = |source| CredentialsError::Tls { path: folder.to_owned(), source };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .with_root_certificates(authority(folder)?);
    let mut names = callers.iter().map(|&caller| Name::Caller(caller));
    let mut config = match names.find(|name| name.certificate(folder).exists()) {
        Some(name) => {
            let Pair { chain, key } = Pair::read(folder, name)?;
            config.with_client_auth_cert(chain, key).map_err(failed)?
        }
        None if has_token => config.with_no_client_auth(),
        None => {
            return Err(CredentialsError::NoCertificate {
                folder: folder.to_owned(),
                names: callers.iter().map(|&caller| file_name(Name::Caller(caller))).collect(),
            });
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

fn file_name(name: Name) -> PathBuf {
    name.certificate(Path::new(""))
}

/// A chain of certificates, the peer's own first.
pub type Chain = Vec<CertificateDer<'static>>;
