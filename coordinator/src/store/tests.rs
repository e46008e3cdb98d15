//! One conformance suite for every storage: memory, a local directory, and memory that fails before or after it applies a
//! write. Whatever the order of results and restarts, `data/` and `_SUCCESS.json` are the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use babelquant_proto::rows::{ActivationRow, DocumentRow, QuantizationRow, WeightRow};
use babelquant_proto::{Digest, Dtype, ShardId, Spec, Unit, UnitIndex};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::scheduler::{Fault, Record};
use crate::study::Registration;
use crate::testing::faulty::Faulty;
use crate::testing::{payload, spec};

fn entry(spec: &Spec, unit: u64) -> Entry {
    let payload = payload(spec, UnitIndex(unit));
    Entry::Result { unit: UnitIndex(unit), digest: Digest::of(&payload), payload }
}

/// Runs the study on `output`: commits the units in a random order and groups, with restarts; two units are quarantined.
/// Transient failures are answered as the owner does: by trying again.
async fn run(output: &Output, seed: u64) -> Manifest {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let spec = Arc::new(spec(2));
    let quarantined = [1, 13];
    loop {
        let Ok((mut store, records)) = Store::open(output, Arc::clone(&spec)).await else {
            continue;
        };
        let mut closed: Vec<u64> = store.done().flatten().collect();
        let closing = records.iter().filter(|record| !matches!(record, Record::Charge { .. }));
        closed.extend(closing.map(|record| record.unit().0));
        let mut open: Vec<u64> = (0..spec.units()).filter(|unit| !closed.contains(unit)).collect();
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
    let folder = tempfile::tempdir().unwrap();
    for seed in 1..12 {
        let faulty = Output::of(Arc::new(Faulty::every_fourth(seed as u32)));
        run(&faulty, seed).await;
        let healthy = Output { objects: objects::Objects::of(faulty_inner(&faulty).await) };
        assert_eq!(contents(&healthy).await, expected, "faulty, seed {seed}");
        let directory = folder.path().join(seed.to_string());
        let directory = Output::open(directory.to_str().unwrap(), &[]).unwrap();
        run(&directory, seed).await;
        assert_eq!(contents(&directory).await, expected, "directory, seed {seed}");
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
    let output = Output::of(Arc::new(InMemory::new()));
    run(&output, 5).await;
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
    let output = Output::of(Arc::new(InMemory::new()));
    let spec = Arc::new(spec(1));
    let (mut store, _) = Store::open(&output, Arc::clone(&spec)).await.unwrap();
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

#[tokio::test]
async fn a_second_coordinator_stops_the_first() {
    let output = Output::of(Arc::new(InMemory::new()));
    let spec = Arc::new(spec(1));
    let (mut first, _) = Store::open(&output, Arc::clone(&spec)).await.unwrap();
    let (mut second, _) = Store::open(&output, Arc::clone(&spec)).await.unwrap();
    let error = first.commit(vec![entry(&spec, 0)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Superseded { epoch: 2 }));
    second.commit(vec![entry(&spec, 0)]).await.unwrap();
}

#[tokio::test]
async fn an_output_belongs_to_one_measurement_and_engine() {
    let folder = tempfile::tempdir().unwrap();
    let output = Output::open(folder.path().to_str().unwrap(), &[]).unwrap();
    let spec = spec(1);
    let run = |spec: &Spec, engine: &str, study: &str| RunFile {
        study: study.to_owned(),
        spec_digest: spec.digest().unwrap(),
        engine_class: engine.parse().unwrap(),
        spec: spec.clone(),
        registration: Registration::default(),
        reused: None,
    };
    output.claim(&run(&spec, "cpu-a", "one")).await.unwrap();
    output.claim(&run(&spec, "cpu-a", "another name")).await.unwrap();
    let error = output.claim(&run(&spec, "cpu-b", "one")).await.unwrap_err();
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
    let folder = tempfile::tempdir().unwrap();
    let output = Output::open(folder.path().to_str().unwrap(), &[]).unwrap();
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
        spec: spec.clone(),
        registration,
        reused: None,
    };
    assert_eq!(output.check(&spec, &registration("0.05")).await.unwrap(), None);
    output.claim(&run(registration("0.05"))).await.unwrap();
    output.claim(&run(registration("0.05"))).await.unwrap();
    let refusals = [
        output.claim(&run(registration("0.1"))).await.unwrap_err(),
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

/// The old run as its output holds it: claimed, measured, with two units given up.
async fn earlier() -> (Output, Spec) {
    let output = Output::of(Arc::new(InMemory::new()));
    let spec = spec(2);
    let run_file = RunFile {
        study: "smaller".to_owned(),
        spec_digest: spec.digest().unwrap(),
        engine_class: "cpu-a".parse().unwrap(),
        spec: spec.clone(),
        registration: Registration::default(),
        reused: None,
    };
    output.claim(&run_file).await.unwrap();
    let unfinished = Earlier::open(&output).await.unwrap_err();
    assert!(unfinished.is_mismatch() && unfinished.to_string().contains("not finished"));
    run(&output, 3).await;
    (output, spec)
}

/// The study with one model less, a language before the others, one more cell, and a document more in a shard.
fn other_study(mut spec: Spec) -> Spec {
    spec.models.remove(0);
    let (scope, _) = spec.models[0].cells[0].clone();
    spec.models[0].cells.insert(1, (scope, "nf4".parse().unwrap()));
    let mut added = spec.corpus[0].clone();
    added.language = "fra".parse().unwrap();
    spec.corpus.insert(0, added);
    spec.corpus[2].shards[1].documents += 1;
    spec
}

#[tokio::test]
async fn a_larger_study_takes_over_what_has_not_changed() {
    let (old, old_spec) = earlier().await;
    let earlier = Earlier::open(&old).await.unwrap();
    let spec = Arc::new(other_study(old_spec.clone()));
    let output = Output::of(Arc::new(InMemory::new()));
    let (mut store, records) = Store::open(&output, Arc::clone(&spec)).await.unwrap();
    assert!(records.is_empty());
    let taken = store.take_over(&earlier).await.unwrap();
    let expected = |unit: &UnitIndex| match spec.unit(*unit).unwrap() {
        // Of layer 0 of the first model the old run had given up the weights: another model's.
        Unit::Weights { .. } => true,
        // Another config more.
        Unit::Quantization { .. } => false,
        Unit::Baseline { shard, .. } => [1, 2].contains(&shard.language) && !changed(shard),
        Unit::Cell { shard, config, .. } => {
            let is_new = config.to_string().starts_with("nf4");
            [1, 2].contains(&shard.language) && !changed(shard) && !is_new
        }
    };
    let all: Vec<UnitIndex> = (0..spec.units()).map(UnitIndex).filter(expected).collect();
    assert_eq!(taken, all);
    for unit in &taken {
        assert!(store.digest(*unit).await.unwrap().is_some(), "unit {unit}");
    }
    assert_eq!(store.take_over(&earlier).await.unwrap(), [], "it has them all");
    let rest: Vec<u64> = (0..spec.units()).filter(|n| !taken.contains(&UnitIndex(*n))).collect();
    store.commit(rest.iter().map(|&unit| entry(&spec, unit)).collect()).await.unwrap();
    store.compact().await.unwrap();
    store.finish().await.unwrap();
    let mut of_old = 0;
    output
        .read(|rows: &[DocumentRow]| {
            of_old += rows
                .iter()
                .filter(|row| row.language != "fra" && !row.config.starts_with("nf4"))
                .count();
        })
        .await
        .unwrap();
    assert_eq!(
        of_old,
        2 * (4 * 2) + 2,
        "two languages, four shards in all, two configs, and a document more each"
    );
}

fn changed(shard: ShardId) -> bool {
    shard == ShardId { language: 2, shard: 1 }
}

#[tokio::test]
async fn nothing_is_taken_over_that_would_be_computed_otherwise() {
    let (old, old_spec) = earlier().await;
    let earlier = Earlier::open(&old).await.unwrap();
    let taken = async |change: fn(&mut Spec)| {
        let mut spec = old_spec.clone();
        change(&mut spec);
        let output = Output::of(Arc::new(InMemory::new()));
        let spec = Arc::new(spec);
        let (mut store, _) = Store::open(&output, Arc::clone(&spec)).await.unwrap();
        let taken = store.take_over(&earlier).await.unwrap();
        let of = |unit: &UnitIndex| spec.unit(*unit).unwrap();
        let is_weights = |unit: &UnitIndex| matches!(of(unit), Unit::Weights { .. });
        let is_baseline = |unit: &UnitIndex| matches!(of(unit), Unit::Baseline { .. });
        let count = |is: &dyn Fn(&UnitIndex) -> bool| taken.iter().filter(|unit| is(unit)).count();
        (count(&is_weights), count(&is_baseline), taken.len())
    };
    // Two models of three groups of weights, four shards and two cells, without the units that were given up.
    let (weights, baselines, all) = taken(|_| ()).await;
    assert_eq!((weights, baselines, all), (6 - 1, 8 - 1, old_spec.units() as usize - 2));
    for change in [
        |spec: &mut Spec| spec.windows.stride = 4,
        |spec: &mut Spec| spec.batch.head_rows = 4,
        |spec: &mut Spec| spec.dtype = Dtype::Bf16,
        |spec: &mut Spec| spec.seed = 2,
    ] {
        let (of_weights, _, all) = taken(change).await;
        assert_eq!((of_weights, all), (weights, weights));
    }
    let (of_weights, of_baselines, all) = taken(|spec| spec.metrics.kl = false).await;
    assert!(of_weights == weights && of_baselines == baselines && all > weights + baselines);
    let none = taken(|spec| spec.models.iter_mut().for_each(|part| part.model.shape.hidden = 9));
    assert_eq!(none.await, (0, 0, 0));
    let mut other = old_spec.clone();
    other.models.truncate(0);
    assert!(earlier.obstacle(&other).unwrap().contains("none of the models"));
    other.models.clone_from(&old_spec.models);
    assert_eq!(earlier.obstacle(&other), None);
    other.windows.stride = 4;
    assert!(earlier.obstacle(&other).unwrap().contains("windows"));
}

#[tokio::test]
async fn a_damaged_file_is_not_taken_over() {
    let (old, spec) = earlier().await;
    let earlier = Earlier::open(&old).await.unwrap();
    let path = "data/tokens/language=eng/model-0-shard-00000.parquet";
    let mut content = old.objects.get(path).await.unwrap().unwrap().to_vec();
    content[40] ^= 1;
    old.objects.put_over(path, content.into()).await.unwrap();
    let output = Output::of(Arc::new(InMemory::new()));
    let (mut store, _) = Store::open(&output, Arc::new(spec)).await.unwrap();
    let error = store.take_over(&earlier).await.unwrap_err().to_string();
    assert!(error.contains(path) && error.contains("digest"), "{error}");
    old.objects.delete(path).await.unwrap();
    let error = store.take_over(&earlier).await.unwrap_err().to_string();
    assert!(error.contains("it is gone"), "{error}");
}
