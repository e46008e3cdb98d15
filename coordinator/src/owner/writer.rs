//! The store at work beside the turns of the owner, so that workers are answered however long the storage takes: one commit at a time, and
//! beside it one part on its way to its files. Not what is written next, nor what follows from it (`durable`).

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Instrument, info_span};

use crate::store::{Compacted, Entry, Store, StoreError};

type Working<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The store or the work that has it, and the part that is being written.
pub(super) struct Writer {
    idle: Option<Store>,
    busy: Option<Working<(Store, Written)>>,
    /// A part on its way to its files, or out of the journal.
    part: Option<Working<Result<Option<Compacted>, StoreError>>>,
    /// A part that is written, of which the store does not know yet.
    compacted: Option<Compacted>,
}

/// A piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Commit,
    /// A part.
    Part,
    /// A look whether the output is still this coordinator's.
    Look,
    /// The last piece: where all goes well, the run is complete.
    Manifest,
}

/// What became of a piece of work.
pub(super) struct Written {
    pub(super) work: Work,
    /// So many entries are durable now.
    pub(super) durable: usize,
    /// How long that took.
    pub(super) took: Duration,
    pub(super) outcome: Result<(), StoreError>,
}

impl Writer {
    pub(super) fn new(store: Store) -> Self {
        Self { idle: Some(store), busy: None, part: None, compacted: None }
    }

    /// The store, while it does nothing.
    pub(super) fn idle(&self) -> Option<&Store> {
        self.idle.as_ref()
    }

    /// True while a part is being written, or one that is leaves the journal.
    pub(super) fn is_compacting(&self) -> bool {
        self.part.is_some() || self.compacted.is_some()
    }

    /// Takes the next step with finished parts, if the store is free for it.
    pub(super) fn compact(&mut self) {
        let Some(store) = &mut self.idle else { return };
        if let Some(compacted) = self.compacted.take() {
            let deleted = store.end_compaction(compacted);
            self.part = Some(Box::pin(async {
                deleted.await;
                Ok(None)
            }));
        } else if self.part.is_none()
            && let Some(compaction) = store.begin_compaction()
        {
            let write = async { compaction.write().await.map(Some) };
            self.part = Some(Box::pin(write.instrument(info_span!("part"))));
        }
    }

    /// Makes the entries durable.
    pub(super) fn commit(&mut self, entries: Vec<Entry>) {
        let Some(mut store) = self.idle.take() else { return };
        let since = Instant::now();
        let count = entries.len();
        let commit = async move {
            let (durable, outcome) = match store.commit(entries).await {
                Ok(durable) => (durable, Ok(())),
                Err(error) => (0, Err(error)),
            };
            (store, Written { work: Work::Commit, durable, took: since.elapsed(), outcome })
        };
        self.busy = Some(Box::pin(commit.instrument(info_span!("commit", entries = count))));
    }

    /// Looks whether the output is still this coordinator's.
    pub(super) fn look(&mut self) {
        let Some(store) = self.idle.take() else { return };
        let since = Instant::now();
        self.busy = Some(Box::pin(async move {
            let outcome = store.check_epoch().await;
            (store, Written { work: Work::Look, durable: 0, took: since.elapsed(), outcome })
        }));
    }

    /// Writes the manifest.
    pub(super) fn finish(&mut self) {
        let Some(mut store) = self.idle.take() else { return };
        let since = Instant::now();
        self.busy = Some(Box::pin(async move {
            let outcome = store.finish().await.map(drop);
            (store, Written { work: Work::Manifest, durable: 0, took: since.elapsed(), outcome })
        }));
    }

    /// The end of the next piece of work; there is none where nothing is done. Whoever stops waiting for it may wait again.
    pub(super) async fn written(&mut self) -> Written {
        tokio::select! {
            biased;
            (store, written) = end(&mut self.busy) => {
                (self.idle, self.busy) = (Some(store), None);
                written
            }
            compacted = end(&mut self.part) => {
                self.part = None;
                let outcome = compacted.map(|compacted| self.compacted = compacted);
                Written { work: Work::Part, durable: 0, took: Duration::ZERO, outcome }
            }
        }
    }
}

async fn end<T>(work: &mut Option<Working<T>>) -> T {
    match work {
        Some(work) => work.as_mut().await,
        None => std::future::pending().await,
    }
}
