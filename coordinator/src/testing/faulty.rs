//! A store that fails on demand or in turn: what a full disk and a doubtful network look like. Not compiled into the programs.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tokio::sync::watch;

use crate::store::TRIES;

/// Answers to lose: that of a write, then those of a read as often as the store tries.
const WRITE_AND_READ: u32 = 1 + TRIES;

/// Memory whose writes fail.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: InMemory,
    calls: AtomicU32,
    /// Every write fails while this is set.
    full: AtomicBool,
    /// Every write of a file of results fails while this is set.
    full_of_data: AtomicBool,
    /// Milliseconds that a write takes.
    slow: AtomicU32,
    /// One write in four fails: in turn before it is applied and after.
    flaky: bool,
    /// Writes replace what is there, whatever is asked.
    forgetful: bool,
    /// The next write is applied and not answered, and the next read after it fails, however often it is tried.
    loses: AtomicU32,
    /// Nothing is answered while this is set.
    silent: watch::Sender<bool>,
    /// No write of a file of results is answered while this is set.
    silent_of_data: watch::Sender<bool>,
}

impl Faulty {
    /// Memory that fails one write in four, from a given phase on.
    pub(crate) fn every_fourth(phase: u32) -> Self {
        let calls = AtomicU32::new(phase);
        let (inner, loses) = (InMemory::new(), AtomicU32::new(0));
        let (full, full_of_data) = (AtomicBool::new(false), AtomicBool::new(false));
        let (silent, silent_of_data) = (watch::Sender::new(false), watch::Sender::new(false));
        let slow = AtomicU32::new(0);
        Self {
            inner,
            calls,
            full,
            full_of_data,
            slow,
            flaky: true,
            forgetful: false,
            loses,
            silent,
            silent_of_data,
        }
    }

    /// Memory that takes every write for one that may replace what is there.
    pub(crate) fn forgetful() -> Self {
        Self { forgetful: true, ..Self::healthy() }
    }

    /// Memory that fails while it is full.
    pub(crate) fn healthy() -> Self {
        Self { flaky: false, ..Self::every_fourth(0) }
    }

    /// From now on a write takes so many milliseconds.
    pub(crate) fn set_slow(&self, milliseconds: u32) {
        self.slow.store(milliseconds, Ordering::Relaxed);
    }

    /// From now on every write fails, or none.
    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// From now on every write of a file of results fails, or none.
    pub(crate) fn set_full_of_data(&self, full: bool) {
        self.full_of_data.store(full, Ordering::Relaxed);
    }

    /// From now on nothing is answered, or everything is, also what was asked meanwhile.
    pub(crate) fn set_silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }

    /// From now on no write of a file of results is answered, or every one, also what was asked meanwhile.
    pub(crate) fn set_silent_of_data(&self, silent: bool) {
        self.silent_of_data.send_replace(silent);
    }

    async fn answers(&self) {
        answered(&self.silent).await;
    }

    /// The next write is applied and not answered, and the next read after it fails, however often it is tried.
    pub(crate) fn lose_answer(&self) {
        self.loses.store(WRITE_AND_READ, Ordering::Relaxed);
    }

    /// True where both have happened.
    pub(crate) fn has_lost(&self) -> bool {
        self.loses.load(Ordering::Relaxed) == 0
    }

    /// One step further where so many answers are to be lost.
    fn loses(&self, answers: u32) -> bool {
        let order = Ordering::Relaxed;
        self.loses.compare_exchange(answers, answers - 1, order, order).is_ok()
    }
}

async fn answered(silent: &watch::Sender<bool>) {
    // The store holds the sender itself.
    drop(silent.subscribe().wait_for(|silent| !silent).await);
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty memory")
    }
}

fn fault() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "no space left on device".into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.answers().await;
        let is_data = location.parts().next().is_some_and(|folder| folder.as_ref() == "data");
        if is_data {
            answered(&self.silent_of_data).await;
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let slow = self.slow.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(slow.into())).await;
        let is_full = self.full.load(Ordering::Relaxed)
            || (is_data && self.full_of_data.load(Ordering::Relaxed));
        if is_full || (self.flaky && call % 8 == 3) {
            return Err(fault());
        }
        if self.forgetful {
            options.mode = PutMode::Overwrite;
        }
        let done = self.inner.put_opts(location, payload, options).await;
        let is_lost = (self.flaky && call % 8 == 7) || self.loses(WRITE_AND_READ);
        if is_lost { Err(fault()) } else { done }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.answers().await;
        if (1..=TRIES).rev().any(|answers| self.loses(answers)) {
            return Err(fault());
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
