//! What a coordinator records of its scheduler: two coordinators in one file, one of them killed, come to the same effects when they are
//! replayed; a file that was changed, or is none, is refused.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cluster::{Study, worker};
use crate::process::babelquant_in;

#[test]
fn a_run_with_a_killed_worker_and_coordinator_replays() {
    let study = Study::new();
    let folder = study.path("");
    let events = study.path("events.jsonl");
    let flags = ["--events", events.to_str().unwrap()];
    let (coordinator, address) = study.serve_with("out", "0", &flags);
    let port = address.rsplit(':').next().unwrap().to_owned();
    let victim = worker(&address, "victim", "8");
    let steady = worker(&address, "steady", "4");
    victim.wait_for("computing");
    victim.kill();
    coordinator.wait_for("committed");
    coordinator.kill();
    let (coordinator, _) = study.serve_with("out", &port, &flags);
    steady.expect(0);
    coordinator.expect(0);

    let text = babelquant_in(&folder, &["replay", "events.jsonl"], 0);
    assert!(text.contains("of 2 coordinators had the same effects again"), "{text}");
    let replayed = babelquant_in(&folder, &["replay", "events.jsonl", "--json"], 0);
    let replayed: Value = serde_json::from_str(&replayed).unwrap();
    let number = |key: &str| replayed[key].as_u64().unwrap();
    assert!(number("inputs") > 20 && number("done") == number("units"), "{replayed}");
    changes_are_found(&folder, &fs::read_to_string(&events).unwrap());
}

/// A grant that is taken out, a line in the middle that is torn, and files that are no traces.
fn changes_are_found(folder: &Path, events: &str) {
    let granted = events.lines().position(|line| line.contains("\"grants\"")).unwrap();
    let changed = |text: String, code: i32| {
        fs::write(folder.join("changed.jsonl"), text).unwrap();
        babelquant_in(folder, &["replay", "changed.jsonl"], code)
    };
    let without = |line: &str| line.split(",\"effects\"").next().unwrap().to_owned() + "}}";
    let lines = events.lines().enumerate();
    let other: Vec<String> = lines
        .map(|(at, line)| if at == granted { without(line) } else { line.to_owned() })
        .collect();
    let said = changed(other.join("\n"), 70);
    assert!(said.contains(&format!("line {}: ", granted + 1)), "{said}");
    assert!(said.contains("was followed by nothing, and is now followed by"), "{said}");
    let torn = events.replacen("\"ask\"", "\"as", 1);
    assert!(changed(torn, 2).contains("only a coordinator that was killed tears a line"));
    assert!(changed(String::new(), 2).contains("this is no trace"));
    assert!(changed("language,r\neng,0.5\n".to_owned(), 2).contains("line 1"));
    assert!(babelquant_in(folder, &["replay", "absent.jsonl"], 2).contains("cannot read absent"));
}
