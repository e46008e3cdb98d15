//! Certificates and tokens between real processes: who shows the right ones works as ever, and of everyone else the
//! coordinator's log says why it was refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use babelquant_coordinator::certificates::issue;
use time::{Duration, OffsetDateTime};

use crate::cluster::{Study, bytes, same, undisturbed, worker_of};
use crate::process::{Process, babelquant};

/// Certificates as `babelquant certs` makes them.
fn certificates(study: &Study) -> PathBuf {
    let path = study.path("certs");
    let output = babelquant(&["certs", text(&path)]).expect(0);
    for name in ["ca.pem", "coordinator.pem", "worker.pem", "admin.pem", "reader.pem"] {
        assert!(output.contains(&format!("wrote {}", path.join(name).display())), "{output}");
    }
    path
}

/// A folder with some files of others, under other names.
fn copy(study: &Study, name: &str, files: &[(&Path, &str)]) -> PathBuf {
    let folder = study.path(name);
    fs::create_dir(&folder).unwrap();
    for (from, to) in files {
        fs::copy(from, folder.join(to)).unwrap();
    }
    folder
}

fn worker(address: &str, flags: &[&str]) -> Process {
    worker_of(&[&["--coordinator", address], flags].concat(), "worker", "16")
}

fn status(address: &str, flags: &[&str]) -> Process {
    babelquant(&[&["status", address], flags].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_run_with_certificates_gives_the_bytes_of_a_run_without() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let certs = certificates(&study);
    let (coordinator, address) = study.serve_with("tls", "0", &["--tls", text(&certs)]);
    assert!(address.starts_with("https://"), "{address}");
    let reader = copy(
        &study,
        "reader",
        &["ca.pem", "reader.pem", "reader-key.pem"]
            .map(|name| (certs.join(name), name))
            .each_ref()
            .map(|(path, name)| (path.as_path(), *name)),
    );
    let said = status(&address, &["--tls", text(&reader)]).expect(0);
    assert!(said.contains("units done"), "{said}");
    worker(&address, &["--tls", text(&certs)]).expect(0);
    coordinator.expect(0);
    same(&bytes(&study.path("tls")), &expected);
}

#[test]
fn whoever_shows_a_wrong_certificate_ends_with_77_and_the_log_says_why() {
    let study = Study::new();
    let certs = certificates(&study);
    let (ca, now) = (certs.join("ca.pem"), OffsetDateTime::now_utc());
    let other = study.path("other");
    issue(&other, &[], 30, now).unwrap();
    let as_worker = |name: &str, from: &Path, whose: &str| {
        let (certificate, key) =
            (from.join(format!("{whose}.pem")), from.join(format!("{whose}-key.pem")));
        let files = [(&ca, "ca.pem"), (&certificate, "worker.pem"), (&key, "worker-key.pem")];
        copy(&study, name, &files.map(|(from, to)| (from.as_path(), to)))
    };
    let stranger = as_worker("stranger", &other, "worker");
    let reader = as_worker("reader-as-worker", &certs, "reader");
    let coordinator_as_worker = as_worker("coordinator-as-worker", &certs, "coordinator");
    let expired =
        copy(&study, "expired", &[(&ca, "ca.pem"), (&certs.join("ca-key.pem"), "ca-key.pem")]);
    issue(&expired, &[], 30, now - Duration::days(400)).unwrap();
    let nothing = copy(&study, "nothing", &[(&ca, "ca.pem")]);
    let token = study.path("token");
    fs::write(&token, "a-token-that-nobody-asks-for").unwrap();
    let (coordinator, address) = study.serve_with("refused", "0", &["--tls", text(&certs)]);
    let (token, none) = (["--token-file", text(&token)], [""; 0]);
    for (folder, more, reason) in [
        (&nothing, &token[..], "no certificate was shown"),
        (&stranger, &none[..], "a certificate of another authority was shown"),
        (&expired, &none[..], "an expired certificate was shown"),
        (&coordinator_as_worker, &none[..], "a certificate that is not for callers was shown"),
        (&other, &none[..], "it does not believe this coordinator's certificate"),
        (&reader, &none[..], "the role reader may not call /babelquant.v1.Coordinator/Register"),
    ] {
        let flags = [&["--tls", text(folder)][..], more].concat();
        let said = worker(&address, &flags).expect(77);
        assert!(said.contains("denied access"), "{reason}:\n{said}");
        let line = coordinator.wait_for(reason);
        assert!(line.contains("refused") && line.contains("127.0.0.1:"), "{line}");
        assert!(line.contains("role="), "{line}");
    }
    let said = status(&address, &["--tls", text(&stranger)]).expect(77);
    assert!(said.contains("denied access"), "{said}");
    worker(&address, &["--tls", text(&certs)]).expect(0);
    coordinator.expect(0);
}

#[test]
fn tokens_say_who_calls_and_until_when() {
    let study = Study::new();
    let tokens = study.path("tokens");
    let [worker_token, reader_token, old, unknown] =
        ["token-of-a-worker", "token-of-a-reader", "token-of-last-year", "token-of-a-stranger"]
            .map(|token| {
                let path = study.path(token);
                fs::write(&path, format!("{token}\n")).unwrap();
                path
            });
    fs::write(
        &tokens,
        "worker token-of-a-worker until 2999-12-31\nreader token-of-a-reader\nworker token-of-last-year until 2025-12-31\n",
    )
    .unwrap();
    let (coordinator, address) =
        study.serve_with("by-token", "0", &["--token-file", text(&tokens)]);
    for (path, reason) in [
        (&unknown, "the token is unknown"),
        (&old, "the token of role worker was good until 2026-01-01T00:00:00Z"),
        (&reader_token, "the role reader may not call /babelquant.v1.Coordinator/Register"),
    ] {
        let said = worker(&address, &["--token-file", text(path)]).expect(77);
        assert!(said.contains(reason), "{reason}:\n{said}");
        assert!(coordinator.wait_for(reason).contains("refused"));
    }
    let said = worker(&address, &[]).expect(77);
    assert!(said.contains("no certificate and no token"), "{said}");
    status(&address, &[]).expect(77);
    status(&address, &["--token-file", text(&reader_token)]).expect(0);
    worker(&address, &["--token-file", text(&worker_token)]).expect(0);
    let output = coordinator.expect(0);
    assert!(!output.contains("token-of-a-worker"), "the log shows a token:\n{output}");
}

#[test]
fn an_open_address_needs_certificates_tokens_or_a_word() {
    let study = Study::new();
    let serve = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_babelquant-under-test"));
        command.arg("serve").arg(study.path("study.toml")).arg("--out").arg(study.path("open"));
        Process::start("coordinator", command.args(flags)).expect(2)
    };
    let said = serve(&["--listen", "0.0.0.0:0"]);
    for word in ["--tls", "--token-file", "--insecure", "127.0.0.1", "babelquant certs"] {
        assert!(said.contains(word), "{said}");
    }
    let missing = study.path("no-such-folder");
    let said = serve(&["--tls", text(&missing)]);
    assert!(said.contains("coordinator-key.pem"), "{said}");
    assert!(!study.path("open").exists());
}
