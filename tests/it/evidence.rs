//! What calibrated and refined configs are for: at no more bits they lose less than rounding to nearest, on text that they were not
//! calibrated on. Not whether they compute what was published (`calibration`, `quant`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use babelquant_coordinator::study::{Resolved, Study};
use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::{DocumentRow, TokenRow, decode_both};
use babelquant_proto::{Unit, UnitIndex};
use babelquant_worker::eval::{EvalError, Evaluator, Places};
use candle_core::Device;

use crate::cases::engine;

/// Rounding to nearest in three bits, an offset and a scale for each group of weights.
const NEAREST: &str = "int3-asym-group64";
/// The same with groups half as long: more bits than any of `BETTER`.
const FINER: &str = "int3-asym-group32";
/// What is held against them.
const BETTER: [&str; 3] =
    ["gptq-int3-asym-group64@mix", "awq-int3-asym-group64@mix", "hqq-int3-group64"];

/// The languages of the demo's corpus, in order, with their sentences.
fn corpus(demo: &Path) -> BTreeMap<String, Vec<String>> {
    let files = fs::read_dir(demo.join("corpus")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "txt"));
    let language = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect())
    };
    files.map(language).collect()
}

/// The demo's model over half of the sentences, calibrated on the other half: those with an odd and those with an even number. All
/// languages stand in one file, sentence by sentence: configs quantize the model for every shard, and these are few.
fn study(folder: &Path, demo: &Path, corpus: &BTreeMap<String, Vec<String>>) -> Study {
    let sentences = corpus.values().map(Vec::len).min().unwrap();
    for (half, rest) in [("evaluated", 0), ("calibration", 1)] {
        let numbers = (rest..sentences).step_by(2);
        let lines = numbers.flat_map(|number| corpus.values().map(move |lines| &lines[number]));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        fs::create_dir(folder.join(half)).unwrap();
        fs::write(folder.join(half).join("mul.txt"), text).unwrap();
    }
    let text = format!(
        "model = {:?}\nscopes = ['all']\ncomponents = ['linear']\nmetrics = ['nll']\nconfigs = {:?}\n\
         corpus.path = 'evaluated/{{language}}.txt'\ncalibration.path = 'calibration/{{language}}.txt'\n\
         calibration.bytes = 32768\n",
        demo.join("model"),
        [&[NEAREST, FINER], &BETTER[..]].concat(),
    );
    Study::parse(&text, "evidence", folder).unwrap()
}

/// ΔNLL per token, 10⁻³ nat, by config and language.
type Losses = BTreeMap<String, BTreeMap<String, f64>>;

fn losses(Resolved { spec, texts, directories, .. }: Resolved, languages: &[&String]) -> Losses {
    let places = Places { directories, hub: None };
    let mut evaluator = Evaluator::new(spec.clone(), places, (Device::Cpu, engine()));
    let mut sums: BTreeMap<(String, String), (f64, u64)> = BTreeMap::new();
    for text in texts.values() {
        let is_measured = |unit: &UnitIndex| match spec.unit(*unit) {
            Some(Unit::Cell { shard, config, .. }) => {
                shard == text.id && *config != QuantConfig::None
            }
            _ => false,
        };
        let units: Vec<UnitIndex> = (0..spec.units()).map(UnitIndex).filter(is_measured).collect();
        let mut emit = |_: UnitIndex, outcome: Result<bytes::Bytes, EvalError>| {
            let ipc = outcome.unwrap();
            for row in decode_both::<DocumentRow, TokenRow>(&ipc).unwrap().0 {
                let language = languages[row.document as usize % languages.len()].clone();
                let (loss, tokens) = sums.entry((row.config, language)).or_default();
                *loss += row.nll_sum.unwrap() - row.base_nll_sum;
                *tokens += row.tokens;
            }
        };
        evaluator.compute(&units, Some(text), &mut emit).unwrap();
    }
    let mut losses = Losses::new();
    for ((config, language), (loss, tokens)) in sums {
        losses.entry(config).or_default().insert(language, loss / tokens as f64 * 1e3);
    }
    losses
}

fn mean(values: &BTreeMap<String, f64>) -> f64 {
    values.values().sum::<f64>() / values.len() as f64
}

/// Mean over languages of how much less `better` loses than `worse`, and its standard error.
fn gain(better: &BTreeMap<String, f64>, worse: &BTreeMap<String, f64>) -> (f64, f64) {
    let gains = worse.iter().map(|(language, loss)| (language.clone(), loss - better[language]));
    let gains: BTreeMap<String, f64> = gains.collect();
    let (n, mean) = (gains.len() as f64, mean(&gains));
    let squares: f64 = gains.values().map(|gain| (gain - mean) * (gain - mean)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

/// A line for each language, and their mean.
fn table(losses: &Losses) -> String {
    let cell = |value: f64| format!("{value:>28.1}");
    let line = |name: &str, cells: Vec<String>| format!("{name:<5}{}\n", cells.concat());
    let head = line("", losses.keys().map(|config| format!("{config:>28}")).collect());
    let languages = losses[NEAREST].keys();
    let rows = languages.map(|language| {
        line(language, losses.values().map(|of_config| cell(of_config[language])).collect())
    });
    let rows: String = rows.collect();
    head + &rows + &line("mean", losses.values().map(|of_config| cell(mean(of_config))).collect())
}

#[test]
#[expect(clippy::print_stdout, reason = "evidence is there to be read: add -- --nocapture")]
fn calibrated_and_refined_configs_lose_less_than_rounding_to_nearest() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../coordinator/demo");
    let (folder, corpus) = (tempfile::tempdir().unwrap(), corpus(&demo));
    let study = study(folder.path(), &demo, &corpus);
    let resolved = study.resolve(&mut |_| panic!("a directory")).unwrap();
    let losses = losses(resolved, &corpus.keys().collect::<Vec<_>>());
    let table = table(&losses);
    println!("ΔNLL per token in 10⁻³ nat, every matrix of every layer quantized\n{table}");
    let pairs = BETTER.map(|better| [(better, NEAREST), (better, FINER)]);
    let gains = pairs.concat().into_iter().map(|(better, nearest)| {
        let (gain, error) = gain(&losses[better], &losses[nearest]);
        println!("{better} loses {gain:.1} ± {error:.1} less than {nearest}");
        (better, nearest, gain, error)
    });
    for (better, nearest, gain, error) in gains.collect::<Vec<_>>() {
        // Beyond its standard error where groups are as long; where nearest has more bits, less at all.
        let least = if nearest == NEAREST { error } else { 0.0 };
        assert!(gain > least, "{better} against {nearest}: {gain} ± {error}\n{table}");
    }
}
