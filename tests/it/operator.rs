//! What an operator asks and says of a run, with real processes: status, drain, and the file through which a coordinator is found.

use serde_json::Value;

use crate::cluster::{Study, bytes, computed, same, undisturbed, worker, worker_of};
use crate::process::{Process, babelquant as start};

/// Runs `babelquant` to its end and holds the exit code to `code`.
#[track_caller]
fn babelquant(args: &[&str], code: i32) -> String {
    start(args).expect(code)
}

fn overview(address: &str) -> Value {
    serde_json::from_str(&babelquant(&["status", address, "--json"], 0)).unwrap()
}

#[test]
fn a_drained_worker_finishes_what_it_computes_and_stays_away() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("drained-worker", "0");
    let leaving = worker(&address, "node3-0", "64");
    leaving.wait_for("computing");
    let none = babelquant(&["drain", &address, "--worker", "node4-*"], 2);
    assert!(none.contains("node4-*") && none.contains("there are node3-0"), "{none}");
    let answer = babelquant(&["drain", &address, "--worker", "node3-*"], 0);
    assert!(answer.contains("drained 1 worker: node3-0"), "{answer}");
    let output = leaving.expect(0);
    assert!(output.contains("handed in or given back"), "it was not drained:\n{output}");
    let (begun, finished) = (computed(&output), output.matches("finished unit=").count());
    assert_eq!(finished, begun, "what it had begun was not finished:\n{output}");
    // Another one of such a name, or the same one started again, is sent away at once.
    let output = worker(&address, "node3-1", "64").expect(0);
    assert!(!output.contains("computing"), "{output}");
    let watching = start(&["status", &address, "--watch", "--json"]);
    let before: Value = serde_json::from_str(&watching.wait_for("\"workers\":[]")).unwrap();
    assert_eq!(before["drained"], serde_json::json!(["node3-*"]));
    assert_eq!((&before["granted"], &before["done"]), (&0.into(), &finished.into()));
    babelquant(&["drain", &address, "--worker", "node3-*", "--undo"], 0);
    worker(&address, "node3-2", "16").expect(0);
    let output = coordinator.expect(0);
    assert!(!output.contains("a unit is charged"), "a drained unit was charged:\n{output}");
    same(&bytes(&study.path("drained-worker")), &expected);
}

#[test]
fn a_drained_run_goes_on_when_it_is_started_again() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("drained-run", "0");
    let worker = worker(&address, "waiting", "16");
    worker.wait_for("computing");
    let watching = start(&["status", &address, "--watch"]);
    watching.wait_for("running: ");
    let answer = babelquant(&["drain", &address], 0);
    assert!(answer.contains("1 worker will wait for it: waiting"), "{answer}");
    coordinator.expect(75);
    let port = address.rsplit(':').next().unwrap().to_owned();
    let (coordinator, _) = study.serve("drained-run", &port);
    worker.expect(0);
    coordinator.expect(0);
    let watched = watching.expect(0);
    assert!(watched.contains("complete: "), "the watch missed the end:\n{watched}");
    same(&bytes(&study.path("drained-run")), &expected);
}

#[test]
fn a_coordinator_that_moves_is_found_through_its_file() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let path = study.path("coordinator.url");
    let file = path.to_str().unwrap();
    let serve = || {
        let mut command = study.serve_command("study.toml", "moved", "0");
        let process = Process::start("coordinator", command.args(["--coordinator-file", file]));
        process.wait_for("workers find this coordinator through the file");
        process
    };
    let missing = babelquant(&["status", "--coordinator-file", file], 75);
    assert!(missing.contains("does not exist"), "{missing}");
    let worker = worker_of(&["--coordinator-file", file], "early", "4");
    worker.wait_for("waiting for the coordinator file");
    let first = serve();
    first.wait_for("committed");
    first.kill();
    assert!(path.exists(), "a killed coordinator leaves its address behind");
    worker.wait_for_more("the coordinator does not answer", 1);
    let second = serve();
    let moved = worker.wait_for("the coordinator has moved");
    assert!(moved.contains(&std::fs::read_to_string(&path).unwrap_or_default().trim().to_owned()));
    worker.expect(0);
    second.expect(0);
    assert!(!path.exists(), "the file outlived the run");
    same(&bytes(&study.path("moved")), &expected);
}

#[test]
fn status_says_what_is_true() {
    let study = Study::new();
    let (coordinator, address) = study.serve("watched", "0");
    let idle = overview(&address);
    assert_eq!((&idle["state"], &idle["done"]), (&"running".into(), &0.into()));
    assert_eq!((&idle["units_per_second"], &idle["seconds_left"]), (&Value::Null, &Value::Null));
    let watching = start(&["status", &address, "--watch", "--json"]);
    watching.wait_for("running");
    let worker = worker(&address, "only", "8");
    let registered = worker.wait_for("registered");
    let units = registered.rsplit("units=").next().unwrap().trim().parse::<u64>().unwrap();
    watching.wait_for("\"name\":\"only\"");
    worker.expect(0);
    coordinator.expect(0);
    let lines = watching.expect(0);
    let seen: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for overview in &seen {
        assert_eq!(overview["units"], units);
        let workers = overview["workers"].as_array().unwrap();
        let held: u64 = workers.iter().map(|worker| worker["held"].as_u64().unwrap()).sum();
        assert_eq!(overview["granted"], held);
        assert!(workers.iter().all(|worker| worker["accepted"] == overview["done"]), "{overview}");
        let longest = overview["longest_held"].as_array().unwrap();
        assert_eq!(longest.len() as u64, held.min(10));
        let ages: Vec<f64> =
            longest.iter().filter_map(|held| held["held_seconds"].as_f64()).collect();
        assert!(ages.is_sorted_by(|a, b| a >= b), "{ages:?}");
    }
    let last = seen.last().unwrap();
    assert_eq!((&last["state"], &last["done"]), (&"complete".into(), &units.into()));
    assert_eq!(last["quarantined"], 0);
}

#[test]
fn a_watch_of_a_run_that_is_left_unfinished_ends_so() {
    let study = Study::new();
    let (coordinator, address) = study.serve("left", "0");
    let watching = start(&["status", &address, "--watch", "--give-up", "0"]);
    watching.wait_for("running: ");
    coordinator.kill();
    let output = watching.expect(75);
    assert!(output.contains("unfinished"), "{output}");
    babelquant(&["status", &address], 75);
    babelquant(&["status", "nowhere"], 2);
}
