//! The recipe as one of llm-compressor: a modifier for each way to round, with a group of modules for each config. The file is YAML whose
//! values are written as JSON, which YAML contains.

use std::collections::BTreeMap;

use babelquant_proto::quant::{
    Clip, Float8, Float8Scope, Granularity, Grid, Rule, Symmetry, Uniform, WeightConfig,
};
use serde_json::{Map, Value, json};

use super::{Export, Remarks, comments, module, placed, plain};
use crate::recipe::Recipe;

pub(super) fn export(recipe: &Recipe) -> Export {
    let mut remarks = Remarks::default();
    // Modifier → config → targets.
    let mut modifiers: BTreeMap<&str, BTreeMap<&WeightConfig, Vec<String>>> = BTreeMap::new();
    for (portion, matrix) in placed(recipe) {
        let Some(config) = &portion.config else { continue };
        let modifier = modifier(config).filter(|_| matrix.whole && weights(config).is_some());
        let Some(modifier) = modifier else {
            remarks.add(portion.layer, format!("llm-compressor has no {config}; left as it is"));
            continue;
        };
        let groups = modifiers.entry(modifier).or_default();
        groups.entry(config).or_default().push(format!("re:{}", module(recipe, matrix)));
    }
    let modifiers: Map<String, Value> = modifiers
        .into_iter()
        .map(|(modifier, groups)| {
            (modifier.to_owned(), json!({ "config_groups": grouped(groups) }))
        })
        .collect();
    let remarks = remarks.in_words();
    let usage = "Usage: llmcompressor.oneshot(model=…, recipe=\"llm-compressor.yaml\", …)";
    let text = format!(
        "{}{:#}\n",
        comments(recipe, usage, &remarks),
        json!({ "quant_stage": { "quant_modifiers": modifiers } })
    );
    Export { file: "llm-compressor.yaml", text, remarks }
}

fn grouped(groups: BTreeMap<&WeightConfig, Vec<String>>) -> Map<String, Value> {
    let groups = groups.into_iter().enumerate();
    let group = |(index, (config, targets)): (usize, (&WeightConfig, Vec<String>))| {
        let mut group = json!({ "targets": targets, "weights": weights(config) });
        if let Some(bits) = config.input_bits {
            group["input_activations"] = json!({
                "num_bits": bits.get(), "type": "int", "symmetric": true, "strategy": "token", "dynamic": true,
            });
        }
        (format!("group_{index}"), group)
    };
    groups.map(group).collect()
}

/// What rounds the weights.
fn modifier(config: &WeightConfig) -> Option<&'static str> {
    match plain(config)? {
        Rule::Nearest(_) => Some("QuantizationModifier"),
        Rule::Gptq { .. } => Some("GPTQModifier"),
        Rule::Awq(_)
        | Rule::SmoothQuant { .. }
        | Rule::Hqq { .. }
        | Rule::LlmInt8 { .. }
        | Rule::Named(_) => None,
    }
}

/// The grid of the weights in llm-compressor's words.
fn weights(config: &WeightConfig) -> Option<Value> {
    let grid = match config.rule {
        Rule::Nearest(grid) => grid,
        Rule::Gptq { grid, .. } => Grid::Uniform(grid),
        Rule::Awq(_)
        | Rule::SmoothQuant { .. }
        | Rule::Hqq { .. }
        | Rule::LlmInt8 { .. }
        | Rule::Named(_) => return None,
    };
    match grid {
        Grid::Uniform(Uniform { bits, symmetry, granularity, clip: Clip::AbsMax }) => {
            let mut weights = json!({
                "num_bits": bits.get(), "type": "int", "symmetric": symmetry == Symmetry::Symmetric,
            });
            weights["strategy"] = match granularity {
                Granularity::Tensor => "tensor".into(),
                Granularity::Channel => "channel".into(),
                Granularity::Group(size) => {
                    weights["group_size"] = size.get().into();
                    "group".into()
                }
            };
            Some(weights)
        }
        Grid::Float8 { format: Float8::E4m3, scope } => {
            let strategy = match scope {
                Float8Scope::Tensor => "tensor",
                Float8Scope::Channel => "channel",
            };
            Some(json!({ "num_bits": 8, "type": "float", "symmetric": true, "strategy": strategy }))
        }
        Grid::Nvfp4 => Some(json!({
            "num_bits": 4, "type": "float", "symmetric": true, "strategy": "tensor_group", "group_size": 16,
        })),
        Grid::Uniform(_)
        | Grid::Codebook { .. }
        | Grid::Float8 { .. }
        | Grid::Microscaling { .. }
        | Grid::Signs(_)
        | Grid::Candle(_) => None,
    }
}
