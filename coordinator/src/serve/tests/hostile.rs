//! Peers that break the rules: the run goes on, and nobody else notices.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::callers::Keys;
use super::*;

fn host(address: &str) -> &str {
    address.split_once("://").unwrap().1
}

/// A run that only callers with certificates reach.
async fn guarded(folder: &Path, keys: &Keys) -> Running {
    let access = Access::read(Some(keys.folder.path()), None).unwrap();
    start_for(access, local(folder), spec(1), QUICK).await
}

#[tokio::test]
async fn plain_bytes_and_endless_handshakes_hold_up_nobody() {
    let (keys, folder) = (Keys::new(), tempfile::tempdir().unwrap());
    let running = guarded(folder.path(), &keys).await;
    let mut silent = Vec::new();
    for bytes in [&b""[..], b"\x16\x03\x01", b"\x16\x03\x01\x40\x00"].repeat(20) {
        let mut stream = TcpStream::connect(host(&running.address)).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        silent.push(stream);
    }
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0xff; 70_000]]
    {
        let mut stream = TcpStream::connect(host(&running.address)).await.unwrap();
        // It may be closed on us before all is written.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        // Its alert, or a reset; never an answer in HTTP.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.first().is_none_or(|&first| first == 0x15), "{answer:?}");
    }
    let mut admin = AdminClient::new(keys.worker(&running.address));
    let status = admin.status(wire::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.done, 0);
    drop(silent);
    running.outcome.abort();
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_and_the_next_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(local(folder.path()), spec(1)).await;
    let mut worker = Worker::join(&running.address, "a").await;
    let hello = wire::Hello {
        wire_major: WIRE_MAJOR,
        wire_minor: 0,
        name: "x".repeat(babelquant_proto::MESSAGE_BYTES_MAX + 1),
        engine_class: "cpu-test".to_owned(),
        memory_bytes: 0,
    };
    let refused = worker.client.register(hello).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    assert!(!worker.sync().await.unwrap().grants.is_empty());
    running.outcome.abort();
}

#[tokio::test]
async fn replays_and_results_of_foreign_units_change_nothing() {
    let expected = {
        let folder = tempfile::tempdir().unwrap();
        let running = start(local(folder.path()), spec(1)).await;
        Worker::join(&running.address, "a").await.work(&[], usize::MAX).await;
        running.outcome.await.unwrap().unwrap();
        measurement(folder.path())
    };
    let folder = tempfile::tempdir().unwrap();
    let running = start(local(folder.path()), spec(1)).await;
    let mut honest = Worker::join(&running.address, "honest").await;
    honest.sync().await.unwrap();
    let held = honest.request.holding.clone();
    let mut hostile = Worker::join(&running.address, "hostile").await;
    let units = hostile.spec.units();
    let of = |unit: u64, ipc: bytes::Bytes| UnitResult {
        unit: UnitIndex(unit),
        blake3: Digest::of(&ipc),
        ipc,
    };
    let good = payload(&hostile.spec, held[0]);
    let lie = UnitResult { blake3: Digest::of(b"else"), ..of(held[0].0, good.clone()) };
    let foreign = vec![
        of(units, good.clone()),
        of(u64::MAX, good.clone()),
        of(units - 1, good.clone()),
        of(held[1].0, bytes::Bytes::from_static(b"garbage")),
        lie,
    ];
    hostile.request.want = 0;
    for round in 0..5 {
        hostile.request.results = foreign.clone();
        let reply = hostile.sync().await.unwrap();
        let kinds: Vec<_> = reply.verdicts.iter().map(|verdict| verdict.kind).collect();
        assert_eq!(kinds, [VerdictKind::Rejected; 5], "round {round}: {:?}", reply.verdicts);
    }
    honest.compute(&[]);
    let request = wire::SyncRequest::from(honest.request.clone());
    honest.sync().await.unwrap();
    for _ in 0..3 {
        let reply = honest.client.sync(request.clone()).await.unwrap().into_inner();
        let reply = SyncReply::try_from(reply).unwrap();
        assert!(reply.verdicts.iter().all(|verdict| verdict.kind == VerdictKind::DuplicateSame));
        honest.request.holding.extend(reply.grants.iter().map(|grant| grant.unit));
        honest.request.shards.extend(reply.grants.iter().filter_map(|g| Some(g.text.as_ref()?.id)));
    }
    honest.work(&[], usize::MAX).await;
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 }, "nobody else's unit was charged");
    assert_eq!(measurement(folder.path()), expected);
}

