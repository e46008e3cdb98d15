//! The scheduler's rules by example, each under its name. Not its speed and size (`tests/scheduler_scale.rs`).

mod history;
mod rules;
mod stragglers;

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use babelquant_proto::FailureKind;

use super::*;

const LEASE: Duration = Duration::from_secs(15);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn units(numbers: impl IntoIterator<Item = u64>) -> Vec<UnitIndex> {
    numbers.into_iter().map(UnitIndex).collect()
}

fn quiet(session: u64, holding: &[u64]) -> Report {
    Report {
        session: SessionId(session),
        holding: units(holding.iter().copied()),
        finished: Vec::new(),
        failures: Vec::new(),
        released: Vec::new(),
        draining: false,
    }
}

/// A scheduler in which every record is durable at once.
struct Bench {
    scheduler: Scheduler,
    records: Vec<Record>,
}

impl Bench {
    fn new(workers: &[&str], blocks: &[(usize, u64, u64)]) -> Self {
        let scheduler = Scheduler::new(Geometry::new(blocks.iter().copied()), LEASE);
        let mut bench = Self { scheduler, records: Vec::new() };
        for (session, worker) in (0..).zip(workers) {
            bench.join(session, worker);
        }
        bench
    }

    fn join(&mut self, session: u64, worker: &str) {
        let worker = worker.to_owned();
        self.step(
            0,
            Input::Join { session: SessionId(session), worker, memory: None, engine: None },
        );
    }

    fn step(&mut self, seconds: u64, input: Input) -> Effects {
        let effects = self.scheduler.step(at(seconds), input);
        for record in &effects.records {
            self.scheduler.step(at(seconds), Input::Durable(vec![record.clone()]));
        }
        self.records.extend(effects.records.iter().cloned());
        effects
    }

    fn ask(&mut self, session: u64, want: u32) -> Vec<u64> {
        let effects = self.step(0, Input::Ask { session: SessionId(session), want });
        effects.grants.iter().map(|unit| unit.0).collect()
    }

    fn fail(&mut self, session: u64, unit: u64, kind: FailureKind) -> Vec<Record> {
        let failures = vec![(UnitIndex(unit), kind)];
        self.step(0, Input::Report(Report { failures, ..quiet(session, &[]) })).records
    }

    fn standing(&self, unit: u64) -> Standing {
        self.scheduler.standing(UnitIndex(unit))
    }
}

#[test]
fn a_lost_grant_is_healed_by_the_next_report() {
    let mut bench = Bench::new(&["a"], &[(0, 3, 1)]);
    assert_eq!(bench.ask(0, 2), [0, 1]);
    bench.step(1, Input::Report(quiet(0, &[0])));
    assert_eq!(bench.ask(0, 2), [1, 2], "unit 1 was lost on the way");
}

#[test]
fn a_unit_is_withheld_until_its_record_is_durable() {
    let mut bench = Bench::new(&["a", "b"], &[(0, 1, 1)]);
    bench.ask(0, 1);
    let failed = Report { failures: vec![(UnitIndex(0), FailureKind::Crash)], ..quiet(0, &[]) };
    let effects = bench.scheduler.step(at(1), Input::Report(failed));
    assert_eq!(bench.ask(1, 1), [0; 0]);
    for record in effects.records {
        bench.scheduler.step(at(1), Input::Durable(vec![record]));
    }
    assert_eq!(bench.ask(1, 1), [0]);
}

#[test]
fn a_silent_worker_loses_its_grants_and_is_charged() {
    let mut bench = Bench::new(&["a", "b"], &[(0, 2, 1)]);
    bench.ask(0, 2);
    bench.step(10, Input::Report(quiet(1, &[])));
    assert_eq!(bench.step(15, Input::Tick).records, []);
    let records = bench.step(16, Input::Tick).records;
    let charge = |unit| Record::Charge {
        unit: UnitIndex(unit),
        worker: "a".to_owned(),
        fault: Fault::LeaseLost,
    };
    assert_eq!(records, [charge(0), charge(1)]);
    assert!(!bench.scheduler.knows(SessionId(0)));
    assert_eq!(bench.ask(1, 2), [0, 1]);
}

#[test]
fn a_draining_worker_is_never_charged() {
    let mut bench = Bench::new(&["a"], &[(0, 2, 1)]);
    bench.ask(0, 2);
    let released = units([0]);
    let leaving = Report { released, draining: true, ..quiet(0, &[1]) };
    bench.step(1, Input::Report(leaving));
    assert_eq!(bench.ask(0, 1), [0; 0]);
    assert_eq!(bench.step(100, Input::Tick).records, []);
    bench.join(1, "b");
    assert_eq!(bench.ask(1, 2), [0, 1]);
}

