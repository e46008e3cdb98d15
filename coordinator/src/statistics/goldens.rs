//! What scipy made of small inputs (`tests/golden/statistics.json`, written by `tests/reference/make_statistics.py`). Tests only.

use serde_json::Value;

use super::clusters::Clusters;
use super::interval::Interval;

/// One item of a section.
#[derive(Debug)]
pub(crate) struct Golden {
    /// The columns x and y in pairs.
    pub(crate) pairs: Vec<(f64, f64)>,
    values: Value,
}

/// The items of a section.
pub(crate) fn section(name: &str) -> Vec<Value> {
    let text = include_str!("../../../tests/golden/statistics.json");
    let golden: Value = serde_json::from_str(text).unwrap();
    golden[name].as_array().unwrap().clone()
}

/// The items of a section of `tests/golden/inference.json` (scipy, statsmodels and numpy; `tests/reference/make_inference.py`).
pub(crate) fn inference(name: &str) -> Vec<Value> {
    let text = include_str!("../../../tests/golden/inference.json");
    let golden: Value = serde_json::from_str(text).unwrap();
    golden[name].as_array().unwrap().clone()
}

/// What is in `tests/golden/hypotheses.json` (scipy, pingouin and statsmodels; `tests/reference/make_hypotheses.py`).
pub(crate) fn hypotheses() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/hypotheses.json")).unwrap()
}

/// The numbers of a list.
pub(crate) fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The clusters that a list of labels makes.
pub(crate) fn clusters(labels: &Value) -> Clusters {
    let labels = labels.as_array().unwrap().iter().map(Value::to_string);
    Clusters::labelled(&labels.collect::<Vec<_>>())
}

/// The correlations.
pub(crate) fn correlations() -> Vec<Golden> {
    let golden = |values: Value| {
        let pairs = numbers(&values["x"]).into_iter().zip(numbers(&values["y"])).collect();
        Golden { pairs, values }
    };
    section("correlations").into_iter().map(golden).collect()
}

impl Golden {
    /// A number of the item; `None` where scipy found it undefined.
    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.values[key].as_f64()
    }

    /// Demands 1e-9 relative.
    #[track_caller]
    pub(crate) fn check(&self, key: &str, found: f64) {
        close(found, self.number(key).unwrap(), &format!("{} {key}", self.values["name"]));
    }

    /// The same for both ends of an interval.
    #[track_caller]
    pub(crate) fn check_interval(&self, key: &str, found: Option<Interval>) {
        let expected = self.values[key].as_array();
        assert_eq!(found.is_some(), expected.is_some(), "{} {key}", self.values["name"]);
        let (Some(found), Some(expected)) = (found, expected) else { return };
        close(found.low, expected[0].as_f64().unwrap(), key);
        close(found.high, expected[1].as_f64().unwrap(), key);
    }
}

/// Demands 1e-9 relative.
#[track_caller]
pub(crate) fn close(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(error <= 1e-9 * expected.abs(), "{what}: {found} instead of {expected}");
}
