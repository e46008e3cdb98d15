//! Who may see what is shown: the rule of gRPC calls that watch, for browsers and monitors. Probes are answered whoever asks, and say
//! nothing of the study. What is shown is not here (`route`).

use std::net::SocketAddr;

use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use time::OffsetDateTime;
use tokio::net::TcpStream;

use super::route::{ALIVE, Body, READY, TEXT, whole};
use crate::access::{Access, Denial, Peer, Refusals, Stream, WATCH, enter};

/// What a browser asks its user for.
const CHALLENGE: &str =
    "Basic realm=\"babelquant: any name, and a token as the password\", charset=\"UTF-8\"";

/// The way in.
#[derive(Debug)]
pub(super) struct Door {
    access: Access,
    refusals: Refusals,
}

impl Door {
    pub(super) fn new(access: Access) -> Self {
        Self { access, refusals: Refusals::default() }
    }

    /// The connection's bytes and who is at its other end, where it may speak at all.
    pub(super) async fn enter(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Option<(Stream<TcpStream>, Peer)> {
        match enter(self.access.of_pages().as_ref(), stream).await {
            Ok((stream, certified)) => Some((stream, Peer { address, certified })),
            Err(reason) => {
                self.refusals.tell(address, None, &reason);
                None
            }
        }
    }

    /// Whether the request is answered.
    pub(super) fn check<B>(&self, request: &Request<B>, peer: Peer) -> Result<(), Denial> {
        if [ALIVE, READY].contains(&request.uri().path()) {
            return Ok(());
        }
        let authorization = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let now = OffsetDateTime::now_utc();
        let checked = self.access.check(WATCH, authorization, peer.certified, now);
        // A browser asks without a token first, and there is nothing wrong with that.
        if let Err(denial) = &checked
            && authorization.is_some()
        {
            self.refusals.tell(peer.address, denial.caller(), &denial.to_string());
        }
        checked
    }

    /// What a caller hears who may not see it.
    pub(super) fn refuse(&self, denial: &Denial) -> Response<Body> {
        let text = format!("{denial}\n");
        if !denial.is_unknown_caller() {
            return whole(StatusCode::FORBIDDEN, TEXT, text);
        }
        let mut refusal = whole(StatusCode::UNAUTHORIZED, TEXT, text);
        if self.access.has_tokens() {
            let challenge = HeaderValue::from_static(CHALLENGE);
            refusal.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        refusal
    }
}
