//! The rules of lending, each as a property that every step of random histories keeps: workers that lie, forget, fall silent and come back, a
//! storage that takes its time, coordinators that start again.

use super::*;

const WORKERS: [&str; 3] = ["a", "b", "c"];
const KINDS: [FailureKind; 5] = [
    FailureKind::InvalidUnit,
    FailureKind::OutOfMemory,
    FailureKind::Crash,
    FailureKind::Timeout,
    FailureKind::ModelUnavailable,
];

/// One step of a history.
struct Step<'a> {
    /// The scheduler before it, and after it.
    before: &'a Scheduler,
    after: &'a Scheduler,
    now: Duration,
    input: &'a Input,
    effects: &'a Effects,
}

/// Holds every step of many histories to a rule.
fn in_any_history(rule: impl Fn(&Step<'_>)) {
    for seed in 0..60 {
        let mut world = World::new(seed);
        for _ in 0..400 {
            let input = world.input();
            let before = world.scheduler.clone();
            let effects = world.scheduler.step(world.now, input.clone());
            let (after, now) = (&world.scheduler, world.now);
            rule(&Step { before: &before, after, now, input: &input, effects: &effects });
            world.pending.extend(effects.records);
        }
    }
}

/// A scheduler, and what its workers and its storage will do next.
struct World {
    rng: ChaCha8Rng,
    scheduler: Scheduler,
    now: Duration,
    sessions: u64,
    pending: Vec<Record>,
    durable: Vec<Record>,
}

fn geometry() -> Geometry {
    Geometry::new([(0, 1, 3), (1, 1, 2), (0, 3, 4), (1, 2, 5)])
}

impl World {
    fn new(seed: u64) -> Self {
        let (rng, scheduler) = (ChaCha8Rng::seed_from_u64(seed), Scheduler::new(geometry(), LEASE));
        let (pending, durable) = (Vec::new(), Vec::new());
        Self { rng, scheduler, now: Duration::ZERO, sessions: 0, pending, durable }
    }

    fn any<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.rng.random_range(0..of.len())])
    }

    fn input(&mut self) -> Input {
        let sessions: Vec<SessionId> = self.scheduler.sessions().collect();
        let session = self.any(&sessions);
        match (self.rng.random_range(0..20), session) {
            (0, _) | (_, None) => {
                self.sessions += 1;
                let worker = self.any(&WORKERS).unwrap().to_owned();
                let memory = self.any(&[None, Some(8), Some(16), Some(32)]).unwrap();
                let engine = self.any(&[None, Some("cpu"), Some("gpu")]).unwrap();
                let engine = engine.map(str::to_owned);
                Input::Join { session: SessionId(self.sessions), worker, memory, engine }
            }
            (1, _) => {
                self.restart();
                Input::Tick
            }
            (2 | 3, _) => {
                self.now += Duration::from_secs(self.rng.random_range(0..20));
                Input::Tick
            }
            (4..=7, _) => {
                let count = self.rng.random_range(0..=self.pending.len());
                let records: Vec<Record> = self.pending.drain(..count).collect();
                self.durable.extend(records.clone());
                Input::Durable(records)
            }
            (8..=11, Some(session)) => Input::Ask { session, want: self.rng.random_range(0..4) },
            (_, Some(session)) => Input::Report(self.report(session)),
        }
    }

    /// What a worker says of the units that it holds, and of others.
    fn report(&mut self, session: SessionId) -> Report {
        let mut units: Vec<u64> = self.held(session);
        if self.rng.random_bool(0.2) {
            let other = self.rng.random_range(0..geometry().units() + 2);
            units.retain(|unit| *unit != other);
            units.push(other);
        }
        let mut report = quiet(session.0, &[]);
        report.draining = self.rng.random_bool(0.02);
        for unit in units.into_iter().map(UnitIndex) {
            match self.rng.random_range(0..10) {
                0..=4 => report.holding.push(unit),
                5 | 6 => report.finished.push(unit),
                7 => report.failures.push((unit, self.any(&KINDS).unwrap())),
                8 => report.released.push(unit),
                // It does not know of it: the grant was lost.
                _ => {}
            }
        }
        report
    }

    fn held(&self, session: SessionId) -> Vec<u64> {
        let held = self.scheduler.sessions.get(session).map(|session| &session.held);
        held.into_iter().flatten().copied().collect()
    }

    /// What is not durable is lost, and nobody has a session.
    fn restart(&mut self) {
        self.pending.clear();
        self.scheduler =
            Scheduler::restore(geometry(), LEASE, Duration::ZERO, self.durable.clone(), []);
    }
}

