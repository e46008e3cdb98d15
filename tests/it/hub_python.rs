//! The stand-in for the hub and our cache, held against Python's `huggingface_hub`: what one downloads the other finds.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use sha2::{Digest, Sha256};

use crate::hub_fixture::{
    Fixture, LENGTH, REPOSITORY, WANTED, WEIGHTS, bytes, check_snapshot, fetch, files,
};
use crate::hub_http::Fault;

/// Python's client of the fixture's hub and cache, if a variable names a Python that has it.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn client(fixture: &Fixture, revision: &str, more: &[(&str, &str)]) -> Option<Output> {
    let Some(program) = std::env::var_os("BABELQUANT_PYTHON") else {
        eprintln!("SKIPPED: BABELQUANT_PYTHON names no Python with tests/reference/hub.txt");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/hub_client.py");
    let mut command = Command::new(program);
    command.arg(script).args([REPOSITORY, revision]).args(WANTED);
    command.env("HF_ENDPOINT", fixture.server.endpoint()).env("HF_HUB_DISABLE_TELEMETRY", "1");
    command.env("HF_HUB_CACHE", fixture.cache.path()).env("HF_HOME", fixture.cache.path());
    Some(command.envs(more.iter().copied()).output().unwrap())
}

/// What Python downloads: the SHA-256 of each file.
fn python(
    fixture: &Fixture,
    revision: &str,
    more: &[(&str, &str)],
) -> Option<BTreeMap<String, String>> {
    let output = client(fixture, revision, more)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// What Python says of what it does not download.
fn python_error(fixture: &Fixture, revision: &str) -> Option<String> {
    let output = client(fixture, revision, &[])?;
    assert!(!output.status.success());
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The SHA-256 of each published file.
fn digests(seed: u32) -> BTreeMap<String, String> {
    let published = files(seed).into_iter().filter(|(name, _)| WANTED.contains(name));
    published
        .map(|(name, content)| (name.to_owned(), format!("{:x}", Sha256::digest(content))))
        .collect()
}

#[test]
fn python_downloads_from_the_stand_in_and_its_cache_is_ours() {
    let fixture = Fixture::new();
    let Some(files) = python(&fixture, "main", &[]) else { return };
    assert_eq!(files, digests(1));
    fixture.server.requests();
    check_snapshot(&fixture.hub().cached(REPOSITORY, "main").unwrap(), &fixture.commit, 1);
    check_snapshot(&fetch(&fixture.hub(), "main").unwrap(), &fixture.commit, 1);
    assert_eq!(fixture.content_requests(), []);
}

#[test]
fn python_resumes_from_the_stand_in() {
    let fixture = Fixture::new();
    let mut large = files(1);
    // Python keeps what arrived in pieces of 10 MiB.
    let kept = 10 << 20;
    large[4].1 = bytes(kept + LENGTH, 1);
    fixture.server.publish(REPOSITORY, "large", &large);
    fixture.server.fault(WEIGHTS, Fault::CutOnce(kept + 100_000));
    let Some(files) = python(&fixture, "large", &[]) else { return };
    assert_eq!(files[WEIGHTS], format!("{:x}", Sha256::digest(&large[4].1)));
    let ranges: Vec<_> =
        fixture.content_requests().iter().filter_map(|request| request.range).collect();
    assert_eq!(ranges, [kept]);
}

#[test]
fn python_finds_what_we_downloaded() {
    let fixture = Fixture::new();
    fetch(&fixture.hub(), "main").unwrap();
    fixture.server.requests();
    for (revision, variables) in [
        ("main", vec![("HF_HUB_OFFLINE", "1")]),
        (fixture.commit.as_str(), vec![("HF_HUB_OFFLINE", "1")]),
        ("main", vec![]),
    ] {
        let Some(files) = python(&fixture, revision, &variables) else { return };
        assert_eq!(files, digests(1), "{revision} {variables:?}");
        assert_eq!(fixture.content_requests(), [], "{revision} {variables:?}");
    }
}

#[test]
fn python_refuses_what_we_refuse() {
    let fixture = Fixture::new();
    fixture.server.gate(REPOSITORY, "hf_right");
    let Some(error) = python_error(&fixture, "main") else { return };
    assert!(error.contains("GatedRepoError"), "{error}");
    let error = python_error(&fixture, "absent").unwrap();
    assert!(error.contains("RevisionNotFoundError"), "{error}");
    assert_eq!(python(&fixture, "main", &[("HF_TOKEN", "hf_right")]), Some(digests(1)));
}
