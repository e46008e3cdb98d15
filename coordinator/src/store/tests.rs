//! One conformance suite for every storage: memory, a local directory, a bucket where there is one, and memory that fails before or after it
//! applies a write. Whatever the order of results and restarts, `data/` and `_SUCCESS.json` are the same bytes.

mod compaction;
mod epochs;

use std::collections::BTreeMap;
use std::sync::Arc;

use babelquant_proto::rows::{ActivationRow, DocumentRow, QuantizationRow, WeightRow};
use babelquant_proto::{Digest, Spec, UnitIndex};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::scheduler::{Fault, Record};
use crate::study::Registration;
use crate::testing::faulty::Faulty;
use crate::testing::{Storage, payload, spec, storages};

pub(super) fn entry(spec: &Spec, unit: u64) -> Entry {
    let payload = payload(spec, UnitIndex(unit));
    Entry::Result { unit: UnitIndex(unit), digest: Digest::of(&payload), payload }
}

/// How many bytes of results the store keeps in memory, by seed: all of them, none, some.
const KEPT: [usize; 3] = [1 << 30, 0, 10_000];

/// Runs the study on `output`: commits the units in a random order and groups, with restarts; two units are quarantined.
/// Transient failures are answered as the owner does: by trying again.
pub(super) async fn run(output: &Output, seed: u64) -> Manifest {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let spec = Arc::new(spec(2));
    let quarantined = [1, 13];
    loop {
        let Ok((mut store, records)) = Store::open(output, Arc::clone(&spec)).await else {
            continue;
        };
        store = store.keeping(KEPT[seed as usize % KEPT.len()]);
        let mut open = open_units(&spec, &store, &records);
        open.shuffle(&mut rng);
        while !open.is_empty() && rng.random_bool(0.9) {
            let group: Vec<u64> = open.drain(..open.len().min(rng.random_range(1..5))).collect();
            let entries = group.iter().map(|&unit| match quarantined.contains(&unit) {
                true => Entry::Quarantine { unit: UnitIndex(unit), fault: Fault::LeaseLost },
                false => entry(&spec, unit),
            });
            let entries: Vec<_> = entries.collect();
            while store.commit(entries.clone()).await.is_err() {}
            while store.compact().await.is_err() {}
        }
        if open.is_empty() {
            let manifest = loop {
                if let Ok(manifest) = store.finish().await {
                    break manifest;
                }
            };
            return manifest;
        }
    }
}

/// The units that an opened store says are neither done nor given up.
pub(super) fn open_units(spec: &Spec, store: &Store, records: &[Record]) -> Vec<u64> {
    let mut closed: Vec<u64> = store.done().flatten().collect();
    let closing = records.iter().filter(|record| !matches!(record, Record::Charge { .. }));
    closed.extend(closing.map(|record| record.unit().0));
    (0..spec.units()).filter(|unit| !closed.contains(unit)).collect()
}

/// Every object but the run's own study, by name.
async fn contents(output: &Output) -> BTreeMap<String, bytes::Bytes> {
    let mut contents = BTreeMap::new();
    for path in output.objects.list("").await.unwrap() {
        contents.insert(path.clone(), output.objects.get(&path).await.unwrap().unwrap());
    }
    contents
}

#[tokio::test]
async fn every_storage_and_every_order_gives_the_same_bytes() {
    let memory = Output::of(Arc::new(InMemory::new()));
    let manifest = run(&memory, 0).await;
    let expected = contents(&memory).await;
    assert_eq!(manifest.files.len() + 1, expected.len(), "{:?}", expected.keys());
    assert_eq!(manifest.quarantined.len(), 2);
    for seed in 1..12 {
        let faulty = Output::of(Arc::new(Faulty::every_fourth(seed as u32)));
        run(&faulty, seed).await;
        let healthy = Output { objects: objects::Objects::of(faulty_inner(&faulty).await) };
        assert_eq!(contents(&healthy).await, expected, "faulty, seed {seed}");
        for Storage { output, .. } in &storages() {
            run(output, seed).await;
            assert_eq!(contents(output).await, expected, "{}, seed {seed}", output.location());
        }
    }
}

/// A copy of what a faulty store holds, in a healthy one.
async fn faulty_inner(output: &Output) -> Arc<dyn ObjectStore> {
    let copy = Output::of(Arc::new(InMemory::new()));
    let names = loop {
        if let Ok(names) = output.objects.list("").await {
            break names;
        }
    };
    for name in names {
        let content = output.objects.get(&name).await.unwrap().unwrap();
        copy.objects.put_new(&name, content).await.unwrap();
    }
    copy.objects.store()
}

