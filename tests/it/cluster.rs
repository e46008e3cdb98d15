//! Coordinator and workers as real processes that are really killed: whatever happens, the bytes are those of an undisturbed
//! run with one worker.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::golden::folder;
use crate::process::Process;

/// The languages of the small study.
const LANGUAGES: [&str; 3] = ["eng", "fin", "hin"];

/// A folder with a small study: a golden model, three languages of 300 documents, every layer × four configs, one of which does not fit.
pub(crate) struct Study {
    folder: TempDir,
}

impl Study {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (n, language) in LANGUAGES.iter().enumerate() {
            let line = |i: usize| {
                format!("{language} {} ß अ {}", "word ".repeat(1 + (i * 7 + n) % 9), i * i)
            };
            let text: String = (0..300).map(|i| line(i) + "\n").collect();
            fs::write(folder.path().join(format!("{language}.txt")), text).unwrap();
        }
        let study = Self { folder };
        study.write("study.toml", "", "");
        study
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a study file with other measurement and analysis lines.
    fn write(&self, name: &str, measurement: &str, analysis: &str) {
        let model = crate::golden::folder().join("bloom/six_heads_f16_sharded");
        let text = format!(
            "models = [{:?}]\nscopes = [\"all\", \"only(each)\"]\n\
             configs = [\"int4-channel\", \"int3-group8\", \"int2-tensor\", \"candle-q4k\"]\n{measurement}\n\
             [corpus]\npath = \"{{language}}.txt\"\nshard_bytes = 4000\n\
             [analysis]\nbootstrap_draws = 100\n{analysis}\n",
            model.canonicalize().unwrap()
        );
        fs::write(self.path(name), text).unwrap();
    }

    /// A coordinator on the port (0: any) that other processes may be told.
    pub(crate) fn serve(&self, out: &str, port: &str) -> (Process, String) {
        self.serve_with(out, port, &[])
    }

    /// As `serve`, with more flags.
    pub(crate) fn serve_with(&self, out: &str, port: &str, flags: &[&str]) -> (Process, String) {
        let mut command = self.serve_command("study.toml", out, port);
        let process = Process::start("coordinator", command.args(flags));
        let line = process.wait_for("listening on ");
        let address =
            line.split("listening on ").nth(1).unwrap().split_whitespace().next().unwrap();
        (process, address.to_owned())
    }

    fn serve_file(&self, file: &str, out: &str, port: &str) -> Process {
        Process::start("coordinator", &mut self.serve_command(file, out, port))
    }

    /// `babelquant serve` with times that are short enough for a test that loses workers.
    pub(crate) fn serve_command(&self, file: &str, out: &str, port: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_babelquant-under-test"));
        command.arg("serve").arg(self.path(file)).arg("--out").arg(self.path(out));
        let address = format!("127.0.0.1:{port}");
        command.args(["--listen", &address, "--lease-ms", "3000", "--sync-ms", "200"]);
        command
    }
}

pub(crate) fn worker(address: &str, name: &str, slots: &str) -> Process {
    worker_of(&["--coordinator", address], name, slots)
}

/// A worker that finds its coordinator, and is let in, through these flags.
pub(crate) fn worker_of(place: &[&str], name: &str, slots: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker-under-test"));
    command.args(place).args(["--name", name, "--slots", slots, "--give-up", "60"]);
    command.arg("--models").arg(folder().join("bloom"));
    Process::start(name, &mut command)
}

/// How many units a worker has begun, as its log says.
pub(crate) fn computed(log: &str) -> usize {
    let jobs = log.lines().filter(|line| line.ends_with(" computing"));
    let units = jobs.filter_map(|line| {
        line.split("job{units=").nth(1)?.split(' ').next()?.parse::<usize>().ok()
    });
    units.sum()
}

/// Every file that must not depend on who computed it, by its name in the output.
pub(crate) fn bytes(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::from([(
        "_SUCCESS.json".to_owned(),
        fs::read(out.join("_SUCCESS.json")).unwrap(),
    )]);
    let mut folders = vec![out.join("data")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(out).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 2 * LANGUAGES.len());
    found
}

/// The bytes of an undisturbed run with one worker.
pub(crate) fn undisturbed(study: &Study) -> BTreeMap<String, Vec<u8>> {
    let (coordinator, address) = study.serve("undisturbed", "0");
    worker(&address, "alone", "16").expect(0);
    coordinator.expect(0);
    bytes(&study.path("undisturbed"))
}

#[track_caller]
pub(crate) fn same(ours: &BTreeMap<String, Vec<u8>>, theirs: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, bytes) in ours {
        assert!(bytes == &theirs[name], "{name} differs");
    }
}

