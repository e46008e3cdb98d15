//! One file of a hub into the cache: which attempts are made, and who may make them at once. Not its bytes (`part`).

use hf_hub::Repo;

use super::folder::Folder;
use super::part::Part;
use super::remote::Remote;
use super::{HubError, Progress};

/// How often in a row a transfer that breaks off is taken up again.
const ATTEMPTS_MAX: usize = 5;

/// Where files come from and go to; the repository is at a commit.
#[derive(Debug)]
pub(super) struct Download<'a> {
    pub(super) remote: &'a Remote<'a>,
    pub(super) folder: &'a Folder,
    pub(super) repo: &'a Repo,
}

impl Download<'_> {
    /// Brings a file into the commit's snapshot, unless it is there.
    pub(super) fn file(&self, name: &str, progress: Progress<'_>) -> Result<(), HubError> {
        let commit = self.repo.revision();
        if self.folder.directory(commit).join(name).is_file() {
            return Ok(());
        }
        let announced = self.remote.announced(self.repo, name)?;
        let blob = self.folder.blob(&announced.etag)?;
        let lock = self.folder.lock(&announced.etag, progress)?;
        if !blob.is_file() {
            let mut part = Part::open(&blob, &announced.etag, name)?;
            self.complete(&mut part, name, progress)?;
            part.finish(&blob, &announced)?;
        }
        drop(lock);
        self.folder.link(commit, name, &announced.etag)
    }

    /// Fetches what a part lacks, in several attempts as long as each of them adds to it.
    fn complete(
        &self,
        part: &mut Part<'_>,
        name: &str,
        progress: Progress<'_>,
    ) -> Result<(), HubError> {
        let mut attempts = 1..ATTEMPTS_MAX;
        loop {
            let before = part.length()?;
            // Asked anew each time: the address of the content runs out.
            let announced = self.remote.announced(self.repo, name)?;
            match part.append(self.remote, &announced, progress) {
                Err(HubError::Interrupted { .. })
                    if part.length()? > before && attempts.next().is_some() => {}
                done => return done,
            }
        }
    }
}
