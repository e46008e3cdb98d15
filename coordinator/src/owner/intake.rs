//! How many bytes of results may be here that are not durable. What arrives beyond them counts as not sent: its worker keeps it and sends it
//! again. Not where results are kept meanwhile (`Owner`).

use std::sync::Arc;

use babelquant_proto::message::SyncRequest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for results that are not durable yet, in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    room: Arc<Semaphore>,
    bytes: u32,
}

/// The room that some results have; others have it when this is dropped. `None` for no results.
pub(crate) type Room = Option<OwnedSemaphorePermit>;

impl Intake {
    pub(super) fn new(bytes: u32) -> Self {
        Self { room: Arc::new(Semaphore::new(bytes as usize)), bytes }
    }

    /// Gives room to results of a Sync, and takes those out of it for which there is none. One that is larger than all of it gets all.
    pub(crate) fn admit(&self, request: &mut SyncRequest) -> Room {
        let mut room: Room = None;
        let sent = request.results.len();
        request.results.retain(|result| {
            let bytes = u32::try_from(result.ipc.len()).unwrap_or(u32::MAX).min(self.bytes);
            let Ok(own) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else {
                return false;
            };
            match &mut room {
                Some(room) => room.merge(own),
                None => room = Some(own),
            }
            true
        });
        let (session, left) = (request.session.0, sent - request.results.len());
        if left > 0 {
            tracing::debug!(
                session,
                left,
                "results stay with their worker until others are durable"
            );
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::message::{Session, UnitResult};
    use babelquant_proto::{Digest, UnitIndex};
    use bytes::Bytes;

    use super::*;

    /// A Sync with results of these lengths, each of the unit of its number.
    fn sync(lengths: &[usize]) -> SyncRequest {
        let result = |(unit, &length): (u64, &usize)| {
            let ipc = Bytes::from(vec![0; length]);
            UnitResult { unit: UnitIndex(unit), blake3: Digest::of(&ipc), ipc }
        };
        let results = (0..).zip(lengths).map(result).collect();
        SyncRequest { results, ..SyncRequest::new(Session(1), 0) }
    }

    fn units(request: &SyncRequest) -> Vec<u64> {
        request.results.iter().map(|result| result.unit.0).collect()
    }

    #[test]
    fn what_has_no_room_stays_with_its_worker_until_others_leave() {
        let intake = Intake::new(100);
        let (mut first, mut second) = (sync(&[60, 50, 40, 0]), sync(&[1, 0]));
        let room = intake.admit(&mut first);
        assert_eq!(units(&first), [0, 2, 3]);
        let none = intake.admit(&mut second);
        assert_eq!(units(&second), [1]);
        drop((room, none));
        let mut again = sync(&[50, 50]);
        let room = intake.admit(&mut again);
        assert_eq!(units(&again), [0, 1]);
        drop(room);
        let mut large = sync(&[1000]);
        let _all = intake.admit(&mut large);
        assert_eq!(units(&large), [0]);
    }
}
