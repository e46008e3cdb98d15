//! The gate that every call passes before its method: asks `access`, and turns a denial into a status and a line of the log.

use std::sync::Arc;

use time::OffsetDateTime;
use tonic::Status;

use crate::access::{Access, Denial, Peer, Refusals};

/// The gate of one service.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) access: Access,
    pub(super) refusals: Arc<Refusals>,
}

impl Gate {
    /// Lets a call through, or says why not.
    pub(super) fn check<B>(&self, request: http::Request<B>) -> Result<http::Request<B>, Status> {
        let peer = request.extensions().get::<Peer>().copied();
        let Some(peer) = peer else { return Err(Status::internal("the peer is unknown")) };
        let authorization = request.headers().get(http::header::AUTHORIZATION);
        let authorization = authorization.map(http::HeaderValue::as_bytes);
        let now = OffsetDateTime::now_utc();
        match self.access.check(request.uri().path(), authorization, peer.certified, now) {
            Ok(()) => Ok(request),
            Err(denial) => {
                self.refusals.tell(peer.address, denial.caller(), &denial.to_string());
                Err(denial.into())
            }
        }
    }
}

impl From<Denial> for Status {
    fn from(denial: Denial) -> Self {
        let text = denial.to_string();
        match denial.is_unknown_caller() {
            true => Self::unauthenticated(text),
            false => Self::permission_denied(text),
        }
    }
}
