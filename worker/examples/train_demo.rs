//! Trains the model of `babelquant demo`: a BLOOM of 5.8 million parameters and its tokenizer,
//! from a folder of parallel text, in an hour on two CPU cores.
//!
//! It is the whole recipe of the checkpoint in `coordinator/demo/model/`: data split, tokenizer,
//! architecture, optimiser and held-out score in one file, so that the demo can be made again. It
//! is not part of the tool: it measures nothing, and its forward pass is written for autograd.
//!
//! A step runs its micro-batches side by side, one core each. So that candle does not also split
//! each operation (its pool spins), run it with `CANDLE_NUM_THREADS=1`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::{fmt, fs, io::Write};

use anyhow::{Context, Result, ensure};
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, CustomOp1, D, DType, Device, Layout, Shape, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use clap::Parser;
use rayon::prelude::*;
use tokenizers::models::{TrainerWrapper, bpe::BPE, bpe::BpeTrainer};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::pre_tokenizers::{byte_level::ByteLevel, sequence::Sequence};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

const HIDDEN: usize = 256;
const LAYERS: usize = 6;
const HEADS: usize = 8;
const VOCABULARY: usize = 4096;
const EPSILON: f32 = 1e-5;
/// 1/√d_head.
const SCORE_SCALE: f32 = 0.176_776_7;
/// √(2/π), of the tanh GELU.
const ROOT_TWO_OVER_PI: f32 = 0.797_884_6;
const END: u32 = 2;
const SPECIAL_TOKENS: [&str; 4] = ["<unk>", "<s>", "</s>", "<pad>"];
/// BLOOM's pre-tokenizer: a word with the space before it; what it does not match stands alone.
const WORD: &str = r" ?[^(\s|[.,!?…。，、।۔،])]+";
const LANGUAGES: &str = "eng fra deu ara heb jpn zho kor rus hin tha vie fin tur";
/// Tokens scored in a training window.
const LENGTH: usize = 192;
/// Windows of a step, and of them those that one core computes together.
const BATCH: usize = 16;
const MICRO_BATCH: usize = 8;
const LEARNING_RATE_MAX: f64 = 2e-3;
const CHECKPOINT_STEPS: usize = 200;

/// Trains the demo's BLOOM and its tokenizer on a folder of parallel text.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example:\n  train_demo --corpus shared/data/docs --out /tmp/model --seed 7"
)]
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
    train(&cli, &model, &mut Sampler::new(&corpus, &tokenizer, random)?)?;
    corpus.iter().try_for_each(|language| report_held_out(language, &tokenizer, &model))
}

/// Writes one line of progress or result to stderr.
fn report(line: fmt::Arguments) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "{line}")?)
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded and the same on every machine.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in (0, 1].
    fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, (self.bits() % (last as u64 + 1)) as usize);
        }
    }
}

/// The rows of one language, split by the file they come from.
#[derive(Debug)]
struct Language {
    name: &'static str,
    train: Vec<String>,
    held_out: Vec<String>,
}

impl Language {
    fn train_bytes(&self) -> usize {
        self.train.iter().map(String::len).sum()
    }
}

/// Reads every language; the files held out are the same in all of them.
fn read_corpus(folder: &Path, seed: u64) -> Result<Vec<Language>> {
    let read = |name: &str| {
        let path = folder.join(name).with_extension("txt");
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let rows = read("rows")?;
    let is_held_out: Vec<bool> = rows.lines().map(|row| is_held_out(row, seed)).collect();
    let language = |name: &'static str| -> Result<Language> {
        let text = read(name)?;
        let lines = text.lines().zip(&is_held_out).filter(|(line, _)| !line.trim().is_empty());
        let (held_out, train): (Vec<_>, Vec<_>) = lines.partition(|(_, held_out)| **held_out);
        let owned = |rows: Vec<(&str, _)>| rows.into_iter().map(|(row, _)| row.into()).collect();
        Ok(Language { name, train: owned(train), held_out: owned(held_out) })
    };
    LANGUAGES.split(' ').map(language).collect()
}

/// Holds out one file in fifty, by the FNV-1a hash of its name.
fn is_held_out(row: &str, seed: u64) -> bool {
    let file = row.split('#').next().unwrap_or(row);
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = file.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, step);
    Random(hash).bits().is_multiple_of(50)
}

