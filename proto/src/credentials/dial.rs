//! How a connection to a coordinator is made: over TCP, or in whatever way a caller has of its own. Not what is said over it.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::Uri;
use tower::Service;

/// How long TCP may take to connect, over all addresses that the name has.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that is being made.
type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// A way to connect to an address; clones go the same way.
#[derive(Clone)]
pub struct Dial(Arc<dyn Fn(Uri) -> Connecting + Send + Sync>);

impl Dial {
    /// The way of `connect`.
    pub fn by<S, F>(connect: impl Fn(Uri) -> F + Send + Sync + 'static) -> Self
    where
        S: Stream + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        Self(Arc::new(move |uri| {
            let connecting = connect(uri);
            Box::pin(async { Ok(Box::new(connecting.await?) as Box<dyn Stream>) })
        }))
    }

    /// TCP: small messages go out at once, and where a name has addresses of both kinds, one that is silent does not keep the
    /// others waiting.
    pub fn tcp() -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        Self::by(move |uri| {
            let connecting = connector.clone().call(uri);
            async { connecting.await.map(|stream| stream.into_inner()).map_err(io::Error::other) }
        })
    }

    /// A new connection.
    pub(super) fn connect(&self, uri: Uri) -> Connecting {
        (self.0)(uri)
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dial")
    }
}
