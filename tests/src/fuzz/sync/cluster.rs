//! The coordinator's side as one value: the scheduler, what is on its way to the storage, and what is there. After every step it is held to
//! the scheduler's promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use babelquant_coordinator::scheduler::{
    Effects, Geometry, Input, Opening, Record, Replay, Report, Scheduler, Sink, Standing, Traced,
};
use babelquant_proto::message::{Drain, Hello, Session, SyncRequest, UnitFailure};
use babelquant_proto::{Digest, FailureKind, UnitIndex, WIRE_MAJOR};
use glob::Pattern;

use super::super::script::Script;

const LEASE: Duration = Duration::from_secs(15);
/// Turns after which two honest workers have done whatever is left: each unit may break on workers that fell silent before.
const TURNS_MAX: usize = 100;

/// The coordinator.
pub(super) struct Cluster {
    scheduler: Traced,
    lines: Arc<Mutex<Vec<String>>>,
    now: Duration,
    epoch: u64,
    next_session: u64,
    /// Records on their way to the storage.
    pending: Vec<Record>,
    durable: Vec<Record>,
}

fn open(epoch: u64, durable: &[Record], lines: &Arc<Mutex<Vec<String>>>) -> Traced {
    let geometry = Geometry::new([(0, 1, 3), (1, 1, 2), (0, 4, 2), (1, 3, 2)]);
    let returning = if epoch == 1 { Duration::ZERO } else { LEASE };
    let run = (Digest::of(b"run"), epoch);
    let opening = Opening::new(run, &geometry, (LEASE, returning), durable.to_vec(), []);
    let lines = Arc::clone(lines);
    let sink: Sink = Box::new(move |line| lines.lock().expect("nobody panicked").push(line));
    Traced::open(opening, Some(sink)).expect("it was made here")
}

impl Cluster {
    pub(super) fn new() -> Self {
        let lines = Arc::default();
        Self {
            scheduler: open(1, &[], &lines),
            lines,
            now: Duration::ZERO,
            epoch: 1,
            next_session: 1 << 32,
            pending: Vec::new(),
            durable: Vec::new(),
        }
    }

    /// One of the live sessions, or one that nobody has.
    pub(super) fn session(&self, choice: u8) -> Session {
        let sessions: Vec<Session> = self.scheduler.sessions().collect();
        match sessions.get(usize::from(choice) % (sessions.len() + 1)) {
            Some(&session) => session,
            None => Session(u64::from(choice)),
        }
    }

    /// The units that a session holds.
    pub(super) fn held(&self, session: Session) -> Vec<UnitIndex> {
        let held = |unit: &UnitIndex| self.scheduler.held(self.now, session, *unit).is_some();
        self.units().filter(held).collect()
    }

    fn units(&self) -> impl Iterator<Item = UnitIndex> + use<> {
        let quarantined = self.scheduler.quarantined().len() as u64;
        (0..self.scheduler.open() + self.scheduler.done() + quarantined).map(UnitIndex)
    }

    pub(super) fn register(&mut self, hello: Hello) {
        if hello.wire_major != WIRE_MAJOR {
            return;
        }
        let session = Session(self.next_session);
        self.next_session += 1;
        self.step(Input::Join {
            session,
            worker: hello.name,
            memory: hello.memory_bytes,
            engine: None,
        });
        assert!(self.scheduler.knows(session));
    }

    /// Tells the scheduler what the owner would tell it.
    pub(super) fn sync(&mut self, request: SyncRequest) {
        let SyncRequest { session, want, holding, results, failures, released, draining, .. } =
            request;
        if !self.scheduler.knows(session) {
            return;
        }
        let told = |failure: UnitFailure| (failure.unit, failure.kind);
        let mut failures: Vec<_> = failures.into_iter().map(told).collect();
        let mut finished = BTreeSet::new();
        for result in results {
            let is_known = self.scheduler.standing(result.unit) != Standing::Unknown;
            if is_known && result.blake3 != Digest::of(&result.ipc) {
                failures.push((result.unit, FailureKind::Crash));
            } else if self.scheduler.standing(result.unit) == Standing::Open {
                finished.insert(result.unit);
            }
        }
        let finished = finished.into_iter().collect();
        let report = Report { session, holding, finished, failures, released, draining };
        self.step(Input::Report(report));
        if want > 0 && self.scheduler.has_spare() {
            self.step(Input::Ask { session, want });
        }
    }

    pub(super) fn drain(&mut self, drain: Drain) {
        let pattern = |glob: &str| Pattern::new(glob).ok();
        let input = match &drain {
            Drain::Run => None,
            Drain::Workers(glob) => pattern(glob).map(Input::Drain),
            Drain::Undo(glob) => pattern(glob).map(Input::Undrain),
        };
        input.into_iter().for_each(|input| drop(self.step(input)));
    }

    /// Time passes: moments, or leases.
    pub(super) fn wait(&mut self, script: &mut Script<'_>) {
        let milliseconds = u64::from(script.byte()) << (script.byte() % 16);
        self.now += Duration::from_millis(milliseconds);
        self.step(Input::Tick);
    }

    /// The storage has so many records more.
    pub(super) fn commit(&mut self, count: usize) {
        let count = count.min(self.pending.len());
        let records: Vec<Record> = self.pending.drain(..count).collect();
        self.durable.extend(records.clone());
        self.step(Input::Durable(records));
    }

    /// The coordinator is killed and another one starts; what was on its way arrived before, or never.
    pub(super) fn restart(&mut self, stored: bool) {
        let pending = std::mem::take(&mut self.pending);
        if stored {
            self.durable.extend(pending);
        }
        self.epoch += 1;
        self.next_session = self.epoch << 32;
        self.now = Duration::ZERO;
        self.scheduler = open(self.epoch, &self.durable, &self.lines);
        self.check_standings();
    }

