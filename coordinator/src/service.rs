//! The gRPC edge: decode, one call to the owner, encode. The only file of this crate that names wire types; statuses are named
//! here and in its gate.

mod gate;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::credentials::{Bearer, Credentials, CredentialsError, Link};
use babelquant_proto::message::{Drain, Hello, RunState, SyncRequest, UnitResult};
use babelquant_proto::overview::Overview;
use babelquant_proto::wire::admin_client::AdminClient;
use babelquant_proto::wire::admin_server::{Admin, AdminServer};
use babelquant_proto::wire::coordinator_server::{Coordinator, CoordinatorServer};
use babelquant_proto::{ConvertError, MESSAGE_BYTES_MAX, Spec, UnitIndex, wire};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::{ReceiverStream, WatchStream};
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Error as TransportError, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::filter::FilterLayer;

use crate::access::{Access, Refusals, admit};
use crate::owner::{Call, Checked, Handle, Refusal};
use crate::verify::{self, Rejection};
use gate::Gate;

/// How long a person waits for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Connections that have been let in and wait to be served.
const WAITING_MAX: usize = 64;

/// Serves the calls of workers and people on `listener` until `shutdown`, then lets open calls end.
///
/// The limits bound what one peer can hold: streams and pending resets a connection, header and message sizes, and the time of
/// a call. Keep-alive finds peers that vanished without a word.
pub(crate) async fn serve(
    listener: TcpListener,
    handle: Handle,
    access: Access,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let refusals = Arc::new(Refusals::default());
    let (admitted, connections) = mpsc::channel(WAITING_MAX);
    let admitting = admit(listener, access.acceptor(), admitted, Arc::clone(&refusals));
    let gate = Gate { access, refusals };
    let (reporter, health) = tonic_health::server::health_reporter();
    let reporting = report_health(reporter, handle.overview.clone());
    let edge = Edge { handle };
    let coordinator = CoordinatorServer::new(edge.clone())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let admin = AdminServer::new(edge).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let serving = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .timeout(Duration::from_secs(30))
        .concurrency_limit_per_connection(32)
        .max_concurrent_streams(32)
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_header_list_size(16 << 10)
        .load_shed(true)
        .layer(FilterLayer::new(move |request: http::Request<Body>| gate.check(request)))
        .add_service(coordinator)
        .add_service(admin)
        .add_service(health)
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), shutdown);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        served = &mut serving => served,
        // Nobody takes connections any more: what is open may end.
        () = admitting => serving.await,
        never = reporting => match never {},
    }
}

/// Keeps the standard health service true: serving while workers are granted units or told that the run is complete.
async fn report_health(
    reporter: HealthReporter,
    mut overview: watch::Receiver<Arc<Overview>>,
) -> Infallible {
    let mut reported = None;
    loop {
        let state = overview.borrow_and_update().state;
        let status = match state {
            RunState::Running | RunState::Complete | RunState::CompleteWithQuarantine => {
                ServingStatus::Serving
            }
            RunState::Degraded | RunState::Draining => ServingStatus::NotServing,
        };
        if reported.replace(status) != Some(status) {
            for service in ["", CoordinatorServer::<Edge>::NAME, AdminServer::<Edge>::NAME] {
                reporter.set_service_status(service, status).await;
            }
        }
        if overview.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[derive(Clone)]
struct Edge {
    handle: Handle,
}

impl Edge {
    /// Sends a call to the owner and waits for its answer.
    async fn call<T>(
        &self,
        call: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Call,
    ) -> Result<T, Status> {
        let (reply, answer) = oneshot::channel();
        let gone = |_| Status::from(Refusal::Leaving);
        self.handle.calls.send(call(reply)).await.map_err(|_| Status::from(Refusal::Leaving))?;
        answer.await.map_err(gone)?.map_err(Status::from)
    }
}

#[tonic::async_trait]
impl Coordinator for Edge {
    async fn register(
        &self,
        request: Request<wire::Hello>,
    ) -> Result<Response<wire::Welcome>, Status> {
        let hello = Hello::try_from(request.into_inner()).map_err(invalid)?;
        let welcome = self.call(|reply| Call::Register(hello, reply)).await?;
        wire::Welcome::try_from(welcome)
            .map(Response::new)
            .map_err(|e| Status::internal(e.to_string()))
    }

    async fn sync(
        &self,
        request: Request<wire::SyncRequest>,
    ) -> Result<Response<wire::SyncReply>, Status> {
        let arrived = Instant::now();
        let request = SyncRequest::try_from(request.into_inner()).map_err(invalid)?;
        let spec = Arc::clone(&self.handle.spec);
        let checked = tokio::task::spawn_blocking(move || check(&spec, request)).await;
        let checked = checked.map_err(|error| Status::internal(error.to_string()))?;
        let answer = self.call(|reply| Call::Sync(checked, reply)).await?;
        self.handle.live.metrics.synced(arrived.elapsed());
        Ok(Response::new(answer.into()))
    }
}

#[tonic::async_trait]
impl Admin for Edge {
    async fn status(
        &self,
        _: Request<wire::StatusRequest>,
    ) -> Result<Response<wire::StatusReply>, Status> {
        let overview = Arc::clone(&self.handle.overview.borrow());
        Ok(Response::new(overview.as_ref().into()))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::StatusReply, Status>> + Send>>;

    async fn watch(
        &self,
        _: Request<wire::StatusRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let overviews = WatchStream::new(self.handle.overview.clone());
        let replies = overviews.map(|overview| Ok(wire::StatusReply::from(overview.as_ref())));
        Ok(Response::new(Box::pin(replies) as Self::WatchStream))
    }

    async fn drain(
        &self,
        request: Request<wire::DrainRequest>,
    ) -> Result<Response<wire::DrainReply>, Status> {
        let drain = Drain::try_from(request.into_inner()).map_err(invalid)?;
        let workers = self.call(|reply| Call::Drain(drain, reply)).await?;
        Ok(Response::new(wire::DrainReply { workers }))
    }
}

/// Sorts the results of a Sync into those of their units and the others.
fn check(spec: &Spec, mut request: SyncRequest) -> Checked {
    let mut rejected: Vec<(UnitIndex, Rejection)> = Vec::new();
    let mut losses = BTreeMap::new();
    let mut fits = |result: &UnitResult| {
        let Some(unit) = spec.unit(result.unit) else { return true };
        match verify::loss(spec, unit, result.blake3, &result.ipc) {
            Ok(loss) => losses.extend(loss.map(|loss| (result.unit, loss))),
            Err(rejection) => {
                rejected.push((result.unit, rejection));
                return false;
            }
        }
        true
    };
    request.results.retain(&mut fits);
    Checked { request, rejected, losses }
}

fn invalid(error: ConvertError) -> Status {
    Status::invalid_argument(error.to_string())
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Wire(_) | Refusal::Engine(_) => Self::failed_precondition(text),
            Refusal::Session(_) | Refusal::NoWorker { .. } | Refusal::NotDrained { .. } => {
                Self::not_found(text)
            }
            Refusal::Glob { .. } => Self::invalid_argument(text),
            Refusal::Storage(_) | Refusal::Leaving => Self::unavailable(text),
        }
    }
}

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
