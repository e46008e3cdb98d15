//! Who may call the coordinator: what it asks of a caller, who the caller is, what each may do, and who was refused. Knows
//! certificates, tokens and method names; the gRPC edge (`service`) and the pages (`http`) ask here before every call.

mod admit;
mod connection;
mod error;
mod identity;
mod listener;
mod refusals;
mod rule;
mod tokens;

use std::path::Path;
use std::sync::Arc;

use babelquant_proto::credentials::{ALPN, CredentialsError, Name, Pair, authority, provider};
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;

pub(crate) use admit::{admit, enter};
pub(crate) use connection::{Peer, Stream};
pub use error::AccessError;
pub(crate) use identity::Certified;
pub use listener::Listener;
pub(crate) use refusals::Refusals;
use rule::authorise;
pub(crate) use rule::{Denial, WATCH};
use tokens::Tokens;

/// What a coordinator asks of its callers.
#[derive(Debug, Clone, Default)]
pub struct Access {
    tls: Option<Tls>,
    tokens: Option<Arc<Tokens>>,
}

/// How connections are encrypted.
#[derive(Debug, Clone)]
struct Tls {
    calls: Arc<ServerConfig>,
    pages: Arc<ServerConfig>,
}

impl Access {
    /// Everyone who reaches the address may do everything.
    pub fn everyone() -> Self {
        Self::default()
    }

    /// Reads the folder of certificates and the file of tokens, where they are given. Where both are, a caller shows either;
    /// a folder without the authority's certificate encrypts only.
    ///
    /// # Errors
    /// A file is missing or wrong, or nothing is left to know a caller by.
    pub fn read(folder: Option<&Path>, token_file: Option<&Path>) -> Result<Self, AccessError> {
        let tokens = token_file.map(Tokens::read).transpose()?.map(Arc::new);
        let tls = folder.map(|folder| Tls::read(folder, tokens.is_some())).transpose()?;
        Ok(Self { tls, tokens })
    }

    /// Whether callers are asked for nothing.
    pub fn is_open(&self) -> bool {
        self.tls.is_none() && self.tokens.is_none()
    }

    /// Whether nobody on the way can listen.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether some callers show tokens.
    pub(crate) fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// What makes a connection for calls an encrypted one, where it must be.
    pub(crate) fn of_calls(&self) -> Option<TlsAcceptor> {
        self.tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.calls)))
    }

    /// The same for pages: a probe, which shows nothing, gets as far as to ask.
    pub(crate) fn of_pages(&self) -> Option<TlsAcceptor> {
        self.tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.pages)))
    }

    /// Whether a call of `method` may go on. The token decides where one is sent and tokens are in use, else the certificate.
    pub(crate) fn check(
        &self,
        method: &str,
        authorization: Option<&[u8]>,
        certified: Certified,
        now: OffsetDateTime,
    ) -> Result<(), Denial> {
        if self.is_open() {
            return Ok(());
        }
        let caller = match (&self.tokens, authorization) {
            (Some(tokens), Some(value)) => tokens.caller(value, now)?,
            _ => certified.caller(now)?,
        };
        authorise(method, caller)
    }
}

impl Tls {
    fn read(folder: &Path, has_tokens: bool) -> Result<Self, AccessError> {
        Ok(Self {
            calls: Arc::new(server(folder, ALPN, (has_tokens, has_tokens))?),
            pages: Arc::new(server(folder, b"http/1.1", (has_tokens, true))?),
        })
    }
}

fn server(
    folder: &Path,
    protocol: &[u8],
    (has_tokens, may_lack): (bool, bool),
) -> Result<ServerConfig, AccessError> {
    let failed = |source| CredentialsError::Tls { path: folder.to_owned(), source };
    let Pair { chain, key } = Pair::read(folder, Name::Coordinator)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .with_client_cert_verifier(verifier(folder, has_tokens, may_lack)?)
        .with_single_cert(chain, key)
        .map_err(failed)?;
    config.alpn_protocols = vec![protocol.to_vec()];
    // A resumed session would not look at the certificate again, which may have expired meanwhile.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// What looks at certificates; where it `may_lack` one, a peer is let in without.
fn verifier(
    folder: &Path,
    has_tokens: bool,
    may_lack: bool,
) -> Result<Arc<dyn ClientCertVerifier>, AccessError> {
    if has_tokens && !Name::Authority.certificate(folder).exists() {
        return Ok(Arc::new(NoClientAuth));
    }
    let roots = Arc::new(authority(folder)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let builder = if may_lack { builder.allow_unauthenticated() } else { builder };
    builder.build().map_err(|source| AccessError::Verifier { folder: folder.to_owned(), source })
}

#[cfg(test)]
mod tests;
