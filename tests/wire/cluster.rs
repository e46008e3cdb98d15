//! A simulated cluster: the real coordinator and real workers as hosts of a simulated network, to which a plan is done. Not what must
//! come of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use babelquant_coordinator::Outcome;
use babelquant_coordinator::scheduler::{Replay, Replayed};
use babelquant_proto::Digest;
use turmoil::Sim;

use super::disk::Disk;
use super::engine::Setting;
use super::history::{History, Tally, What};
use super::hosts::{COORDINATOR, Coordinator, work};
use super::plan::{Act, Cut, Millis, Plan};
use super::recorder::Recorder;
use super::study::Study;

/// How far time goes at once: messages arrive together where they arrive within it.
const STEP: Duration = Duration::from_millis(5);
/// A run that takes longer is stuck.
const STUCK: Duration = Duration::from_secs(1_200);
/// Workers hear that the run is complete within this.
const GOODBYE: Duration = Duration::from_secs(3);
/// A multiple of whatever number of lists a runtime keeps its tasks in.
const TASKS: u64 = 1 << 10;

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Played {
    /// Everything that happened, in order.
    pub(crate) lines: Vec<String>,
    /// What the coordinators' `--events` wrote.
    pub(crate) trace: String,
    /// The output: names and digests.
    pub(crate) output: BTreeMap<String, Digest>,
    pub(crate) tally: Tally,
    pub(crate) simulated: Millis,
    /// Workers that heard that it is complete.
    pub(crate) heard: u64,
}

/// A cluster and what is done to it.
struct Cluster<'a> {
    plan: &'a Plan,
    sim: Sim<'a>,
    history: History,
    disk: Arc<Disk>,
    trace: PathBuf,
    /// Messages that were stopped on the link of each worker when its fault began.
    before: BTreeMap<usize, u64>,
}

/// Plays a plan until the coordinator says that the run is complete.
///
/// # Errors
/// What is wrong with the run.
pub(crate) fn play(plan: &Plan, study: &Arc<Study>) -> Result<Played, String> {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("events.jsonl");
    let mut cluster = Cluster::new(plan, study, trace);
    let hosts = (0..plan.workers).map(|index| (cluster.sim.lookup(name(index)), name(index)));
    let subscriber = Recorder::subscriber(&cluster.history, hosts.collect());
    let _recording = tracing::subscriber::set_default(subscriber);
    cluster.run()?;
    cluster.end()
}

/// Lets one run go on at a time, and begin where others began. A host that dies drops its tasks by their numbers, which count on through the
/// process, modulo a power of two: so the order in which its connections end would depend on what was spawned elsewhere.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let number = || runtime.spawn(async {}).id().to_string().parse::<u64>().unwrap();
    while number() % TASKS != 0 {}
    guard
}

impl<'a> Cluster<'a> {
    fn new(plan: &'a Plan, study: &Arc<Study>, trace: PathBuf) -> Self {
        let milliseconds = Duration::from_millis;
        let sim = turmoil::Builder::new()
            .rng_seed(plan.seed)
            .enable_random_order()
            .tick_duration(STEP)
            .simulation_duration(STUCK * 2)
            .min_message_latency(milliseconds(plan.latency.start))
            .max_message_latency(milliseconds(plan.latency.end))
            .build();
        let history = History::default();
        let disk = Arc::new(Disk::new(plan, &history));
        let mut cluster = Self { plan, sim, history, disk, trace, before: BTreeMap::new() };
        cluster.add_coordinator(study);
        (0..plan.workers).for_each(|index| cluster.add_worker(index, study));
        cluster
    }

    fn add_coordinator(&mut self, study: &Arc<Study>) {
        let coordinator = Coordinator {
            study: Arc::clone(study),
            disk: Arc::clone(&self.disk),
            trace: self.trace.clone(),
            history: self.history.clone(),
        };
        self.sim.host(COORDINATOR, move || coordinator.clone().run());
    }

    fn add_worker(&mut self, index: usize, study: &Arc<Study>) {
        let (plan, study, history) = (self.plan, Arc::clone(study), self.history.clone());
        let lives = AtomicU32::new(0);
        self.sim.host(name(index), move || {
            let life = lives.fetch_add(1, Ordering::Relaxed);
            let setting = Setting {
                worker: format!("{}.{life}", name(index)),
                unit: plan.unit.clone(),
                study: Arc::clone(&study),
                history: history.clone(),
            };
            work(name(index), plan.slots, setting)
        });
    }

    /// Steps until the run is complete and the workers have had time to hear it.
    fn run(&mut self) -> Result<(), String> {
        let mut acts = self.plan.acts.iter().copied().peekable();
        let mut complete = None;
        loop {
            let now = self.sim.elapsed();
            self.history.events().now = now.as_millis() as Millis;
            while let Some((_, act)) = acts.next_if(|(at, _)| *at <= now.as_millis() as Millis) {
                self.act(act);
            }
            self.sim.step().map_err(|error| format!("a program failed: {error}"))?;
            let events = self.history.events();
            if let Some(violation) = events.violations.first() {
                return Err(format!("at {now:?}: {violation}"));
            }
            if events.outcome.is_some() && complete.is_none() {
                complete = Some(now);
            }
            if complete.is_some_and(|at| now > at + GOODBYE) {
                return Ok(());
            }
            if now > STUCK {
                return Err(format!("{} units are durable after {now:?}", events.durable.len()));
            }
        }
    }

