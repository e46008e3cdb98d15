//! Workers of several engine classes in one run: refused, unless it was begun for them.

use std::collections::BTreeSet;

use babelquant_proto::rows::{DocumentRow, Measured, TokenRow};

use super::*;
use crate::store::{Earlier, RunFile};

const MIXED: Options = Options { mixed_engines: true, ..UNHURRIED };

/// The engines of the rows of a table, in the order of its files.
async fn engines<R: Measured + 'static>(output: &Output) -> Vec<String> {
    let mut engines = Vec::new();
    let push = |rows: &[R]| engines.extend(rows.iter().map(|row| row.engine().to_owned()));
    output.read(push).await.unwrap();
    engines
}

#[tokio::test]
async fn each_row_names_the_engine_that_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_with(local(folder.path()), spec(1), MIXED).await;
    let mut first = Worker::hello(&running.address, "a", "cpu-one").await.unwrap();
    first.sync().await.unwrap();
    first.compute(&[]);
    let late = first.request.results.clone();
    let mut second = Worker::hello(&running.address, "b", "gpu-two").await.unwrap();
    let overview = seen(&running.address, |overview| overview.workers.len() == 2).await;
    let shown: Vec<&str> = overview.workers.iter().map(|worker| &*worker.engine).collect();
    assert_eq!(shown, ["cpu-one", "gpu-two"]);
    first.sync().await.unwrap();
    // The same units on the other engine: its last bits may be others, which is no incident.
    second.request.results = late.iter().map(|late| second.result(late.unit)).collect();
    let kinds: Vec<_> =
        second.sync().await.unwrap().verdicts.iter().map(|verdict| verdict.kind).collect();
    assert_eq!(kinds, [VerdictKind::DuplicateSame; 3]);
    second.compute(&[]);
    tokio::join!(first.work(&[], usize::MAX), second.work(&[], usize::MAX));
    assert_eq!(running.outcome.await.unwrap().unwrap(), Outcome::Complete { quarantined: 0 });
    let output = local(folder.path());
    let of_documents = engines::<DocumentRow>(&output).await;
    let both = BTreeSet::from(["cpu-one".to_owned(), "gpu-two".to_owned()]);
    assert_eq!(of_documents.iter().cloned().collect::<BTreeSet<_>>(), both);
    // A row of each cell on tokens, and two on its documents.
    let doubled: Vec<_> = of_documents.chunks(2).map(|pair| pair[0].clone()).collect();
    assert_eq!(engines::<TokenRow>(&output).await, doubled);
    let RunFile { engine_class, mixed_engines, .. } = output.run().await.unwrap().unwrap();
    assert_eq!((engine_class.as_str(), mixed_engines), ("cpu-one", true));
}

#[tokio::test]
async fn a_run_keeps_to_what_it_was_begun_with() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_with(local(folder.path()), spec(1), MIXED).await;
    Worker::hello(&running.address, "a", "cpu-one").await.unwrap();
    running.stop.send(()).unwrap();
    running.outcome.await.unwrap().unwrap();
    // Started again without the flag it still takes both.
    let running = start_with(local(folder.path()), spec(1), UNHURRIED).await;
    Worker::hello(&running.address, "b", "gpu-two").await.unwrap();
    running.outcome.abort();

    let folder = tempfile::tempdir().unwrap();
    let running = start_with(local(folder.path()), spec(1), UNHURRIED).await;
    let mut worker = Worker::hello(&running.address, "a", "cpu-one").await.unwrap();
    worker.sync().await.unwrap();
    worker.engine = "gpu-two".parse().unwrap();
    worker.compute(&[]);
    let verdicts = worker.sync().await.unwrap().verdicts;
    assert!(verdicts.iter().all(|verdict| verdict.kind == VerdictKind::Rejected), "{verdicts:?}");
    assert!(verdicts[0].reason.contains("gpu-two"), "{verdicts:?}");
    running.outcome.abort();
    let running = start_with(local(folder.path()), spec(1), MIXED).await;
    let error = running.outcome.await.unwrap().unwrap_err();
    assert_eq!(error.exit_code(), exit::MISMATCH);
    assert!(error.to_string().contains("engine class cpu-one alone"), "{error}");
}

/// A finished run with these options, of one worker of each class.
async fn finished(folder: &Path, options: Options, classes: &[&str]) {
    let running = start_with(local(folder), spec(1), options).await;
    let mut workers = JoinSet::new();
    for class in classes {
        let worker = Worker::hello(&running.address, class, class).await.unwrap();
        workers.spawn(worker.work(&[], usize::MAX));
    }
    running.outcome.await.unwrap().unwrap();
}

#[tokio::test]
async fn results_of_several_engines_are_taken_over_by_runs_of_several_alone() {
    let [mixed, single] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    finished(mixed.path(), MIXED, &["cpu-one", "gpu-two"]).await;
    finished(single.path(), UNHURRIED, &["gpu-two"]).await;
    let taking = |from: &Path, options| {
        let from = local(from);
        async move {
            let folder = tempfile::tempdir().unwrap();
            let earlier = Earlier::open(&from).await.unwrap();
            let service = service(local(folder.path()), spec(1), options).reusing(Some(earlier));
            (start_service(Access::everyone(), service).await.outcome.await.unwrap(), folder)
        }
    };
    let (refused, _) = taking(mixed.path(), UNHURRIED).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.exit_code(), exit::MISMATCH);
    assert!(refused.to_string().contains("--mixed-engines"), "{refused}");
    for from in [mixed.path(), single.path()] {
        let (outcome, folder) = taking(from, MIXED).await;
        assert_eq!(outcome.unwrap(), Outcome::Complete { quarantined: 0 });
        let rows = |folder: &Path| {
            let output = local(folder);
            async move { engines::<DocumentRow>(&output).await }
        };
        assert_eq!(rows(folder.path()).await, rows(from).await);
    }
}

#[tokio::test]
async fn workers_of_two_engines_share_documents() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec(1);
    let (scope, _) = spec.models[0].cells[0].clone();
    let config = |group: u32| (scope.clone(), format!("int4-group{group}").parse().unwrap());
    spec.models[0].cells = (16..48).map(config).collect();
    let running = start_with(local(folder.path()), spec, MIXED).await;
    let mut first = Worker::hello(&running.address, "a", "cpu-one").await.unwrap();
    // It works until it has begun a shard.
    while first.request.shards.is_empty() {
        first.sync().await.unwrap();
        first.compute(&[]);
    }
    let mut second = Worker::hello(&running.address, "b", "gpu-two").await.unwrap();
    second.sync().await.unwrap();
    assert_eq!(second.request.shards, first.request.shards);
    tokio::join!(first.work(&[], usize::MAX), second.work(&[], usize::MAX));
    running.outcome.await.unwrap().unwrap();
    let mut on: BTreeMap<(String, u32), BTreeSet<String>> = BTreeMap::new();
    let push = |rows: &[DocumentRow]| {
        for row in rows {
            on.entry((row.language.clone(), row.document)).or_default().insert(row.engine.clone());
        }
    };
    local(folder.path()).read(push).await.unwrap();
    assert!(on.values().any(|engines| engines.len() == 2), "{on:?}");
}
