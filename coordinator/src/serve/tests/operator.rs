//! What an operator says to a running coordinator, over real gRPC.

use babelquant_proto::message::Drain;

use super::*;
use crate::service::AdminError;

#[tokio::test]
async fn an_operator_drains_workers_and_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_with(local(folder.path()), spec(1), UNHURRIED).await;
    let mut operator = AdminConnection::new(&running.address, Credentials::default()).unwrap();
    let drain = |glob: &str| Drain::Workers(glob.to_owned());
    let mut a = Worker::join(&running.address, "a-1").await;
    let mut b = Worker::join(&running.address, "b-1").await;
    assert!(!a.sync().await.unwrap().leave);
    let nobody = operator.drain(drain("c*")).await.unwrap_err();
    assert!(matches!(&nobody, AdminError::NotFound(text) if text.contains("a-1, b-1")), "{nobody}");
    assert!(matches!(operator.drain(drain("a**b")).await, Err(AdminError::NotFound(_))));
    for _ in 0..2 {
        assert_eq!(operator.drain(drain("a-*")).await.unwrap(), ["a-1"], "twice is as once");
    }
    let reply = a.sync().await.unwrap();
    assert!(reply.leave && reply.grants.is_empty());
    let reply = b.sync().await.unwrap();
    assert!(!reply.leave && !reply.grants.is_empty());
    let mut again = Worker::join(&running.address, "a-2").await;
    assert!(again.sync().await.unwrap().leave);
    a.request.released = std::mem::take(&mut a.request.holding);
    a.request.draining = true;
    a.sync().await.unwrap();
    let left = seen(&running.address, |overview| overview.workers.len() == 2).await;
    assert_eq!(left.drained, ["a-*"]);
    assert!(left.workers.iter().all(|worker| worker.draining == worker.name.starts_with('a')));
    let undo = |glob: &str| Drain::Undo(glob.to_owned());
    assert!(matches!(operator.drain(undo("b")).await, Err(AdminError::NotFound(_))));
    assert_eq!(operator.drain(undo("a-*")).await.unwrap(), ["a-2"]);
    assert!(!again.sync().await.unwrap().leave);
    assert_eq!(operator.drain(Drain::Run).await.unwrap(), ["a-2", "b-1"]);
    let outcome = running.outcome.await.unwrap().unwrap();
    assert_eq!(outcome.exit_code(), exit::UNFINISHED);
    let again = start(local(folder.path()), spec(1)).await;
    Worker::join(&again.address, "a-1").await.work(&[], usize::MAX).await;
    assert_eq!(again.outcome.await.unwrap().unwrap(), Outcome::Complete { quarantined: 0 });
}
