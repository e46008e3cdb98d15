//! The two calls to the coordinator. Turns gRPC statuses into what the agent acts on; keeps no state of the run.

use std::time::Duration;

use babelquant_proto::credentials::{Bearer, Credentials, CredentialsError, Dial, Link};
use babelquant_proto::message::{Hello, SyncReply, SyncRequest, Welcome};
use babelquant_proto::wire::coordinator_client::CoordinatorClient;
use babelquant_proto::{ConvertError, MESSAGE_BYTES_MAX};
use thiserror::Error;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How long a call may take: the coordinator holds a Sync open for some seconds when it has nothing to grant.
const CALL_SECONDS: u64 = 40;

/// A connection that is made when it is needed; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    inner: CoordinatorClient<InterceptedService<Channel, Bearer>>,
    link: Link,
}

/// What went wrong with a call.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// No answer: try again.
    #[error("{0}")]
    Unreachable(String),
    /// The session is unknown, as after a restart of the coordinator: register again.
    #[error("the session is unknown")]
    UnknownSession,
    /// The coordinator will never take this worker.
    #[error("{0}")]
    Refused(String),
    /// Not authorised.
    #[error("{0}")]
    Denied(String),
}

impl Client {
    /// A client of the coordinator at `url`; connects at the first call.
    pub(crate) fn new(
        url: &str,
        dial: Dial,
        credentials: Credentials,
    ) -> Result<Self, CredentialsError> {
        let bad = |_| CredentialsError::Address { url: url.to_owned() };
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(bad)?
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(CALL_SECONDS))
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .keep_alive_while_idle(true);
        let link = Link::over(dial, endpoint, credentials)?;
        let inner = CoordinatorClient::new(link.channel())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Ok(Self { inner, link })
    }

    /// Opens a session.
    pub(crate) async fn register(&mut self, hello: Hello) -> Result<Welcome, CallError> {
        let reply = self.inner.register(babelquant_proto::wire::Hello::from(hello)).await;
        let reply = reply.map_err(|status| self.failed(status))?;
        Ok(reply.into_inner().try_into()?)
    }

    /// Tells everything, asks for more.
    pub(crate) async fn sync(&mut self, request: SyncRequest) -> Result<SyncReply, CallError> {
        let reply = self.inner.sync(babelquant_proto::wire::SyncRequest::from(request)).await;
        let reply = reply.map_err(|status| self.failed(status))?;
        Ok(reply.into_inner().try_into()?)
    }

    /// What a status means; where the connection was refused for its certificates, that.
    fn failed(&self, status: Status) -> CallError {
        match (CallError::from(status), self.link.refusal()) {
            (CallError::Unreachable(_), Some(reason)) => CallError::Denied(reason),
            (error, _) => error,
        }
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let text = status.message().to_owned();
        match status.code() {
            Code::NotFound => Self::UnknownSession,
            Code::FailedPrecondition | Code::InvalidArgument | Code::Unimplemented => {
                Self::Refused(text)
            }
            Code::Unauthenticated | Code::PermissionDenied => Self::Denied(text),
            code => Self::Unreachable(format!("{code:?}: {text}")),
        }
    }
}

impl From<ConvertError> for CallError {
    fn from(error: ConvertError) -> Self {
        Self::Refused(format!("its reply breaks the protocol: {error}"))
    }
}
