//! The way to a coordinator: a channel that encrypts, shows the credentials, and remembers what the other side said of them.
//! Which calls go over it is the caller's.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hyper_util::rt::TokioIo;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, ClientConfig, Error as TlsError};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};
use tower::service_fn;

use super::Credentials;
use super::dial::{Dial, Stream};
use super::error::CredentialsError;
use super::watched::Watched;

/// A connection that is made when it is needed, and made again; clones share it.
#[derive(Debug, Clone)]
pub struct Link {
    channel: InterceptedService<Channel, Bearer>,
    refusal: Refusal,
}

impl Link {
    /// A link to `endpoint` over TCP; connects at the first call.
    ///
    /// # Errors
    /// The address and the credentials do not fit together.
    pub fn new(endpoint: Endpoint, credentials: Credentials) -> Result<Self, CredentialsError> {
        Self::over(Dial::tcp(), endpoint, credentials)
    }

    /// A link whose connections are made by `dial`.
    ///
    /// # Errors
    /// The address and the credentials do not fit together.
    pub fn over(
        dial: Dial,
        endpoint: Endpoint,
        credentials: Credentials,
    ) -> Result<Self, CredentialsError> {
        let uri = endpoint.uri();
        let url = uri.to_string();
        let refusal = Refusal::default();
        let channel = match (uri.scheme_str(), credentials.tls) {
            (Some("https"), Some(tls)) => {
                let host = uri.host().unwrap_or_default();
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                    .map_err(|_| CredentialsError::Address { url })?;
                encrypted(&endpoint, dial, (name, tls), refusal.clone())
            }
            (Some("https"), None) => return Err(CredentialsError::NoFolder { url }),
            (Some("http"), None) => endpoint.connect_with_connector_lazy(service_fn(move |uri| {
                let connecting = dial.connect(uri);
                async { connecting.await.map(TokioIo::new) }
            })),
            (Some("http"), Some(_)) => return Err(CredentialsError::NotEncrypted { url }),
            _ => return Err(CredentialsError::Address { url }),
        };
        let bearer = Bearer(credentials.token.map(|token| token.header()));
        Ok(Self { channel: InterceptedService::new(channel, bearer), refusal })
    }

    /// What calls go through.
    pub fn channel(&self) -> InterceptedService<Channel, Bearer> {
        self.channel.clone()
    }

    /// Why the last connection was refused, where no retry can change it: one side does not believe the other's certificate.
    pub fn refusal(&self) -> Option<String> {
        self.refusal.get()
    }
}

/// Adds the token to each call, where there is one.
#[derive(Debug, Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

fn encrypted(
    endpoint: &Endpoint,
    dial: Dial,
    (name, tls): (ServerName<'static>, Arc<ClientConfig>),
    refusal: Refusal,
) -> Channel {
    let connector = TlsConnector::from(tls);
    endpoint.connect_with_connector_lazy(service_fn(move |uri: Uri| {
        refusal.clear();
        let (name, refusal) = (name.clone(), refusal.clone());
        let (connector, connecting) = (connector.clone(), dial.connect(uri));
        async move {
            let stream = connecting.await?;
            shake_hands(stream, name, connector, refusal).await.map(TokioIo::new)
        }
    }))
}

async fn shake_hands(
    stream: Box<dyn Stream>,
    name: ServerName<'static>,
    connector: TlsConnector,
    refusal: Refusal,
) -> io::Result<Watched<TlsStream<Box<dyn Stream>>>> {
    let stream = connector.connect(name, stream).await.inspect_err(|error| refusal.hear(error))?;
    Ok(Watched::new(stream, refusal))
}

/// What the last handshake came to. In TLS 1.3 a coordinator looks at a certificate when the caller believes to be through: its
/// answer is an alert among the first bytes that are read.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal(Arc<Mutex<Option<String>>>);

impl Refusal {
    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps an error that no retry can change.
    pub(super) fn hear(&self, error: &io::Error) {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<TlsError>());
        if let Some(reason) = cause.and_then(verdict) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        }
    }
}

/// What an error of TLS says about certificates; nothing where it speaks of anything else.
fn verdict(error: &TlsError) -> Option<String> {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, DecryptError, UnknownCA, UnsupportedCertificate,
    };
    match error {
        TlsError::InvalidCertificate(cause) => {
            Some(format!("the coordinator's certificate is not to be believed: {cause}"))
        }
        TlsError::AlertReceived(
            alert @ (AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRequired
            | CertificateRevoked
            | CertificateUnknown
            | DecryptError
            | UnknownCA
            | UnsupportedCertificate),
        ) => Some(format!("it does not accept this certificate ({alert:?}); its log says why")),
        _ => None,
    }
}
