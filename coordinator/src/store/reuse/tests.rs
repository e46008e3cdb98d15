//! Results taken over from a finished run: which, and which not.

use std::sync::Arc;

use babelquant_proto::rows::DocumentRow;
use babelquant_proto::{Dtype, ShardId, Spec, Unit, UnitIndex};
use object_store::memory::InMemory;

use super::*;
use crate::store::tests::{entry, run};
use crate::store::{RunFile, Store};
use crate::study::Registration;
use crate::testing::{ENGINE, Storage, spec, storages};

/// The old run as its output holds it: claimed, measured, with two units given up.
async fn earlier(output: &Output) -> Spec {
    let spec = spec(2);
    let run_file = RunFile {
        study: "smaller".to_owned(),
        spec_digest: spec.digest().unwrap(),
        engine_class: ENGINE.parse().unwrap(),
        mixed_engines: false,
        spec: spec.clone(),
        registration: Registration::default(),
        reused: None,
    };
    output.claim(run_file).await.unwrap();
    let unfinished = Earlier::open(output).await.unwrap_err();
    assert!(unfinished.is_mismatch() && unfinished.to_string().contains("not finished"));
    run(output, 3).await;
    spec
}

/// The study with one model less, a language before the others, one more cell, and a document more in a shard.
fn other_study(mut spec: Spec) -> Spec {
    spec.models.remove(0);
    let (scope, _) = spec.models[0].cells[0].clone();
    let mut cells = spec.models[0].cells.to_vec();
    cells.insert(1, (scope, "nf4".parse().unwrap()));
    spec.models[0].cells = cells.into();
    let mut added = spec.corpus[0].clone();
    added.language = "fra".parse().unwrap();
    spec.corpus.insert(0, added);
    spec.corpus[2].shards[1].documents += 1;
    spec
}

#[tokio::test]
async fn a_larger_study_takes_over_what_has_not_changed() {
    for (old, new) in storages().iter().zip(&storages()) {
        check_larger_study(&old.output, &new.output).await;
    }
}

async fn check_larger_study(old: &Output, output: &Output) {
    let old_spec = earlier(old).await;
    let earlier = Earlier::open(old).await.unwrap();
    let spec = Arc::new(other_study(old_spec.clone()));
    let (mut store, records) = Store::open(output, Arc::clone(&spec)).await.unwrap();
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
    let old = Output::of(Arc::new(InMemory::new()));
    let old_spec = earlier(&old).await;
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
    assert!(earlier.obstacle(&other, false).unwrap().contains("none of the models"));
    other.models.clone_from(&old_spec.models);
    assert_eq!(earlier.obstacle(&other, false), None);
    other.windows.stride = 4;
    assert!(earlier.obstacle(&other, false).unwrap().contains("windows"));
}

#[tokio::test]
async fn a_damaged_file_is_not_taken_over() {
    for Storage { output, .. } in &storages() {
        check_damaged_file(output).await;
    }
}

async fn check_damaged_file(old: &Output) {
    let spec = earlier(old).await;
    let earlier = Earlier::open(old).await.unwrap();
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
