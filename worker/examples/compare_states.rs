//! Holds a checkpoint's hidden states against states that another program wrote: the check that is too large for the tests.
//!
//! ```text
//! cargo run --release -p babelquant-worker --example compare_states -- MODEL_DIR EXPECTED.safetensors
//! ```
//! EXPECTED holds `input_ids` i64 [positions], `boundary.0` … `boundary.L` and `final_norm_out` f32 [positions, width], and
//! `token_nll` f64 [positions − 1]. Prints the relative Frobenius distance of each state and the relative distance of the NLL.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use babelquant_proto::Stack;
use babelquant_worker::model::{NoTap, Residence, Transformer};
use candle_core::{DType, Device, Tensor};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, expected] = arguments.as_slice() else {
        bail!("usage: compare_states MODEL_DIR EXPECTED.safetensors");
    };
    let expected = candle_core::safetensors::load(expected, &Device::Cpu)?;
    let on = (&Device::Cpu, DType::F32);
    let model = Transformer::load(Path::new(model), on, Residence::Whole)?;
    if model.architecture().encoder.is_some() {
        bail!("only decoder-only models are compared");
    }
    let ids = expected["input_ids"].to_dtype(DType::U32)?;
    let mut x = model.embed(model.tables(), Stack::Dec, &ids.unsqueeze(0)?, &mut NoTap)?;
    compare(&expected, "boundary.0", &x)?;
    for layer in model.architecture().shape.stacked_layers() {
        x = model.block(layer)?.forward(&x, None, &mut NoTap)?;
        compare(&expected, &format!("boundary.{}", layer.index + 1), &x)?;
    }
    let x = model.final_norm(Stack::Dec, &x, &mut NoTap)?;
    compare(&expected, "final_norm_out", &x)?;
    compare_nll(&model, &expected, &x.squeeze(0)?)
}

fn compare(expected: &HashMap<String, Tensor>, name: &str, ours: &Tensor) -> Result<()> {
    let theirs = expected.get(name).with_context(|| format!("{name} is missing"))?;
    let theirs = theirs.to_dtype(DType::F64)?;
    let norm = |x: &Tensor| -> Result<f64> { Ok(x.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt()) };
    let distance = norm(&(ours.squeeze(0)?.to_dtype(DType::F64)? - &theirs)?)? / norm(&theirs)?;
    report(&format!("{name}: {distance:.2e}"));
    Ok(())
}

fn compare_nll(model: &Transformer, expected: &HashMap<String, Tensor>, x: &Tensor) -> Result<()> {
    let theirs: Vec<f64> = expected["token_nll"].to_vec1()?;
    let ids: Vec<i64> = expected["input_ids"].to_vec1()?;
    let vocabulary = model.architecture().shape.vocabulary as usize;
    let mut ours = 0.0;
    for (position, &target) in ids.iter().skip(1).enumerate() {
        let logits: Vec<f32> = model
            .head(model.tables(), &x.narrow(0, position, 1)?, (0, vocabulary))?
            .squeeze(0)?
            .to_vec1()?;
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
        ours += f64::from(max) + sum.ln() - f64::from(logits[usize::try_from(target)?]);
    }
    let theirs: f64 = theirs.iter().sum();
    report(&format!("nll: {ours} against {theirs}, {:.2e}", (ours / theirs - 1.0).abs()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example prints its figures")]
fn report(line: &str) {
    println!("{line}");
}
