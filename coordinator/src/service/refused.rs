//! Calls whose message nobody could use, such as one that is too large, or came with too many others: the peer gets a status, and the log a line. Whoever may not call at all is
//! told so before (`gate`).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::{Code, Status};
use tower::Service;

use crate::access::{Peer, Refusals};

/// A service whose refusals of messages are logged.
#[derive(Debug, Clone)]
pub(super) struct Told<S> {
    pub(super) inner: S,
    pub(super) refusals: Arc<Refusals>,
}

impl<S, Asked, Answered> Service<http::Request<Asked>> for Told<S>
where
    S: Service<http::Request<Asked>, Response = http::Response<Answered>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Asked>) -> Self::Future {
        let peer = request.extensions().get::<Peer>().copied();
        let refusals = Arc::clone(&self.refusals);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let status = Status::from_header_map(answer.headers());
            if let (Some(peer), Some(status)) = (peer, status.filter(is_refusal)) {
                let reason = format!("{}: {}", status.code(), status.message());
                refusals.tell(peer.address, None, &reason);
            }
            Ok(answer)
        })
    }
}

/// True where the message was at fault, or there were too many; not where the run or the caller was.
fn is_refusal(status: &Status) -> bool {
    use Code::{InvalidArgument, OutOfRange, ResourceExhausted, Unimplemented};
    matches!(status.code(), InvalidArgument | OutOfRange | ResourceExhausted | Unimplemented)
}
