//! Weight statistics against scipy, against sorting, and at their edges.

use std::borrow::Cow;

use half::{bf16, f16};
use serde_json::Value;

use super::collect::Collected;
use super::golden::{self, Generator};
use super::l_moments::LMoments;
use super::summary::Questions;
use super::{
    GroupStatistics, StoredValues, WeightKey, WeightStatistics, of_group, of_tensor, sorted,
};

fn bytes_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn bytes_f16(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()
}

fn bytes_bf16(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes()).collect()
}

fn of_f32(values: &[f32]) -> WeightStatistics {
    of_tensor(StoredValues::F32(&bytes_f32(values)))
}

/// The statistics by sorting, however many values there are.
fn by_sorting(values: &[f32]) -> WeightStatistics {
    let population = sorted::of(&[StoredValues::F32(&bytes_f32(values))]);
    let l_moments = LMoments::of(&population);
    Questions::of(Cow::Owned(population), l_moments).answer(&Collected::default())
}

/// Near-Gaussian weights with a few far ones, enough to be counted in buckets.
fn many() -> Vec<f32> {
    let mut generator = Generator { state: 77 };
    let mut values: Vec<f32> =
        (0..1_100_007).map(|_| (generator.gaussish() + 0.0004) as f32).collect();
    (0..40).for_each(|far| values[far * 27_001] = 0.9 - 0.03 * far as f32);
    values
}

#[track_caller]
fn close(name: &str, ours: Option<f64>, theirs: Option<f64>, tolerance: f64) {
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        assert_eq!(ours, theirs, "{name}");
        return;
    };
    assert!((ours - theirs).abs() <= tolerance * theirs.abs(), "{name}: {ours} {theirs}");
}

/// Every number of a row by its column.
fn numbers(statistics: &WeightStatistics) -> Vec<(&'static str, Option<f64>)> {
    let moments = &statistics.moments;
    let [top1, top8, top64] = statistics.m4_shares;
    let [q50, q99, q999] = statistics.abs_quantiles;
    vec![
        ("mean", Some(moments.mean)),
        ("std", moments.std()),
        ("skew", moments.skewness()),
        ("kurtosis", moments.kurtosis()),
        ("kurtosis_about_zero", moments.kurtosis_about_zero()),
        ("sum_centred_4", Some(moments.m4)),
        ("t3", statistics.l_skewness),
        ("t4", statistics.l_kurtosis),
        ("abs_gt_3std", Some(statistics.outliers_3std as f64)),
        ("abs_gt_6std", Some(statistics.outliers_6std as f64)),
        ("max_abs", statistics.max_abs),
        ("mean_abs", statistics.mean_abs),
        ("m4_share_top1", top1),
        ("m4_share_top8", top8),
        ("m4_share_top64", top64),
        ("abs_q50", q50),
        ("abs_q99", q99),
        ("abs_q999", q999),
    ]
}

#[track_caller]
fn check_close(ours: &WeightStatistics, theirs: &WeightStatistics, tolerance: f64) {
    assert_eq!((ours.moments.count, ours.nonfinite), (theirs.moments.count, theirs.nonfinite));
    for ((name, ours), (_, theirs)) in numbers(ours).into_iter().zip(numbers(theirs)) {
        if ["t3", "t4"].contains(&name) && ours.is_some() {
            close(name, ours.map(|ours| ours - theirs.unwrap_or(0.0) + 1.0), Some(1.0), 1e-9);
        } else {
            close(name, ours, theirs, tolerance);
        }
    }
}

#[test]
fn scipy_agrees() {
    let file = golden::file();
    for recipe in file["weights"].as_array().unwrap() {
        let values = golden::build(recipe);
        let ours = match recipe["dtype"].as_str().unwrap() {
            "f16" => of_tensor(StoredValues::F16(&bytes_f16(&values))),
            "bf16" => of_tensor(StoredValues::Bf16(&bytes_bf16(&values))),
            _ => of_f32(&values),
        };
        let expected: &Value = &recipe["statistics"];
        for (name, ours) in numbers(&ours) {
            let name = format!("{} {name}", recipe["name"]);
            let column = name.rsplit(' ').next().unwrap();
            close(&name, ours, expected[column].as_f64(), 1e-9);
        }
        let row = ours.into_row(key());
        close("ratio", row.abs_q999_over_q50, expected["abs_q999_over_q50"].as_f64(), 1e-9);
        assert_eq!(row.reason, None);
    }
}

