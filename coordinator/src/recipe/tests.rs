//! From the rows of a run to a recipe.

use babelquant_proto::rows::DocumentRow;

use super::*;
use crate::reduce::Reducer;
use crate::reduce::example::{Rows, document_row};
use crate::study::Analysis;

const LAYERS: [&str; 3] = ["only(0)", "only(2)", "only(10)"];
const CONFIGS: [&str; 2] = ["int4-channel", "int3-tensor"];

/// Every layer alone under both configs, whose layers have 100 weights of 4.5 and 3 bits.
fn rows() -> Rows {
    let mut rows = Rows::new(&["eng", "fin"]);
    for language in ["eng", "fin"] {
        for scope in LAYERS {
            let known = |row: &DocumentRow| row.scope == scope && row.language == language;
            for config in CONFIGS {
                if !rows.documents.iter().any(|row| known(row) && row.config == config) {
                    let row = |document| document_row(language, document, (scope, config));
                    rows.documents.extend((0..12).map(row));
                }
            }
        }
    }
    rows
}

fn find(rows: &Rows, budget: &str, configs: &[&str]) -> Result<Recipe, RecipeError> {
    let mut reducer = Reducer::new(Analysis { bootstrap_draws: 50, ..Analysis::default() });
    reducer.push_weights(&rows.weights);
    reducer.push_quantization(&rows.quantization);
    reducer.push_documents(&rows.documents);
    let effects = reducer.effects();
    let question = Question {
        subject: Subject::choose(&effects, None, None)?,
        configs: configs.iter().map(|config| config.parse().unwrap()).collect(),
        budget: budget.parse().unwrap(),
        objective: Objective::WorstLanguage,
    };
    Recipe::find(&effects, question)
}

/// ΔNLL of a cell by hand.
fn delta(rows: &Rows, language: &str, scope: &str, config: &str) -> f64 {
    let rows = rows.documents.iter().filter(|row| {
        (row.language.as_str(), row.scope.as_str(), row.config.as_str())
            == (language, scope, config)
    });
    let rows: Vec<_> = rows.collect();
    let tokens: u64 = rows.iter().map(|row| row.tokens).sum();
    rows.iter().map(|row| row.nll_sum.unwrap() - row.base_nll_sum).sum::<f64>() / tokens as f64
}

#[test]
fn the_prediction_is_the_sum_over_its_layers() {
    let rows = rows();
    let recipe = find(&rows, "4bpw", &[]).unwrap();
    assert!(recipe.bits_per_weight <= 4.0);
    for (language, effect) in &recipe.predicted {
        let of = |portion: &Portion| {
            let config = portion.config.as_ref().map(ToString::to_string);
            let scope = format!("only({})", portion.layer);
            config.map_or(0.0, |config| delta(&rows, language, &scope, &config))
        };
        let sum: f64 = recipe.layers.iter().map(of).sum();
        let effect = effect.unwrap();
        assert!((effect.delta_nll - sum).abs() < 1e-12, "{language} {effect:?} {sum}");
        assert!(effect.low < Some(sum) && Some(sum) < effect.high && effect.se > Some(0.0));
    }
    let text = document(&recipe, None).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["version"], &json["measured"]), (&1.into(), &serde_json::Value::Null));
    let config: QuantConfig = json["config"].as_str().unwrap().parse().unwrap();
    assert_eq!(config, recipe.config());
}

#[test]
fn uniform_configs_next_to_it_are_compared() {
    let recipe = find(&rows(), "4bpw", &[]).unwrap();
    let names: Vec<String> = recipe.neighbours.iter().map(|n| n.config.to_string()).collect();
    assert_eq!(names, ["int3-tensor", "int4-channel"]);
    assert!(recipe.neighbours.iter().all(|neighbour| neighbour.measured.len() == 2));
}

#[test]
fn what_cannot_be_answered_says_why() {
    let check = |found: Result<Recipe, RecipeError>, parts: &[&str]| {
        let error = found.unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    check(find(&rows(), "2.9bpw", &[]), &["3.0000 bits", "--budget 3bpw"]);
    check(find(&rows(), "4bpw", &["nf4"]), &["no layer has a config", "only(each)"]);
    let mut alone = rows();
    alone.documents.retain(|row| row.scope == "all");
    check(find(&alone, "4bpw", &[]), &["no layer has a config", "only(each)"]);
    check(find(&Rows::new(&[]), "4bpw", &[]), &["the run has none"]);
    let mut others = rows();
    let rest = others.documents.clone();
    let rest = rest.into_iter().map(|row| DocumentRow { model: "other".to_owned(), ..row });
    others.documents.extend(rest);
    check(find(&others, "4bpw", &[]), &["toy mlp", "other mlp", "--model"]);
}

#[test]
fn a_config_that_a_language_lacks_is_named_and_not_chosen() {
    let mut lacking = rows();
    lacking.documents.retain(|row| {
        !(row.language == "fin" && row.scope == "only(2)" && row.config == "int3-tensor")
    });
    let recipe = find(&lacking, "4.2bpw", &[]).unwrap();
    let [unusable] = &recipe.unusable[..] else { panic!("{:?}", recipe.unusable) };
    assert_eq!((&*unusable.config, &*unusable.layers), ("int3-tensor", "2"));
    assert!(unusable.reason.contains("fin"), "{}", unusable.reason);
    let second = &recipe.layers[1];
    assert_ne!(second.config.as_ref().map(ToString::to_string).as_deref(), Some("int3-tensor"));
}