/// Trains BLOOM's kind of byte-level BPE on as many bytes of each language as the smallest has.
fn train_tokenizer(corpus: &[Language]) -> Result<Tokenizer> {
    let bytes_max = corpus.iter().map(Language::train_bytes).min().context("no language")?;
    let sample = corpus.iter().flat_map(|language| {
        language.train.iter().scan(0, move |bytes, row| {
            *bytes += row.len();
            (*bytes <= bytes_max).then_some(row.as_str())
        })
    });
    let words = SplitPattern::Regex(WORD.into());
    let split = Split::new(words, SplitDelimiterBehavior::Isolated, false).map_err(own)?;
    let bytes = ByteLevel::new(false, true, false);
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![split.into(), bytes.into()])));
    tokenizer.with_decoder(Some(bytes));
    let trainer = BpeTrainer::builder()
        .vocab_size(VOCABULARY)
        .show_progress(false)
        .special_tokens(SPECIAL_TOKENS.map(|token| AddedToken::from(token, true)).to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    tokenizer.train(&mut TrainerWrapper::from(trainer), sample).map_err(own)?;
    ensure!(tokenizer.get_vocab_size(true) == VOCABULARY, "the corpus is too small");
    ensure!(tokenizer.token_to_id(SPECIAL_TOKENS[2]) == Some(END), "</s> is not token {END}");
    Ok(tokenizer)
}

/// Turns the boxed error of `tokenizers` into ours.
fn own(error: tokenizers::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error)
}

fn encode(tokenizer: &Tokenizer, row: &str) -> Result<Vec<u32>> {
    Ok(tokenizer.encode_fast(row, false).map_err(own)?.get_ids().to_vec())
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

/// Draws training windows: whole rows of random languages, each closed by `</s>`.
#[derive(Debug)]
struct Sampler {
    languages: Vec<Rows>,
    random: Random,
}

/// The tokens of one language's rows, in an order that is drawn anew after each pass.
#[derive(Debug)]
struct Rows {
    rows: Vec<Vec<u32>>,
    next: usize,
    /// Chance of a row of this language: inverse to its bytes, so that all give as many bytes.
    share: f64,
}

impl Sampler {
    fn new(corpus: &[Language], tokenizer: &Tokenizer, mut random: Random) -> Result<Self> {
        let inverse = |language: &Language| 1.0 / language.train_bytes() as f64;
        let total: f64 = corpus.iter().map(inverse).sum();
        let mut languages = Vec::new();
        for language in corpus {
            let rows = language.train.par_iter().map(|row| encode(tokenizer, row));
            let mut rows = rows.collect::<Result<Vec<_>>>()?;
            random.shuffle(&mut rows);
            languages.push(Rows { rows, next: 0, share: inverse(language) / total });
        }
        let tokens: usize = languages.iter().flat_map(|it| &it.rows).map(Vec::len).sum();
        report(format_args!("{tokens} training tokens in {} languages", languages.len()))?;
        Ok(Self { languages, random })
    }

    /// Appends the next row of a random language.
    fn append_row(&mut self, window: &mut Vec<u32>) {
        let mut left = self.random.unit();
        let chosen = self.languages.iter().position(|language| {
            left -= language.share;
            left <= 0.0
        });
        let language = &mut self.languages[chosen.unwrap_or(0)];
        if language.next == language.rows.len() {
            self.random.shuffle(&mut language.rows);
            language.next = 0;
        }
        window.extend_from_slice(&language.rows[language.next]);
        window.push(END);
        language.next += 1;
    }

    /// A window of `length` tokens that begins with a row; every second one has `</s>` before it.
    fn window(&mut self, length: usize) -> Vec<u32> {
        let mut window = if self.random.unit() < 0.5 { vec![END] } else { Vec::new() };
        while window.len() < length {
            self.append_row(&mut window);
        }
        window.truncate(length);
        window
    }
}

/// A function of each row (the last axis) with a hand-written derivative, fused into one pass.
#[derive(Debug, Clone, Copy)]
enum RowOp {
    /// BLOOM's tanh GELU: x·σ(2u), u = 0.79788456·x·(1 + 0.044715·x²).
    Gelu,
    /// (x − mean) / √(variance + ε): layer norm before its gain and bias.
    Normalise,
    /// Softmax over the keys j ≤ i of x/√d_head + slope·j; rows are \[batch, head, i\].
    CausalSoftmax,
    /// x − ln Σ exp x.
    LogSoftmax,
}

/// Chunk-wise sum, which the compiler can vectorise.
fn sum(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let mut lanes = [0f32; 16];
    values.enumerate().for_each(|(index, value)| lanes[index % 16] += value);
    lanes.iter().sum()
}

fn mean_and_inverse_deviation(x: &[f32]) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum(x.iter().copied()) / n;
    let variance = sum(x.iter().map(|x| (x - mean) * (x - mean))) / n;
    (mean, 1.0 / (variance + EPSILON).sqrt())
}