    fn step(&mut self, input: Input) -> Effects {
        let before: Scheduler = (*self.scheduler).clone();
        let effects = self.scheduler.step(self.now, input.clone());
        self.check_records(&before, &effects);
        self.check_grants(&before, &input, &effects);
        let revoked: BTreeSet<_> = effects.revoked.iter().collect();
        match &input {
            Input::Report(report) => {
                assert!(revoked.iter().all(|unit| report.holding.contains(unit)), "{input:?}");
            }
            _ => assert!(revoked.is_empty(), "{input:?}"),
        }
        self.pending.extend(effects.records.clone());
        self.check_standings();
        self.check_counts();
        effects
    }

    /// A record is about an open unit, of which no other record is on its way.
    fn check_records(&self, before: &Scheduler, effects: &Effects) {
        let mut pending: BTreeSet<u64> =
            self.pending.iter().map(|record| record.unit().0).collect();
        for record in &effects.records {
            assert_eq!(before.standing(record.unit()), Standing::Open, "{record:?}");
            assert!(pending.insert(record.unit().0), "two records are on their way: {record:?}");
        }
    }

    /// A unit is lent that is open and nobody's, or another worker's and alone what is lent.
    fn check_grants(&self, before: &Scheduler, input: &Input, effects: &Effects) {
        let grants = &effects.grants;
        let Input::Ask { session, want } = *input else {
            assert!(grants.is_empty(), "{input:?}: {grants:?}");
            return;
        };
        assert!(grants.len() as u64 <= u64::from(want), "{grants:?}, {want} were wanted");
        let distinct: BTreeSet<_> = grants.iter().collect();
        assert_eq!(distinct.len(), grants.len(), "{grants:?}");
        assert!(grants.is_empty() || !before.is_drained(session), "{input:?}: {grants:?}");
        for &unit in grants {
            assert_eq!(before.standing(unit), Standing::Open, "unit {unit} was lent");
            let withheld = self.pending.iter().any(|record| record.unit() == unit);
            assert!(!withheld, "unit {unit} was lent, and a record of it is on its way");
            assert!(self.scheduler.held(self.now, session, unit).is_some(), "unit {unit}");
            let holders: Vec<Session> = before
                .sessions()
                .filter(|&holder| before.held(self.now, holder, unit).is_some())
                .collect();
            let second = grants.len() == 1 && self.held(session) == [unit];
            match holders[..] {
                [] => {}
                [holder] => assert!(second && holder != session, "unit {unit} was lent twice"),
                _ => panic!("unit {unit} was lent three times"),
            }
        }
    }

    /// A unit is done or quarantined if its first record of either kind is durable, and open otherwise.
    fn check_standings(&self) {
        let mut closed = BTreeMap::new();
        for record in &self.durable {
            let standing = match record {
                Record::Done { .. } => Standing::Done,
                Record::Quarantine { fault, .. } => Standing::Quarantined(*fault),
                Record::Charge { .. } => continue,
            };
            closed.entry(record.unit()).or_insert(standing);
        }
        for unit in self.units() {
            let expected = closed.get(&unit).copied().unwrap_or(Standing::Open);
            assert_eq!(self.scheduler.standing(unit), expected, "unit {unit}");
        }
    }

    fn check_counts(&self) {
        let scheduler = &self.scheduler;
        let with = |standing: Standing| {
            self.units().filter(|&unit| scheduler.standing(unit) == standing).count() as u64
        };
        assert_eq!(scheduler.open(), with(Standing::Open));
        assert_eq!(scheduler.done(), with(Standing::Done));
        let mut holders: BTreeMap<u64, usize> = BTreeMap::new();
        for presence in scheduler.presences(self.now) {
            let held = self.held(presence.session);
            assert_eq!(held.len(), presence.held, "{presence:?}");
            held.iter().for_each(|unit| *holders.entry(unit.0).or_default() += 1);
        }
        assert_eq!(scheduler.granted(), holders.len() as u64);
        assert!(holders.values().all(|&count| count <= 2), "{holders:?}");
        let open = |unit: &u64| scheduler.standing(UnitIndex(*unit)) == Standing::Open;
        assert!(holders.keys().all(open), "a closed unit is held: {holders:?}");
    }

    /// Whatever was done is done again by a scheduler that is told the same.
    pub(super) fn check_trace(&self) {
        let mut replay = Replay::default();
        for line in self.lines.lock().expect("nobody panicked").iter() {
            replay.line(line).unwrap_or_else(|error| panic!("{error}"));
        }
        let replayed = replay.finish().expect("it began with an opening");
        assert_eq!(replayed.segments, self.epoch);
        assert_eq!(replayed.done, self.scheduler.done());
        assert_eq!(replayed.granted, self.scheduler.granted());
    }

    /// Two honest workers come, and do all that is left.
    pub(super) fn finish(mut self) {
        let drained: Vec<String> = self.scheduler.drained().map(str::to_owned).collect();
        drained.into_iter().for_each(|glob| self.drain(Drain::Undo(glob)));
        let honest = [self.next_session, self.next_session + 1].map(Session);
        for session in honest {
            let worker = format!("honest-{}", session.0);
            self.step(Input::Join { session, worker, memory: None, engine: None });
        }
        for _ in 0..TURNS_MAX {
            self.commit(usize::MAX);
            if self.scheduler.open() == 0 {
                return;
            }
            for session in honest {
                let mut request = SyncRequest::new(session, 64);
                request.results = super::messages::results(&self.held(session));
                self.sync(request);
            }
            self.now += LEASE / 2;
            self.step(Input::Tick);
        }
        panic!("{} units are left: {:?}", self.scheduler.open(), *self.scheduler);
    }
}
