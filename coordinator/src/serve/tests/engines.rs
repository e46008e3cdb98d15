//! Workers of several engine classes in one run: refused, unless it was begun for them.

use std::collections::BTreeSet;

use babelquant_proto::rows::{DocumentRow, Measured, TokenRow};

use super::*;
use crate::store::RunFile;

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
