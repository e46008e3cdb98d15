//! A run over HTTP: real requests to a real coordinator. Not the page in a browser (`tests/browser/live.py`).

use std::net::SocketAddr;

use babelquant_proto::rows::encode_both;
use babelquant_proto::{Digest, Unit};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::testing::{document_rows, token_row};

/// Sends a request as it stands and reads until the connection ends.
async fn send(address: SocketAddr, request: &str) -> (u16, String) {
    let (head, body) = exchange(TcpStream::connect(address).await.unwrap(), request).await;
    (status(&head), body)
}

/// The number in the first line of an answer.
pub(super) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// What comes back on a connection: the head of the answer and its body.
pub(super) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> (String, String) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

pub(super) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await
}

/// The sum over the series of a metric that have such a start.
pub(super) fn metric(text: &str, start: &str) -> f64 {
    let series = text.lines().filter(|line| line.starts_with(start));
    let values = series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    values.reduce(|a, b| a + b).unwrap_or_else(|| panic!("no {start} in\n{text}"))
}

/// Works until the run is complete, with one garbled result and one failure; how many Syncs that took and how many grants came.
async fn work_with_faults(worker: &mut Worker) -> (u32, usize) {
    let (mut syncs, mut grants, mut broken) = (0, 0, vec![0]);
    loop {
        let reply = worker.sync().await.unwrap();
        (syncs, grants) = (syncs + 1, grants + reply.grants.len());
        if reply.state.is_complete() {
            break;
        }
        worker.compute(&broken);
        broken.clear();
        if syncs == 1 {
            let unit = worker.request.results.pop().unwrap().unit;
            let kind = FailureKind::Crash;
            worker.request.failures.push(UnitFailure { unit, kind, detail: String::new() });
        }
    }
    (syncs, grants)
}

#[tokio::test]
async fn metrics_say_what_the_run_did() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { linger: Duration::from_secs(60), ..UNHURRIED };
    let running = start_with(local(folder.path()), spec(1), options).await;
    let mut idle = Worker::join(&running.address, "idle").await;
    let mut worker = Worker::join(&running.address, "a").await;
    let (syncs, grants) = work_with_faults(&mut worker).await;
    let spec = &worker.spec;
    let cell = (0..spec.units()).map(UnitIndex);
    let cell = cell.filter(|&unit| matches!(spec.unit(unit), Some(Unit::Cell { .. })));
    let [same, other] = cell.take(2).collect::<Vec<_>>()[..] else { panic!("no two cells") };
    let mut rows = document_rows(spec, other);
    rows[0].nll_sum = Some(0.25);
    let differs = encode_both(&rows, &[token_row(spec, other)]).unwrap();
    for (unit, ipc) in [(same, payload(spec, same)), (other, differs)] {
        idle.request.results.push(UnitResult { unit, blake3: Digest::of(&ipc), ipc });
    }
    seen(&running.address, |overview| overview.state.is_complete()).await;
    let before = get(running.http, "/metrics").await;
    assert_eq!(before.0, 200);
    let value = |start: &str| metric(&before.1, &format!("babelquant_{start}"));
    let units = spec.units() as f64;
    let bytes: usize = (0..spec.units()).map(|unit| payload(spec, UnitIndex(unit)).len()).sum();
    for (start, expected) in [
        ("units{state=\"done\"}", units),
        ("units{state=\"open\"}", 0.0),
        ("units{state=\"granted\"}", 0.0),
        ("units{state=\"quarantined\"}", 0.0),
        ("grants_total", grants as f64),
        ("results_total{verdict=\"durable\"}", units),
        ("results_total{verdict=\"rejected\"}", 1.0),
        ("failures_total{kind=\"crash\"}", 1.0),
        ("failures_total{kind=\"out_of_memory\"}", 0.0),
        ("lease_expired_total", 0.0),
        ("sessions{state=\"working\"}", 2.0),
        ("sync_seconds_count", f64::from(syncs)),
        ("commit_bytes_total", bytes as f64),
        ("inflight_bytes", 0.0),
        ("unit_seconds_count{engine=\"cpu-test\",config=\"int4-channel\"}", 4.0),
        ("unit_seconds_count{", units),
        ("determinism_mismatch_total", 0.0),
        ("epoch", 1.0),
        ("invariant_violations_total", 0.0),
        ("oldest_lease_seconds", 0.0),
    ] {
        assert_eq!(value(start), expected, "{start} in\n{}", before.1);
    }
    assert!(value("commit_seconds_count") >= 1.0);
    let verdicts: Vec<VerdictKind> =
        idle.sync().await.unwrap().verdicts.iter().map(|verdict| verdict.kind).collect();
    assert_eq!(verdicts, [VerdictKind::DuplicateSame, VerdictKind::DuplicateDifferent]);
    assert_eq!(running.outcome.await.unwrap().unwrap(), Outcome::Complete { quarantined: 0 });
}

