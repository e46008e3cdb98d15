//! The recipe as arguments of llama.cpp's `llama-quantize`, in a shell script. Its first pattern that is found in a tensor's name counts, and
//! patterns only count where the type of the whole file is a quantized one.

use babelquant_proto::quant::{CandleBlock, Grid, MxElement, Rule, WeightConfig};
use babelquant_proto::{Component, Stack};

use super::{Export, Remarks, comments, has_encoder, placed, plain};
use crate::recipe::{Portion, Recipe};
use crate::reduce::StoredMatrix;

/// Types that stand in for configs without one, with their bits per weight.
const STAND_INS: [(&str, f64); 7] = [
    ("q2_k", 2.625),
    ("q3_k", 3.4375),
    ("q4_k", 4.5),
    ("q5_k", 5.5),
    ("q6_k", 6.5625),
    ("q8_0", 8.5),
    (STORED, 16.0),
];
/// The type of what stays as it is.
const STORED: &str = "f16";

pub(super) fn export(recipe: &Recipe) -> Export {
    let mut remarks = Remarks::default();
    let mut lines = Vec::new();
    for (portion, matrix) in placed(recipe) {
        let Some(name) = name(recipe, matrix) else {
            let remark = format!("{} has no name of its own in a GGUF file", matrix.tensor);
            remarks.add(portion.layer, remark);
            continue;
        };
        let (format, stands_in) = format(portion);
        if stands_in {
            remarks.add(portion.layer, remark(portion, format));
        }
        lines.push(format!("  --tensor-type '{}={format}' \\\n", name.replace('.', "\\.")));
    }
    let remarks = remarks.in_words();
    let usage = "Usage: sh llama.cpp.sh MODEL-f16.gguf QUANTIZED.gguf";
    let text = format!(
        "#!/bin/sh\n{}set -eu\nexec llama-quantize \\\n{}  --tensor-type '.*={STORED}' --token-embedding-type {STORED} \
         --output-tensor-type {STORED} \\\n  \"$1\" \"$2\" q8_0\n",
        comments(recipe, usage, &remarks),
        lines.concat(),
    );
    Export { file: "llama.cpp.sh", text, remarks }
}

/// The type of a layer, and whether it is another than the config's.
fn format(portion: &Portion) -> (&'static str, bool) {
    match &portion.config {
        None => (STORED, false),
        Some(config) => own_type(config).map_or_else(
            || {
                let distance = |bits: f64| (bits - portion.bits_per_weight).abs();
                let nearest = STAND_INS.into_iter().reduce(|best, other| {
                    if distance(other.1) <= distance(best.1) { other } else { best }
                });
                (nearest.map_or(STORED, |(format, _)| format), true)
            },
            |format| (format, false),
        ),
    }
}

fn remark(portion: &Portion, stand_in: &str) -> String {
    let config = portion.config.as_ref().map(WeightConfig::to_string).unwrap_or_default();
    let bits = portion.bits_per_weight;
    format!(
        "llama.cpp has no {config} ({bits:.2} bit); {stand_in} stands in, which was not measured"
    )
}

/// The type whose format is the config's; llama.cpp looks for scales of K-blocks in its own way.
fn own_type(config: &WeightConfig) -> Option<&'static str> {
    let (Rule::Nearest(grid), None) = (plain(config)?, config.input_bits) else { return None };
    match grid {
        Grid::Candle(block) => match block {
            CandleBlock::Q4_0 => Some("q4_0"),
            CandleBlock::Q4_1 => Some("q4_1"),
            CandleBlock::Q5_0 => Some("q5_0"),
            CandleBlock::Q5_1 => Some("q5_1"),
            CandleBlock::Q8_0 => Some("q8_0"),
            CandleBlock::Q2K => Some("q2_k"),
            CandleBlock::Q3K => Some("q3_k"),
            CandleBlock::Q4K => Some("q4_k"),
            CandleBlock::Q5K => Some("q5_k"),
            CandleBlock::Q6K => Some("q6_k"),
            // What llama.cpp computes with, not what it stores.
            CandleBlock::Q8_1 | CandleBlock::Q8K => None,
        },
        Grid::Microscaling { element: MxElement::Fp4, .. } => Some("mxfp4"),
        Grid::Nvfp4 => Some("nvfp4"),
        Grid::Uniform(_)
        | Grid::Codebook { .. }
        | Grid::Float8 { .. }
        | Grid::Microscaling { .. }
        | Grid::Signs(_) => None,
    }
}

/// What a GGUF file calls the matrix; `None` where it has no matrix of just these roles.
fn name(recipe: &Recipe, matrix: &StoredMatrix) -> Option<String> {
    let encoder = has_encoder(recipe);
    let stack = match (encoder, matrix.layer.stack) {
        (false, _) => "",
        (true, Stack::Enc) => "enc.",
        (true, Stack::Dec) => "dec.",
    };
    let serves: Vec<Component> = matrix.serves.iter().collect();
    let name = match serves[..] {
        [Component::Matrix(role)] => role.gguf_name(encoder),
        [Component::Matrix(_), ..] if matrix.serves.to_string() == "attn.q+attn.k+attn.v" => {
            "attn_qkv"
        }
        _ => return None,
    };
    matrix.whole.then(|| format!("{stack}blk.{}.{name}.", matrix.layer.index))
}
