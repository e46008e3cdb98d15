//! Random histories to their ends: whatever happens, every unit is closed, and once. What each step keeps to stands in `rules`.

use super::*;

/// A random history of four workers: results, failures, lost messages, silence, restarts. In the end every unit is done or
/// quarantined exactly once, and no grant ever names a closed unit or one that a live session holds.
fn history(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let blocks = [(0, 1, 3), (1, 1, 2), (0, 5, 6), (1, 3, 7)];
    let mut bench = Bench::new(&["a", "b", "c", "d"], &blocks);
    let mut held: BTreeMap<u64, BTreeSet<u64>> = (0..4).map(|id| (id, BTreeSet::new())).collect();
    let names = ["a", "b", "c", "d"];
    let (mut now, mut next_session) = (0, 4);
    while bench.scheduler.open() > 0 {
        now += rng.random_range(0..3);
        assert!(now < 100_000, "seed {seed}: no progress");
        if rng.random_bool(0.01) {
            let mut scheduler = Scheduler::new(Geometry::new(blocks), LEASE);
            for record in &bench.records {
                scheduler.step(at(now), Input::Durable(vec![record.clone()]));
            }
            bench.scheduler = scheduler;
        }
        let id = *held.keys().nth(rng.random_range(0..held.len())).unwrap();
        if !bench.scheduler.knows(SessionId(id)) {
            let units = held.remove(&id).unwrap();
            let name = names[rng.random_range(0..4)];
            bench.join(next_session, name);
            held.insert(next_session, if rng.random_bool(0.5) { units } else { BTreeSet::new() });
            next_session += 1;
            continue;
        }
        if rng.random_bool(0.1) {
            now += 10;
            bench.step(now, Input::Tick);
            continue;
        }
        let mine = held.get_mut(&id).unwrap();
        let mut report = quiet(id, &mine.iter().copied().collect::<Vec<_>>());
        if let Some(&unit) = mine.iter().next() {
            match rng.random_range(0..20) {
                0 => report.failures.push((UnitIndex(unit), FailureKind::Crash)),
                1 => report.failures.push((UnitIndex(unit), FailureKind::OutOfMemory)),
                2 => report.released.push(UnitIndex(unit)),
                3 if bench.scheduler.model_is_spare(id, unit) => {
                    report.failures.push((UnitIndex(unit), FailureKind::ModelUnavailable));
                }
                _ => report.finished.push(UnitIndex(unit)),
            }
            mine.remove(&unit);
            report.holding.retain(|held| held.0 != unit);
        }
        for unit in bench.step(now, Input::Report(report)).revoked {
            mine.remove(&unit.0);
        }
        let grants = bench.ask(id, rng.random_range(0..4));
        for &unit in &grants {
            assert_eq!(bench.standing(unit), Standing::Open, "seed {seed}");
        }
        let lost = rng.random_bool(0.05);
        mine.extend(grants.into_iter().filter(|_| !lost));
    }
    let closing = bench.records.iter().filter(|record| !matches!(record, Record::Charge { .. }));
    let closed: Vec<u64> = closing.map(|record| record.unit().0).collect();
    assert_eq!(closed.len() as u64, bench.scheduler.pool.units(), "seed {seed}");
    assert_eq!(closed.iter().collect::<BTreeSet<_>>().len(), closed.len(), "seed {seed}");
}

impl Scheduler {
    /// True where another live worker could compute units of this unit's model, so that a history can end.
    fn model_is_spare(&self, id: u64, unit: u64) -> bool {
        let model = self.pool.model(unit);
        (0..10_000).map(SessionId).filter(|other| other.0 != id).any(|other| {
            self.sessions.get(other).is_some_and(|session| !session.missing.contains(&model))
        })
    }
}

#[test]
fn every_unit_is_closed_exactly_once_in_any_history() {
    (0..300).for_each(history);
}