    fn act(&mut self, act: Act) {
        self.history.say(&format!("{act:?}"));
        match act {
            Act::CrashCoordinator => {
                if self.sim.is_host_running(COORDINATOR) {
                    self.history.count(What::CoordinatorCrash);
                    self.sim.crash(COORDINATOR);
                }
            }
            Act::StartCoordinator => {
                if self.history.events().outcome.is_none() {
                    self.sim.bounce(COORDINATOR);
                }
            }
            Act::Crash(worker) => {
                if self.sim.is_host_running(name(worker)) {
                    self.history.count(What::WorkerCrash);
                    self.sim.crash(name(worker));
                }
            }
            Act::Start(worker) => self.sim.bounce(name(worker)),
            Act::Cut(worker, cut) => self.cut(worker, cut),
            Act::Heal(worker, cut) => self.heal(worker, cut),
            Act::Hold(worker) => {
                self.sim.hold(name(worker), COORDINATOR);
                self.before.insert(worker, self.stopped(worker));
            }
            Act::Release(worker) => {
                self.sim.release(name(worker), COORDINATOR);
                self.fired(worker, What::Hold);
            }
            Act::Slow(worker, latency) => self.slow(worker, latency),
            Act::Normal(worker) => self.normal(worker),
        }
    }

    fn cut(&mut self, worker: usize, cut: Cut) {
        let host = name(worker);
        match cut {
            Cut::ToCoordinator => self.sim.partition_oneway(host, COORDINATOR),
            Cut::ToWorker => self.sim.partition_oneway(COORDINATOR, host),
            Cut::Both => self.sim.partition(host, COORDINATOR),
        }
        self.before.insert(worker, self.stopped(worker));
    }

    fn heal(&mut self, worker: usize, cut: Cut) {
        let host = name(worker);
        match cut {
            Cut::ToCoordinator => self.sim.repair_oneway(host, COORDINATOR),
            Cut::ToWorker => self.sim.repair_oneway(COORDINATOR, host),
            Cut::Both => self.sim.repair(host, COORDINATOR),
        }
        self.fired(worker, cut.into());
    }

    fn slow(&mut self, worker: usize, latency: Millis) {
        self.sim.set_link_latency(name(worker), COORDINATOR, Duration::from_millis(latency));
        self.history.count(What::Slow);
    }

    fn normal(&mut self, worker: usize) {
        let [least, most] =
            [self.plan.latency.start, self.plan.latency.end].map(Duration::from_millis);
        self.sim.set_link_latency(name(worker), COORDINATOR, least);
        self.sim.set_link_max_message_latency(name(worker), COORDINATOR, most);
    }

    /// Messages that have been stopped on the link of a worker.
    fn stopped(&self, worker: usize) -> u64 {
        self.history.events().stopped.get(&name(worker)).copied().unwrap_or_default()
    }

    /// Counts a fault of a link where it stopped anything.
    fn fired(&mut self, worker: usize, what: What) {
        if self.stopped(worker) > self.before.remove(&worker).unwrap_or_default() {
            self.history.count(what);
        }
    }

    /// What came of the run, and whether that is what must.
    fn end(mut self) -> Result<Played, String> {
        for (worker, before) in std::mem::take(&mut self.before) {
            // A fault that nobody mended.
            let cut = self.plan.acts.iter().rev().find_map(|(_, act)| match act {
                Act::Cut(cut_off, cut) if *cut_off == worker => Some(*cut),
                _ => None,
            });
            if let Some(cut) = cut.filter(|_| self.stopped(worker) > before) {
                self.history.count(cut.into());
            }
        }
        let content = tokio::runtime::Builder::new_current_thread().build();
        let output = content.unwrap().block_on(self.disk.content());
        let trace = std::fs::read_to_string(&self.trace).unwrap();
        let mut events = self.history.events();
        if events.outcome != Some(Outcome::Complete { quarantined: 0 }) {
            return Err(format!("the run ended otherwise: {:?}", events.outcome));
        }
        let Replayed { units, done, .. } = replay(&trace)?;
        let once = events.durable.values().filter(|&&times| times == 1).count() as u64;
        if (done, once) != (units, units) {
            return Err(format!("of {units} units {done} are done, {once} were committed once"));
        }
        if let Some(left) = output.keys().find(|name| name.starts_with("journal")) {
            return Err(format!("{left} is left"));
        }
        let (lines, tally) = (std::mem::take(&mut events.lines), events.tally.clone());
        let simulated = events.over.unwrap_or_default();
        Ok(Played { lines, trace, output, tally, simulated, heard: events.heard })
    }
}

impl From<Cut> for What {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::ToCoordinator => Self::CutToCoordinator,
            Cut::ToWorker => Self::CutToWorker,
            Cut::Both => Self::CutBoth,
        }
    }
}

/// The host of a worker.
fn name(worker: usize) -> String {
    format!("worker-{worker}")
}

/// What the trace comes to, when its inputs are played again.
fn replay(trace: &str) -> Result<Replayed, String> {
    let mut replay = Replay::default();
    trace.lines().try_for_each(|line| replay.line(line)).map_err(|error| error.to_string())?;
    replay.finish().map_err(|error| error.to_string())
}
