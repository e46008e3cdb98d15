//! One repository's folder of the cache, as Python's `huggingface_hub` lays it out: `blobs` by content, `refs` from revision to
//! commit, `snapshots` of links by commit. Not how blobs come there (`download`).

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo};

use super::{HubError, Progress, Snapshot, Step};
use crate::model::Model;

/// A repository at a revision, in the cache.
#[derive(Debug)]
pub(super) struct Folder {
    repo: Repo,
    cache: Cache,
    layout: CacheRepo,
}

impl Folder {
    pub(super) fn new(cache: &Path, repo: Repo) -> Self {
        let cache = Cache::new(cache.to_owned());
        Self { layout: cache.repo(repo.clone()), repo, cache }
    }

    /// The repository, at the revision.
    pub(super) fn repo(&self) -> &Repo {
        &self.repo
    }

    /// The revision's snapshot, if every file that makes the model is there.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let commit = self.commit()?;
        let directory = self.layout.pointer_path(&commit);
        let names = Model::file_names(&directory).ok()?;
        let complete = names.iter().all(|name| directory.join(name).is_file());
        complete.then_some(Snapshot { directory, commit, warning: None })
    }

    /// The commit that the revision was when it was last asked for.
    fn commit(&self) -> Option<String> {
        let revision = self.repo.revision();
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let path = self.cache.path().join(self.repo.folder_name()).join("refs").join(revision);
        let commit = fs::read_to_string(path).ok()?.trim().to_owned();
        is_commit(&commit).then_some(commit)
    }

    /// Notes that the revision is this commit.
    pub(super) fn remember(&self, commit: &str) -> Result<(), HubError> {
        if self.commit().as_deref() == Some(commit) {
            return Ok(());
        }
        self.layout.create_ref(commit).map_err(|source| HubError::write(self.cache.path(), source))
    }

    /// Where the files of a commit lie.
    pub(super) fn directory(&self, commit: &str) -> PathBuf {
        self.layout.pointer_path(commit)
    }

    /// Where the content of that name lies; its folder exists.
    pub(super) fn blob(&self, etag: &str) -> Result<PathBuf, HubError> {
        let path = self.layout.blob_path(etag);
        let folder = path.parent().unwrap_or(self.cache.path());
        fs::create_dir_all(folder).map_err(|source| HubError::write(folder, source))?;
        Ok(path)
    }

    /// Waits until no other thread or process, Python's included, writes that blob; `None` where the disk knows no locks.
    pub(super) fn lock(
        &self,
        etag: &str,
        progress: Progress<'_>,
    ) -> Result<Option<File>, HubError> {
        let folder = self.cache.path().join(".locks").join(self.repo.folder_name());
        let path = folder.join(format!("{etag}.lock"));
        let mut lock = || {
            fs::create_dir_all(&folder)?;
            let file = File::options().create(true).append(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => progress(Step::Waiting { lock: &path }),
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    return Ok(None);
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            file.lock().map(|()| Some(file))
        };
        lock().map_err(|source| HubError::write(&path, source))
    }

    /// Makes `name` of a commit's snapshot a link to a blob.
    pub(super) fn link(&self, commit: &str, name: &str, etag: &str) -> Result<(), HubError> {
        let directory = self.directory(commit);
        let path = directory.join(name);
        let link = || {
            fs::create_dir_all(&directory)?;
            // A link that leads nowhere is left of a cleaned cache.
            if fs::symlink_metadata(&path).is_ok() && !path.is_file() {
                fs::remove_file(&path)?;
            }
            link(&Path::new("../../blobs").join(etag), &self.layout.blob_path(etag), &path)
        };
        match link() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            done => done.map_err(|source| HubError::write(&path, source)),
        }
    }
}

/// True for the full name of a commit.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(unix)]
fn link(relative: &Path, blob: &Path, path: &Path) -> io::Result<()> {
    match std::os::unix::fs::symlink(relative, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => fs::hard_link(blob, path),
        done => done,
    }
}

#[cfg(not(unix))]
fn link(_relative: &Path, blob: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(blob, path)
}
