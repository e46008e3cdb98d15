//! The coordinator's storage: objects in memory that outlive it, and writes that take simulated time, so that a coordinator can die
//! before an object is there, and after but before it knows. Says what the journal holds. Nothing of it fails.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use arrow::ipc::reader::FileReader;
use async_trait::async_trait;
use babelquant_proto::{Digest, UnitIndex};
use bytes::Bytes;
use futures_core::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::sleep;
use tokio_stream::StreamExt;

use super::history::{History, What};
use super::plan::{Millis, Plan};

/// A disk.
#[derive(Debug)]
pub(crate) struct Disk {
    inner: InMemory,
    write: Range<Millis>,
    random: Mutex<ChaCha8Rng>,
    history: History,
}

/// A write; one that is dropped before its end was cut short.
struct Write {
    path: String,
    cut_short: Option<What>,
    history: History,
}

impl Disk {
    pub(crate) fn new(plan: &Plan, history: &History) -> Self {
        let random = Mutex::new(ChaCha8Rng::seed_from_u64(plan.seed));
        let (write, history) = (plan.write.clone(), history.clone());
        Self { inner: InMemory::new(), write, random, history }
    }

    fn time(&self) -> Duration {
        Duration::from_millis(self.random.lock().unwrap().random_range(self.write.clone()))
    }

    /// Everything on it: names and digests.
    pub(crate) async fn content(&self) -> BTreeMap<String, Digest> {
        let found = self.inner.list(None).collect::<Result<Vec<_>, _>>().await.unwrap();
        let mut content = BTreeMap::new();
        for ObjectMeta { location, .. } in found {
            let bytes = self.inner.get(&location).await.unwrap().bytes().await.unwrap();
            content.insert(location.to_string(), Digest::of(&bytes));
        }
        content
    }
}

/// The units with a result in a commit of the journal.
fn results(content: Bytes) -> Vec<UnitIndex> {
    let mut units = Vec::new();
    for batch in FileReader::try_new(Cursor::new(content), None).unwrap() {
        let batch = batch.unwrap();
        let unit = batch.column_by_name("unit").unwrap().as_primitive::<UInt64Type>();
        let kinds = batch.column_by_name("kind").unwrap().as_string::<i32>();
        let results = (0..batch.num_rows()).filter(|&row| kinds.value(row) == "result");
        units.extend(results.map(|row| UnitIndex(unit.value(row))));
    }
    units
}

impl Drop for Write {
    fn drop(&mut self) {
        if let Some(when) = self.cut_short.filter(|_| self.path.ends_with(".arrow")) {
            self.history.say(&format!("the coordinator dies in a commit: {when:?}"));
            self.history.count(when);
        }
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated disk")
    }
}

#[async_trait]
impl ObjectStore for Disk {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let path = location.to_string();
        let cut_short = Some(What::DiedBeforeCommit);
        let mut write = Write { path, cut_short, history: self.history.clone() };
        sleep(self.time()).await;
        let put = self.inner.put_opts(location, payload.clone(), options).await;
        self.history.say(&format!("{} is on the disk: {}", write.path, put.is_ok()));
        if write.path == "_SUCCESS.json" && put.is_ok() {
            self.history.end();
        }
        if write.path.ends_with(".arrow") && put.is_ok() {
            self.history.durable(&results(payload.into()));
        }
        write.cut_short = Some(What::DiedAfterCommit);
        sleep(self.time()).await;
        write.cut_short = None;
        put
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