#[tokio::test]
async fn probes_say_when_the_output_refuses() {
    let disk = Arc::new(Faulty::healthy());
    let patient = Options { patience: Duration::from_secs(60), ..UNHURRIED };
    let running = start_with(Output::of(Arc::<Faulty>::clone(&disk)), spec(1), patient).await;
    let mut worker = Worker::join(&running.address, "a").await;
    worker.sync().await.unwrap();
    seen(&running.address, |overview| overview.epoch == 1).await;
    assert_eq!(get(running.http, "/healthz").await, (200, "alive\n".to_owned()));
    assert_eq!(get(running.http, "/readyz").await, (200, "running\n".to_owned()));
    let channel = Channel::from_shared(running.address.clone()).unwrap().connect().await;
    let mut health = HealthClient::new(channel.unwrap());
    let service = "babelquant.v1.Coordinator".to_owned();
    let known = health.watch(HealthCheckRequest { service }).await;
    let mut statuses = known.unwrap().into_inner();
    let mut status = async || statuses.message().await.unwrap().unwrap().status();
    assert_eq!(status().await, ServingStatus::Serving);
    worker.compute(&[]);
    disk.set_full(true);
    worker.sync().await.unwrap();
    seen(&running.address, |overview| overview.degraded.is_some()).await;
    let (code, reason) = get(running.http, "/readyz").await;
    assert!(code == 503 && reason.contains("no space left on device"), "{code} {reason}");
    assert_eq!(get(running.http, "/healthz").await.0, 200);
    assert_eq!(status().await, ServingStatus::NotServing);
    disk.set_full(false);
    seen(&running.address, |overview| overview.degraded.is_none()).await;
    assert_eq!(get(running.http, "/readyz").await.0, 200);
    assert_eq!(status().await, ServingStatus::Serving);
    worker.work(&[], usize::MAX).await;
    assert_eq!(running.outcome.await.unwrap().unwrap(), Outcome::Complete { quarantined: 0 });
}

/// The data of the events of a name, in order.
fn data(events: &str, name: &str) -> Vec<Value> {
    let start = format!("event: {name}\ndata: ");
    let events = events.split(&start).skip(1);
    events.map(|rest| serde_json::from_str(rest.lines().next().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn events_fill_the_grid_with_what_the_rows_say() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_with(local(folder.path()), spec(1), UNHURRIED).await;
    let mut worker = Worker::join(&running.address, "a").await;
    worker.sync().await.unwrap();
    let spec = worker.spec.clone();
    let mut stream = TcpStream::connect(running.http).await.unwrap();
    stream.write_all(b"GET /events?tab=1 HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let mut events = Vec::new();
    while !String::from_utf8_lossy(&events).contains("event: overview") {
        assert!(stream.read_buf(&mut events).await.unwrap() > 0, "the events ended");
    }
    let (_, rest) = tokio::join!(worker.work(&[], usize::MAX), stream.read_to_end(&mut events));
    rest.unwrap();
    let events = String::from_utf8(events).unwrap();
    assert_eq!(running.outcome.await.unwrap().unwrap(), Outcome::Complete { quarantined: 0 });
    let [tab] = &data(&events, "tab")[..] else { panic!("not one tab in {events}") };
    assert_eq!((&tab["config"], &tab["scopes"]), (&json!("int4-channel"), &json!(["all"])));
    let runs = data(&events, "overview");
    let (first, last) = (runs.first().unwrap(), runs.last().unwrap());
    assert_eq!((&first["study"], &first["workers"][0]["name"]), (&json!("test"), &json!("a")));
    assert_eq!((&last["state"], &last["done"]), (&json!("complete"), &json!(spec.units())));
    let mut squares = BTreeMap::new();
    let changes = data(&events, "squares").into_iter().chain([tab["squares"].clone()]);
    for change in changes.flat_map(|squares| squares.as_array().unwrap().clone()) {
        let measured = change[1].as_u64().unwrap();
        let known = squares.entry(change[0].as_u64().unwrap()).or_insert(change.clone());
        if known[1].as_u64().unwrap() < measured {
            *known = change;
        }
    }
    let mut sums = vec![(0.0, 0.0); spec.corpus.len()];
    for unit in (0..spec.units()).map(UnitIndex) {
        if let Some(Unit::Cell { shard, config, .. }) = spec.unit(unit)
            && config.to_string() == "int4-channel"
        {
            for row in document_rows(&spec, unit) {
                let (delta, tokens) = &mut sums[shard.language as usize];
                *delta += row.nll_sum.unwrap() - row.base_nll_sum;
                *tokens += row.tokens as f64;
            }
        }
    }
    for ((square, expected), (delta, tokens)) in squares.values().zip(0_u64..).zip(&sums) {
        assert_eq!(json!([square[0], square[1], square[2]]), json!([expected, 2, 0]));
        assert!((square[3].as_f64().unwrap() - delta / tokens).abs() < 1e-12, "{square}");
    }
    assert_eq!(squares.len(), spec.corpus.len());
}

#[tokio::test]
async fn bad_requests_are_refused_and_idle_clients_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_with(local(folder.path()), spec(1), UNHURRIED).await;
    let (code, page) = get(running.http, "/").await;
    assert!(code == 200 && page.contains("<h1><bdi>test</bdi></h1>"), "{page}");
    assert_eq!(get(running.http, "/nothing").await.0, 404);
    assert_eq!(send(running.http, "POST / HTTP/1.1\r\nHost: test\r\n\r\n").await.0, 405);
    assert_eq!(send(running.http, "garbage\r\n\r\n").await.0, 400);
    let long = format!("GET / HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(1 << 15));
    assert_eq!(send(running.http, &long).await.0, 431);
    let mut idle = Vec::new();
    for _ in 0..80 {
        idle.push(TcpStream::connect(running.http).await.unwrap());
    }
    drop(idle);
    assert_eq!(get(running.http, "/healthz").await.0, 200);
    drop(running.stop);
    running.outcome.abort();
}
