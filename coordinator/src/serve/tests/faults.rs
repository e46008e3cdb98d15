//! Workers that vanish, lie or dawdle, coordinators that end, and disks that fill.

use super::http::{get, metric};
use super::*;

#[tokio::test]
async fn lost_workers_and_restarts_leave_no_trace_in_the_data() {
    let expected = undisturbed().await;
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let running = start(local(folder.path()), spec(2)).await;
        let mut lost = Worker::join(&running.address, "lost").await;
        let reply = lost.sync().await.unwrap();
        assert!(!reply.grants.is_empty(), "round {round}: it holds a grant");
        lost.compute(&[]);
        drop(lost);
        let mut workers = JoinSet::new();
        for name in ["a", "b"] {
            let worker = Worker::join(&running.address, name).await;
            let syncs_max = if round < 2 { 3 } else { usize::MAX };
            workers.spawn(worker.work(&[], syncs_max));
        }
        workers.join_all().await;
        if round < 2 {
            running.outcome.abort();
            assert!(running.outcome.await.unwrap_err().is_cancelled());
        } else {
            let outcome = running.outcome.await.unwrap().unwrap();
            assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
        }
    }
    assert_eq!(measurement(folder.path()), expected);
    let again = start(local(folder.path()), spec(2)).await;
    let outcome = again.outcome.await.unwrap().unwrap();
    assert_eq!(outcome.exit_code(), exit::COMPLETE, "a finished run ends at once");
    let other = Spec { seed: 9, ..spec(2) };
    let error = start(local(folder.path()), other).await.outcome.await.unwrap().unwrap_err();
    assert_eq!(error.exit_code(), exit::MISMATCH);
    assert!(error.to_string().contains("seed is 1 there, 9 here"), "{error}");
}

#[tokio::test]
async fn garbage_is_rejected_and_in_the_end_quarantined() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(local(folder.path()), spec(1)).await;
    let mut workers = JoinSet::new();
    for name in ["a", "b"] {
        let worker = Worker::join(&running.address, name).await;
        workers.spawn(async { worker.work(&[4, 7], usize::MAX).await });
    }
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 2 });
    assert_eq!(outcome.exit_code(), exit::QUARANTINED);
    let manifest = local(folder.path()).manifest().await.unwrap().unwrap();
    let units: Vec<u64> = manifest.quarantined.iter().map(|unit| unit.unit).collect();
    assert_eq!(units, [4, 7]);
}

/// It never finishes and is never silent for too long.
#[tokio::test]
async fn an_idle_worker_overtakes_one_that_holds_its_units_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { straggling: Duration::from_millis(50), ..UNHURRIED };
    let running = start_with(local(folder.path()), spec(2), options).await;
    let mut slow = Worker::join(&running.address, "slow").await;
    slow.sync().await.unwrap();
    let held = slow.request.holding.clone();
    assert_eq!(held.len(), 3);
    Worker::join(&running.address, "quick").await.work(&[], usize::MAX).await;
    let reply = slow.sync().await.unwrap();
    assert_eq!((reply.revoked, reply.state), (held, RunState::Complete));
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
    assert_eq!(measurement(folder.path()), undisturbed().await);
}

#[tokio::test]
async fn a_full_disk_stops_grants_and_acknowledgements_until_there_is_room() {
    let disk = Arc::new(Faulty::healthy());
    let patient = Options { patience: Duration::from_secs(60), ..QUICK };
    let running = start_with(Output::of(Arc::<Faulty>::clone(&disk)), spec(1), patient).await;
    let mut worker = Worker::join(&running.address, "a").await;
    worker.sync().await.unwrap();
    worker.compute(&[]);
    disk.set_full(true);
    let reply = worker.sync().await.unwrap();
    assert_eq!((reply.state, reply.grants.len(), reply.verdicts.len()), (RunState::Degraded, 0, 0));
    let overview = seen(&running.address, |overview| overview.degraded.is_some()).await;
    assert_eq!((overview.state, overview.done), (RunState::Degraded, 0));
    disk.set_full(false);
    worker.work(&[], usize::MAX).await;
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
}

#[tokio::test]
async fn a_full_disk_fills_so_much_memory_and_no_more() {
    let (disk, spec) = (Arc::new(Faulty::healthy()), spec(1));
    let largest = (0..spec.units()).map(|unit| payload(&spec, UnitIndex(unit)).len()).max();
    let intake_bytes = largest.unwrap() as u32;
    let options = Options { patience: Duration::from_secs(60), intake_bytes, ..UNHURRIED };
    let running = start_with(Output::of(Arc::<Faulty>::clone(&disk)), spec, options).await;
    let mut worker = Worker::join(&running.address, "a").await;
    worker.request.want = 16;
    worker.sync().await.unwrap();
    worker.compute(&[]);
    let lengths: Vec<u32> =
        worker.request.results.iter().map(|result| result.ipc.len() as u32).collect();
    assert!(lengths.iter().sum::<u32>() > options.intake_bytes, "{lengths:?}");
    disk.set_full(true);
    for _ in 0..3 {
        worker.sync().await.unwrap();
        let (_, metrics) = get(running.http, "/metrics").await;
        let bytes = metric(&metrics, "babelquant_inflight_bytes");
        assert!((1.0..=f64::from(options.intake_bytes)).contains(&bytes), "{bytes} of {lengths:?}");
    }
    disk.set_full(false);
    worker.work(&[], usize::MAX).await;
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
}

