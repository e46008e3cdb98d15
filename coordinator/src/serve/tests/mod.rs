//! The service over real gRPC, with workers that answer from the unit. Not the real worker: that is the test crate's.

mod callers;
mod engines;
mod faults;
mod hostile;
mod http;
mod operator;
mod watchers;

use std::collections::BTreeMap;
use std::path::Path;

use babelquant_proto::credentials::Credentials;
use babelquant_proto::message::{
    Hello, RunState, SyncReply, SyncRequest, UnitFailure, UnitResult, VerdictKind, Welcome,
};
use babelquant_proto::wire::admin_client::AdminClient;
use babelquant_proto::wire::coordinator_client::CoordinatorClient;
use babelquant_proto::{Digest, EngineClass, FailureKind, Spec, UnitIndex, WIRE_MAJOR, wire};
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;

use super::*;
use crate::service::AdminConnection;
use crate::study::Registration;
use crate::testing::faulty::Faulty;
use crate::testing::{payload, payload_by, spec, texts};

/// Times short enough for a test that loses workers, and a tick that is not what it waits for.
const QUICK: Options = Options {
    lease: Duration::from_millis(300),
    straggling: Duration::from_secs(30),
    returning: Duration::from_millis(300),
    sync: Duration::from_millis(20),
    poll: Duration::from_millis(100),
    tick: Duration::from_millis(20),
    patience: Duration::from_millis(300),
    linger: Duration::from_secs(2),
    intake_bytes: 256 << 20,
    mixed_engines: false,
};

/// As these, for workers that are silent for as long as a test is slow.
const UNHURRIED: Options = Options { lease: Duration::from_secs(60), ..QUICK };

struct Running {
    address: String,
    http: std::net::SocketAddr,
    outcome: tokio::task::JoinHandle<Result<Outcome, ServeError>>,
    stop: oneshot::Sender<()>,
}

async fn start(output: Output, spec: Spec) -> Running {
    start_with(output, spec, QUICK).await
}

async fn start_with(output: Output, spec: Spec, options: Options) -> Running {
    start_for(Access::everyone(), output, spec, options).await
}

async fn start_for(access: Access, output: Output, spec: Spec, options: Options) -> Running {
    start_service(access, service(output, spec, options)).await
}

fn service(output: Output, spec: Spec, options: Options) -> Service {
    let (directories, others) = (Vec::new(), Vec::new());
    let registration = Registration::default();
    let resolved = Resolved { texts: texts(&spec), spec, directories, others, registration };
    Service::new("test".to_owned(), resolved, output, options)
}

#[expect(clippy::disallowed_methods, reason = "the handle is awaited or aborted by each test")]
async fn start_service(access: Access, service: Service) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scheme = if access.is_encrypted() { "https" } else { "http" };
    let address = format!("{scheme}://{}", listener.local_addr().unwrap());
    let watched = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = watched.local_addr().unwrap();
    let service = service.for_callers(access.clone()).shown_on(watched, access);
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let outcome = tokio::spawn(serve(listener, service, shutdown));
    Running { address, http, outcome, stop }
}

fn local(folder: &Path) -> Output {
    Output::open(folder.to_str().unwrap(), &[]).unwrap()
}

/// Bytes for a unit's result, with their digest.
fn sealed(unit: UnitIndex, ipc: bytes::Bytes) -> UnitResult {
    UnitResult { unit, blake3: Digest::of(&ipc), ipc }
}

/// A worker's connection and memory.
struct Worker {
    client: CoordinatorClient<Channel>,
    spec: Spec,
    engine: EngineClass,
    request: SyncRequest,
}

impl Worker {
    async fn hello(address: &str, name: &str, engine: &str) -> Result<Self, tonic::Status> {
        let mut client = CoordinatorClient::connect(address.to_owned()).await.unwrap();
        let engine: EngineClass = engine.parse().unwrap();
        let engine_class = engine.clone();
        let hello = Hello {
            wire_major: WIRE_MAJOR,
            name: name.to_owned(),
            engine_class,
            memory_bytes: None,
        };
        let welcome = client.register(wire::Hello::from(hello)).await?.into_inner();
        let Welcome { session, spec, .. } = welcome.try_into().unwrap();
        let request = SyncRequest::new(session, 3);
        Ok(Self { client, spec, engine, request })
    }

    async fn join(address: &str, name: &str) -> Self {
        Self::hello(address, name, "cpu-test").await.unwrap()
    }

    async fn sync(&mut self) -> Result<SyncReply, tonic::Status> {
        let reply = self.client.sync(wire::SyncRequest::from(self.request.clone())).await?;
        let reply = SyncReply::try_from(reply.into_inner()).unwrap();
        let settled = |unit: &UnitIndex| reply.verdicts.iter().any(|verdict| verdict.unit == *unit);
        self.request.results.retain(|result| !settled(&result.unit));
        self.request.holding.retain(|unit| !settled(unit) && !reply.revoked.contains(unit));
        self.request.holding.extend(reply.grants.iter().map(|grant| grant.unit));
        self.request.failures.clear();
        for text in reply.grants.iter().filter_map(|grant| grant.text.as_ref()) {
            assert!(!self.request.shards.contains(&text.id), "a text came twice");
            self.request.shards.push(text.id);
        }
        Ok(reply)
    }

    /// Its result of a unit.
    fn result(&self, unit: UnitIndex) -> UnitResult {
        sealed(unit, payload_by(&self.engine, &self.spec, unit))
    }

