//! Studies that name their models: downloaded from a stand-in for the hub by the coordinator, found or downloaded by workers,
//! refused where the files are others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::golden::folder;
use crate::hub_http::Fault;
use crate::hub_server::HubServer;
use crate::process::Process;

const LANGUAGES: [&str; 3] = ["eng", "fin", "hin"];

/// A hub with two models, a corpus, and a study that names both.
struct Fixture {
    hub: HubServer,
    folder: TempDir,
    commits: [String; 2],
}

impl Fixture {
    fn new() -> Self {
        let (hub, folder) = (HubServer::start(), tempfile::tempdir().unwrap());
        let commits =
            ["xglm", "mt5"].map(|case| hub.publish(&format!("lab/{case}"), "main", &files(case)));
        for language in LANGUAGES {
            let line =
                |i: usize| format!("{language} {i} ß अ river bank {}\n", "and ".repeat(i % 9));
            let text: String = (0..24).map(line).collect();
            fs::write(folder.path().join(format!("{language}.txt")), text).unwrap();
        }
        let study = "models = [\"lab/xglm\", { model = \"lab/mt5\", draws = 2 }]\n\
             scopes = [\"all\", \"only(each)\"]\nconfigs = [\"int3-channel\"]\n\
             components = [\"linear\"]\ndtype = \"bf16\"\n\
             [corpus]\npath = \"{language}.txt\"\n[analysis]\nbootstrap_draws = 100\n";
        fs::write(folder.path().join("study.toml"), study).unwrap();
        Self { hub, folder, commits }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program that sees this hub and a cache of its own.
    fn program(&self, program: &str, cache: &str, more: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program);
        command.env("HF_ENDPOINT", self.hub.endpoint()).env("HF_HUB_CACHE", self.path(cache));
        command.env("HF_HOME", self.path(cache)).env_remove("HF_TOKEN").envs(more.iter().copied());
        command
    }

    fn run(&self, out: &str, more: &[(&str, &str)]) -> Process {
        let mut command = self.program(env!("CARGO_BIN_EXE_babelquant-under-test"), "cache", more);
        let command = command.arg("run").arg(self.path("study.toml"));
        Process::start("run", command.arg("--out").arg(self.path(out)))
    }

    fn worker(&self, address: &str, cache: &str, more: &[(&str, &str)]) -> Process {
        let mut command = self.program(env!("CARGO_BIN_EXE_worker-under-test"), cache, more);
        let command = command.args(["--coordinator", address, "--give-up", "60", "--models"]);
        Process::start("worker", command.arg(self.path("nothing")))
    }
}

/// The files of a golden case as a repository has them.
fn files(case: &str) -> Vec<(&'static str, Vec<u8>)> {
    let folder = folder().join("families").join(case);
    let read = |name| (name, fs::read(folder.join(name)).unwrap());
    ["config.json", "tokenizer.json", "model.safetensors"].map(read).to_vec()
}

fn run_json(out: &Path) -> Value {
    crate::golden::json(&out.join("run.json"))
}

/// The names of files below a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn models_are_named_downloaded_once_and_recorded() {
    let fixture = Fixture::new();
    fixture.hub.fault("model.safetensors", Fault::CutOnce(9000));
    let output = fixture.run("out", &[]).expect(0);
    for shown in ["xglm", "mt5", "enc.0", "f32"] {
        assert!(output.contains(shown), "no {shown} in:\n{output}");
    }
    let run = run_json(&fixture.path("out")).to_string();
    for commit in &fixture.commits {
        assert!(run.contains(commit), "{run}");
    }
    let languages = names(&fixture.path("out/data/documents"));
    assert_eq!(languages.len(), LANGUAGES.len());
    fixture.hub.requests();
    // Again without the hub: everything is in the cache, and the finished run is the same study.
    fixture.run("out", &[("HF_HUB_OFFLINE", "1")]).expect(0);
    assert!(fixture.hub.requests().is_empty());
}

#[test]
fn a_worker_downloads_the_commit_of_the_study_and_one_with_other_files_gets_no_units() {
    let fixture = Fixture::new();
    let mut command = fixture.program(env!("CARGO_BIN_EXE_babelquant-under-test"), "cache", &[]);
    let command = command.arg("serve").arg(fixture.path("study.toml"));
    let command = command.arg("--out").arg(fixture.path("out")).args(["--listen", "127.0.0.1:0"]);
    let coordinator = Process::start("coordinator", command);
    let line = coordinator.wait_for("listening on ");
    let address = line.split("listening on ").nth(1).unwrap().split_whitespace().next().unwrap();
    // What the branch names moves on: workers take the commit of the study.
    fixture.hub.publish("lab/xglm", "main", &files("opt"));
    let other = fixture.path("nothing/xglm");
    fs::create_dir_all(&other).unwrap();
    for (name, mut content) in files("xglm") {
        if name == "tokenizer.json" {
            content.push(b'\n');
        }
        fs::write(other.join(name), content).unwrap();
    }
    let offline = fixture.worker(address, "empty", &[("HF_HUB_OFFLINE", "1")]);
    offline.wait_for("tokenizer.json has");
    let worker = fixture.worker(address, "another", &[]);
    worker.wait_for("asking the hub's cache");
    worker.wait_for("downloaded");
    worker.expect(0);
    coordinator.expect(0);
    offline.expect(0);
}

#[test]
fn a_name_that_is_none_is_an_error_before_any_work() {
    let fixture = Fixture::new();
    let study = fs::read_to_string(fixture.path("study.toml")).unwrap();
    for (name, expected) in [("lab/nowhere", "lab/nowhere"), ("not a model", "not a model")] {
        fs::write(fixture.path("study.toml"), study.replace("lab/xglm", name)).unwrap();
        let output = fixture.run("none", &[]).expect(2);
        assert!(output.contains(expected), "{output}");
        assert!(!fixture.path("none").join("run.json").exists());
    }
}