/// Replaces y by exp(y − max y) and returns max y and the sum of the result.
fn exponentiate(y: &mut [f32]) -> (f32, f32) {
    let max = y.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    y.iter_mut().for_each(|y| *y = (*y - max).exp());
    (max, sum(y.iter().copied()))
}

/// σ(2u) of the tanh GELU.
fn gelu_gate(x: f32) -> f32 {
    1.0 / (1.0 + (-2.0 * ROOT_TWO_OVER_PI * x * (1.0 + 0.044_715 * x * x)).exp())
}

impl RowOp {
    fn forward(self, row: usize, x: &[f32], y: &mut [f32]) {
        match self {
            Self::Gelu => y.iter_mut().zip(x).for_each(|(y, x)| *y = x * gelu_gate(*x)),
            Self::Normalise => {
                let (mean, inverse) = mean_and_inverse_deviation(x);
                y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * inverse);
            }
            Self::CausalSoftmax => {
                let (query, head) = (row % x.len(), row / x.len() % HEADS);
                let slope = (-8.0 * (head + 1) as f32 / HEADS as f32).exp2();
                let (seen, unseen) = y.split_at_mut(query + 1);
                unseen.fill(0.0);
                let scores = x.iter().enumerate().map(|(j, x)| x * SCORE_SCALE + slope * j as f32);
                seen.iter_mut().zip(scores).for_each(|(y, score)| *y = score);
                let (_, total) = exponentiate(seen);
                seen.iter_mut().for_each(|y| *y /= total);
            }
            Self::LogSoftmax => {
                y.copy_from_slice(x);
                let (max, total) = exponentiate(y);
                let shift = max + total.ln();
                y.iter_mut().zip(x).for_each(|(y, x)| *y = x - shift);
            }
        }
    }

    /// The gradient with respect to `x`, from the result `y` and its gradient; starts as `dx` = dy.
    fn backward(self, x: &[f32], y: &[f32], dx: &mut [f32]) {
        match self {
            Self::Gelu => dx.iter_mut().zip(x).for_each(|(dx, &x)| {
                let gate = gelu_gate(x);
                let slope = 2.0 * ROOT_TWO_OVER_PI * (1.0 + 3.0 * 0.044_715 * x * x);
                *dx *= gate + x * gate * (1.0 - gate) * slope;
            }),
            Self::Normalise => {
                let (_, inverse) = mean_and_inverse_deviation(x);
                let n = x.len() as f32;
                let mean = sum(dx.iter().copied()) / n;
                let along = sum(dx.iter().zip(y).map(|(dx, y)| dx * y)) / n;
                dx.iter_mut().zip(y).for_each(|(dx, y)| *dx = inverse * (*dx - mean - y * along));
            }
            Self::CausalSoftmax => {
                let along = sum(dx.iter().zip(y).map(|(dx, y)| dx * y));
                dx.iter_mut().zip(y).for_each(|(dx, y)| *dx = SCORE_SCALE * y * (*dx - along));
            }
            Self::LogSoftmax => {
                let total = sum(dx.iter().copied());
                dx.iter_mut().zip(y).for_each(|(dx, y)| *dx -= y.exp() * total);
            }
        }
    }
}