#[tokio::test]
async fn rows_come_back_in_unit_order() {
    for Storage { output, .. } in &storages() {
        check_rows(output).await;
    }
}

async fn check_rows(output: &Output) {
    run(output, 5).await;
    let mut numbers = Vec::new();
    let documents = output.read(|rows: &[DocumentRow]| {
        numbers.extend(rows.iter().filter_map(|row| row.nll_sum));
    });
    let documents = documents.await.unwrap();
    let mut weights = 0;
    output.read(|rows: &[WeightRow]| weights += rows.len()).await.unwrap();
    let activations = output.read(|_: &[ActivationRow]| ()).await.unwrap();
    assert_eq!((weights, activations, documents), (6 - 1, 8 - 1, 2 * 16));
    let matrices = output.read(|_: &[QuantizationRow]| ()).await.unwrap();
    assert_eq!(matrices, 4 * 2);
    let by_part = numbers.chunks(4).all(|part| part.is_sorted());
    assert!(by_part, "{numbers:?}");
}

#[tokio::test]
async fn duplicates_are_told_apart_before_and_after_compaction() {
    for Storage { output, .. } in &storages() {
        check_duplicates(output).await;
    }
}

async fn check_duplicates(output: &Output) {
    let spec = Arc::new(spec(1));
    let (mut store, _) = Store::open(output, Arc::clone(&spec)).await.unwrap();
    let units = 0..spec.units();
    for unit in units.clone() {
        let digest = Digest::of(&payload(&spec, UnitIndex(unit)));
        assert_eq!(store.digest(UnitIndex(unit)).await.unwrap(), None);
        store.commit(vec![entry(&spec, unit)]).await.unwrap();
        assert_eq!(store.digest(UnitIndex(unit)).await.unwrap(), Some(digest));
    }
    store.compact().await.unwrap();
    assert_eq!(output.objects.list("journal").await.unwrap(), ["journal/epoch-00000001.json"]);
    for unit in units {
        let digest = Digest::of(&payload(&spec, UnitIndex(unit)));
        assert_eq!(store.digest(UnitIndex(unit)).await.unwrap(), Some(digest), "unit {unit}");
    }
}

/// A charge that stood in the journal twice would count twice after a restart, and give up a unit that broke less often than it may.
#[tokio::test]
async fn a_commit_in_doubt_is_in_the_journal_once() {
    let faulty = Arc::new(Faulty::healthy());
    let output = Output::of(Arc::<Faulty>::clone(&faulty));
    let spec = Arc::new(spec(1));
    let charge = |unit: u64| Entry::Charge {
        unit: UnitIndex(unit),
        worker: "w".to_owned(),
        fault: Fault::LeaseLost,
    };
    let (mut store, _) = Store::open(&output, Arc::clone(&spec)).await.unwrap();
    faulty.lose_answer();
    assert!(store.commit(vec![charge(0)]).await.unwrap_err().is_transient());
    assert!(faulty.has_lost(), "the answer was lost, and what was written could not be read");
    // Others have come meanwhile; what is in doubt goes alone, and what comes after it may be in doubt in its turn.
    assert_eq!(store.commit(vec![charge(0), charge(3)]).await.unwrap(), 1);
    faulty.lose_answer();
    assert!(store.commit(vec![charge(3)]).await.unwrap_err().is_transient());
    assert_eq!(store.commit(vec![charge(3), charge(0)]).await.unwrap(), 1);
    assert_eq!(store.commit(vec![charge(0)]).await.unwrap(), 1);
    let (_, records) = Store::open(&output, spec).await.unwrap();
    let units: Vec<u64> = records.iter().map(|record| record.unit().0).collect();
    assert_eq!(units, [0, 3, 0]);
}

#[tokio::test]
async fn a_storage_that_replaces_what_is_there_is_refused() {
    let output = Output::of(Arc::new(Faulty::forgetful()));
    let error = Store::open(&output, Arc::new(spec(1))).await.unwrap_err();
    assert!(error.to_string().contains("ignores If-None-Match"), "{error}");
}

#[tokio::test]
async fn a_second_coordinator_stops_the_first() {
    for Storage { output, .. } in &storages() {
        check_second_coordinator(output).await;
    }
}

async fn check_second_coordinator(output: &Output) {
    let spec = Arc::new(spec(1));
    let (mut first, _) = Store::open(output, Arc::clone(&spec)).await.unwrap();
    let (mut second, _) = Store::open(output, Arc::clone(&spec)).await.unwrap();
    let error = first.commit(vec![entry(&spec, 0)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Superseded { epoch: 2 }));
    second.commit(vec![entry(&spec, 0)]).await.unwrap();
}

