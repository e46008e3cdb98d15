//! The gRPC edge: decode, one call to the owner, encode. The only file of this crate that names wire types; statuses are named
//! here and in its gate.

mod gate;

use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::credentials::{Credentials, CredentialsError, Link};
use babelquant_proto::message::{Hello, Status as RunStatus, SyncRequest, UnitResult};
use babelquant_proto::wire::admin_client::AdminClient;
use babelquant_proto::wire::admin_server::{Admin, AdminServer};
use babelquant_proto::wire::coordinator_server::{Coordinator, CoordinatorServer};
use babelquant_proto::{ConvertError, MESSAGE_BYTES_MAX, Spec, UnitIndex, wire};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Response, Status};
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
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), shutdown);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        served = &mut serving => served,
        // Nobody takes connections any more: what is open may end.
        () = admitting => serving.await,
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
        let request = SyncRequest::try_from(request.into_inner()).map_err(invalid)?;
        let spec = Arc::clone(&self.handle.spec);
        let checked = tokio::task::spawn_blocking(move || check(&spec, request)).await;
        let checked = checked.map_err(|error| Status::internal(error.to_string()))?;
        let answer = self.call(|reply| Call::Sync(checked, reply)).await?;
        Ok(Response::new(answer.into()))
    }
}

#[tonic::async_trait]
impl Admin for Edge {
    async fn status(
        &self,
        _: Request<wire::StatusRequest>,
    ) -> Result<Response<wire::StatusReply>, Status> {
        let status = *self.handle.status.borrow();
        Ok(Response::new(status.into()))
    }
}

/// Sorts the results of a Sync into those of their units and the others.
fn check(spec: &Spec, mut request: SyncRequest) -> Checked {
    let mut rejected: Vec<(UnitIndex, Rejection)> = Vec::new();
    let mut fits = |result: &UnitResult| {
        let Some(unit) = spec.unit(result.unit) else { return true };
        let checked = verify::result(spec, unit, result.blake3, &result.ipc);
        checked.map_err(|rejection| rejected.push((result.unit, rejection))).is_ok()
    };
    request.results.retain(&mut fits);
    Checked { request, rejected }
}

fn invalid(error: ConvertError) -> Status {
    Status::invalid_argument(error.to_string())
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Wire(_) | Refusal::Engine(_) => Self::failed_precondition(text),
            Refusal::Session(_) => Self::not_found(text),
            Refusal::Storage(_) | Refusal::Leaving => Self::unavailable(text),
        }
    }
}

/// Why there is no status.
#[derive(Debug, Error)]
pub enum StatusError {
    /// Address and credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The coordinator does not let this caller in.
    #[error("{url} denied access: {reason}")]
    Denied {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// The call failed.
    #[error("{url} did not answer: {reason}")]
    Refused {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
}

/// How far the run of the coordinator at `url` is.
///
/// # Errors
/// There is no coordinator, it does not let this caller in, or it does not answer.
pub async fn status(url: &str, credentials: Credentials) -> Result<RunStatus, StatusError> {
    let bad = |_| CredentialsError::Address { url: url.to_owned() };
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(bad)?;
    let endpoint = endpoint.connect_timeout(ANSWER).timeout(ANSWER);
    let link = Link::new(endpoint, credentials)?;
    let refused = |reason: String| StatusError::Refused { url: url.to_owned(), reason };
    let reply = AdminClient::new(link.channel()).status(wire::StatusRequest {}).await;
    let reply = reply.map_err(|status| failed(url, &link, &status))?.into_inner();
    RunStatus::try_from(reply).map_err(|error| refused(error.to_string()))
}

fn failed(url: &str, link: &Link, status: &Status) -> StatusError {
    let url = url.to_owned();
    let reason = status.message().to_owned();
    match (status.code(), link.refusal()) {
        (Code::Unauthenticated | Code::PermissionDenied, _) => StatusError::Denied { url, reason },
        (_, Some(reason)) => StatusError::Denied { url, reason },
        (_, None) => StatusError::Refused { url, reason },
    }
}