    /// Computes what it holds; `broken` units come back as garbage.
    fn compute(&mut self, broken: &[u64]) {
        for &unit in &self.request.holding {
            let result = match broken.contains(&unit.0) {
                true => sealed(unit, bytes::Bytes::from_static(b"garbage")),
                false => self.result(unit),
            };
            self.request.results.retain(|result| result.unit != unit);
            self.request.results.push(result);
        }
    }

    /// Works until the run is over, or until so many Syncs.
    async fn work(mut self, broken: &[u64], syncs_max: usize) {
        for _ in 0..syncs_max {
            let Ok(reply) = self.sync().await else { return };
            if reply.state.is_complete() {
                return;
            }
            self.compute(broken);
        }
    }
}

/// The first overview that a watcher sees in which something holds.
async fn seen(address: &str, holds: impl Fn(&Overview) -> bool) -> Overview {
    seen_by(Credentials::default(), address, holds).await
}

/// As `seen`, by somebody who shows credentials.
async fn seen_by(
    credentials: Credentials,
    address: &str,
    holds: impl Fn(&Overview) -> bool,
) -> Overview {
    let connection = AdminConnection::new(address, credentials).unwrap();
    let mut watched = connection.watch().await.unwrap();
    loop {
        let overview = watched.next().await.unwrap().expect("the coordinator has ended");
        if holds(&overview) {
            return overview;
        }
    }
}

/// Every file of the measurement, but `run.json`.
fn measurement(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    assert!(files.remove("run.json").is_some() && files.contains_key("_SUCCESS.json"));
    files
}

/// The measurement of an undisturbed run with one worker.
async fn undisturbed() -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let running = start(local(folder.path()), spec(2)).await;
    Worker::join(&running.address, "a").await.work(&[], usize::MAX).await;
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
    measurement(folder.path())
}

#[tokio::test]
async fn strangers_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(local(folder.path()), spec(1)).await;
    let mut worker = Worker::hello(&running.address, "a", "cpu-one").await.unwrap();
    let other = Worker::hello(&running.address, "b", "gpu-two").await.err().unwrap();
    assert_eq!(other.code(), Code::FailedPrecondition);
    assert!(other.message().contains("cpu-one") && other.message().contains("gpu-two"), "{other}");
    let old = wire::Hello {
        wire_major: WIRE_MAJOR + 1,
        wire_minor: 0,
        name: "old".to_owned(),
        engine_class: "cpu-one".to_owned(),
        memory_bytes: 0,
    };
    let old = worker.client.register(old).await.unwrap_err();
    assert_eq!(old.code(), Code::FailedPrecondition);
    let (ours, theirs) = (WIRE_MAJOR.to_string(), (WIRE_MAJOR + 1).to_string());
    assert!(old.message().contains(&ours) && old.message().contains(&theirs), "{old}");
    worker.request.session.0 += 1;
    assert_eq!(worker.sync().await.unwrap_err().code(), Code::NotFound);
    running.outcome.abort();
}

#[tokio::test]
async fn duplicates_failures_and_stops_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_with(local(folder.path()), spec(1), UNHURRIED).await;
    let mut worker = Worker::join(&running.address, "a").await;
    worker.sync().await.unwrap();
    let held = worker.request.holding.clone();
    worker.compute(&[]);
    let again = worker.request.results.clone();
    let kinds = |reply: SyncReply| reply.verdicts.iter().map(|v| v.kind).collect::<Vec<_>>();
    assert_eq!(kinds(worker.sync().await.unwrap()), [VerdictKind::Durable; 3]);
    worker.request.results = again;
    assert_eq!(kinds(worker.sync().await.unwrap()), [VerdictKind::DuplicateSame; 3]);
    let ipc = payload(&worker.spec, UnitIndex(held[0].0)).slice(..);
    let mut row =
        babelquant_proto::rows::decode::<babelquant_proto::rows::WeightRow>(&ipc).unwrap();
    row[0].mean = Some(7.0);
    let ipc = babelquant_proto::rows::encode(&row).unwrap();
    worker.request.results = vec![UnitResult { unit: held[0], blake3: Digest::of(&ipc), ipc }];
    assert_eq!(kinds(worker.sync().await.unwrap()), [VerdictKind::DuplicateDifferent]);
    let unit = worker.request.holding.remove(0);
    let detail = "no such tensor".to_owned();
    worker.request.failures = vec![UnitFailure { unit, kind: FailureKind::InvalidUnit, detail }];
    worker.sync().await.unwrap();
    let overview = seen(&running.address, |overview| overview.quarantined == 1).await;
    assert_eq!((overview.done, overview.workers.len(), overview.workers[0].accepted), (3, 1, 3));
    let held = worker.request.holding.len();
    assert_eq!((overview.granted, overview.units), (held as u64, worker.spec.units()));
    let given_up = &overview.quarantined_units[0];
    assert_eq!((given_up.unit, given_up.fault.as_str()), (unit, "invalid_unit"));
    assert_eq!(overview.longest_held.len(), held.min(10));
    assert_eq!(overview.workers[0].engine, "cpu-test");
    running.stop.send(()).unwrap();
    assert!(matches!(
        worker.sync().await,
        Err(_) | Ok(SyncReply { state: RunState::Draining, .. })
    ));
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome.exit_code(), exit::UNFINISHED);
}
