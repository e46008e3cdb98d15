//! Traces replayed: to the same effects, from one coordinator to the next, and what is no trace.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use babelquant_proto::FailureKind;
use babelquant_proto::message::Session;

use super::super::geometry::Geometry;
use super::super::trace::{Sink, Traced, stopped};
use super::super::{Fault, Input, Record, Report};
use super::*;

const LEASE: Duration = Duration::from_secs(15);

/// Lines as they are recorded.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn sink(&self) -> Option<Sink> {
        let lines = Arc::clone(&self.0);
        Some(Box::new(move |line| lines.lock().unwrap().push(line)))
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn opening(epoch: u64, records: Vec<Record>, closed: Vec<Range<u64>>) -> Opening {
    let geometry = Geometry::new([(0, 1, 2), (0, 8, 4), (1, 8, 4)]);
    let returning = if epoch == 1 { Duration::ZERO } else { LEASE };
    let run = (Digest::of(b"run"), epoch);
    Opening::new(run, &geometry, (LEASE, returning), records, closed)
}

fn report(session: u64, holding: Vec<UnitIndex>, finished: Vec<UnitIndex>) -> Report {
    let (failures, released) = (Vec::new(), Vec::new());
    Report { session: Session(session), holding, finished, failures, released, draining: false }
}

/// A worker that finishes the first of each of its grants, breaks on the second, gives the third back and falls silent; returns what became
/// durable. Every input occurs.
fn serve(traced: &mut Traced) -> Vec<Record> {
    let mut durable = Vec::new();
    let worker = "one \"two\"".to_owned();
    traced.step(at(0), Input::Join { session: Session(1), worker, memory: None, engine: None });
    traced.step(at(1), Input::Drain("gpu-*".parse().unwrap()));
    for round in 0..5 {
        let now = at(10 * round + 2);
        let held = traced.step(now, Input::Ask { session: Session(1), want: 3 }).grants;
        let mut said = report(1, Vec::new(), held[..1].to_vec());
        said.failures = held[1..2].iter().map(|&unit| (unit, FailureKind::Crash)).collect();
        said.released = held[2..].to_vec();
        let records = traced.step(now, Input::Report(said)).records;
        durable.extend(records.clone());
        traced.step(now, Input::Durable(records));
    }
    traced.step(at(60), Input::Undrain("gpu-*".parse().unwrap()));
    traced.step(at(61), Input::Ask { session: Session(1), want: 64 });
    let records = traced.step(at(20_000), Input::Tick).records;
    assert!(!records.is_empty(), "a silent worker's units are charged");
    durable.extend(records.clone());
    traced.step(at(20_001), Input::Durable(records));
    durable
}

fn replay(lines: &[String]) -> Result<Replayed, ReplayError> {
    let mut replay = Replay::default();
    lines.iter().try_for_each(|line| replay.line(line))?;
    replay.finish()
}

/// The lines of two coordinators, the first of which is killed.
fn lines() -> Vec<String> {
    let lines = Lines::default();
    let durable =
        serve(&mut Traced::open(opening(1, Vec::new(), Vec::new()), lines.sink()).unwrap());
    let mut second = Traced::open(opening(2, durable, Vec::new()), lines.sink()).unwrap();
    second.step(
        at(0),
        Input::Join { session: Session(2), worker: "w".to_owned(), memory: Some(5), engine: None },
    );
    second.step(at(1), Input::Ask { session: Session(2), want: 2 });
    lines.all()
}

#[test]
fn the_same_inputs_have_the_same_effects() {
    let lines = lines();
    let replayed = replay(&lines).unwrap();
    assert_eq!((replayed.segments, replayed.inputs), (2, lines.len() as u64 - 2));
    assert_eq!((replayed.units, replayed.granted, replayed.torn), (66, 2, 0));
    assert!(replayed.done >= 3 && replayed.stopped.is_none(), "{replayed:?}");
}

#[test]
fn a_trace_is_short_and_does_without_a_sink() {
    let lines = lines();
    let ask = lines.iter().find(|line| line.contains("\"want\":64")).unwrap();
    assert!(ask.len() < 140 && ask.contains("\"grants\":\""), "{ask}");
    let mut silent = Traced::open(opening(1, Vec::new(), Vec::new()), None).unwrap();
    assert_eq!(serve(&mut silent).len(), serve_recorded());
}

fn serve_recorded() -> usize {
    let sink = Lines::default().sink();
    serve(&mut Traced::open(opening(1, Vec::new(), Vec::new()), sink).unwrap()).len()
}