#[test]
fn workers_that_fall_silent_together_do_not_quarantine_for_want_of_others() {
    let mut bench = Bench::new(&["a", "b"], &[(0, 1, 1)]);
    for _ in 0..2 {
        assert_eq!(bench.ask(0, 1), [0]);
        bench.fail(0, 0, FailureKind::Crash);
    }
    assert_eq!(bench.ask(1, 1), [0]);
    bench.step(1, Input::Report(Report { released: units([0]), ..quiet(1, &[]) }));
    let mut bench = Bench::new(&["a", "b"], &[(0, 1, 1)]);
    for round in 0..3 {
        let session = 10 * round;
        bench.join(session, "a");
        bench.join(session + 1, "b");
        bench.step(100 * round, Input::Report(quiet(session, &[])));
        bench.step(100 * round, Input::Report(quiet(session + 1, &[])));
        let (session, want) = (SessionId(session), 1);
        bench.step(100 * round, Input::Ask { session, want });
        bench.step(100 * round + 50, Input::Tick);
    }
    assert_eq!(bench.standing(0), Standing::Open, "it broke on a alone, and b was there");
}

#[test]
fn an_invalid_unit_is_quarantined_at_once() {
    let mut bench = Bench::new(&["a"], &[(0, 1, 1)]);
    bench.ask(0, 1);
    bench.fail(0, 0, FailureKind::InvalidUnit);
    assert!(matches!(bench.standing(0), Standing::Quarantined(_)));
    assert_eq!((bench.scheduler.open(), bench.scheduler.done()), (0, 0));
}

#[test]
fn three_charges_quarantine_on_two_workers_where_two_are_alive() {
    let mut bench = Bench::new(&["a", "b"], &[(0, 1, 1)]);
    for _ in 0..2 {
        assert_eq!(bench.ask(0, 1), [0]);
        bench.fail(0, 0, FailureKind::Crash);
    }
    assert_eq!(bench.ask(0, 1), [0; 0], "it broke on a twice, and b is alive");
    assert_eq!(bench.ask(1, 1), [0]);
    bench.fail(1, 0, FailureKind::Timeout);
    assert!(matches!(bench.standing(0), Standing::Quarantined(_)));
}

#[test]
fn three_charges_quarantine_where_one_worker_is_alive() {
    let mut bench = Bench::new(&["a"], &[(0, 2, 1)]);
    assert_eq!(bench.ask(0, 1), [0]);
    bench.fail(0, 0, FailureKind::OutOfMemory);
    assert_eq!(bench.ask(0, 5), [1], "what ran out of memory comes last and alone");
    bench.step(1, Input::Report(Report { finished: units([1]), ..quiet(0, &[]) }));
    for _ in 0..2 {
        assert_eq!(bench.ask(0, 5), [0]);
        assert_eq!(bench.ask(0, 5), [0; 0], "a suspect is alone");
        bench.fail(0, 0, FailureKind::Crash);
    }
    assert!(matches!(bench.standing(0), Standing::Quarantined(_)));
    assert_eq!(bench.scheduler.open(), 0);
}

#[test]
fn a_missing_model_costs_the_worker_not_the_unit() {
    let mut bench = Bench::new(&["a", "b"], &[(0, 1, 2), (1, 1, 1)]);
    assert_eq!(bench.ask(0, 1), [0]);
    assert_eq!(bench.fail(0, 0, FailureKind::ModelUnavailable), []);
    assert_eq!(bench.ask(0, 5), [2]);
    assert_eq!(bench.ask(1, 5), [0, 1]);
}

#[test]
fn a_returning_worker_keeps_what_it_holds() {
    let mut bench = Bench::new(&["a", "b"], &[(0, 4, 1)]);
    bench.scheduler.step(at(0), Input::Durable(vec![Record::Done { unit: UnitIndex(0) }]));
    assert_eq!(bench.ask(1, 1), [1]);
    let effects = bench.step(1, Input::Report(quiet(0, &[0, 1, 2, 99])));
    assert_eq!(effects.revoked, units([0, 1, 99]), "done, another's, unknown");
    assert_eq!(bench.ask(1, 5), [3]);
}

