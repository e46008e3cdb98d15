//! Immutable objects under one root, a local directory or a bucket. Decides what a doubtful write was; knows no content.

use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::Digest;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMode};
use tokio::time::Instant;
use tokio_stream::StreamExt;
use url::Url;

use super::bucket;
use super::error::StoreError;
use super::pending::Pending;

/// How long a bucket may take to answer for the first time.
const FIRST_ANSWER: Duration = Duration::from_secs(20);

/// How often a request that does no harm to repeat is tried.
pub(crate) const TRIES: u32 = 3;

/// The root of an output.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The directory, where it is a local one.
    directory: Option<PathBuf>,
    location: String,
    pending: Arc<Pending>,
}

impl Objects {
    /// The root at `location`, a directory or a URL; `options` are the keys of a bucket, such as `aws_region`.
    pub(super) fn open(location: &str, options: &[(String, String)]) -> Result<Self, StoreError> {
        match location.contains("://") {
            true => Self::open_url(location, options),
            false => Self::open_directory(location),
        }
    }

    /// A root in a given store: memory and faulty stores in tests.
    pub(super) fn of(store: Arc<dyn ObjectStore>) -> Self {
        let location = store.to_string();
        Self::new(store, Path::default(), &location)
    }

    fn new(store: Arc<dyn ObjectStore>, prefix: Path, location: &str) -> Self {
        let (location, pending) = (location.to_owned(), Arc::default());
        Self { store, prefix, directory: None, location, pending }
    }

    /// The same root, for requests that nobody waits for: they are not among the unanswered ones.
    pub(super) fn apart(&self) -> Self {
        Self { pending: Arc::default(), ..self.clone() }
    }

    fn open_directory(location: &str) -> Result<Self, StoreError> {
        let error = |reason: String| StoreError::Location { location: location.to_owned(), reason };
        std::fs::create_dir_all(location).map_err(|cause| error(cause.to_string()))?;
        let directory = FilePath::new(location).canonicalize().map_err(|e| error(e.to_string()))?;
        let store =
            LocalFileSystem::new_with_prefix(&directory).map_err(|e| error(e.to_string()))?;
        let store = Arc::new(store.with_fsync(true).with_automatic_cleanup(true));
        Ok(Self { directory: Some(directory), ..Self::new(store, Path::default(), location) })
    }

    fn open_url(location: &str, options: &[(String, String)]) -> Result<Self, StoreError> {
        let error = |reason: String| StoreError::Location { location: location.to_owned(), reason };
        let url = Url::parse(location).map_err(|cause| error(cause.to_string()))?;
        if url.scheme() == "file" {
            let path =
                url.to_file_path().map_err(|()| error("it names no local path".to_owned()))?;
            return Self::open_directory(&path.to_string_lossy());
        }
        match ObjectStoreScheme::parse(&url) {
            Ok((ObjectStoreScheme::AmazonS3, _)) => {
                let (store, prefix) = bucket::open(&url, options).map_err(error)?;
                Ok(Self::new(store, prefix, location))
            }
            Ok(_) | Err(_) => {
                Err(error("it is no directory, and no URL such as s3://bucket/prefix".to_owned()))
            }
        }
    }

    /// Asks a bucket for the first time: is it there, may we use it? A directory has answered already.
    pub(super) async fn reach(&self, options: &[(String, String)]) -> Result<(), StoreError> {
        if self.directory.is_some() {
            return Ok(());
        }
        let first = tokio::time::timeout(FIRST_ANSWER, self.listed(&self.prefix, 1)).await;
        match first {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(bucket::refusal(&self.location, source, options)),
            Err(_) => Err(self.silent(FIRST_ANSWER)),
        }
    }

    /// For how long the storage has left a request unanswered.
    pub(super) fn unanswered(&self) -> Duration {
        self.pending.longest(Instant::now())
    }

