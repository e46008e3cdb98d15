//! Accepts connections and lets in those that pass the handshake. tonic's own loop would say nothing about the others.
//!
//! Handshakes go on side by side, each for a bounded time, so that nobody holds the door; where too many are under way, the
//! oldest gives way.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError};
use tokio_util::either::Either;

use super::connection::{Connection, Peer, Stream};
use super::{Certified, Listener, Refusals};

/// Connections that may be open; one more is closed at once.
const CONNECTIONS_MAX: usize = 4096;
/// Handshakes that may be under way.
const HANDSHAKES_MAX: usize = 1024;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a refused peer may take to hear why.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long to wait when the system has no room for another connection.
const EXHAUSTED: Duration = Duration::from_millis(200);

/// Sends every connection that may be served to `admitted`, until nobody takes them any more.
pub(crate) async fn admit<L: Listener>(
    mut listener: L,
    tls: Option<TlsAcceptor>,
    admitted: mpsc::Sender<io::Result<Connection<L::Stream>>>,
    refusals: Arc<Refusals>,
) {
    let open = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut handshakes = JoinSet::new();
    let mut oldest = VecDeque::new();
    loop {
        let (stream, address) = tokio::select! {
            biased;
            () = admitted.closed() => return,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(EXHAUSTED).await;
                    continue;
                }
            },
        };
        while handshakes.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&open).try_acquire_owned() else {
            refusals.tell(address, None, "too many connections are open");
            continue;
        };
        if handshakes.len() >= HANDSHAKES_MAX {
            give_way(&mut oldest, &refusals);
        }
        let door =
            Door { tls: tls.clone(), admitted: admitted.clone(), refusals: Arc::clone(&refusals) };
        let handle = handshakes.spawn(door.open(stream, address, permit));
        oldest.push_back((address, handle));
        while oldest.front().is_some_and(|(_, handle)| handle.is_finished()) {
            oldest.pop_front();
        }
    }
}

/// Ends the oldest handshake that is still under way.
fn give_way(oldest: &mut VecDeque<(SocketAddr, tokio::task::AbortHandle)>, refusals: &Refusals) {
    while let Some((address, handle)) = oldest.pop_front() {
        if !handle.is_finished() {
            handle.abort();
            refusals.tell(address, None, "its handshake gave way to newer ones");
            return;
        }
    }
}

/// What one connection goes through.
struct Door<S> {
    tls: Option<TlsAcceptor>,
    admitted: mpsc::Sender<io::Result<Connection<S>>>,
    refusals: Arc<Refusals>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Door<S> {
    async fn open(self, stream: S, address: SocketAddr, permit: OwnedSemaphorePermit) {
        let (stream, certified) = match enter(self.tls.as_ref(), stream).await {
            Ok(entered) => entered,
            Err(reason) => return self.refusals.tell(address, None, &reason),
        };
        let peer = Peer { address, certified };
        // Nobody takes it where the service is over.
        let _ = self.admitted.send(Ok(Connection { stream, peer, _open: permit })).await;
    }
}

/// The bytes of a connection, encrypted where that is asked for, and who is at its other end; or why it is refused.
pub(crate) async fn enter<S: AsyncRead + AsyncWrite + Unpin>(
    tls: Option<&TlsAcceptor>,
    stream: S,
) -> Result<(Stream<S>, Certified), String> {
    let Some(tls) = tls else { return Ok((Either::Left(stream), Certified::Nobody)) };
    let stream = handshake(tls, stream).await?;
    let certified = Certified::of(stream.get_ref().1.peer_certificates().and_then(<[_]>::first));
    Ok((Either::Right(stream), certified))
}

/// The encrypted stream, or why there is none.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    tls: &TlsAcceptor,
    stream: S,
) -> Result<tokio_rustls::server::TlsStream<S>, String> {
    match timeout(HANDSHAKE, tls.accept(stream).into_fallible()).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err((error, stream))) => {
            // The alert is on its way. Closing with unread bytes would reset the connection, and the peer would never know why.
            let _ = timeout(FAREWELL, farewell(stream)).await;
            Err(reason(&error))
        }
        Err(_) => Err(format!("no handshake within {} s", HANDSHAKE.as_secs())),
    }
}

async fn farewell(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.shutdown().await?;
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// What was wrong with a handshake, in words for an operator.
fn reason(error: &io::Error) -> String {
    use CertificateError::{
        Expired, ExpiredContext, InvalidPurpose, InvalidPurposeContext, UnknownIssuer,
    };
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<TlsError>());
    match cause {
        Some(TlsError::NoCertificatesPresented) => "no certificate was shown".to_owned(),
        Some(TlsError::InvalidCertificate(UnknownIssuer)) => {
            "a certificate of another authority was shown".to_owned()
        }
        Some(TlsError::InvalidCertificate(Expired | ExpiredContext { .. })) => {
            "an expired certificate was shown".to_owned()
        }
        Some(TlsError::InvalidCertificate(InvalidPurpose | InvalidPurposeContext { .. })) => {
            "a certificate that is not for callers was shown".to_owned()
        }
        Some(TlsError::InvalidCertificate(other)) => {
            format!("a bad certificate was shown: {other}")
        }
        Some(TlsError::InvalidMessage(_)) => {
            "it does not speak TLS; is its address http://?".to_owned()
        }
        Some(TlsError::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown,
        )) => "it does not believe this coordinator's certificate".to_owned(),
        Some(other) => format!("the handshake failed: {other}"),
        None => format!("the connection broke in the handshake: {error}"),
    }
}
