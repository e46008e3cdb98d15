//! The scheduler on a study of ten million units with a thousand workers, random completions, 1 % failures and one restart:
//! every unit is closed and the whole process stays under 64 MB. Its own process, because the peak is the process's.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use babelquant_coordinator::scheduler::{Effects, Geometry, Input, Record, Report, Scheduler};
use babelquant_proto::message::Session;
use babelquant_proto::{FailureKind, UnitIndex};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const UNITS_PER_LANE: u64 = 75;
const LANES: u64 = 133_334;
const WORKERS: usize = 1000;
const BYTES_MAX: u64 = 64 << 20;

/// The world around a scheduler: workers, and a journal that a restart replays.
struct World {
    scheduler: Scheduler,
    held: Vec<BTreeSet<UnitIndex>>,
    done: Vec<u64>,
    faults: Vec<Record>,
    session_base: u64,
    now: Duration,
}

impl World {
    fn geometry() -> Geometry {
        Geometry::new([(0, 1, 25), (0, UNITS_PER_LANE, LANES)])
    }

    fn new() -> Self {
        let geometry = Self::geometry();
        let words = geometry.units().div_ceil(64) as usize;
        let mut world = Self {
            scheduler: Scheduler::new(geometry, Duration::from_secs(15)),
            held: vec![BTreeSet::new(); WORKERS],
            done: vec![0; words],
            faults: Vec::new(),
            session_base: 0,
            now: Duration::ZERO,
        };
        world.join_all();
        world
    }

    fn session(&self, worker: usize) -> Session {
        Session(self.session_base + worker as u64)
    }

    fn join_all(&mut self) {
        for worker in 0..WORKERS {
            let (session, name) = (self.session(worker), format!("worker-{worker}"));
            self.step(Input::Join { session, worker: name, memory: None, engine: None });
        }
    }

    fn step(&mut self, input: Input) -> Effects {
        let effects = self.scheduler.step(self.now, input);
        for record in &effects.records {
            match record {
                Record::Done { unit } => self.done[(unit.0 / 64) as usize] |= 1 << (unit.0 % 64),
                Record::Charge { .. } | Record::Quarantine { .. } => {
                    self.faults.push(record.clone())
                }
            }
        }
        self.scheduler.step(self.now, Input::Durable(effects.records.clone()));
        effects
    }

    /// One Sync of a worker: it has finished some of what it holds, one in a hundred broke.
    fn sync(&mut self, worker: usize, rng: &mut ChaCha8Rng) {
        let session = self.session(worker);
        let mut report = Report {
            session,
            holding: Vec::new(),
            finished: Vec::new(),
            failures: Vec::new(),
            released: Vec::new(),
            draining: false,
        };
        for unit in std::mem::take(&mut self.held[worker]) {
            match rng.random_range(0..400) {
                0..100 => report.holding.push(unit),
                100..103 => report.failures.push((unit, FailureKind::Crash)),
                _ => report.finished.push(unit),
            }
        }
        self.held[worker].extend(report.holding.iter().copied());
        self.step(Input::Report(report));
        let want = 8 - self.held[worker].len() as u32;
        let grants = self.step(Input::Ask { session, want }).grants;
        assert!(
            grants.iter().all(|unit| self.done[(unit.0 / 64) as usize] >> (unit.0 % 64) & 1 == 0)
        );
        self.held[worker].extend(grants);
    }

    /// The coordinator dies and comes back; every other worker forgets what it held, the others offer it again.
    fn restart(&mut self) {
        let (geometry, lease) = (Self::geometry(), Duration::from_secs(15));
        let is_done = |unit: &u64| self.done[(unit / 64) as usize] >> (unit % 64) & 1 == 1;
        let done = (0..geometry.units()).filter(is_done).map(|unit| unit..unit + 1);
        let faults = self.faults.iter().cloned();
        self.scheduler = Scheduler::restore(geometry, lease, self.now, faults, done);
        self.session_base += WORKERS as u64;
        self.held.iter_mut().step_by(2).for_each(BTreeSet::clear);
        self.join_all();
    }
}

#[test]
fn ten_million_units_fit_in_64_megabytes() {
    let mut world = World::new();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let units = World::geometry().units();
    assert!(units > 10_000_000);
    let mut restarts = 0;
    while world.scheduler.open() > 0 {
        if restarts == 0 && world.scheduler.open() < units / 2 {
            world.restart();
            restarts += 1;
        }
        world.now += Duration::from_millis(1);
        world.sync(rng.random_range(0..WORKERS), &mut rng);
    }
    let done: u64 = world.done.iter().map(|word| u64::from(word.count_ones())).sum();
    assert_eq!(done + world.scheduler.quarantined().len() as u64, units);
    assert!(world.faults.len() > 90_000, "{} failures", world.faults.len());
    let peak = peak_resident_bytes();
    assert!(peak < BYTES_MAX, "{peak} bytes resident");
}

/// `VmHWM` of this process.
fn peak_resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the test runs on Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux reports it");
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kilobytes.expect("it is a number") << 10
}