#[test]
fn the_first_result_wins_whoever_sends_it() {
    let mut bench = Bench::new(&["a", "b"], &[(0, 1, 1)]);
    assert_eq!(bench.ask(0, 1), [0]);
    let finished = || units([0]);
    let report = Report { finished: finished(), ..quiet(1, &[]) };
    assert_eq!(bench.step(1, Input::Report(report)).records, [Record::Done { unit: UnitIndex(0) }]);
    let late = Report { finished: finished(), ..quiet(0, &[0]) };
    let effects = bench.step(2, Input::Report(late));
    assert_eq!((effects.records, effects.revoked), (vec![], finished()));
}

#[test]
fn a_drained_worker_gets_nothing_now_and_when_it_comes_again() {
    let mut bench = Bench::new(&["node3-0", "node4-0"], &[(0, 6, 1)]);
    let node3 = || glob::Pattern::new("node3-*").unwrap();
    assert_eq!(bench.ask(0, 2), [0, 1]);
    bench.step(1, Input::Drain(node3()));
    assert!(bench.scheduler.is_drained(SessionId(0)) && !bench.scheduler.is_drained(SessionId(1)));
    assert_eq!(bench.ask(0, 2), [0; 0]);
    let leaving = Report { released: units([1]), draining: true, ..quiet(0, &[0]) };
    assert_eq!(bench.step(2, Input::Report(leaving)).records, []);
    let last = Report { finished: units([0]), draining: true, ..quiet(0, &[0]) };
    bench.step(3, Input::Report(last));
    assert!(bench.scheduler.knows(SessionId(0)), "it has not heard what became of its result");
    bench.step(3, Input::Report(Report { draining: true, ..quiet(0, &[]) }));
    assert!(!bench.scheduler.knows(SessionId(0)), "a worker that is gone is not waited for");
    bench.join(2, "node3-1");
    assert_eq!(bench.ask(2, 1), [0; 0]);
    assert_eq!(bench.ask(1, 2), [1, 2]);
    bench.step(4, Input::Undrain(node3()));
    assert_eq!(bench.ask(2, 1), [5]);
    assert_eq!(bench.records, [Record::Done { unit: UnitIndex(0) }], "nothing is charged");
}

#[test]
fn a_drained_worker_does_not_keep_a_unit_from_its_quarantine() {
    let mut bench = Bench::new(&["a", "b"], &[(0, 1, 1)]);
    bench.step(0, Input::Drain(glob::Pattern::new("b").unwrap()));
    for _ in 0..3 {
        assert_eq!(bench.ask(0, 1), [0], "b is there, but takes no work");
        bench.fail(0, 0, FailureKind::Crash);
    }
    assert!(matches!(bench.standing(0), Standing::Quarantined(_)));
}

#[test]
fn what_is_shown_is_who_holds_what_since_when_and_how_fast() {
    let mut bench = Bench::new(&["a", "b"], &[(0, 9, 1), (0, 9, 1)]);
    let ask = |session, want| Input::Ask { session: SessionId(session), want };
    let granted = bench.step(10, ask(0, 2)).grants;
    assert_eq!(granted, units([0, 1]));
    let granted = bench.step(30, ask(1, 2)).grants;
    assert_eq!(granted, units([9, 10]));
    let report = Report { finished: units([0]), ..quiet(0, &[0, 1]) };
    bench.step(40, Input::Report(report));
    let longest = |most| -> Vec<(u64, String, u64)> {
        let longest = bench.scheduler.longest_held(at(50), most).into_iter();
        longest.map(|lent| (lent.unit.0, lent.worker.to_owned(), lent.held.as_secs())).collect()
    };
    let (a, b) = (|| "a".to_owned(), || "b".to_owned());
    assert_eq!(longest(2), [(1, a(), 40), (9, b(), 20)]);
    assert_eq!(longest(9), [(1, a(), 40), (9, b(), 20), (10, b(), 20)]);
    let presences: Vec<_> = bench.scheduler.presences(at(50)).collect();
    let shown = presences.iter().map(|p| (p.worker, p.held, p.accepted, p.silent.as_secs()));
    assert_eq!(shown.collect::<Vec<_>>(), [("a", 1, 1, 10), ("b", 2, 0, 50)]);
    assert_eq!((presences[0].per_second, presences[1].per_second), (Some(1.0 / 50.0), None));
    assert_eq!(bench.scheduler.per_second(at(50)), Some(1.0 / 50.0));
    let late = Input::Durable(vec![Record::Done { unit: UnitIndex(11) }]);
    bench.step(50, late);
    assert_eq!(bench.scheduler.per_second(at(50)), Some(1.0 / 50.0), "a record is no new result");
}
