//! What the tests of the hub share: a published model, an empty cache, and what a fetch must bring.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use babelquant_proto::hub::{Hub, HubError, Snapshot};
use tempfile::TempDir;

use crate::hub_http::Request;
use crate::hub_server::HubServer;

pub(crate) const REPOSITORY: &str = "owner/model";
pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const LENGTH: usize = 3_000_000;
/// What a fetch brings of the files that are published.
pub(crate) const WANTED: [&str; 3] = ["config.json", "tokenizer.json", WEIGHTS];

/// Bytes that repeat at no short distance.
pub(crate) fn bytes(length: usize, seed: u32) -> Vec<u8> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(seed), next);
    states.take(length).map(|state| state.to_be_bytes()[0]).collect()
}

pub(crate) fn files(seed: u32) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("config.json", br#"{"model_type": "bloom"}"#.to_vec()),
        ("tokenizer.json", bytes(5000, seed)),
        ("tf_model.h5", bytes(100, seed)),
        ("pytorch_model.bin", bytes(200, seed)),
        (WEIGHTS, bytes(LENGTH, seed)),
        ("README.md", b"text".to_vec()),
    ]
}

/// A hub, one published commit and an empty cache.
pub(crate) struct Fixture {
    pub(crate) server: HubServer,
    pub(crate) commit: String,
    pub(crate) cache: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let server = HubServer::start();
        let commit = server.publish(REPOSITORY, "main", &files(1));
        Self { server, commit, cache: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn hub(&self) -> Hub {
        self.hub_with(&[])
    }

    pub(crate) fn hub_with(&self, more: &[(&str, &str)]) -> Hub {
        hub(&self.server.endpoint(), self.cache.path(), more)
    }

    /// Requests for the content of files.
    pub(crate) fn content_requests(&self) -> Vec<Request> {
        let is_content = |request: &Request| {
            let place = ["/lfs/", "/api/resolve-cache/"]
                .iter()
                .any(|place| request.path.starts_with(place));
            request.method == "GET" && place
        };
        self.server.requests().into_iter().filter(is_content).collect()
    }
}

pub(crate) fn hub(endpoint: &str, cache: &Path, more: &[(&str, &str)]) -> Hub {
    let cache = cache.to_str().unwrap();
    let variables =
        [more, &[("HF_ENDPOINT", endpoint), ("HF_HUB_CACHE", cache), ("HF_HOME", cache)]].concat();
    Hub::from_variables(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

pub(crate) fn fetch(hub: &Hub, revision: &str) -> Result<Snapshot, HubError> {
    hub.fetch(REPOSITORY, revision, &mut |_| ())
}

/// The files of a folder with their content, all of them readable.
pub(crate) fn content(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

/// Holds the snapshot against what was published.
pub(crate) fn check_snapshot(snapshot: &Snapshot, commit: &str, seed: u32) {
    assert_eq!(snapshot.commit, commit);
    let published = files(seed).into_iter().filter(|(name, _)| WANTED.contains(name));
    let published: BTreeMap<_, _> =
        published.map(|(name, content)| (name.to_owned(), content)).collect();
    assert!(content(&snapshot.directory) == published, "{:?} differs", snapshot.directory);
}