#[test]
fn another_effect_is_named_with_its_line() {
    let mut lines = lines();
    let at = lines.iter().position(|line| line.contains("\"grants\":\"0-")).unwrap();
    lines[at] = lines[at].replace("\"grants\":\"0-", "\"grants\":\"9,0-");
    let error = replay(&lines).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, ReplayError::Difference { line, .. } if line == at as u64 + 1),
        "{text}"
    );
    assert!(text.contains("ask") && text.contains("9,0-"), "{text}");
}

#[test]
fn a_restart_must_know_what_was_durable() {
    let lines = Lines::default();
    let mut first = Traced::open(opening(1, Vec::new(), Vec::new()), lines.sink()).unwrap();
    first.step(at(0), Input::Durable(vec![Record::Done { unit: UnitIndex(7) }]));
    let quarantined = Record::Quarantine { unit: UnitIndex(9), fault: Fault::LeaseLost };
    first.step(at(0), Input::Durable(vec![quarantined.clone()]));
    drop(Traced::open(opening(2, vec![quarantined], vec![7..8, 8..9]), lines.sink()).unwrap());
    assert_eq!(replay(&lines.all()).unwrap().done, 2);
    drop(Traced::open(opening(3, Vec::new(), vec![8..9, 9..10]), lines.sink()).unwrap());
    let error = replay(&lines.all()).unwrap_err();
    assert!(matches!(error, ReplayError::Forgotten { unit: 7, epoch: 3, .. }), "{error}");
}

#[test]
fn a_line_may_be_torn_only_where_a_coordinator_was_killed() {
    let whole = lines();
    let second = whole.iter().rposition(|line| line.contains("\"open\"")).unwrap();
    let mut killed = whole.clone();
    killed[second - 1].truncate(20);
    killed.last_mut().unwrap().truncate(9);
    let replayed = replay(&killed).unwrap();
    assert_eq!((replayed.segments, replayed.torn), (2, 2));
    let mut damaged = whole;
    damaged[2].truncate(20);
    let error = replay(&damaged).unwrap_err().to_string();
    assert!(error.starts_with("line 3: ") && error.contains("does not open another"), "{error}");
}

#[test]
fn a_trace_that_stopped_says_so() {
    let mut lines = lines();
    lines.push(stopped("the disk is full"));
    assert_eq!(replay(&lines).unwrap().stopped.as_deref(), Some("the disk is full"));
    let more = lines[1].clone();
    lines.push(more);
    assert!(replay(&lines).unwrap_err().to_string().contains("nothing is open"));
}

/// The second coordinator finds no room behind a line that the first left torn.
#[test]
fn a_trace_may_stop_behind_a_torn_line() {
    let mut lines = lines();
    lines.last_mut().unwrap().truncate(9);
    lines.push(stopped("the file has its largest size"));
    let replayed = replay(&lines).unwrap();
    assert_eq!((replayed.torn, replayed.stopped.is_some()), (1, true));
}

#[test]
fn another_run_in_the_same_file_is_no_bug_of_the_scheduler() {
    let lines = Lines::default();
    let mut first = Traced::open(opening(1, Vec::new(), Vec::new()), lines.sink()).unwrap();
    first.step(at(0), Input::Durable(vec![Record::Done { unit: UnitIndex(7) }]));
    drop(Traced::open(opening(1, Vec::new(), Vec::new()), lines.sink()).unwrap());
    let error = replay(&lines.all()).unwrap_err();
    assert!(matches!(error, ReplayError::Malformed { line: 3, .. }), "{error}");
    assert!(error.to_string().contains("each output needs a file of its own"), "{error}");
}

#[test]
fn what_makes_no_scheduler_is_refused() {
    let spelled = serde_json::to_value(Line::Open(opening(1, Vec::new(), Vec::new()))).unwrap();
    let with = |key: &str, value: serde_json::Value| {
        let mut spelled = spelled.clone();
        spelled["open"][key] = value;
        replay(&[spelled.to_string()]).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with("epoch", 1.into()), Ok(()));
    for (key, value, part) in [
        ("version", serde_json::json!(1), "version 1"),
        ("blocks", serde_json::json!([[0, 0, 1]]), "no study's"),
        ("blocks", serde_json::json!([[0, u64::MAX, 2]]), "no study's"),
        ("blocks", serde_json::json!([[0, 1 << 30, 1 << 30]]), "no study's"),
        ("closed", serde_json::json!([{"start": 60, "end": 67}]), "60..67"),
        ("closed", serde_json::json!([{"start": 7, "end": 6}]), "7..6"),
        ("records", serde_json::json!(["66"]), "unit 66"),
    ] {
        let said = with(key, value).unwrap_err();
        assert!(said.contains(part), "{said}");
    }
    assert!(replay(&[]).unwrap_err().to_string().contains("no trace"));
    assert!(replay(&["{}".to_owned()]).unwrap_err().to_string().contains("no trace"));
}
