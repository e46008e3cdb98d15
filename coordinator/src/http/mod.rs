//! A run over HTTP, for people and monitors: a live page, its events, metrics and probes. Read-only; workers and operators speak gRPC
//! (`service`). Every number shown comes from an overview or from `live`; who may see it is known to `access`.

mod door;
mod events;
mod page;
mod probe;
mod route;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::overview::Overview;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::access::Access;
use crate::live::Live;
use door::Door;

/// Connections at a time; further ones wait to be taken.
const CONNECTIONS_MAX: usize = 64;
/// Pages among them: the rest is left to probes and monitors.
const PAGES_MAX: usize = 48;
/// Bytes of a request's line and headers, and of an answer that wait for a slow client.
const BUFFER_BYTES: usize = 16 << 10;
/// How long a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(10);
/// How long a connection may last, whoever is slow. A page that is watched for longer connects again.
const CONNECTION: Duration = Duration::from_secs(600);
/// How long open answers may take to end after the run is over.
const GOODBYE: Duration = Duration::from_secs(2);

/// What is shown.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) overview: watch::Receiver<Arc<Overview>>,
    pub(crate) live: Arc<Live>,
    /// Names the spec: a page of another one is out of date.
    pub(crate) spec: String,
    /// Room for the events of so many pages.
    pages: Arc<Semaphore>,
}

impl Watched {
    /// A run whose spec has this name.
    pub(crate) fn new(
        overview: watch::Receiver<Arc<Overview>>,
        live: Arc<Live>,
        spec: String,
    ) -> Self {
        Self { overview, live, spec, pages: Arc::new(Semaphore::new(PAGES_MAX)) }
    }
}

/// Serves those whom `access` lets in until `shutdown`, then lets answers end for a moment.
///
/// A connection carries one request, so that no idle one is kept; the limits bound what all clients together can hold.
pub(crate) async fn serve(
    listener: TcpListener,
    watched: Watched,
    access: Access,
    shutdown: impl Future<Output = ()>,
) {
    let door = Arc::new(Door::new(access));
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            (client, permit) = next(&listener, &permits) => {
                connections.spawn(connection(client, permit, Arc::clone(&door), watched.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = &mut shutdown => break,
        }
    }
    drop(watched);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GOODBYE, ended).await.is_err() {
        tracing::debug!("some pages were still open");
    }
}

type Client = (TcpStream, SocketAddr);

/// The next client, once there is room for one.
async fn next(listener: &TcpListener, permits: &Arc<Semaphore>) -> (Client, OwnedSemaphorePermit) {
    loop {
        let permit = Arc::clone(permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok(client) => return (client, permit),
            Err(error) => {
                tracing::debug!(%error, "a client could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    (stream, address): Client,
    permit: OwnedSemaphorePermit,
    door: Arc<Door>,
    watched: Watched,
) {
    let Some((stream, peer)) = door.enter(stream, address).await else { return };
    let answer = service_fn(|request| {
        let response = match door.check(&request, peer) {
            Ok(()) => route::answer(&request, &watched),
            Err(denial) => door.refuse(&denial),
        };
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    match tokio::time::timeout(CONNECTION, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client left"),
        Err(_) => tracing::debug!("a connection was too slow"),
    }
    drop(permit);
}
