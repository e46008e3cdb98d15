//! The recipe as a quantization config of GPTQModel: uniform grids by layer in its `dynamic` map, whose first pattern that matches a module
//! counts; all other modules are left as they are.

use babelquant_proto::quant::{
    Clip, ColumnOrder, Granularity, Grid, Rule, Symmetry, Uniform, WeightConfig,
};
use serde_json::{Map, Value, json};

use super::{Export, Remarks, module, placed, plain};
use crate::recipe::Recipe;

/// Widths that GPTQModel packs.
const WIDTHS: [u8; 4] = [2, 3, 4, 8];

pub(super) fn export(recipe: &Recipe) -> Export {
    let mut remarks = Remarks::default();
    let mut dynamic = Map::new();
    let mut base = None;
    for (portion, matrix) in placed(recipe) {
        let Some(config) = &portion.config else { continue };
        let Some(settings) = settings(config).filter(|_| matrix.whole) else {
            remarks.add(portion.layer, format!("GPTQModel has no {config}; left as it is"));
            continue;
        };
        if !matches!(config.rule, Rule::Gptq { .. }) {
            let remark = format!("GPTQModel rounds {config} by GPTQ, which was not measured");
            remarks.add(portion.layer, remark);
        }
        base.get_or_insert_with(|| settings.clone());
        dynamic.insert(format!("+:{}", module(recipe, matrix)), settings);
    }
    dynamic.insert("-:.*".to_owned(), json!({}));
    let mut file = match base {
        Some(Value::Object(base)) => base,
        _ => Map::new(),
    };
    file.insert("dynamic".to_owned(), dynamic.into());
    let text = format!("{:#}\n", Value::Object(file));
    Export { file: "gptqmodel.json", text, remarks: remarks.in_words() }
}

/// The config in GPTQModel's words.
fn settings(config: &WeightConfig) -> Option<Value> {
    let (grid, order) = match plain(config)? {
        Rule::Nearest(Grid::Uniform(grid)) => (grid, ColumnOrder::Stored),
        Rule::Gptq { grid, order, damping: _ } => (grid, *order),
        Rule::Nearest(_)
        | Rule::Awq(_)
        | Rule::SmoothQuant { .. }
        | Rule::Hqq { .. }
        | Rule::LlmInt8 { .. }
        | Rule::Named(_) => return None,
    };
    let Uniform { bits, symmetry, granularity, clip } = *grid;
    let group = match granularity {
        Granularity::Tensor => return None,
        Granularity::Channel => -1,
        Granularity::Group(size) => i64::from(size.get()),
    };
    let packs = WIDTHS.contains(&bits.get()) && clip == Clip::AbsMax && config.input_bits.is_none();
    packs.then(|| {
        json!({
            "bits": bits.get(),
            "group_size": group,
            "sym": symmetry == Symmetry::Symmetric,
            "desc_act": order == ColumnOrder::Activation,
        })
    })
}
