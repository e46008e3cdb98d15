//! The walls of the house (README, "Who may import whom"), as a test: imports, homes of clap, tokio and the wire, file sizes,
//! module docs.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file of library code.
const LINES_MAX: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file below a folder of the repository, with its text.
fn files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let name = entry.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&entry).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no Rust files");
    found
}

fn sources() -> Vec<(String, String)> {
    ["proto/src", "coordinator/src", "worker/src"].iter().flat_map(|folder| files(folder)).collect()
}

/// The files, but for those whose name starts with an allowed prefix, that hold one of the words outside a comment.
fn trespassers(folder: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let holds = |text: &str| {
        let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        code.into_iter().any(|line| words.iter().any(|word| line.contains(word)))
    };
    let fine = |name: &str| allowed.iter().any(|prefix| name.starts_with(prefix));
    files(folder)
        .into_iter()
        .filter(|(name, text)| !fine(name) && holds(text))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    for (name, text) in sources() {
        assert!(text.starts_with("//!"), "{name} has no module doc");
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{name} has {lines} lines: which noun should move out?");
    }
}

#[test]
fn the_wire_is_named_in_three_files() {
    let allowed = [
        "proto/src/convert",
        "proto/src/lib.rs",
        "worker/src/client.rs",
        "coordinator/src/service",
        "coordinator/src/serve/tests",
    ];
    for folder in ["proto/src", "worker/src", "coordinator/src"] {
        assert_eq!(trespassers(folder, &["wire::"], &allowed), [""; 0]);
    }
}

#[test]
fn clap_and_the_environment_live_in_cli() {
    for package in ["worker", "coordinator"] {
        let (cli, main) = (format!("{package}/src/cli"), format!("{package}/src/main.rs"));
        // Not in the programs: whoever runs the tests says where there is a bucket.
        let storages = format!("{package}/src/testing/storages.rs");
        let words = ["use clap", "clap::", "std::env::var", "env::args"];
        let allowed = [cli.as_str(), &main, &storages];
        assert_eq!(trespassers(&format!("{package}/src"), &words, &allowed), [""; 0]);
    }
}

#[test]
fn tokio_stays_at_the_edges_of_the_worker() {
    let edges =
        ["main.rs", "lib.rs", "agent", "client.rs", "engine/mod.rs", "fleet.rs", "termination.rs"];
    let allowed = edges.map(|name| format!("worker/src/{name}"));
    let allowed = allowed.each_ref().map(String::as_str);
    assert_eq!(trespassers("worker/src", &["tokio"], &allowed), [""; 0]);
}

#[test]
fn model_and_quant_do_not_name_each_other() {
    assert_eq!(trespassers("worker/src/model", &["crate::quant", "crate::eval"], &[]), [""; 0]);
    assert_eq!(trespassers("worker/src/quant", &["crate::model", "crate::eval"], &[]), [""; 0]);
    assert_eq!(trespassers("worker/src/corpus", &["crate::model", "crate::quant"], &[]), [""; 0]);
}

#[test]
fn families_are_descriptions_and_compute_nothing() {
    assert_eq!(trespassers("worker/src/model/families", &["candle", "Tensor"], &[]), [""; 0]);
}

#[test]
fn proto_touches_the_system_in_its_rooms_for_it() {
    let words = ["std::fs", "fs::", "File::", "std::net", "ureq", "hf_hub", "tokio"];
    let rooms =
        ["model", "hub", "credentials", "coordinator_file.rs", "signals.rs", "whole_file.rs"];
    let allowed = rooms.map(|room| format!("proto/src/{room}"));
    let allowed = allowed.each_ref().map(String::as_str);
    assert_eq!(trespassers("proto/src", &words, &allowed), [""; 0]);
}

#[test]
fn the_hard_logic_is_pure() {
    let words = ["async ", "tokio", "std::fs", "Instant", "SystemTime", "object_store", "std::env"];
    for room in ["scheduler", "statistics", "reduce", "report"] {
        let folder = format!("coordinator/src/{room}");
        let tests = format!("{folder}/tests");
        assert_eq!(trespassers(&folder, &words, &[&tests]), [""; 0]);
    }
}

#[test]
fn the_engine_class_names_the_candle_that_is_built_in() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let entry = format!("name = \"candle-core\"\nversion = \"{}\"", babelquant_worker::CANDLE);
    assert!(
        lock.contains(&entry),
        "worker/src/engine/class.rs names another candle than Cargo.lock"
    );
}
