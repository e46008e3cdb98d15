//! Units that are held too long, and a second worker beside the first.

use super::*;

#[test]
fn a_straggler_is_tried_by_one_idle_worker_and_the_first_result_wins() {
    let mut bench = Bench::new(&["slow", "slow", "b", "c"], &[(0, 3, 1)]);
    bench.scheduler.lease = Duration::from_secs(3600);
    let ask = |bench: &mut Bench, now, session| {
        let session = SessionId(session);
        bench.step(now, Input::Tick);
        units_of(&bench.step(now, Input::Ask { session, want: 2 }).grants)
    };
    assert_eq!(ask(&mut bench, 0, 0), [0, 1]);
    assert_eq!(ask(&mut bench, 31, 2), [2], "what nobody holds comes first");
    let finished = Report { finished: units([2]), ..quiet(2, &[2]) };
    bench.step(71, Input::Report(finished));
    assert_eq!(ask(&mut bench, 80, 2), [0; 0], "80 s is less than twice the usual 40 s");
    assert_eq!(ask(&mut bench, 120, 1), [0; 0], "it is the slow worker's other session");
    assert_eq!(ask(&mut bench, 120, 2), [0]);
    assert_eq!(ask(&mut bench, 120, 2), [0; 0], "one at a time");
    assert_eq!(ask(&mut bench, 120, 3), [1], "unit 0 has two already");
    assert_eq!((bench.scheduler.granted(), bench.scheduler.open()), (2, 2));
    let first = Report { finished: units([0]), ..quiet(2, &[0]) };
    assert_eq!(
        bench.step(121, Input::Report(first)).records,
        [Record::Done { unit: UnitIndex(0) }]
    );
    let loser = bench.step(122, Input::Report(quiet(0, &[0, 1])));
    assert_eq!((loser.revoked, loser.records), (units([0]), vec![]));
    // Whoever gives up leaves the unit to the other.
    bench.step(123, Input::Report(Report { released: units([1]), ..quiet(0, &[]) }));
    assert_eq!((ask(&mut bench, 123, 2), bench.scheduler.granted()), (vec![], 1));
    bench.step(124, Input::Report(Report { finished: units([1]), ..quiet(3, &[1]) }));
    assert_eq!((bench.scheduler.open(), bench.scheduler.granted()), (0, 0));
}

/// Neither its failure nor its silence is charged to the unit, whose first holder goes on; and nobody tries beside it again.
#[test]
fn a_second_try_that_fails_does_the_first_no_harm() {
    for kind in [Some(FailureKind::InvalidUnit), Some(FailureKind::OutOfMemory), None] {
        let mut bench = Bench::new(&["slow", "small"], &[(0, 1, 1)]);
        assert_eq!(bench.ask(0, 1), [0]);
        let hear = |bench: &mut Bench, now, session, held: &[u64]| {
            bench.step(now, Input::Report(quiet(session, held)));
            bench.step(now, Input::Tick);
        };
        (1..=31).for_each(|now| {
            hear(&mut bench, now, 0, &[0]);
            hear(&mut bench, now, 1, &[]);
        });
        let again = Input::Ask { session: SessionId(1), want: 1 };
        assert_eq!(units_of(&bench.step(31, again.clone()).grants), [0]);
        match kind {
            Some(kind) => {
                let failures = vec![(UnitIndex(0), kind)];
                let failed = Report { failures, ..quiet(1, &[]) };
                assert_eq!(bench.step(32, Input::Report(failed)).records, []);
                assert_eq!(units_of(&bench.step(32, again.clone()).grants), [0; 0]);
            }
            None => (32..=50).for_each(|now| hear(&mut bench, now, 0, &[0])),
        }
        hear(&mut bench, 51, 0, &[0]);
        assert_eq!((bench.records.len(), bench.scheduler.granted()), (0, 1), "{kind:?}");
        let finished = Report { finished: units([0]), ..quiet(0, &[0]) };
        bench.step(52, Input::Report(finished));
        assert_eq!(bench.standing(0), Standing::Done);
    }
}

fn units_of(grants: &[UnitIndex]) -> Vec<u64> {
    grants.iter().map(|unit| unit.0).collect()
}
