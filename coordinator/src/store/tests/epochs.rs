//! Coordinators that do not know yet that another has taken the output over, as after a partition or a pause. Time is the runtime's: a write that takes a
//! second takes none.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use babelquant_proto::EngineClass;
use tokio::time::sleep;

use super::*;
use crate::testing::payload_by;

/// A result as workers of an engine class of its own send it.
fn entry_by(engine: u64, spec: &Spec, unit: u64) -> Entry {
    let engine: EngineClass = format!("cpu-{engine}").parse().unwrap();
    let payload = payload_by(&engine, spec, UnitIndex(unit));
    Entry::Result { unit: UnitIndex(unit), digest: Digest::of(&payload), payload }
}

/// A write that was begun by the one and arrives when the other has looked at what there is.
#[tokio::test]
async fn what_arrives_too_late_counts_for_nobody() {
    for Storage { output, .. } in &storages() {
        check_too_late(output).await;
    }
}

async fn check_too_late(output: &Output) {
    let spec = Arc::new(spec(1));
    let (mut first, _) = Store::open(output, Arc::clone(&spec)).await.unwrap();
    first.commit(vec![entry(&spec, 0)]).await.unwrap();
    let (mut second, records) = Store::open(output, Arc::clone(&spec)).await.unwrap();
    assert_eq!(records, [Record::Done { unit: UnitIndex(0) }]);
    let late =
        [Entry::Quarantine { unit: UnitIndex(1), fault: Fault::LeaseLost }, entry_by(7, &spec, 2)];
    let path = "journal/00000001-00000001.arrow";
    output.objects.put_new(path, journal::encode(&late).unwrap()).await.unwrap();
    second.commit(vec![entry(&spec, 1), entry(&spec, 2)]).await.unwrap();
    let (mut third, records) = Store::open(output, Arc::clone(&spec)).await.unwrap();
    assert_eq!(records, [0, 1, 2].map(|unit| Record::Done { unit: UnitIndex(unit) }));
    assert_eq!(output.objects.get(path).await.unwrap(), None, "it is gone");
    third.commit((3..spec.units()).map(|unit| entry(&spec, unit)).collect()).await.unwrap();
    third.compact().await.unwrap();
    let manifest = third.finish().await.unwrap();
    assert_eq!(manifest.quarantined, []);
    for unit in 0..spec.units() {
        let digest = Digest::of(&payload(&spec, UnitIndex(unit)));
        assert_eq!(third.digest(UnitIndex(unit)).await.unwrap(), Some(digest), "unit {unit}");
    }
}

/// The look before a commit finds no successor, the look after it does: nobody is told that his result is durable.
#[tokio::test(start_paused = true)]
async fn a_commit_that_is_overtaken_is_not_acknowledged() {
    let faulty = Arc::new(Faulty::healthy());
    let output = Output::of(Arc::<Faulty>::clone(&faulty));
    let spec = Arc::new(spec(1));
    let (mut first, _) = Store::open(&output, Arc::clone(&spec)).await.unwrap();
    faulty.set_slow(1_000);
    let overtake = async {
        sleep(Duration::from_millis(500)).await;
        faulty.set_slow(0);
        Store::open(&output, Arc::clone(&spec)).await.unwrap().1
    };
    let (late, records) = tokio::join!(first.commit(vec![entry(&spec, 0)]), overtake);
    assert!(matches!(late.unwrap_err(), StoreError::Superseded { epoch: 2 }));
    assert_eq!(records, []);
    assert!(output.objects.list("journal").await.unwrap()[0].ends_with(".arrow"), "it was written");
}

/// A third one claims the output while the second has listed it and has not said so: only one of them may go on.
#[tokio::test(start_paused = true)]
async fn one_that_is_overtaken_while_it_opens_does_not_go_on() {
    let faulty = Arc::new(Faulty::healthy());
    let output = Output::of(Arc::<Faulty>::clone(&faulty));
    let spec = Arc::new(spec(1));
    drop(Store::open(&output, Arc::clone(&spec)).await.unwrap());
    faulty.set_slow(1_000);
    let overtake = async {
        // The other has claimed its epoch, looked whether the storage writes once, and keeps what it inherits.
        sleep(Duration::from_millis(2_500)).await;
        faulty.set_slow(0);
        Store::open(&output, Arc::clone(&spec)).await
    };
    let (second, third) = tokio::join!(Store::open(&output, Arc::clone(&spec)), overtake);
    assert!(matches!(second.unwrap_err(), StoreError::Superseded { epoch: 3 }));
    assert_eq!(third.unwrap().0.epoch(), 3);
}

