//! The scheduler in a simulated cluster: workers crash, pause, lose messages and send them twice, and the coordinator dies again
//! and again, in the middle of a commit too. Whatever happens, no durable result is lost or counted twice, and every unit is
//! closed in the end. A seed gives the same history, event by event; what fails prints its seed.
//!
//! ```text
//! cargo test --release -p babelquant-coordinator --test scheduler_simulation -- --ignored --nocapture
//! ```
//! plays ten million units and a thousand seeds. Not the wire and not the store: messages are values, a commit is an event.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod simulation;

use std::sync::Arc;

use babelquant_coordinator::scheduler::{Replay, Replayed};
use simulation::{Cluster, Cut, Plan, Tally, What};

/// Twenty workers and some thousand units, five restarts.
fn small(seed: u64) -> Plan {
    let workers_break = true;
    Plan {
        seed,
        lanes: 60,
        lane_units: 75,
        workers: 20,
        restarts: 5,
        cuts: Vec::new(),
        workers_break,
    }
}

/// Plays the plan twice: the histories are the same.
fn twice(plan: &Plan) -> Tally {
    let tally = Cluster::new(plan).play();
    assert_eq!(tally, Cluster::new(plan).play(), "seed {}: another history", plan.seed);
    tally
}

fn safe(seeds: std::ops::Range<u64>) {
    let mut total = Tally::default();
    for seed in seeds {
        total.add(&twice(&small(seed)));
    }
    print(&total);
    total.assert_that_every_fault_fired();
}

#[expect(clippy::print_stdout, reason = "a history that nobody sees has shown little")]
fn print(tally: &Tally) {
    println!("{tally}");
}

/// Three of twenty workers are cut off for ever, in one direction or both: the others finish.
fn live(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let cuts = vec![(3, Cut::Requests), (7, Cut::Replies), (11, Cut::Both)];
        let tally = twice(&Plan { cuts, ..small(seed) });
        assert!(tally.of(What::Cut) > 0, "seed {seed}: nothing was cut off");
    }
}

#[test]
fn no_result_is_lost_or_counted_twice_in_any_history() {
    safe(0..50);
}

#[test]
fn a_cut_that_never_heals_does_not_keep_the_others_from_finishing() {
    live(0..50);
}

/// However often the coordinator is stopped or dies, workers that are there and call are not charged for it.
#[test]
fn a_coordinator_that_was_stopped_charges_nobody() {
    let mut total = Tally::default();
    for seed in 0..50 {
        let tally = twice(&Plan { workers_break: false, ..small(seed) });
        let innocent =
            [What::InnocentCharged, What::InnocentQuarantined].map(|what| tally.of(what));
        assert_eq!(innocent, [0, 0], "seed {seed}: {tally}");
        total.add(&tally);
    }
    print(&total);
    assert!(total.of(What::Stop) >= 30, "{total}");
}

/// What every coordinator of a history did, it does again when it is told the same.
#[test]
fn every_history_replays() {
    for seed in 0..5 {
        let lines = Arc::default();
        Cluster::new(&small(seed)).traced(&lines).play();
        let mut replay = Replay::default();
        let lines = lines.lock().unwrap();
        for line in lines.iter() {
            replay.line(line).unwrap_or_else(|error| panic!("seed {seed}, {error}"));
        }
        let Replayed { segments, inputs, units, done, quarantined, .. } = replay.finish().unwrap();
        assert_eq!((segments, inputs + segments), (6, lines.len() as u64), "seed {seed}");
        assert!(done + quarantined > units * 9 / 10, "seed {seed}: {done} of {units}");
    }
}

#[test]
#[ignore = "nightly: a thousand seeds take minutes"]
fn a_thousand_seeds() {
    safe(50..1050);
    live(50..1050);
}

#[test]
#[ignore = "nightly: two plays of ten million units take a minute"]
fn ten_million_units_and_a_hundred_restarts() {
    let plan = Plan {
        seed: 1,
        lanes: 133_334,
        lane_units: 75,
        workers: 1000,
        restarts: 100,
        cuts: Vec::new(),
        workers_break: true,
    };
    print(&twice(&plan));
}