impl CustomOp1 for RowOp {
    fn name(&self) -> &'static str {
        "row-op"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("a row operation needs contiguous rows")
        };
        let (x, width) = (&x.as_slice::<f32>()?[start..end], layout.shape().dim(D::Minus1)?);
        let mut y = vec![0f32; x.len()];
        let rows = y.chunks_mut(width).zip(x.chunks(width)).enumerate();
        rows.for_each(|(row, (y, x))| self.forward(row, x, y));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let (x_values, y, mut dx) = (values(x)?, values(y)?, values(dy)?);
        let width = x.dim(D::Minus1)?;
        let rows = dx.chunks_mut(width).zip(x_values.chunks(width)).zip(y.chunks(width));
        rows.for_each(|((dx, x), y)| self.backward(x, y, dx));
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

/// A BLOOM in f32; its parameters have the names of Hugging Face's official files.
#[derive(Debug)]
struct Model(BTreeMap<String, Var>);

/// The name and shape of every tensor.
fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut all = vec![("word_embeddings.weight".to_owned(), vec![VOCABULARY, HIDDEN])];
    let mut pair = |name: String, weight: Vec<usize>| {
        all.push((format!("{name}.bias"), vec![weight[0]]));
        all.push((format!("{name}.weight"), weight));
    };
    pair("word_embeddings_layernorm".to_owned(), vec![HIDDEN]);
    pair("ln_f".to_owned(), vec![HIDDEN]);
    for layer in 0..LAYERS {
        pair(format!("h.{layer}.input_layernorm"), vec![HIDDEN]);
        pair(format!("h.{layer}.self_attention.query_key_value"), vec![3 * HIDDEN, HIDDEN]);
        pair(format!("h.{layer}.self_attention.dense"), vec![HIDDEN, HIDDEN]);
        pair(format!("h.{layer}.post_attention_layernorm"), vec![HIDDEN]);
        pair(format!("h.{layer}.mlp.dense_h_to_4h"), vec![4 * HIDDEN, HIDDEN]);
        pair(format!("h.{layer}.mlp.dense_4h_to_h"), vec![HIDDEN, 4 * HIDDEN]);
    }
    all
}

impl Model {
    /// Draws matrices from N(0, 0.02²); gains start at one and biases at zero.
    fn new(random: &mut Random) -> Result<Self> {
        let mut parameters = BTreeMap::new();
        for (name, shape) in shapes() {
            let start = |_| match (name.ends_with(".bias"), shape.len()) {
                (true, _) => 0.0,
                (false, 1) => 1.0,
                (false, _) => 0.02 * random.normal() as f32,
            };
            let values: Vec<f32> = (0..shape.iter().product()).map(start).collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
            parameters.insert(name, Var::from_tensor(&tensor)?);
        }
        Ok(Self(parameters))
    }

    fn get(&self, name: &str) -> Result<&Tensor> {
        Ok(self.0.get(name).with_context(|| format!("no tensor {name}"))?.as_tensor())
    }

    /// A vector \[width\] once for each row of `x`, as a product: its gradient is a fast one too.
    fn rows(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let ones = Tensor::ones((x.dim(0)?, 1), DType::F32, &Device::Cpu)?;
        Ok(ones.matmul(&self.get(name)?.unsqueeze(0)?)?)
    }

