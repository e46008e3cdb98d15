//! Models by name: downloads of a Hugging Face hub, kept in the cache that Python's `huggingface_hub` uses. Not what a model
//! is made of (`model`).

mod download;
mod error;
mod folder;
mod part;
mod remote;
mod settings;

use std::path::{Path, PathBuf};

use hf_hub::{Repo, RepoType};

use crate::model::Model;
use download::Download;
use folder::{Folder, is_commit};
use remote::Remote;
use settings::{Network, Settings};

pub use error::HubError;
pub use settings::cache_folder;

/// A hub of models and the cache of what it gave.
#[derive(Debug, Clone)]
pub struct Hub {
    settings: Settings,
}

/// The files of a model at one commit: config, tokenizer and weights.
#[derive(Debug)]
pub struct Snapshot {
    /// Where they lie.
    pub directory: PathBuf,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// Why the hub could not be asked, where the cache answered instead: the revision may have moved since.
    pub warning: Option<HubError>,
}

/// What a fetch is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A file arrives.
    File {
        /// Its name in the repository.
        name: &'a str,
        /// Bytes that are here.
        done: u64,
        /// Bytes of the whole.
        total: u64,
    },
    /// Another thread or process downloads the same file.
    Waiting {
        /// The lock that it holds.
        lock: &'a Path,
    },
}

/// Who is told of each step.
pub type Progress<'a> = &'a mut dyn FnMut(Step<'_>);

impl Hub {
    /// A hub as the variables of Python's `huggingface_hub` describe it, read through `get`: `HF_HOME`, `HF_HUB_CACHE`,
    /// `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`, `HF_HUB_DOWNLOAD_TIMEOUT` and their older names.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Self {
        Self { settings: Settings::from_variables(get) }
    }

    /// The snapshot of a repository at a branch, tag or commit; downloads what the cache lacks.
    ///
    /// A commit that the cache holds needs no request. Where the hub does not answer, the cache does, with a warning.
    ///
    /// # Errors
    /// There is no such repository, revision or model, it may not be read, or the transfer failed: see [`HubError`].
    pub fn fetch(
        &self,
        repository: &str,
        revision: &str,
        progress: Progress<'_>,
    ) -> Result<Snapshot, HubError> {
        let repo = named(repository, revision)?;
        let folder = Folder::new(&self.settings.cache, repo);
        match (self.settings.network, folder.snapshot()) {
            (Network::Offline, Some(snapshot)) => Ok(snapshot),
            (Network::Online, Some(snapshot)) if is_commit(revision) => Ok(snapshot),
            (Network::Offline, None) => Err(self.not_cached(repository, revision)),
            (Network::Online, cached) => self.update(&folder, cached, progress),
        }
    }

    /// The directory of a commit that holds these files, whatever else of the repository it holds.
    ///
    /// # Errors
    /// As `fetch`.
    pub fn fetch_files<'a>(
        &self,
        (repository, commit): (&str, &str),
        names: impl Iterator<Item = &'a str>,
        progress: Progress<'_>,
    ) -> Result<PathBuf, HubError> {
        let folder = Folder::new(&self.settings.cache, named(repository, commit)?);
        let directory = folder.directory(commit);
        let lacking: Vec<&str> = names.filter(|name| !directory.join(name).is_file()).collect();
        if self.settings.network == Network::Offline && !lacking.is_empty() {
            return Err(self.not_cached(repository, commit));
        }
        let (remote, repo) = (Remote::new(&self.settings), folder.repo());
        let download = Download { remote: &remote, folder: &folder, repo };
        lacking.into_iter().try_for_each(|name| download.file(name, progress))?;
        Ok(directory)
    }

    /// The snapshot of which only `config.json` is sure to be there: enough for a model's shape.
    ///
    /// # Errors
    /// As `fetch`.
    pub fn fetch_config(
        &self,
        repository: &str,
        revision: &str,
        progress: Progress<'_>,
    ) -> Result<Snapshot, HubError> {
        if self.settings.network == Network::Offline || self.cached(repository, revision).is_some()
        {
            return self.fetch(repository, revision, progress);
        }
        let (repo, remote) = (named(repository, revision)?, Remote::new(&self.settings));
        let folder = Folder::new(&self.settings.cache, repo);
        let commit = remote.listing(folder.repo())?.sha;
        let at_commit = named(repository, &commit)?;
        Download { remote: &remote, folder: &folder, repo: &at_commit }
            .file("config.json", progress)?;
        Ok(Snapshot { directory: folder.directory(&commit), commit, warning: None })
    }

    /// The snapshot of a repository, if the cache holds all of it. Touches no network.
    pub fn cached(&self, repository: &str, revision: &str) -> Option<Snapshot> {
        Folder::new(&self.settings.cache, named(repository, revision).ok()?).snapshot()
    }

    fn not_cached(&self, repository: &str, revision: &str) -> HubError {
        let (repository, revision) = (repository.to_owned(), revision.to_owned());
        HubError::NotCached { repository, revision, cache: self.settings.cache.clone() }
    }

    /// Brings the cache to what the hub has now; if the hub does not answer, the cache stands.
    fn update(
        &self,
        folder: &Folder,
        cached: Option<Snapshot>,
        progress: Progress<'_>,
    ) -> Result<Snapshot, HubError> {
        let remote = Remote::new(&self.settings);
        let repo = folder.repo();
        let listing = match (remote.listing(repo), cached) {
            (Err(warning), Some(cached)) if warning.is_transient() => {
                return Ok(Snapshot { warning: Some(warning), ..cached });
            }
            (listing, _) => listing?,
        };
        let commit = listing.sha;
        let there = |name: &str| listing.siblings.iter().any(|file| file.rfilename == name);
        let lacking = |expected: String| HubError::NoModel {
            repository: repo.url(),
            commit: commit.clone(),
            expected,
        };
        let names = Model::choose_files(there).map_err(|names| lacking(names.join(" or ")))?;
        let directory = folder.directory(&commit);
        let at_commit = named(&repo.url(), &commit)?;
        let download = Download { remote: &remote, folder, repo: &at_commit };
        for name in names {
            download.file(name, progress)?;
        }
        for name in Model::shards(&directory, names[2])? {
            if !there(&name) {
                return Err(lacking(name));
            }
            download.file(&name, progress)?;
        }
        folder.remember(&commit)?;
        Ok(Snapshot { directory, commit, warning: None })
    }
}