#[tokio::test]
async fn an_output_belongs_to_one_measurement_and_engine() {
    for Storage { output, .. } in &storages() {
        check_owner(output).await;
    }
}

async fn check_owner(output: &Output) {
    let spec = spec(1);
    let run = |spec: &Spec, engine: &str, study: &str| RunFile {
        study: study.to_owned(),
        spec_digest: spec.digest().unwrap(),
        engine_class: engine.parse().unwrap(),
        mixed_engines: false,
        spec: spec.clone(),
        registration: Registration::default(),
        reused: None,
    };
    output.claim(run(&spec, "cpu-a", "one")).await.unwrap();
    output.claim(run(&spec, "cpu-a", "another name")).await.unwrap();
    let error = output.claim(run(&spec, "cpu-b", "one")).await.unwrap_err();
    assert!(error.to_string().contains("cpu-a") && error.to_string().contains("cpu-b"), "{error}");
    let other = Spec { seed: 2, ..spec.clone() };
    let error = output.check(&other, &Registration::default()).await.unwrap_err();
    assert!(
        error.is_mismatch() && error.to_string().contains("seed is 1 there, 2 here"),
        "{error}"
    );
    assert_eq!(output.run().await.unwrap().unwrap().study, "one");
}

/// Whoever claims an output first registers the hypotheses; nobody changes them afterwards, not even a coordinator that came at the same time.
#[tokio::test]
async fn hypotheses_are_registered_once() {
    for Storage { output, .. } in &storages() {
        check_hypotheses(output).await;
    }
}

async fn check_hypotheses(output: &Output) {
    let spec = spec(1);
    let registration = |alpha: &str| -> Registration {
        let text = format!(
            "{{\"hypotheses\": [{{\"id\": \"h\", \"claim\": \"pearson(fertility, kl) < 0\", \"alpha\": {alpha}, \
             \"correction\": \"holm\", \"effect\": 0.5}}], \"outlier_layers\": 3}}"
        );
        serde_json::from_str(&text).unwrap()
    };
    let run = |registration: Registration| RunFile {
        study: "s".to_owned(),
        spec_digest: spec.digest().unwrap(),
        engine_class: "cpu-a".parse().unwrap(),
        mixed_engines: false,
        spec: spec.clone(),
        registration,
        reused: None,
    };
    assert_eq!(output.check(&spec, &registration("0.05")).await.unwrap(), None);
    output.claim(run(registration("0.05"))).await.unwrap();
    output.claim(run(registration("0.05"))).await.unwrap();
    let refusals = [
        output.claim(run(registration("0.1"))).await.unwrap_err(),
        output.check(&spec, &registration("0.1")).await.unwrap_err(),
        output.check(&spec, &Registration::default()).await.unwrap_err(),
    ];
    for (error, part) in refusals.iter().zip(["0.05 in the run, 0.1 here", "0.1 here", "missing"]) {
        assert!(error.is_mismatch() && error.to_string().contains(part), "{error}");
    }
    let there = output.check(&spec, &registration("0.05")).await.unwrap().unwrap();
    assert_eq!(there.registration, registration("0.05"));
}

/// Runs from before there were hypotheses have none, and a run without any writes none.
#[tokio::test]
async fn a_run_without_hypotheses_reads_as_one() {
    let spec = spec(1);
    let run = RunFile {
        study: "s".to_owned(),
        spec_digest: spec.digest().unwrap(),
        engine_class: "cpu-a".parse().unwrap(),
        mixed_engines: false,
        spec,
        registration: Registration::default(),
        reused: None,
    };
    let value = serde_json::to_value(&run).unwrap();
    assert!(value.get("spec").is_some() && value.get("registration").is_none(), "{value}");
    assert_eq!(serde_json::from_value::<RunFile>(value).unwrap(), run);
}

#[tokio::test]
async fn half_written_files_of_a_killed_process_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data/documents/language=eng");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("model-0-shard-00000.parquet#1"), "half").unwrap();
    let output = Output::open(folder.path().to_str().unwrap(), &[]).unwrap();
    Store::open(&output, Arc::new(spec(1))).await.unwrap();
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
}

#[test]
fn locations_that_cannot_be_used_are_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = format!("{}/x", file.path().display());
    let mut locations = vec![below.as_str(), "ftp://host/x", "s3:/"];
    locations.retain(|location| location.contains("//") || location.starts_with('/'));
    if cfg!(not(feature = "s3")) {
        locations.push("s3://bucket/prefix");
    }
    for location in locations {
        let error = Output::open(location, &[]).unwrap_err();
        assert!(error.to_string().contains(location), "{error}");
    }
}