#[tokio::test]
async fn a_flood_of_resets_costs_its_own_connection() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(local(folder.path()), spec(1)).await;
    let stream = TcpStream::connect(host(&running.address)).await.unwrap();
    let (mut flood, connection) = h2::client::handshake(stream).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let mut sent = 0;
    while sent < 100_000 {
        let Ok(ready) = flood.clone().ready().await else { break };
        flood = ready;
        let request =
            ::http::Request::post(format!("{}/babelquant.v1.Admin/Status", running.address));
        let Ok((answer, mut body)) = flood.send_request(request.body(()).unwrap(), false) else {
            break;
        };
        body.send_reset(h2::Reason::CANCEL);
        drop(answer);
        sent += 1;
        if sent % 500 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(sent < 100_000, "the flood was let through");
    let error = tasks.join_next().await.unwrap().unwrap().unwrap_err();
    // The reason, or a closed connection where the flood was still writing.
    let is_calmed = error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM);
    assert!(is_calmed || error.is_io(), "{error}");
    Worker::join(&running.address, "a").await.work(&[], usize::MAX).await;
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
}

/// Each of these messages is small enough; together, all unfinished, they are not.
#[tokio::test]
async fn messages_that_do_not_end_are_bounded_together() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_with(local(folder.path()), spec(1), UNHURRIED).await;
    let mut worker = Worker::join(&running.address, "a").await;
    let stream = TcpStream::connect(host(&running.address)).await.unwrap();
    let (mut flood, connection) = h2::client::handshake(stream).await.unwrap();
    let (mut connections, mut calls) = (JoinSet::new(), JoinSet::new());
    connections.spawn(connection);
    for _ in 0..17 {
        flood = flood.ready().await.unwrap();
        let uri = format!("{}/babelquant.v1.Coordinator/Register", running.address);
        let request = ::http::Request::post(uri).header("content-type", "application/grpc");
        let (answer, body) = flood.send_request(request.body(()).unwrap(), false).unwrap();
        calls.spawn(unfinished(answer, body));
    }
    let refused = calls.join_next().await.unwrap().unwrap();
    assert_eq!(refused["grpc-status"], (Code::ResourceExhausted as i32).to_string());
    drop((connections, calls));
    // As soon as the coordinator has noticed that the flood is over.
    while let Err(refused) = worker.sync().await {
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    }
    worker.work(&[], usize::MAX).await;
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
}

/// Sends a message but for its last byte; returns the head of the answer to that.
async fn unfinished(
    answer: h2::client::ResponseFuture,
    mut body: h2::SendStream<bytes::Bytes>,
) -> ::http::HeaderMap {
    let length = u32::try_from(babelquant_proto::MESSAGE_BYTES_MAX).unwrap();
    let mut message = [&[0][..], &length.to_be_bytes()].concat();
    message.resize(message.len() + babelquant_proto::MESSAGE_BYTES_MAX - 1, 0);
    let mut rest = bytes::Bytes::from(message);
    while !rest.is_empty() {
        body.reserve_capacity(rest.len());
        let capacity = std::future::poll_fn(|context| body.poll_capacity(context)).await;
        let Some(Ok(capacity)) = capacity else { break };
        body.send_data(rest.split_to(capacity), false).unwrap();
    }
    answer.await.unwrap().headers().clone()
}
