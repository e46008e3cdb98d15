//! The statistics of the earlier study's 14 languages against `tests/golden/correlations.json` (scipy, pingouin, statsmodels, and all orders
//! and resamples counted by numpy), and random draws against exact counts.

use std::sync::LazyLock;

use serde_json::Value;

use super::goldens::{close, numbers};
use super::{
    AIM, Aim, Bootstrap, Clusters, Interval, Pairs, Resamples, Shuffles, benjamini_hochberg,
    bonett_wright, bootstrap, holm, jackknife, kendall, line, orders, partial, pearson, spearman,
};

static GOLDENS: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../tests/golden/correlations.json");
    serde_json::from_str(text).unwrap()
});

fn items(section: &str) -> &'static [Value] {
    GOLDENS[section].as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn pairs(golden: &Value) -> Pairs {
    let pairs = numbers(&golden["x"]).into_iter().zip(numbers(&golden["y"]));
    Pairs::new(&pairs.collect::<Vec<_>>()).unwrap()
}

fn single(pairs: &Pairs) -> Clusters {
    Clusters::single(&vec![String::new(); pairs.count()])
}

const RESAMPLES: Resamples = Resamples { confidence: 0.95, seed: 1, draws: 10_000 };

#[track_caller]
fn check_interval(found: Interval, expected: &Value, what: &str) {
    close(found.low, number(&expected[0]), what);
    close(found.high, number(&expected[1]), what);
}

#[test]
fn classical_statistics() {
    for golden in items("samples") {
        let pairs = pairs(golden);
        let check = |key: &str, found: f64| close(found, number(&golden[key]), key);
        let (pearson, spearman) = (pearson(&pairs, 0.95), spearman(&pairs));
        check("pearson_r", pearson.r);
        check("pearson_t", pearson.t.unwrap());
        check("pearson_p", pearson.p);
        check("spearman_rho", spearman.rho);
        check("spearman_p", spearman.p);
        check_interval(pearson.interval.unwrap(), &golden["fisher_ci95"], "fisher");
        let interval = bonett_wright(spearman.rho, pairs.count(), 0.95).unwrap();
        check_interval(interval, &golden["bonett_wright_ci95"], "bonett");
        let kendall = kendall(&pairs);
        check("kendall_tau_b", kendall.tau);
        check("kendall_tau_c", kendall.tau_c);
        check("kendall_p", kendall.p);
        let line = line(&pairs);
        let found = [line.slope, line.intercept, line.slope_error, line.intercept_error];
        found.iter().zip(numbers(&golden["line"])).for_each(|(a, b)| close(*a, b, "line"));
    }
}

#[test]
fn every_order_is_counted() {
    for golden in items("samples") {
        let pairs = pairs(golden);
        let count =
            |found: super::Orders| [found.total, found.at_most, found.at_least, found.as_strong];
        let expected = |key: &str| {
            ["total", "at_most", "at_least", "as_strong"]
                .map(|name| golden[key][name].as_u64().unwrap())
        };
        assert_eq!(count(orders(&pairs).unwrap()), expected("orders"), "{}", golden["name"]);
        let ranks = orders(&pairs.ranks()).unwrap();
        assert_eq!(count(ranks), expected("rank_orders"), "{}", golden["name"]);
    }
}

fn check_bootstrap(found: &Bootstrap, expected: &Value) {
    let check = |key: &str, found: f64| close(found, number(&expected[key]), key);
    assert!(found.exact);
    assert_eq!(found.resamples, expected["resamples"].as_u64().unwrap());
    check("constant_share", found.constant);
    check("mean", found.mean);
    check("sd", found.error);
    check("median", found.median);
    check("at_least_zero", found.at_least_zero);
    check_interval(found.percentile, &expected["ci95"], "ci95");
}

#[test]
fn every_resample_is_counted() {
    for golden in items("samples") {
        let pairs = pairs(golden);
        let (found, expected) =
            (bootstrap(&pairs, &single(&pairs), RESAMPLES).unwrap(), &golden["bootstrap"]);
        check_bootstrap(&found, expected);
        let bca = found.bca.unwrap();
        close(bca.bias, number(&expected["z0"]), "z0");
        close(bca.acceleration, number(&golden["jackknife"]["acceleration"]), "acceleration");
        bca.levels.iter().zip(numbers(&expected["alpha"])).for_each(|(a, b)| close(*a, b, "alpha"));
        check_interval(bca.interval, &expected["bca95"], "bca");
    }
}

#[test]
fn other_confidences_are_other_quantiles() {
    let golden = &items("samples")[0];
    let pairs = pairs(golden);
    for (confidence, key) in [(0.9, "ci90"), (0.99, "ci99")] {
        let found = bootstrap(&pairs, &single(&pairs), Resamples { confidence, ..RESAMPLES });
        check_interval(found.unwrap().percentile, &golden["bootstrap"][key], key);
    }
}

