//! What happened in a simulated run: every event with its simulated time, how often each kind of fault fired, and what our rules
//! exclude. Not what is done to the cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use babelquant_coordinator::Outcome;
use babelquant_proto::UnitIndex;

use super::plan::Millis;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// Messages on the simulated network: TCP segments.
    Segment,
    /// A coordinator that died before the run was over.
    CoordinatorCrash,
    /// A commit that died with a coordinator.
    DiedBeforeCommit,
    /// A commit that was on the disk when its coordinator died, which did not know.
    DiedAfterCommit,
    WorkerCrash,
    /// A cut that something was lost in, by its direction.
    CutToCoordinator,
    CutToWorker,
    CutBoth,
    /// A link that held something until it was released.
    Hold,
    /// A link that was slow.
    Slow,
    /// A session: a worker has introduced itself.
    Joined,
    /// A unit that broke with a worker: its lease ended.
    Charge,
    /// A unit that two workers, or two lives of one, computed.
    Recomputed,
    /// A result that was durable already when it came.
    Duplicate,
}

/// What a hundred runs must have shown.
const FAULTS: [What; 11] = [
    What::CoordinatorCrash,
    What::DiedBeforeCommit,
    What::DiedAfterCommit,
    What::WorkerCrash,
    What::CutToCoordinator,
    What::CutToWorker,
    What::CutBoth,
    What::Hold,
    What::Slow,
    What::Charge,
    What::Duplicate,
];

/// How often each kind of event happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(BTreeMap<What, u64>);

impl Tally {
    pub(crate) fn of(&self, what: What) -> u64 {
        self.0.get(&what).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(&what, times)| *self.0.entry(what).or_default() += times);
    }

    /// Runs in which a kind of fault never fired have shown nothing about it.
    pub(crate) fn assert_that_every_fault_fired(&self) {
        let missing: Vec<What> = FAULTS.into_iter().filter(|&fault| self.of(fault) == 0).collect();
        assert_eq!(missing, [], "never fired; {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, times)| writeln!(f, "{times:>9} {what:?}"))
    }
}

/// The events so far.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) now: Millis,
    /// When the manifest was on the disk. From then on servers say goodbye, and in which order they do two things at one moment is drawn by chance
    /// in libraries: the history ends here.
    pub(crate) over: Option<Millis>,
    pub(crate) lines: Vec<String>,
    pub(crate) tally: Tally,
    /// How often a result of each unit was written to the journal.
    pub(crate) durable: BTreeMap<UnitIndex, u32>,
    computed: BTreeMap<UnitIndex, u32>,
    /// Messages that were lost or held on the link of each worker.
    pub(crate) stopped: BTreeMap<String, u64>,
    /// What our rules exclude.
    pub(crate) violations: Vec<String>,
    pub(crate) outcome: Option<Outcome>,
    /// Workers that heard that the run is complete.
    pub(crate) heard: u64,
}

/// The events, for everyone who has something to say.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(Arc<Mutex<Events>>);

impl History {
    pub(crate) fn events(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap()
    }

    pub(crate) fn say(&self, text: &str) {
        let mut events = self.events();
        if events.over.is_some() {
            return;
        }
        let line = format!("{:>7} {text}", events.now);
        events.lines.push(line);
    }

    pub(crate) fn count(&self, what: What) {
        *self.events().tally.0.entry(what).or_default() += 1;
    }

    /// The manifest is on the disk.
    pub(crate) fn end(&self) {
        let mut events = self.events();
        let now = events.now;
        events.over.get_or_insert(now);
    }

    pub(crate) fn violated(&self, rule: String) {
        self.say(&rule);
        self.events().violations.push(rule);
    }

    /// Results became durable; each may only once.
    pub(crate) fn durable(&self, units: &[UnitIndex]) {
        for unit in units {
            let times = {
                let mut events = self.events();
                let times = events.durable.entry(*unit).or_default();
                *times += 1;
                *times
            };
            if times > 1 {
                self.violated(format!("unit {unit} was committed again"));
            }
        }
    }

    pub(crate) fn computed(&self, worker: &str, unit: UnitIndex) {
        self.say(&format!("{worker} computed unit {unit}"));
        let again = {
            let mut events = self.events();
            let times = events.computed.entry(unit).or_default();
            *times += 1;
            *times > 1
        };
        if again {
            self.count(What::Recomputed);
        }
    }

    /// A worker forgets a result, as it was told to.
    pub(crate) fn settled(&self, unit: u64, verdict: &str) {
        match verdict {
            "Durable" => {}
            "DuplicateSame" => self.count(What::Duplicate),
            _ => self.violated(format!("the result of unit {unit} is {verdict}")),
        }
        if !self.events().durable.contains_key(&UnitIndex(unit)) {
            self.violated(format!("unit {unit} is acknowledged as {verdict}, and is not durable"));
        }
    }

    /// A message is lost or waits on the link of a worker.
    pub(crate) fn stopped(&self, worker: &str) {
        *self.events().stopped.entry(worker.to_owned()).or_default() += 1;
    }
}
