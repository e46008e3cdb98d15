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
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

/// Memory whose writes fail.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: InMemory,
    calls: AtomicU32,
    /// Every write fails while this is set.
    full: AtomicBool,
    /// Milliseconds that a write takes.
    slow: AtomicU32,
    /// One write in four fails: in turn before it is applied and after.
    flaky: bool,
}

impl Faulty {
    /// Memory that fails one write in four, from a given phase on.
    pub(crate) fn every_fourth(phase: u32) -> Self {
        let calls = AtomicU32::new(phase);
        Self {
            inner: InMemory::new(),
            calls,
            full: AtomicBool::new(false),
            flaky: true,
            slow: AtomicU32::new(0),
        }
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
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let slow = self.slow.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(slow.into())).await;
        if self.full.load(Ordering::Relaxed) || (self.flaky && call % 8 == 3) {
            return Err(fault());
        }
        let done = self.inner.put_opts(location, payload, options).await;
        if self.flaky && call % 8 == 7 { Err(fault()) } else { done }
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