/// A repository and a revision whose names can stand in an address and in a path.
fn named(repository: &str, revision: &str) -> Result<Repo, HubError> {
    let is_word = |word: &str| {
        let plain = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'@')
        };
        !word.is_empty()
            && !word.starts_with('.')
            && !word.contains("..")
            && word.bytes().all(plain)
    };
    if !repository.split('/').all(is_word)
        || repository.split('/').count() > 2
        || repository.contains("--")
    {
        return Err(HubError::Name {
            what: "repository",
            name: repository.to_owned(),
            expected: "expected owner/name in letters, digits, '-', '_' and '.', or a local directory that exists",
        });
    }
    if !revision.split('/').all(is_word) {
        return Err(HubError::Name {
            what: "revision",
            name: revision.to_owned(),
            expected: "expected a branch, a tag, a commit or refs/pr/NUMBER",
        });
    }
    Ok(Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["gpt2", "openai-community/gpt2", "a/b.c_d-e"] {
            assert!(named(name, "main").is_ok(), "{name}");
        }
        for name in [
            "", "/", "a/", "/a", "a/b/c", "../a", "a/..", "a/.b", "a--b/c", "a b", "a?", "ä/b",
            "a/b#",
        ] {
            assert!(named(name, "main").is_err(), "{name}");
        }
        for revision in ["main", "refs/pr/1", "step143000", "v1.0", "0123456789abcdef"] {
            assert!(named("a/b", revision).is_ok(), "{revision}");
        }
        for revision in ["", "..", "../../x", "/etc", "a//b", "a b", "a?b", "a%2f", "a\n"] {
            assert!(named("a/b", revision).is_err(), "{revision}");
        }
    }
}