fn all() -> impl Iterator<Item = UnitIndex> {
    (0..geometry().units()).map(UnitIndex)
}

#[test]
fn every_kind_of_failure_has_its_own_consequence() {
    in_any_history(|Step { before, after, input, effects, .. }| {
        let Input::Report(report) = input else { return };
        for &(unit, kind) in &report.failures {
            let id = report.session;
            let is_alone = before.sessions.held_since(id, unit.0).is_some()
                && !before.sessions.is_shared(unit.0);
            let of_unit: Vec<&Record> =
                effects.records.iter().filter(|record| record.unit() == unit).collect();
            let is_reported = |fault: &Fault| *fault == Fault::Reported(kind);
            match (is_alone, kind) {
                (false, _) => assert!(of_unit.is_empty(), "{of_unit:?}"),
                (true, FailureKind::InvalidUnit) => {
                    let [Record::Quarantine { fault, .. }] = of_unit[..] else {
                        panic!("{of_unit:?}")
                    };
                    assert!(is_reported(fault));
                }
                (true, FailureKind::OutOfMemory | FailureKind::Crash | FailureKind::Timeout) => {
                    let worker = &before.sessions.get(id).unwrap().worker;
                    match of_unit[..] {
                        [Record::Charge { worker: charged, fault, .. }] => {
                            assert!(charged == worker && is_reported(fault));
                        }
                        [Record::Quarantine { fault, .. }] => assert!(is_reported(fault)),
                        _ => panic!("{of_unit:?}"),
                    }
                }
                (true, FailureKind::ModelUnavailable) => {
                    assert!(of_unit.is_empty(), "{of_unit:?}");
                    let model = before.pool.model(unit.0);
                    let stays = after.sessions.get(id);
                    assert!(stays.is_none_or(|session| session.missing.contains(&model)));
                }
            }
        }
    });
}

#[test]
fn whoever_leaves_in_order_charges_nobody() {
    in_any_history(|Step { before, now, input, effects, .. }| {
        if **input != Input::Tick {
            return;
        }
        let silent = |unit: UnitIndex| {
            let silent = before.sessions.silent(*now, LEASE).into_iter();
            let holders = silent.filter_map(|id| before.sessions.get(id));
            holders.filter(|session| session.held.contains(&unit.0)).any(|one| !one.draining)
        };
        assert!(effects.records.iter().all(|record| silent(record.unit())), "{effects:?}");
    });
}

#[test]
fn a_failure_counts_from_a_holder_and_a_result_from_anybody() {
    in_any_history(|Step { before, input, effects, .. }| {
        let Input::Report(report) = input else { return };
        for &unit in &report.finished {
            let counts =
                before.standing(unit) == Standing::Open && !before.withheld.contains_key(&unit.0);
            let done = effects.records.iter().filter(|record| **record == Record::Done { unit });
            assert_eq!(done.count(), usize::from(counts), "{unit}");
        }
        let holds = |unit: UnitIndex| before.sessions.held_since(report.session, unit.0).is_some();
        for record in &effects.records {
            let is_result = matches!(record, Record::Done { .. });
            assert!(is_result || holds(record.unit()), "{record:?}");
        }
    });
}

#[test]
fn nothing_is_closed_before_its_record_is_durable() {
    in_any_history(|Step { before, after, input, .. }| {
        for unit in all().filter(|unit| before.standing(*unit) != after.standing(*unit)) {
            let Input::Durable(records) = input else { panic!("{unit} is closed by {input:?}") };
            let closing = records.iter().filter(|record| record.unit() == unit);
            assert!(closing.clone().any(|record| !matches!(record, Record::Charge { .. })));
        }
    });
}

