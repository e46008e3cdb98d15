//! Trains the model of `babelquant demo`: a BLOOM of 5.8 million parameters and its tokenizer,
//! from a folder of parallel text, in an hour on two CPU cores.
//!
//! It is the whole recipe of the checkpoint in `coordinator/demo/model/`: data split, tokenizer,
//! architecture, optimiser and held-out score, so that the demo can be made again. It is
//! not part of the tool: it measures nothing, and its forward pass is written for autograd.
//!
//! A step runs its micro-batches side by side, one core each. So that candle does not also split
//! each operation (its pool spins), run it with `CANDLE_NUM_THREADS=1`.

mod model;
mod random;
mod row_op;
mod text;

use std::path::{Path, PathBuf};
use std::{fmt, fs, io::Write};

use anyhow::{Context, Result};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use clap::Parser;
use rayon::prelude::*;
use tokenizers::Tokenizer;

use crate::model::{HEADS, HIDDEN, LAYERS, Model, VOCABULARY};
use crate::random::Random;
use crate::text::{END, Language, Sampler, encode, own, read_corpus, train_tokenizer};

/// Tokens scored in a training window.
const LENGTH: usize = 192;
/// Windows of a step.
const BATCH: usize = 16;
const LEARNING_RATE_MAX: f64 = 2e-3;
const CHECKPOINT_STEPS: usize = 200;

/// Trains the demo's BLOOM and its tokenizer on a folder of parallel text.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  train_demo --corpus docs --out model --seed 7")]
struct Cli {
    /// Folder with rows.txt (`file#block` of each line) and one text file per language.
    #[arg(long)]
    corpus: PathBuf,
    /// Folder for config.json, tokenizer.json and model.safetensors.
    #[arg(long)]
    out: PathBuf,
    /// Optimiser steps.
    #[arg(long, default_value_t = 3800)]
    steps: usize,
    /// Seed of the data split, the initial weights and the order of the text.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    fs::create_dir_all(&cli.out).with_context(|| format!("cannot create {}", cli.out.display()))?;
    let corpus = read_corpus(&cli.corpus, cli.seed)?;
    let tokenizer = train_tokenizer(&corpus)?;
    write_static_files(&tokenizer, &cli.out)?;
    let mut random = Random(cli.seed);
    let model = Model::new(&mut random)?;
    let mut sampler = Sampler::new(&corpus, &tokenizer, random)?;
    report(format_args!("{} training tokens in {} languages", sampler.tokens(), corpus.len()))?;
    train(&cli, &model, &mut sampler)?;
    corpus.iter().try_for_each(|language| report_held_out(language, &tokenizer, &model))
}

/// Writes one line of progress or result to stderr.
fn report(line: fmt::Arguments) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "{line}")?)
}

/// Writes tokenizer.json and config.json, which no training step changes.
fn write_static_files(tokenizer: &Tokenizer, out: &Path) -> Result<()> {
    tokenizer.save(out.join("tokenizer.json"), false).map_err(own)?;
    let config = serde_json::json!({
        "architectures": ["BloomForCausalLM"], "model_type": "bloom", "torch_dtype": "float16",
        "hidden_size": HIDDEN, "n_layer": LAYERS, "n_head": HEADS, "vocab_size": VOCABULARY,
        "layer_norm_epsilon": 1e-5, "apply_residual_connection_post_layernorm": false,
        "unk_token_id": 0, "bos_token_id": 1, "eos_token_id": END, "pad_token_id": 3,
    });
    Ok(fs::write(out.join("config.json"), format!("{config:#}\n"))?)
}

/// Linear warm-up over a twentieth of the steps, then a cosine down to a tenth.
fn learning_rate(step: usize, steps: usize) -> f64 {
    let warm_up = (steps as f64 / 20.0).max(1.0);
    let done = (step as f64 - warm_up) / (steps as f64 - warm_up).max(1.0);
    let cosine = 0.55 + 0.45 * (std::f64::consts::PI * done.max(0.0)).cos();
    LEARNING_RATE_MAX * cosine.min((step + 1) as f64 / warm_up)
}

/// Runs all steps, reports the mean loss of each ten and leaves the last checkpoint in `cli.out`.
fn train(cli: &Cli, model: &Model, sampler: &mut Sampler) -> Result<()> {
    let parameters = ParamsAdamW { beta2: 0.95, weight_decay: 0.05, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(model.0.values().cloned().collect(), parameters)?;
    let mut recent = 0.0;
    for step in 0..cli.steps {
        let windows: Vec<_> = (0..BATCH).map(|_| sampler.window(LENGTH + 1)).collect();
        let (loss, gradients) = model.gradients(&windows)?;
        optimizer.set_learning_rate(learning_rate(step, cli.steps));
        optimizer.step(&gradients)?;
        recent += loss / 10.0;
        if (step + 1) % 10 == 0 {
            let rate = optimizer.learning_rate();
            report(format_args!("step {} loss {recent:.4} learning rate {rate:.2e}", step + 1))?;
            recent = 0.0;
        }
        if (step + 1) % CHECKPOINT_STEPS == 0 {
            model.save(&cli.out)?;
        }
    }
    model.save(&cli.out)
}

/// Reports bits per byte on the rows held out, beside a model that knows only byte frequencies.
fn report_held_out(language: &Language, tokenizer: &Tokenizer, model: &Model) -> Result<()> {
    let nats = language.held_out.par_iter().map(|row| row_nats(row, tokenizer, model));
    let nats: f64 = nats.collect::<Result<Vec<_>>>()?.iter().sum();
    let mut counts = [1f64; 256];
    language.train.iter().flat_map(|row| row.bytes()).for_each(|it| counts[usize::from(it)] += 1.0);
    let total: f64 = counts.iter().sum();
    let bits = |byte: u8| -(counts[usize::from(byte)] / total).log2();
    let unigram: f64 = language.held_out.iter().flat_map(|row| row.bytes()).map(bits).sum();
    let bytes = language.held_out.iter().map(String::len).sum::<usize>() as f64;
    report(format_args!(
        "{} held out: {} rows, {bytes} bytes, {:.3} bits per byte, byte unigram {:.3}",
        language.name,
        language.held_out.len(),
        nats / std::f64::consts::LN_2 / bytes,
        unigram / bytes,
    ))
}

/// Negative log-probability of all tokens of a row after `</s>`, in pieces of at most LENGTH.
fn row_nats(row: &str, tokenizer: &Tokenizer, model: &Model) -> Result<f64> {
    let mut nats = 0.0;
    for piece in encode(tokenizer, row)?.chunks(LENGTH) {
        let window = [&[END], piece].concat();
        nats += f64::from(model.loss(&[window])?.to_scalar::<f32>()?) * piece.len() as f64;
    }
    Ok(nats)
}
