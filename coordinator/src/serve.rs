//! The front door of the library: serves one study on a listener until it is complete or told to stop. Reads no file but the
//! output and knows no command line.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::exit;
use babelquant_proto::overview::Overview;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tracing::Instrument;

use crate::access::{Access, Listener};
use crate::blocking::Blocking;
use crate::events::Events;
use crate::http::{self, Watched};
use crate::live::Live;
use crate::owner::{Options, Outcome, Owner, Run};
use crate::service;
use crate::store::{Earlier, Output, StoreError};
use crate::study::Resolved;

/// How long open calls may take to end after the run is over.
const GOODBYE: Duration = Duration::from_secs(2);

/// What is served.
#[derive(Debug)]
pub struct Service {
    run: Run,
    overview: watch::Sender<Arc<Overview>>,
    access: Access,
    /// Where it is shown over HTTP, and to whom.
    http: Option<(TcpListener, Access)>,
}

/// Why a service broke off.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The output is at fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network is at fault.
    #[error("the service cannot listen")]
    Transport(#[from] tonic::transport::Error),
    /// Anybody in the network could send results.
    #[error(
        "{address} can be reached from other machines, and anyone who reaches it can send results: make certificates (babelquant \
         certs DIR) and pass --tls DIR, or give out tokens with --token-file FILE; pass --insecure if the network is trusted, or \
         listen on 127.0.0.1"
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// Anybody in the network could watch.
    #[error(
        "--http {address} can be reached from other machines, and anyone who reaches it can watch the run: listen on 127.0.0.1, which \
         a tunnel or a proxy can reach; or use `serve` with --token-file FILE or --tls DIR, which are asked for there too, or with \
         --insecure if the network is trusted"
    )]
    Watchable {
        /// The address.
        address: SocketAddr,
    },
}

impl ServeError {
    /// The exit code that tells a launcher what to do.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(error) if error.is_mismatch() => exit::MISMATCH,
            Self::Store(
                StoreError::Unavailable { .. }
                | StoreError::Silent { .. }
                | StoreError::Unreached { .. },
            ) => exit::UNFINISHED,
            Self::Store(StoreError::Superseded { .. }) => exit::SUPERSEDED,
            Self::Store(StoreError::Denied { .. }) => exit::DENIED,
            Self::Store(StoreError::Location { .. } | StoreError::NoRun { .. }) => exit::USAGE,
            Self::Store(_) => exit::BUG,
            Self::Transport(_) => exit::UNFINISHED,
            Self::Exposed { .. } | Self::Watchable { .. } => exit::USAGE,
        }
    }
}

impl Outcome {
    /// The exit code that tells a launcher what to do.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Complete { quarantined: 0 } => exit::COMPLETE,
            Self::Complete { .. } => exit::QUARANTINED,
            Self::Unfinished { .. } => exit::UNFINISHED,
        }
    }
}

impl Service {
    /// The service of the study called `study` with results in `output`.
    pub fn new(study: String, resolved: Resolved, output: Output, options: Options) -> Self {
        let Resolved { spec, texts, registration, .. } = resolved;
        let spec = Arc::new(spec);
        let overview = Overview::unopened(study.clone(), spec.units());
        let live = Arc::new(Live::unseen());
        let run = Run {
            study,
            spec,
            texts,
            registration,
            output,
            options,
            live,
            earlier: None,
            events: None,
            blocking: Blocking::on_threads(),
        };
        let overview = watch::Sender::new(Arc::new(overview));
        Self { run, overview, access: Access::everyone(), http: None }
    }

    /// The service, which takes over what a finished run of another study says of its units.
    #[must_use]
    pub fn reusing(mut self, earlier: Option<Earlier>) -> Self {
        self.run.earlier = earlier;
        self
    }

    /// The service, which writes down what its scheduler is told and does.
    #[must_use]
    pub fn recorded_in(mut self, events: Option<Events>) -> Self {
        self.run.events = events;
        self
    }

    /// The service, which checks results and writes parts where `blocking` says.
    #[must_use]
    pub fn working(mut self, blocking: Blocking) -> Self {
        self.run.blocking = blocking;
        self
    }