#[test]
fn every_unit_is_in_one_place() {
    in_any_history(|Step { after, .. }| {
        for UnitIndex(unit) in all() {
            let is_closed = after.pool.is_closed(unit);
            let is_withheld = after.withheld.contains_key(&unit);
            let is_held = after.sessions.is_held(unit);
            let is_free = !after.pool.is_taken(unit);
            let waits = !is_closed && !is_withheld && !is_held && !is_free;
            let places = [is_closed, is_withheld, is_held, is_free, waits];
            assert_eq!(places.iter().filter(|is| **is).count(), 1, "{unit}: {places:?}");
            assert!(!waits || after.charges.is_suspect(unit), "nobody will ever get {unit}");
        }
        assert_eq!(
            after.open() + after.done() + after.quarantined.len() as u64,
            geometry().units()
        );
    });
}

#[test]
fn what_is_closed_stays_closed_and_is_never_lent() {
    in_any_history(|Step { before, after, effects, .. }| {
        for unit in all().filter(|unit| before.standing(*unit) != Standing::Open) {
            assert_eq!(after.standing(unit), before.standing(unit), "{unit}");
            assert!(!effects.grants.contains(&unit), "{unit}");
            assert!(effects.records.iter().all(|record| record.unit() != unit), "{effects:?}");
        }
    });
}

#[test]
fn a_unit_is_lent_to_two_workers_at_most_and_never_twice_to_one() {
    in_any_history(|Step { before, input, effects, .. }| {
        let Input::Ask { session, want } = **input else {
            assert!(effects.grants.is_empty(), "{input:?}");
            return;
        };
        assert!(effects.grants.len() as u64 <= u64::from(want));
        for unit in &effects.grants {
            assert!(before.sessions.held_since(session, unit.0).is_none(), "{unit}");
            assert!(!before.sessions.is_shared(unit.0), "{unit}");
            assert!(!before.withheld.contains_key(&unit.0), "{unit}");
        }
    });
}

#[test]
fn what_ran_out_of_memory_goes_to_a_larger_worker_while_there_is_one() {
    in_any_history(|Step { before, input, effects, .. }| {
        let Input::Ask { session, .. } = **input else { return };
        let asking = before.sessions.get(session);
        for unit in &effects.grants {
            let Some(too_little) = before.charges.too_little(unit.0) else { continue };
            let is_larger = |one: &Session| one.memory.is_none_or(|bytes| bytes > too_little);
            let model = before.pool.model(unit.0);
            let larger = before.sessions.working().find(|one| {
                is_larger(one)
                    && !one.missing.contains(&model)
                    && !before.charges.broke_on_alone(unit.0, &one.worker)
            });
            assert!(asking.is_some_and(is_larger) || larger.is_none(), "{unit}: {larger:?}");
        }
    });
}

#[test]
fn the_larger_worker_is_waited_for_and_its_absence_is_not() {
    let mut bench = Bench::new(&[], &[(0, 1, 1)]);
    for (id, worker, memory) in [(0, "small", 8), (1, "equal", 8), (2, "large", 16)] {
        let (session, worker) = (SessionId(id), worker.to_owned());
        bench.step(0, Input::Join { session, worker, memory: Some(memory), engine: None });
    }
    assert_eq!(bench.ask(0, 1), [0]);
    bench.fail(0, 0, FailureKind::OutOfMemory);
    assert_eq!(bench.ask(1, 1), [] as [u64; 0], "it has no more memory than the first");
    assert_eq!(bench.ask(2, 1), [0]);
    bench.step(0, Input::Report(Report { released: units([0]), draining: true, ..quiet(2, &[]) }));
    assert_eq!(bench.ask(1, 1), [0], "the large one has left");
}

#[test]
fn whoever_comes_to_another_engine_shares_a_lane_of_documents_with_it_once() {
    let mut bench = Bench::new(&[], &[(0, 1, 2), (0, 8, 4)]);
    for (id, engine) in [(0, "cpu"), (1, "gpu"), (2, "cpu")] {
        let (session, worker) = (SessionId(id), id.to_string());
        let engine = Some(engine.to_owned());
        bench.step(0, Input::Join { session, worker, memory: None, engine });
    }
    assert_eq!(bench.ask(0, 1), [0], "a unit on the weights, which nobody can share");
    assert_eq!(bench.ask(1, 2), [1, 2]);
    assert_eq!(bench.ask(0, 1), [9], "the tail of the lane of the other engine");
    assert_eq!(bench.ask(1, 2), [3, 4], "who is there stays");
    assert_eq!(bench.ask(2, 2), [8, 7], "so does the next of that class");
    assert_eq!(bench.ask(0, 4), [6, 5, 10, 11], "then each goes its way");
}