fn key() -> WeightKey {
    WeightKey { model: "m".into(), layer: None, kind: "tensor", name: "w".into() }
}

#[test]
fn the_reference_study_s_vector() {
    let heavy = of_f32(&golden::weights(&golden::file(), "heavy42"));
    close("kurtosis", heavy.moments.kurtosis(), Some(1.9198355391771154), 1e-12);
    close("kurtosis about 0", heavy.moments.kurtosis_about_zero(), Some(1.9363833202814247), 1e-12);
    close("t3", heavy.l_skewness, Some(-0.049826425630724), 1e-12);
    close("t4", heavy.l_kurtosis, Some(0.42096610736152806), 1e-12);
    close("mean |w|", heavy.mean_abs, Some(0.0462608059599573), 1e-12);
    let small = of_f32(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
    close("t3", small.l_skewness, Some(0.2857142857142847 / 1.2142857142857144), 1e-12);
    close("t4", small.l_kurtosis, Some(0.4285714285714306 / 1.2142857142857144), 1e-12);
}

#[test]
fn buckets_agree_with_sorting() {
    let mut generator = Generator { state: 5 };
    let heavy: Vec<f32> = (0..1_300_000).map(|_| (generator.heavy() * 3.0) as f32).collect();
    let shifted: Vec<f32> = heavy.iter().map(|value| value + 1.0).collect();
    for values in [many(), heavy, shifted] {
        let (ours, sorted) = (of_f32(&values), by_sorting(&values));
        check_close(&ours, &sorted, 1e-9);
        assert_eq!(ours.abs_quantiles, sorted.abs_quantiles);
        assert_eq!(ours.max_abs, sorted.max_abs);
    }
}

#[test]
fn values_that_repeat_are_sorted() {
    let all = many();
    let round = |(at, value): (usize, &f32)| {
        let scale = 0.002 + 1e-7 * (at / 1000) as f32;
        (value / scale).round() * scale
    };
    let by_tensor: Vec<f32> = all.iter().map(|value| (value / 0.013).round() * 0.013).collect();
    let by_row: Vec<f32> = all.iter().enumerate().map(round).collect();
    for values in [by_tensor, by_row] {
        assert_eq!(of_f32(&values), by_sorting(&values));
    }
}

#[test]
fn widened_weights_are_exact() {
    for (narrow, widen) in [
        (bytes_f16(&many()), (|b| f16::from_le_bytes(b).to_f32()) as fn([u8; 2]) -> f32),
        (bytes_bf16(&many()), |b| bf16::from_le_bytes(b).to_f32()),
    ] {
        let widened: Vec<f32> = narrow.as_chunks().0.iter().map(|&b| widen(b)).collect();
        let (ours, sorted) = (of_f32(&widened), by_sorting(&widened));
        check_close(&ours, &sorted, 1e-12);
        assert_eq!(ours.abs_quantiles, sorted.abs_quantiles);
    }
}

#[test]
fn a_group_is_the_concatenation() {
    let (all, cut) = (many(), 1_050_000);
    let (left, right) = all.split_at(cut);
    let narrow = |values: &[f32]| bytes_f16(values);
    let (a, b, whole) = (narrow(left), narrow(right), narrow(&all));
    let group = of_group(&[StoredValues::F16(&a), StoredValues::F16(&b)]);
    assert_eq!(group.group, of_tensor(StoredValues::F16(&whole)));
    assert_eq!(group.tensors, [of_tensor(StoredValues::F16(&a)), of_tensor(StoredValues::F16(&b))]);

    let (a, b) = (bytes_f32(left), bytes_f32(right));
    let group = of_group(&[StoredValues::F32(&a), StoredValues::F32(&b)]);
    check_close(&group.group, &by_sorting(&all), 1e-9);
    check_close(&group.tensors[0], &by_sorting(left), 1e-9);
    check_close(&group.tensors[1], &by_sorting(right), 1e-9);
}

#[test]
fn formats_mix() {
    let all: Vec<f32> = many().into_iter().map(|value| f16::from_f32(value).to_f32()).collect();
    let jittered: Vec<f32> = all.iter().map(|value| value * 1.000_1).collect();
    for (left, right) in [(&all[..300_000], &jittered[..]), (&all[..300_000], &jittered[..5000])] {
        let (a, b) = (bytes_f16(left), bytes_f32(right));
        let group = of_group(&[StoredValues::F16(&a), StoredValues::F32(&b)]);
        check_close(&group.group, &by_sorting(&[left, right].concat()), 1e-9);
        check_close(&group.tensors[1], &by_sorting(right), 1e-9);
    }
}

#[test]
fn threads_change_nothing() {
    let run = |threads| -> GroupStatistics {
        let (a, b) = (bytes_f32(&many()), bytes_f32(&many()[1000..]));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| of_group(&[StoredValues::F32(&a), StoredValues::F32(&b)]))
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
fn non_finite_weights_are_left_out() {
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN];
    for clean in [many(), vec![1.0, -2.0, 4.0, 8.0, 0.5]] {
        let mut values = clean.clone();
        bad.iter().enumerate().for_each(|(at, &bad)| values.insert(at, bad));
        let ours = of_f32(&values);
        assert_eq!(ours.nonfinite, 4);
        check_close(&WeightStatistics { nonfinite: 0, ..ours }, &of_f32(&clean), 1e-12);
        let narrow = of_tensor(StoredValues::Bf16(&bytes_bf16(&values)));
        assert_eq!(
            narrow,
            WeightStatistics { nonfinite: 4, ..of_tensor(StoredValues::Bf16(&bytes_bf16(&clean))) }
        );
    }
}

#[test]
fn undefined_statistics_have_a_reason() {
    let check = |values: &[f32], expected: &str| {
        for bytes in [bytes_f32(values), bytes_f32(values).repeat(1)] {
            let row = of_tensor(StoredValues::F32(&bytes)).into_row(key());
            assert_eq!(row.reason.as_deref(), Some(expected));
        }
        let narrow = of_tensor(StoredValues::F16(&bytes_f16(values))).into_row(key());
        assert_eq!(narrow.reason.as_deref(), Some(expected));
    };
    check(&[], "no finite weights");
    check(&[f32::NAN], "no finite weights");
    check(&[1.0; 9], "all weights are equal");
    check(&[1.0; 300_000], "all weights are equal");
    check(&[0.0; 300_000], "all weights are equal; the median of |w| is 0");
    check(&[1.0, 0.0, 0.0, 0.0, 2.0], "the median of |w| is 0");
    check(&[1.0, 2.0], "L-skewness needs 3 weights and L-kurtosis 4");
    check(&[3.0], "L-skewness needs 3 weights and L-kurtosis 4; all weights are equal");
}

#[test]
fn the_row_says_what_it_is_about() {
    let key = WeightKey {
        model: "m".into(),
        layer: Some(babelquant_proto::Layer::dec(3)),
        kind: "group",
        name: "mlp".into(),
    };
    let row =
        of_f32(&[1.0, -1.0, 1.0, -1.0, 9.0, 0.5, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0]).into_row(key);
    assert_eq!(
        (row.stack.as_deref(), row.layer, row.kind.as_str()),
        (Some("dec"), Some(3), "group")
    );
    assert_eq!(
        (row.count, row.outliers_3std, row.outliers_3std_percent),
        (12, 1, Some(100.0 / 12.0))
    );
    assert_eq!((row.max_abs, row.m4_share_top64), (Some(9.0), Some(1.0)));
    assert_eq!(row.reason, None);
}