    /// Layer norm, \[n, HIDDEN\] → \[n, HIDDEN\].
    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let normal = x.apply_op1(RowOp::Normalise)?;
        let scaled = (normal * self.rows(&format!("{name}.weight"), x)?)?;
        Ok((scaled + self.rows(&format!("{name}.bias"), x)?)?)
    }

    /// x·Wᵀ + b, \[n, in\] → \[n, out\].
    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let product = x.matmul(&self.get(&format!("{name}.weight"))?.t()?)?;
        Ok((product + self.rows(&format!("{name}.bias"), x)?)?)
    }

    /// Self-attention of `batch` windows, \[batch·length, HIDDEN\] → the same.
    fn attention(&self, name: &str, x: &Tensor, batch: usize) -> Result<Tensor> {
        let (length, width) = (x.dim(0)? / batch, HIDDEN / HEADS);
        let fused = self.linear(&format!("{name}.query_key_value"), x)?;
        let fused = fused.reshape((batch, length, HEADS, 3, width))?;
        let part = |index| fused.narrow(3, index, 1)?.squeeze(3)?.transpose(1, 2)?.contiguous();
        let (query, key, value) = (part(0)?, part(1)?, part(2)?);
        let weights = query.matmul(&key.t()?)?.apply_op1(RowOp::CausalSoftmax)?;
        let mixed = weights.matmul(&value)?.transpose(1, 2)?.reshape((batch * length, HIDDEN))?;
        self.linear(&format!("{name}.dense"), &mixed)
    }

    /// Log-probabilities of the next token, ids \[batch, length\] → \[batch·length, VOCABULARY\].
    fn log_probabilities(&self, ids: &Tensor) -> Result<Tensor> {
        let table = self.get("word_embeddings.weight")?;
        let embedded = table.index_select(&ids.flatten_all()?, 0)?;
        let mut hidden = self.norm("word_embeddings_layernorm", &embedded)?;
        for layer in (0..LAYERS).map(|layer| format!("h.{layer}")) {
            let x = self.norm(&format!("{layer}.input_layernorm"), &hidden)?;
            let mixed = self.attention(&format!("{layer}.self_attention"), &x, ids.dim(0)?)?;
            hidden = (hidden + mixed)?;
            let x = self.norm(&format!("{layer}.post_attention_layernorm"), &hidden)?;
            let x = self.linear(&format!("{layer}.mlp.dense_h_to_4h"), &x)?;
            let x = x.apply_op1(RowOp::Gelu)?;
            hidden = (hidden + self.linear(&format!("{layer}.mlp.dense_4h_to_h"), &x)?)?;
        }
        let logits = self.norm("ln_f", &hidden)?.matmul(&table.t()?)?;
        Ok(logits.apply_op1(RowOp::LogSoftmax)?)
    }

    /// Mean nats per token of equally long windows, without the first token of each.
    fn loss(&self, windows: &[Vec<u32>]) -> Result<Tensor> {
        let ids = Tensor::new(windows.to_vec(), &Device::Cpu)?;
        let scored = ids.dim(1)? - 1;
        let log_probabilities = self.log_probabilities(&ids.narrow(1, 0, scored)?.contiguous()?)?;
        let targets = ids.narrow(1, 1, scored)?.contiguous()?.flatten_all()?.unsqueeze(1)?;
        Ok(log_probabilities.gather(&targets, 1)?.mean_all()?.neg()?)
    }

    /// The mean loss of a step and its gradients, clipped to norm 1.
    fn gradients(&self, windows: &[Vec<u32>]) -> Result<(f32, GradStore)> {
        let parts = windows.par_chunks(MICRO_BATCH).map(|windows| {
            let loss = self.loss(windows)?;
            Ok((loss.to_scalar::<f32>()?, loss.backward()?))
        });
        let mut parts = parts.collect::<Result<Vec<_>>>()?;
        let n = parts.len() as f32;
        let loss = parts.iter().map(|(loss, _)| loss).sum::<f32>() / n;
        let (mut sums, mut squares) = (Vec::new(), 0.0);
        for parameter in self.0.values() {
            let gradients = parts.iter().filter_map(|(_, part)| part.get(parameter).cloned());
            let sum = gradients.map(Ok).reduce(|a, b| a? + b?).context("no gradient")??;
            squares += sum.sqr()?.sum_all()?.to_scalar::<f32>()?;
            sums.push((parameter, sum));
        }
        let scale = 1.0 / f64::from(n.max(squares.sqrt()));
        let (_, mut clipped) = parts.pop().context("a step needs a window")?;
        for (parameter, sum) in sums {
            clipped.insert(parameter, (sum * scale)?);
        }
        Ok((loss, clipped))
    }

    /// Writes the weights as f16 under their Hugging Face names.
    fn save(&self, out: &Path) -> Result<()> {
        let half = |(name, value): (&String, &Var)| Ok((name.clone(), value.to_dtype(DType::F16)?));
        let tensors = self.0.iter().map(half).collect::<Result<BTreeMap<_, _>>>()?;
        let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let bytes = safetensors::serialize(tensors, Some(format))?;
        Ok(fs::write(out.join("model.safetensors"), bytes)?)
    }
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
