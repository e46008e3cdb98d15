//! An operator's side of the edge: one connection to a coordinator, and why it may not do what is asked. Not the serving side.

use std::time::Duration;

use babelquant_proto::credentials::{Bearer, Credentials, CredentialsError, Link};
use babelquant_proto::message::Drain;
use babelquant_proto::overview::Overview;
use babelquant_proto::wire::admin_client::AdminClient;
use babelquant_proto::{ConvertError, wire};
use thiserror::Error;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Error as TransportError};
use tonic::{Code, Status, Streaming};

/// How long a person waits for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Why a coordinator does not do what an operator asks.
#[derive(Debug, Error)]
pub enum AdminError {
    /// Address and credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Nobody answers.
    #[error(
        "cannot reach a coordinator at {url} ({reason}): is it running there, and is this the URL that it printed?"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// The coordinator does not let this caller in.
    #[error("{url} denied access: {reason}")]
    Denied {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// It has nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// It is of another version.
    #[error("the coordinator at {url} does not know this call: use builds of one version")]
    Unknown {
        /// The address.
        url: String,
    },
    /// The call failed.
    #[error("{url} did not answer: {reason}")]
    Failed {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
}

/// An operator's connection to a coordinator.
#[derive(Debug, Clone)]
pub struct AdminConnection {
    url: String,
    link: Link,
    client: AdminClient<InterceptedService<Channel, Bearer>>,
}

/// A run as it changes; ends when the coordinator does.
#[derive(Debug)]
pub struct Watched {
    connection: AdminConnection,
    replies: Streaming<wire::StatusReply>,
}

impl AdminConnection {
    /// A connection to the coordinator at `url`, made at the first call.
    ///
    /// # Errors
    /// URL and credentials do not fit together.
    pub fn new(url: &str, credentials: Credentials) -> Result<Self, AdminError> {
        let url = url.to_owned();
        let Ok(endpoint) = Endpoint::from_shared(url.clone()) else {
            return Err(CredentialsError::Address { url }.into());
        };
        let endpoint = endpoint
            .connect_timeout(ANSWER)
            .timeout(ANSWER)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        let link = Link::new(endpoint, credentials)?;
        Ok(Self { url, client: AdminClient::new(link.channel()), link })
    }

    /// How the run is.
    ///
    /// # Errors
    /// The coordinator does not answer, or does not let this caller in.
    pub async fn status(&mut self) -> Result<Overview, AdminError> {
        let reply = self.client.status(wire::StatusRequest {}).await;
        self.decode(reply.map_err(|status| self.failed(&status))?.into_inner())
    }

    /// How the run is, and whenever that changes.
    ///
    /// # Errors
    /// The coordinator does not answer, or does not let this caller in.
    pub async fn watch(mut self) -> Result<Watched, AdminError> {
        let replies = self.client.watch(wire::StatusRequest {}).await;
        let replies = replies.map_err(|status| self.failed(&status))?.into_inner();
        Ok(Watched { connection: self, replies })
    }

    /// Sends workers or the coordinator away; returns the names of the live workers that it is about.
    ///
    /// # Errors
    /// There is no such worker, or the coordinator does not answer or let this caller in.
    pub async fn drain(&mut self, drain: Drain) -> Result<Vec<String>, AdminError> {
        let reply = self.client.drain(wire::DrainRequest::from(drain)).await;
        Ok(reply.map_err(|status| self.failed(&status))?.into_inner().workers)
    }

    fn decode(&self, reply: wire::StatusReply) -> Result<Overview, AdminError> {
        let failed = |error: ConvertError| AdminError::Failed {
            url: self.url.clone(),
            reason: format!("its reply breaks the protocol: {error}"),
        };
        Overview::try_from(reply).map_err(failed)
    }

    fn failed(&self, status: &Status) -> AdminError {
        let (url, reason) = (self.url.clone(), status.message().to_owned());
        if let Some(reason) = self.link.refusal() {
            return AdminError::Denied { url, reason };
        }
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => AdminError::Denied { url, reason },
            Code::NotFound | Code::InvalidArgument => AdminError::NotFound(reason),
            Code::Unimplemented => AdminError::Unknown { url },
            _ => match cause(status) {
                Some(reason) => AdminError::Unreachable { url, reason },
                None => AdminError::Failed { url, reason },
            },
        }
    }
}

/// What lies at the bottom of a connection that failed; `None` where the other side answered.
fn cause(status: &Status) -> Option<String> {
    let source = std::error::Error::source(status);
    let mut cause = source.filter(|cause| cause.is::<TransportError>())?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause.to_string())
}

impl Watched {
    /// The next overview; `None` when the coordinator has ended.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<Overview>, AdminError> {
        let Self { connection, replies } = self;
        let reply = replies.message().await.map_err(|status| connection.failed(&status))?;
        reply.map(|reply| connection.decode(reply)).transpose()
    }
}