    /// The service, for those whom `access` lets in.
    #[must_use]
    pub fn for_callers(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// The service, shown over HTTP on `listener` as well, to those whom `access` lets in: a live page, metrics and probes.
    #[must_use]
    pub fn shown_on(mut self, listener: TcpListener, access: Access) -> Self {
        self.run.live = Arc::new(Live::of(&self.run.spec));
        self.http = Some((listener, access));
        self
    }

    /// How the run is, at any time.
    pub fn watch(&self) -> watch::Receiver<Arc<Overview>> {
        self.overview.subscribe()
    }
}

/// Refuses an address that other machines can reach, unless callers are asked who they are or the operator has said that the
/// network is trusted. Warns where tokens would cross a network that anyone can listen to.
///
/// # Errors
/// The address is not this machine's own.
pub fn check_exposure(
    address: SocketAddr,
    access: &Access,
    trust: NetworkTrust,
) -> Result<(), ServeError> {
    let is_loopback = address.ip().is_loopback();
    if !access.is_open() && !access.is_encrypted() && !is_loopback {
        tracing::warn!(
            "tokens and results cross the network unencrypted: anyone who can listen can read a token and use it. babelquant \
             certs DIR makes certificates; --tls DIR encrypts"
        );
    }
    match trust {
        NetworkTrust::Trusted => Ok(()),
        NetworkTrust::Untrusted if is_loopback || !access.is_open() => Ok(()),
        NetworkTrust::Untrusted => Err(ServeError::Exposed { address }),
    }
}

/// Whom an address for HTTP is to let in: everyone on this machine or in a network that is trusted, else those whom `access` lets in.
///
/// # Errors
/// Other machines can reach the address, and `access` would let in everyone.
pub fn watchers(
    address: SocketAddr,
    access: &Access,
    trust: NetworkTrust,
) -> Result<Access, ServeError> {
    check_exposure(address, access, trust).map_err(|_| ServeError::Watchable { address })?;
    // What a tunnel or a proxy reaches; it asks whomever it wants.
    Ok(if address.ip().is_loopback() { Access::everyone() } else { access.clone() })
}

/// Whether everyone who can reach the service may send results (`--insecure`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkTrust {
    /// They may.
    Trusted,
    /// They may not: callers say who they are, or only this machine's own address will do.
    Untrusted,
}

/// Serves until the run is complete, or until `shutdown`: then what has arrived is made durable and the rest is left for the
/// next start.
///
/// # Errors
/// The output holds another study or is damaged, or the listener breaks.
pub async fn serve(
    listener: impl Listener,
    service: Service,
    shutdown: impl Future<Output = ()>,
) -> Result<Outcome, ServeError> {
    let Service { run, overview, access, http } = service;
    if let Some(manifest) = finished(&run).await? {
        return Ok(manifest);
    }
    let Some((http, watchers)) = http else {
        return grpc(listener, run, overview, access, shutdown).await;
    };
    let spec = run.spec.digest().expect("a spec is JSON: it was read or made as such").to_string();
    let (overviews, live) = (overview.subscribe(), Arc::clone(&run.live));
    let watched = Watched::new(overviews, live, spec);
    let (over, is_over) = oneshot::channel::<()>();
    let grpc = async {
        let outcome = grpc(listener, run, overview, access, shutdown).await;
        drop(over);
        outcome
    };
    let shown = http::serve(http, watched, watchers, async { drop(is_over.await) });
    let (outcome, ()) = tokio::join!(grpc, shown);
    outcome
}

/// Serves workers and operators.
async fn grpc(
    listener: impl Listener,
    run: Run,
    overview: watch::Sender<Arc<Overview>>,
    access: Access,
    shutdown: impl Future<Output = ()>,
) -> Result<Outcome, ServeError> {
    let id = run.spec.run_id().expect("a spec is JSON: it was read or made as such");
    let span = tracing::info_span!("run", id);
    let (owner, handle, calls) = Owner::open(run, overview).instrument(span.clone()).await?;
    let (over, is_over) = oneshot::channel::<()>();
    let server = service::serve(listener, handle, access, async { drop(is_over.await) });
    let mut server = std::pin::pin!(server);
    let outcome = tokio::select! {
        biased;
        outcome = owner.run(calls, shutdown).instrument(span) => outcome?,
        broken = &mut server => return broken.map(|()| Outcome::stopped()).map_err(ServeError::from),
    };
    drop(over);
    if tokio::time::timeout(GOODBYE, server).await.is_err() {
        tracing::info!("some connections were still open");
    }
    Ok(outcome)
}

/// The outcome of a run that is complete already.
async fn finished(run: &Run) -> Result<Option<Outcome>, StoreError> {
    let there = run.output.check(&run.spec, &run.registration).await?;
    if let Some(there) = there.filter(|there| run.options.mixed_engines && !there.mixed_engines) {
        return Err(StoreError::OneEngine { run: there.engine_class.to_string() });
    }
    let manifest = run.output.manifest().await?;
    Ok(manifest
        .map(|manifest| Outcome::Complete { quarantined: manifest.quarantined.len() as u64 }))
}

impl Outcome {
    fn stopped() -> Self {
        Self::Unfinished { reason: "the listener was closed".to_owned() }
    }
}

#[cfg(test)]
mod tests;