/// Coordinators come at random and know nothing of each other; each has workers of an engine class of its own, so that no two results are the same
/// bytes; a write takes as long as it likes. What was acknowledged first stands in the files, and nothing else.
#[tokio::test(start_paused = true)]
async fn whatever_coordinators_do_at_once_what_was_acknowledged_stands() {
    let mut overtaken = 0;
    for seed in 0..100 {
        overtaken += check_at_once(seed).await;
    }
    assert!(overtaken > 50, "{overtaken} commits were overtaken: the seeds are too tame");
}

/// Returns how many commits were overtaken.
async fn check_at_once(seed: u64) -> usize {
    let run = Run {
        storage: Arc::new(Faulty::healthy()),
        spec: Arc::new(spec(1)),
        acknowledged: Mutex::default(),
    };
    let serve = |number| {
        let run = &run;
        async move {
            let mut rng = ChaCha8Rng::seed_from_u64(seed << 8 | number);
            sleep(Duration::from_millis(number * rng.random_range(0..3_000))).await;
            match run.serve(number, &mut rng).await {
                Ok(()) => 0,
                Err(Stopped { error: StoreError::Superseded { .. }, committing }) => {
                    usize::from(committing)
                }
                Err(Stopped { error, .. }) => panic!("seed {seed}, coordinator {number}: {error}"),
            }
        }
    };
    let overtaken = futures_util::future::join_all((0..6).map(serve)).await.iter().sum();
    run.storage.set_slow(0);
    if run.output().manifest().await.unwrap().is_none() {
        let (mut store, records) = run.open().await.unwrap();
        let open = open_units(&run.spec, &store, &records);
        store
            .commit(open.iter().map(|&unit| entry_by(99, &run.spec, unit)).collect())
            .await
            .unwrap();
        store.compact().await.unwrap();
        store.finish().await.unwrap();
    }
    let (store, _) = run.open().await.unwrap();
    for (unit, digest) in run.acknowledged.into_inner().unwrap() {
        assert_eq!(
            store.digest(unit).await.unwrap(),
            Some(digest),
            "seed {seed}: {unit:?} is lost"
        );
    }
    overtaken
}

/// A run, and what its coordinators have acknowledged.
struct Run {
    storage: Arc<Faulty>,
    spec: Arc<Spec>,
    acknowledged: Mutex<HashMap<UnitIndex, Digest>>,
}

/// Why a coordinator stopped, and whether that was in a commit.
struct Stopped {
    error: StoreError,
    committing: bool,
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self { error, committing: false }
    }
}

impl Run {
    fn output(&self) -> Output {
        Output::of(Arc::<Faulty>::clone(&self.storage))
    }

    async fn open(&self) -> Result<(Store, Vec<Record>), StoreError> {
        Store::open(&self.output(), Arc::clone(&self.spec)).await
    }

    /// One coordinator with its workers, from its start to its end.
    async fn serve(&self, number: u64, rng: &mut ChaCha8Rng) -> Result<(), Stopped> {
        let (mut store, records) = self.open().await?;
        let mut open = open_units(&self.spec, &store, &records);
        open.shuffle(rng);
        store.compact().await?;
        for group in open.chunks(3) {
            self.storage.set_slow([0, 0, 10, 1_000, 20_000][rng.random_range(0..5)]);
            let entries: Vec<Entry> =
                group.iter().map(|&unit| entry_by(number, &self.spec, unit)).collect();
            let committed = store.commit(entries.clone()).await;
            committed.map_err(|error| Stopped { error, committing: true })?;
            entries.iter().for_each(|entry| self.acknowledge(entry));
            store.compact().await?;
            sleep(Duration::from_millis(rng.random_range(0..2_000))).await;
        }
        Ok(store.finish().await.map(drop)?)
    }

    fn acknowledge(&self, entry: &Entry) {
        let Entry::Result { unit, digest, .. } = *entry else { panic!("a result") };
        let first = self.acknowledged.lock().unwrap().insert(unit, digest);
        assert_eq!(first, None, "{unit:?} was acknowledged twice");
    }
}