#[test]
fn leaving_one_out() {
    for golden in items("samples") {
        let (pairs, expected) = (pairs(golden), &golden["jackknife"]);
        let found = jackknife(&pairs, &single(&pairs));
        for (found, expected) in found.left_out.iter().zip(numbers(&expected["r"])) {
            close(found.unwrap(), expected, "left out");
        }
        let summary = found.summary.unwrap();
        close(summary.mean, number(&expected["mean"]), "mean");
        assert!((summary.bias - number(&expected["bias"])).abs() < 1e-13);
        close(summary.error, number(&expected["error"]), "error");
        close(summary.acceleration.unwrap(), number(&expected["acceleration"]), "acceleration");
    }
}

#[test]
fn covariates_held_fixed() {
    let outcome = numbers(&items("samples")[1]["y"]);
    for golden in items("partials") {
        let pairs = numbers(&golden["x"]).into_iter().zip(outcome.iter().copied());
        let pairs = Pairs::new(&pairs.collect::<Vec<_>>()).unwrap();
        let columns: Vec<Vec<f64>> =
            golden["columns"].as_array().unwrap().iter().map(numbers).collect();
        let found = partial(&pairs, &columns, 0.95).unwrap();
        close(found.r, number(&golden["r"]), "partial");
        close(found.p, number(&golden["p"]), "partial p");
        close(found.semi_r, number(&golden["semi_r"]), "semi-partial");
        close(found.semi_p, number(&golden["semi_p"]), "semi-partial p");
        let inflation = numbers(&golden["inflation"]);
        found.inflation.iter().zip(inflation).for_each(|(a, b)| close(*a, b, "inflation"));
    }
}

#[test]
fn families_resampled_averaged_and_left_out() {
    for (golden, sample) in items("families").iter().zip(&items("samples")[1..]) {
        let pairs = pairs(sample);
        let labels = golden["families"].as_array().unwrap().iter();
        let labels: Vec<String> = labels.map(|label| label.as_str().unwrap().to_owned()).collect();
        let families = Clusters::labelled(&labels);
        check_bootstrap(&bootstrap(&pairs, &families, RESAMPLES).unwrap(), &golden["bootstrap"]);
        let means = families.means(&pairs).unwrap();
        close(pearson(&means, 0.95).r, number(&golden["means_r"]), "means");
        close(pearson(&means, 0.95).p, number(&golden["means_p"]), "means p");
        close(spearman(&means).rho, number(&golden["means_rho"]), "means rho");
        for (found, expected) in
            jackknife(&pairs, &families).left_out.iter().zip(numbers(&golden["left_out"]))
        {
            close(found.unwrap(), expected, "left out");
        }
    }
}

#[test]
fn families_of_tests_are_corrected() {
    let golden = &GOLDENS["corrected"];
    let p = numbers(&golden["p"]);
    for (found, key) in [(holm(&p), "holm"), (benjamini_hochberg(&p), "benjamini_hochberg")] {
        found.iter().zip(numbers(&golden[key])).for_each(|(a, b)| close(*a, b, key));
    }
}

/// pingouin solves for r and n to about 1e-8 only.
#[test]
fn power_as_pingouin() {
    for golden in GOLDENS["power"]["detectable"].as_array().unwrap() {
        let aim = Aim { level: number(&golden["alpha"]), power: number(&golden["power"]) };
        let found = aim.detectable_r(golden["n"].as_u64().unwrap() as usize).unwrap();
        assert!((found - number(&golden["r"])).abs() < 1e-6, "{found} {golden}");
    }
    for golden in GOLDENS["power"]["needed"].as_array().unwrap() {
        let found = AIM.pairs_needed(number(&golden["r"])).unwrap();
        assert!((found / number(&golden["n"]) - 1.0).abs() < 1e-6, "{found} {golden}");
    }
}

/// Random orders come within ±0.01 of all of them, alone and in a family; the family's p is never below a test's own.
#[test]
fn random_orders_are_near_all_orders() {
    let goldens = &items("samples")[1..];
    let tests: Vec<Pairs> = goldens.iter().map(pairs).collect();
    let found = Shuffles::new(3, 10_000).family(&tests);
    for (found, golden) in found.iter().zip(goldens) {
        let total = number(&golden["orders"]["total"]);
        let expected = number(&golden["orders"]["as_strong"]) / total;
        assert!((found.p - expected).abs() < 0.01, "{found:?} {expected}");
        assert!(found.family_p >= found.p);
    }
    let alone = Shuffles::new(3, 10_000).family(&tests[..1]);
    assert_eq!((alone[0].p, alone[0].family_p), (found[0].p, found[0].p));
    assert!(Shuffles::new(3, 100).family(&[]).is_empty());
}