#[test]
fn a_worker_killed_with_a_grant_and_a_result_changes_no_byte() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("killed-worker", "0");
    let victim = worker(&address, "victim", "64");
    victim.wait_for("computing");
    let others = [worker(&address, "second", "4"), worker(&address, "third", "4")];
    for other in &others {
        other.wait_for("registered");
    }
    // The coordinator stands still: what the victim finishes from here on cannot be acknowledged.
    coordinator.signal("STOP");
    victim.wait_for_more("finished", victim.count("finished"));
    victim.kill();
    coordinator.signal("CONT");
    for other in others {
        other.expect(0);
    }
    let output = coordinator.expect(0);
    assert!(output.contains("lease_lost"), "the victim's lease never ran out:\n{output}");
    same(&bytes(&study.path("killed-worker")), &expected);
}

#[test]
fn a_killed_coordinator_goes_on_where_it_was() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("killed-coordinator", "0");
    let port = address.rsplit(':').next().unwrap().to_owned();
    let workers = [worker(&address, "first", "4"), worker(&address, "second", "4")];
    coordinator.wait_for("committed");
    coordinator.kill();
    assert!(!study.path("killed-coordinator/_SUCCESS.json").exists());
    let (coordinator, _) = study.serve("killed-coordinator", &port);
    for worker in workers {
        worker.expect(0);
    }
    coordinator.expect(0);
    same(&bytes(&study.path("killed-coordinator")), &expected);
    // Started again, a finished run ends at once, without a worker.
    study.serve_file("study.toml", "killed-coordinator", "0").expect(0);
    same(&bytes(&study.path("killed-coordinator")), &expected);
}

#[test]
fn an_output_belongs_to_one_measurement_and_to_any_analysis() {
    let study = Study::new();
    undisturbed(&study);
    study.write("other-analysis.toml", "", "confidence = 0.9");
    study.serve_file("other-analysis.toml", "undisturbed", "0").expect(0);
    study.write("other-measurement.toml", "seed = 2", "");
    let output = study.serve_file("other-measurement.toml", "undisturbed", "0").expect(78);
    assert!(output.contains("seed"), "{output}");
}

#[test]
fn a_worker_without_the_model_says_so_and_leaves_the_units_alone() {
    let study = Study::new();
    let (coordinator, address) = study.serve("no-model", "0");
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker-under-test"));
    let lost = command.args(["--coordinator", &address, "--models"]).arg(study.folder.path());
    let lost = Process::start("lost", lost);
    lost.wait_for("--models DIR");
    worker(&address, "found", "8").expect(0);
    coordinator.expect(0);
    lost.expect(0);
}

#[test]
fn a_worker_told_to_leave_gives_back_what_it_holds() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("drained", "0");
    let leaving = worker(&address, "leaving", "64");
    leaving.wait_for("computing");
    leaving.signal("TERM");
    leaving.expect(75);
    worker(&address, "staying", "16").expect(0);
    let output = coordinator.expect(0);
    assert!(!output.contains("a unit is charged"), "a drained unit was charged:\n{output}");
    same(&bytes(&study.path("drained")), &expected);
}

#[test]
fn a_worker_that_is_granted_time_finishes_what_it_has_begun() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("grace", "0");
    let leaving = worker_of(&["--coordinator", &address, "--grace", "60"], "leaving", "64");
    leaving.wait_for("computing");
    leaving.signal("TERM");
    let output = leaving.expect(75);
    assert!(output.contains("told to leave: finishing what is begun"), "{output}");
    let (begun, finished) = (computed(&output), output.matches("finished unit=").count());
    assert_eq!(finished, begun, "what it had begun was not finished:\n{output}");
    worker(&address, "staying", "16").expect(0);
    let output = coordinator.expect(0);
    assert!(!output.contains("a unit is charged"), "{output}");
    same(&bytes(&study.path("grace")), &expected);
}

#[test]
fn a_worker_told_to_leave_before_it_is_let_in_leaves() {
    // A coordinator that is up and does not answer: a worker's call stays open.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    for signal in ["TERM", "USR1", "INT"] {
        let waiting = worker(&address, "waiting", "4");
        let _call = listener.accept().unwrap();
        waiting.signal(signal);
        let output = waiting.expect(75);
        assert!(output.contains("stopped before the run was complete"), "{signal}: {output}");
    }
}

#[test]
fn a_worker_told_to_leave_by_nobody_who_answers_leaves_and_a_standstill_charges_nobody() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("standstill", "0");
    let workers = ["staying", "leaving"].map(|name| worker(&address, name, "64"));
    for worker in &workers {
        worker.wait_for("computing");
    }
    let [staying, leaving] = workers;
    coordinator.signal("STOP");
    leaving.signal("TERM");
    // It says goodbye for longer than a lease.
    let output = leaving.expect(75);
    assert!(output.contains("out of reach for 5 s"), "{output}");
    coordinator.signal("CONT");
    staying.expect(0);
    let output = coordinator.expect(0);
    let charged = output.lines().filter(|line| line.contains("a unit is charged"));
    let wrongly: Vec<_> = charged.filter(|line| line.contains("staying")).collect();
    assert!(wrongly.is_empty(), "charged although it was the coordinator that slept: {wrongly:?}");
    same(&bytes(&study.path("standstill")), &expected);
}