/// What is computed is acknowledged all the same: it stands in the journal.
#[tokio::test]
async fn a_disk_that_has_no_room_for_files_keeps_commits() {
    let disk = Arc::new(Faulty::healthy());
    let patient = Options { patience: Duration::from_secs(60), ..QUICK };
    let running = start_with(Output::of(Arc::<Faulty>::clone(&disk)), spec(1), patient).await;
    let mut worker = Worker::join(&running.address, "a").await;
    disk.set_full_of_data(true);
    let (mut durable, mut degraded) = (0, false);
    while !degraded || !worker.request.holding.is_empty() {
        let reply = worker.sync().await.unwrap();
        durable += reply.verdicts.iter().filter(|v| v.kind == VerdictKind::Durable).count();
        worker.compute(&[]);
        degraded |= reply.state == RunState::Degraded;
    }
    let overview = seen(&running.address, |overview| overview.done == durable as u64).await;
    assert_eq!((overview.state, overview.granted), (RunState::Degraded, 0));
    assert!(durable > 0 && overview.degraded.unwrap().reason.contains("data/"));
    // It is not said to work again because commits do.
    assert!(worker.sync().await.unwrap().state == RunState::Degraded);
    disk.set_full_of_data(false);
    worker.work(&[], usize::MAX).await;
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
}

/// A file on its way holds up nobody, however long it takes.
#[tokio::test]
async fn commits_and_grants_go_on_while_a_file_is_written() {
    let disk = Arc::new(Faulty::healthy());
    let spec = spec(1);
    let units = spec.units();
    let running = start(Output::of(Arc::<Faulty>::clone(&disk)), spec).await;
    let mut worker = Worker::join(&running.address, "a").await;
    disk.set_silent_of_data(true);
    let mut durable = 0;
    while durable < units {
        let reply = worker.sync().await.unwrap();
        assert_eq!(reply.state, RunState::Running);
        durable += reply.verdicts.iter().filter(|v| v.kind == VerdictKind::Durable).count() as u64;
        worker.compute(&[]);
    }
    let overview = seen(&running.address, |overview| overview.done == units).await;
    assert_eq!(overview.state, RunState::Running, "its files are not there");
    disk.set_silent_of_data(false);
    worker.work(&[], usize::MAX).await;
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
}

/// Each commit takes longer than the lease: nobody who calls meanwhile is taken for lost.
#[tokio::test]
async fn a_slow_disk_costs_time_and_nothing_else() {
    let disk = Arc::new(Faulty::healthy());
    let patient = Options { patience: Duration::from_secs(60), ..QUICK };
    let running = start_with(Output::of(Arc::<Faulty>::clone(&disk)), spec(1), patient).await;
    let mut workers = Vec::new();
    for name in ["a", "b"] {
        workers.push(Worker::join(&running.address, name).await);
    }
    disk.set_slow(2 * QUICK.lease.as_millis() as u32);
    let mut rounds = 0;
    while !workers.is_empty() {
        let (status, metrics) = get(running.http, "/metrics").await;
        assert_eq!((status, metric(&metrics, "babelquant_lease_expired_total")), (200, 0.0));
        let mut syncs = JoinSet::new();
        for mut worker in std::mem::take(&mut workers) {
            syncs.spawn(async move {
                let reply = worker.sync().await.unwrap();
                worker.compute(&[]);
                (!reply.state.is_complete()).then_some(worker)
            });
        }
        workers = syncs.join_all().await.into_iter().flatten().collect();
        rounds += 1;
    }
    assert!(rounds > 2, "{rounds}");
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
}

#[tokio::test]
async fn a_disk_that_stays_full_ends_the_run_unfinished() {
    let disk = Arc::new(Faulty::healthy());
    let running = start(Output::of(Arc::<Faulty>::clone(&disk)), spec(1)).await;
    let mut worker = Worker::join(&running.address, "a").await;
    worker.sync().await.unwrap();
    worker.compute(&[]);
    disk.set_full(true);
    worker.sync().await.unwrap();
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome.exit_code(), exit::UNFINISHED);
}

/// Its Syncs are answered all the while, so that no lease runs out.
#[tokio::test]
async fn a_silent_storage_costs_no_worker_its_units() {
    let storage = Arc::new(Faulty::healthy());
    let options = Options { patience: Duration::from_secs(60), ..QUICK };
    let running = start_with(Output::of(Arc::<Faulty>::clone(&storage)), spec(1), options).await;
    let mut worker = Worker::join(&running.address, "a").await;
    worker.sync().await.unwrap();
    let held = worker.request.holding.clone();
    worker.compute(&[]);
    let want = std::mem::take(&mut worker.request.want);
    storage.set_silent(true);
    let reply = worker.sync().await.unwrap();
    assert_eq!(reply.verdicts, [], "nothing is durable");
    worker.request.want = want;
    let degraded = async || {
        seen(&running.address, |overview| overview.degraded.is_some()).await.degraded.unwrap()
    };
    while degraded().await.since < 3 * options.lease {
        let reply = worker.sync().await.unwrap();
        assert_eq!((reply.state, reply.grants.len()), (RunState::Degraded, 0));
        assert_eq!((reply.verdicts.len(), reply.revoked.len()), (0, 0));
    }
    assert!(degraded().await.reason.contains("has not answered for"));
    assert_eq!(worker.request.holding, held, "they are its own");
    storage.set_silent(false);
    worker.work(&[], usize::MAX).await;
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Complete { quarantined: 0 });
}

#[tokio::test]
async fn a_coordinator_without_work_notices_that_another_has_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(local(folder.path()), spec(1)).await;
    seen(&first.address, |overview| overview.epoch == 1).await;
    let second = start(local(folder.path()), spec(1)).await;
    let error = first.outcome.await.unwrap().unwrap_err();
    let superseded = matches!(error, ServeError::Store(StoreError::Superseded { epoch: 2 }));
    assert!(superseded && error.exit_code() == exit::SUPERSEDED, "{error}");
    second.outcome.abort();
}
