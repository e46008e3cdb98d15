//! The gRPC edge: decode, one call to the owner, encode. The only file of this crate that names wire types; statuses are named
//! here and in its gate.

mod admin;
mod arriving;
mod gate;
mod refused;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::message::{Drain, Hello, RunState, SyncRequest, UnitResult};
use babelquant_proto::overview::Overview;
use babelquant_proto::wire::admin_server::{Admin, AdminServer};
use babelquant_proto::wire::coordinator_server::{Coordinator, CoordinatorServer};
use babelquant_proto::{ConvertError, MESSAGE_BYTES_MAX, Spec, UnitIndex, wire};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::{ReceiverStream, WatchStream};
use tokio_stream::{Stream, StreamExt};
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::filter::FilterLayer;
use tower::layer::layer_fn;

use crate::access::{Access, Listener, Refusals, admit};
use crate::owner::{Call, Checked, Handle, Refusal, Room};
use crate::verify::{self, Engines, Rejection};
pub use admin::{AdminConnection, AdminError, Watched};
use arriving::Arriving;
use gate::Gate;
use refused::Told;

/// Connections that have been let in and wait to be served.
const WAITING_MAX: usize = 64;
/// Bytes of messages that may be on their way in at a time.
const ARRIVING_BYTES_MAX: usize = 16 * MESSAGE_BYTES_MAX;

/// Serves the calls of workers and people on `listener` until `shutdown`, then lets open calls end.
///
/// The limits bound what one peer can hold: streams and pending resets a connection, header and message sizes, and the time of
/// a call; what arrives at a time is bounded for all of them together. Keep-alive finds peers that vanished without a word.
pub(crate) async fn serve(
    listener: impl Listener,
    handle: Handle,
    access: Access,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let refusals = Arc::new(Refusals::default());
    let (admitted, connections) = mpsc::channel(WAITING_MAX);
    let admitting = admit(listener, access.of_calls(), admitted, Arc::clone(&refusals));
    let told = Arc::clone(&refusals);
    let (gate, arriving) = (Gate { access, refusals }, Arriving::new(ARRIVING_BYTES_MAX));
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
        .layer(layer_fn(move |inner| Told { inner, refusals: Arc::clone(&told) }))
        .layer(FilterLayer::new(move |request| {
            gate.check(request).map(|request| arriving.counted(request))
        }))
        .add_service(coordinator)
        .add_service(admin)
        .add_service(health)
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), shutdown);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        biased;
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
        let mut request = SyncRequest::try_from(request.into_inner()).map_err(invalid)?;
        let room = self.handle.intake.admit(&mut request);
        let spec = Arc::clone(&self.handle.spec);
        let engines = self.handle.classes.of(request.session).map(Engines::Only);
        let checked =
            self.handle.blocking.run(move || check(&spec, engines.as_ref(), (request, room))).await;
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

/// Sorts the results of a Sync into those of their units and the others. Those of a session that is not open are dropped unseen: the Sync is
/// refused, and its worker sends them again.
fn check(
    spec: &Spec,
    engines: Option<&Engines>,
    (mut request, room): (SyncRequest, Room),
) -> Checked {
    let mut rejected: Vec<(UnitIndex, Rejection)> = Vec::new();
    let mut losses = BTreeMap::new();
    let mut fits = |result: &UnitResult| {
        let Some(engines) = engines else { return false };
        let Some(unit) = spec.unit(result.unit) else { return true };
        match verify::result((spec, engines), unit, result.blake3, &result.ipc) {
            Ok(loss) => losses.extend(loss.map(|loss| (result.unit, loss))),
            Err(rejection) => {
                rejected.push((result.unit, rejection));
                return false;
            }
        }
        true
    };
    request.results.retain(&mut fits);
    Checked { request, rejected, losses, room }
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