    /// The error of a storage that has not answered for so long.
    pub(super) fn silent(&self, time: Duration) -> StoreError {
        StoreError::Silent { location: self.location.clone(), seconds: time.as_secs_f64() }
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// Writes an object that must not change. Whatever the storage answers, the object is read back in doubt: the same content
    /// means written, by this call or an earlier one.
    pub(super) async fn put_new(&self, path: &str, content: Bytes) -> Result<(), StoreError> {
        let location = self.path(path);
        let Err(source) = self.put(&location, content.clone(), PutMode::Create).await else {
            return Ok(());
        };
        match self.get(path).await {
            Ok(Some(found)) if Digest::of(&found) == Digest::of(&content) => Ok(()),
            Ok(Some(_)) => Err(StoreError::Conflict { path: path.to_owned() }),
            Ok(None) | Err(_) => Err(unavailable("write", path, source)),
        }
    }

    /// Refuses a storage that replaces an object which is there, although it was asked not to: several stores of the S3 kind ignore the
    /// condition of a write, and two coordinators could not tell who was first.
    pub(super) async fn check_writes_once(&self, path: &str) -> Result<(), StoreError> {
        let other = Bytes::from_static(b"{}\n");
        match self.put(&self.path(path), other, PutMode::Create).await {
            Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(source) => Err(unavailable("write", path, source)),
            Ok(()) => Err(StoreError::Location {
                location: self.location.clone(),
                reason: "it replaces objects that are to be written once: its server ignores If-None-Match; use a newer one".to_owned(),
            }),
        }
    }

    /// Writes an object that may be replaced.
    pub(super) async fn put_over(&self, path: &str, content: Bytes) -> Result<(), StoreError> {
        let put = self.put(&self.path(path), content, PutMode::Overwrite).await;
        put.map_err(|source| unavailable("write", path, source))
    }

    async fn put(&self, path: &Path, content: Bytes, mode: PutMode) -> object_store::Result<()> {
        let _request = self.pending.begin(Instant::now());
        self.store.put_opts(path, content.into(), mode.into()).await.map(drop)
    }

    /// The content of an object, if it is there.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let location = &self.path(path);
        let read = repeated(move || async move {
            let _request = self.pending.begin(Instant::now());
            self.store.get(location).await?.bytes().await
        });
        found(path, read.await)
    }

    /// Pieces of an object, if it is there.
    pub(super) async fn get_ranges(
        &self,
        path: &str,
        ranges: &[Range<u64>],
    ) -> Result<Option<Vec<Bytes>>, StoreError> {
        let location = &self.path(path);
        let read = repeated(move || async move {
            let _request = self.pending.begin(Instant::now());
            self.store.get_ranges(location, ranges).await
        });
        found(path, read.await)
    }

    /// The names of the objects in a folder and below, in order.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let found = self.listed(&self.path(folder), usize::MAX).await;
        let found = found.map_err(|source| unavailable("list", folder, source))?;
        let strip = |path: Path| {
            let path = path.to_string();
            match self.prefix.as_ref() {
                "" => path,
                prefix => path[prefix.len() + 1..].to_owned(),
            }
        };
        let mut names: Vec<String> = found.into_iter().map(strip).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// At most so many objects below a folder.
    async fn listed(&self, folder: &Path, most: usize) -> object_store::Result<Vec<Path>> {
        repeated(move || async move {
            let _request = self.pending.begin(Instant::now());
            let found = self.store.list(Some(folder)).take(most);
            found.map(|found| found.map(|meta| meta.location)).collect::<Result<Vec<_>, _>>().await
        })
        .await
    }

    /// Deletes an object; one that is not there is deleted.
    pub(super) async fn delete(&self, path: &str) -> Result<(), StoreError> {
        let location = &self.path(path);
        let deleted = repeated(move || async move {
            let _request = self.pending.begin(Instant::now());
            self.store.delete(location).await
        });
        match deleted.await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(unavailable("delete", path, source)),
        }
    }

    /// Removes what a killed process left half-written in a local directory: files whose name ends in `#` and digits, which no
    /// reader of the store sees.
    pub(super) fn sweep(&self) {
        let mut folders: Vec<PathBuf> = self.directory.iter().cloned().collect();
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                if path.is_dir() {
                    folders.push(path);
                } else if is_half_written(&path) && std::fs::remove_file(&path).is_ok() {
                    tracing::info!(path = %path.display(), "removed a half-written file");
                }
            }
        }
    }

    /// The store itself.
    #[cfg(test)]
    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    fn path(&self, name: &str) -> Path {
        Path::from_iter(self.prefix.parts().chain(Path::from(name).parts()))
    }
}

/// Does again what does no harm to repeat and broke off, also in the middle of an answer: a store of its own accord does not always.
async fn repeated<T, F>(request: impl Fn() -> F) -> object_store::Result<T>
where
    F: Future<Output = object_store::Result<T>>,
{
    for _ in 1..TRIES {
        match request().await {
            Err(object_store::Error::Generic { .. }) => {}
            answer => return answer,
        }
    }
    request().await
}

/// What was read, if it was there.
fn found<T>(path: &str, read: object_store::Result<T>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(content) => Ok(Some(content)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(unavailable("read", path, source)),
    }
}

fn unavailable(action: &'static str, path: &str, source: object_store::Error) -> StoreError {
    StoreError::Unavailable { action, path: path.to_owned(), source }
}

fn is_half_written(path: &FilePath) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.rsplit_once('#').is_some_and(|(_, suffix)| digits(suffix))
}
