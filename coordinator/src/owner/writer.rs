//! The store at work: one piece at a time, beside the turns of the owner, so that workers are answered however long the storage takes. Not what
//! is written next, nor what follows from it (`turn`).

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Instrument, info_span};

use crate::store::{Entry, Store, StoreError};

type Working = Pin<Box<dyn Future<Output = (Store, Written)> + Send>>;

/// The store, or the work that has it.
pub(super) struct Writer {
    idle: Option<Store>,
    busy: Option<Working>,
}

/// A piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Commit,
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
        Self { idle: Some(store), busy: None }
    }

    /// The store, while it does nothing.
    pub(super) fn idle(&self) -> Option<&Store> {
        self.idle.as_ref()
    }

    /// Makes the entries durable, then writes the parts that are complete.
    pub(super) fn commit(&mut self, entries: Vec<Entry>) {
        let Some(mut store) = self.idle.take() else { return };
        let since = Instant::now();
        let count = entries.len();
        let commit = async move {
            let committed = store.commit(entries).await;
            let took = since.elapsed();
            let (durable, outcome) = match committed {
                Ok(()) => (count, store.compact().await),
                refused => (0, refused),
            };
            (store, Written { work: Work::Commit, durable, took, outcome })
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

    /// The end of the work; there is none where nothing is done. Whoever stops waiting for it may wait again.
    pub(super) async fn written(&mut self) -> Written {
        let Some(work) = &mut self.busy else { return std::future::pending().await };
        let (store, written) = work.as_mut().await;
        *self = Self::new(store);
        written
    }
}
