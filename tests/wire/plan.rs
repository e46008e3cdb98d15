//! What happens in a simulated run, as a function of its seed: how large the cluster is, how slow everything is, what breaks and when.
//! Not how it is done.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Milliseconds of simulated time.
pub(crate) type Millis = u64;

/// Faults begin before this.
const FAULTS_END: Millis = 40_000;
/// How long a link is cut, held or slow.
const LINK: Range<Millis> = 300..20_000;
/// How long a crashed worker is away.
const AWAY: Range<Millis> = 0..20_000;
/// How long a crashed coordinator is away.
const DOWN: Range<Millis> = 0..6_000;

/// What does not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    /// What the worker says.
    ToCoordinator,
    /// What it is answered.
    ToWorker,
    /// Neither.
    Both,
}

impl Cut {
    pub(crate) const ALL: [Self; 3] = [Self::ToCoordinator, Self::ToWorker, Self::Both];
}

/// Something that is done to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    CrashCoordinator,
    StartCoordinator,
    Crash(usize),
    Start(usize),
    Cut(usize, Cut),
    Heal(usize, Cut),
    /// Messages of both directions wait.
    Hold(usize),
    Release(usize),
    /// Every message takes so long.
    Slow(usize, Millis),
    /// Messages take as long as all others.
    Normal(usize),
}

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    /// Units that a worker holds.
    pub(crate) slots: usize,
    /// How long a message takes.
    pub(crate) latency: Range<Millis>,
    /// How long a unit takes.
    pub(crate) unit: Range<Millis>,
    /// How long the storage takes before it has written an object, and again until it says so.
    pub(crate) write: Range<Millis>,
    /// What is done, in order of time.
    pub(crate) acts: Vec<(Millis, Act)>,
}

impl Plan {
    /// Nothing breaks.
    pub(crate) fn undisturbed(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut range = |least: Range<Millis>, span: Range<Millis>| {
            let start = random.random_range(least);
            start..start + random.random_range(span)
        };
        let (latency, unit, write) =
            (range(1..10, 1..60), range(50..400, 100..2_000), range(1..20, 1..200));
        let (workers, slots) = (random.random_range(3..=8), random.random_range(4..=24));
        Self { seed, workers, slots, latency, unit, write, acts: Vec::new() }
    }

    /// Workers, links and the coordinator break, and are mended.
    pub(crate) fn disturbed(seed: u64) -> Self {
        let mut plan = Self::undisturbed(seed);
        // Another stream than that of the sizes.
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let mut now = random.random_range(500..20_000);
        for _ in 0..random.random_range(1..=3) {
            plan.acts.push((now, Act::CrashCoordinator));
            now += random.random_range(DOWN);
            plan.acts.push((now, Act::StartCoordinator));
            now += random.random_range(2_000..15_000);
        }
        for worker in 0..plan.workers {
            let mut now = random.random_range(0..FAULTS_END / 2);
            while now < FAULTS_END {
                let (begins, ends, takes) = fault(worker, &mut random);
                plan.acts.push((now, begins));
                plan.acts.push((now + takes, ends));
                now += takes + random.random_range(1_000..FAULTS_END);
            }
        }
        plan.acts.sort_by_key(|(at, _)| *at);
        plan
    }

    /// One worker is cut off for ever.
    pub(crate) fn cut_off(seed: u64, cut: Cut) -> Self {
        let mut plan = Self::undisturbed(seed);
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let worker = random.random_range(0..plan.workers);
        plan.acts.push((random.random_range(200..1_500), Act::Cut(worker, cut)));
        plan
    }
}

/// How a worker's fault begins and ends, and how long it takes.
fn fault(worker: usize, random: &mut ChaCha8Rng) -> (Act, Act, Millis) {
    let link = random.random_range(LINK);
    match random.random_range(0..6) {
        0 => (Act::Crash(worker), Act::Start(worker), random.random_range(AWAY)),
        1 => (Act::Hold(worker), Act::Release(worker), link),
        2 => {
            let latency = random.random_range(200..3_000);
            (Act::Slow(worker, latency), Act::Normal(worker), link)
        }
        kind => {
            let cut = Cut::ALL[kind - 3];
            (Act::Cut(worker, cut), Act::Heal(worker, cut), link)
        }
    }
}
