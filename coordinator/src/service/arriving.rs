//! How many bytes of messages may be on their way in at a time, of all callers together: a message is kept in memory until its last byte is here. Not
//! what becomes of it then (`owner::Intake`).

use std::sync::Arc;

use http_body_util::{BodyStream, StreamBody};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::StreamExt;
use tonic::Status;
use tonic::body::Body;

/// Room for the bytes of messages that have not arrived whole.
#[derive(Debug, Clone)]
pub(super) struct Arriving {
    room: Arc<Semaphore>,
}

impl Arriving {
    pub(super) fn new(bytes: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(bytes)) }
    }

    /// The request, whose body takes room for what it has brought, and gives it back when it has been read. Where there is none it breaks off:
    /// waiting for others could last as long as they like.
    pub(super) fn counted(&self, request: http::Request<Body>) -> http::Request<Body> {
        let room = Arc::clone(&self.room);
        let mut held: Option<OwnedSemaphorePermit> = None;
        request.map(|body| {
            let frames = BodyStream::new(body).map(move |frame| {
                let frame = frame?;
                let bytes = frame.data_ref().map_or(0, |data| data.len());
                let own = u32::try_from(bytes)
                    .ok()
                    .and_then(|bytes| Arc::clone(&room).try_acquire_many_owned(bytes).ok())
                    .ok_or_else(|| Status::resource_exhausted(FULL))?;
                match &mut held {
                    Some(held) => held.merge(own),
                    None => held = Some(own),
                }
                Ok::<_, Status>(frame)
            });
            Body::new(StreamBody::new(frames))
        })
    }
}

const FULL: &str = "too many bytes are on their way to this coordinator at once: try again";

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use tonic::Code;

    use super::*;

    fn sent(bytes: usize) -> http::Request<Body> {
        http::Request::new(Body::new(Full::new(Bytes::from(vec![7; bytes]))))
    }

    #[tokio::test]
    async fn what_has_arrived_holds_its_room_until_it_is_read() {
        let arriving = Arriving::new(100);
        let mut first = arriving.counted(sent(60));
        assert_eq!(first.body_mut().frame().await.unwrap().unwrap().data_ref().unwrap().len(), 60);
        let refused = arriving.counted(sent(41)).into_body().collect().await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        let fits = arriving.counted(sent(40)).into_body().collect().await.unwrap();
        assert_eq!(fits.to_bytes(), vec![7; 40]);
        drop(first);
        let whole = arriving.counted(sent(100)).into_body().collect().await.unwrap();
        assert_eq!(whole.to_bytes().len(), 100);
    }
}
