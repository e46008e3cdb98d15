//! A recipe for the terminal: what each layer gets, and what it costs each language. Not the choice (`recipe`).

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::LayerSet;

use super::block::{Block, Table};
use super::columns::{Column, tables};
use super::number::{count, estimates, fixed, thousandths};
use super::{Medium, terminal};
use crate::recipe::{Losses, Portion, Proof, Recipe, Unusable};

/// What each layer gets.
pub(crate) fn recipe(recipe: &Recipe) -> String {
    let question = &recipe.question;
    let title = format!(
        "Recipe for {}, {}: {}, least ΔNLL of {}",
        question.subject.model,
        question.subject.components,
        question.budget,
        question.objective.in_words()
    );
    let mut blocks = vec![Block::Title(title), allocation(&recipe.layers), size(recipe)];
    blocks.extend(recipe.unusable.iter().map(|unusable| {
        let Unusable { config, layers, reason } = unusable;
        Block::Text(format!("Not to choose from: {config} at layers {layers}: {reason}."))
    }));
    terminal::write(&blocks)
}

/// What it costs each language: predicted, measured where it was, and beside what configs of one kind for every layer cost.
pub(crate) fn recipe_losses(recipe: &Recipe, measured: Option<&Losses>) -> String {
    let heading = "ΔNLL per token in 10⁻³ nat: the recipe, and one config for every layer";
    let mut columns = vec![column(recipe, "recipe\npredicted".to_owned(), &recipe.predicted)];
    columns.extend(measured.map(|m| column(recipe, "recipe\nmeasured".to_owned(), m)));
    for neighbour in &recipe.neighbours {
        let head = format!("{}\n{:.2} bit, ", neighbour.config, neighbour.bits_per_weight);
        columns.push(match neighbour.measured.is_empty() {
            true => column(recipe, head + "predicted", &neighbour.predicted),
            false => column(recipe, head + "measured", &neighbour.measured),
        });
    }
    let languages = recipe.predicted.keys().cloned();
    let labels = Column::new("language", languages.chain(SUMMARIES.map(str::to_owned)));
    let mut blocks = vec![Block::Heading(heading.to_owned())];
    blocks.extend(tables(&labels, &columns, Medium::Terminal));
    let mut words = "Predicted: the sum of what each layer's config did alone; its interval is over documents, not over whether effects add up."
        .to_owned();
    if measured.is_some() {
        words += " Measured: all layers at once, on the documents that the choice was made on too: expect somewhat more on others.";
    }
    blocks.push(Block::Text(words));
    terminal::write(&blocks)
}

/// The last rows of a table of languages.
const SUMMARIES: [&str; 2] = ["worst", "mean"];

fn allocation(layers: &[Portion]) -> Block {
    let mut kinds: BTreeMap<_, Vec<&Portion>> = BTreeMap::new();
    for portion in layers {
        kinds.entry(&portion.config).or_default().push(portion);
    }
    let mut table = Table::new(&["config", "layers", "weights", "bits/weight"]);
    let mut rows: Vec<(f64, Vec<String>)> = kinds
        .into_iter()
        .map(|(config, portions)| {
            let weights: u64 = portions.iter().map(|portion| portion.weights).sum();
            let bits = |portion: &&Portion| portion.bits_per_weight * portion.weights as f64;
            let bits = portions.iter().map(bits).sum::<f64>() / weights as f64;
            let layers: BTreeSet<_> = portions.iter().map(|portion| portion.layer).collect();
            let row = vec![
                config.as_ref().map_or("as it is".to_owned(), ToString::to_string),
                LayerSet::from(layers).to_string(),
                count(weights),
                fixed(bits, 2),
            ];
            (bits, row)
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    table.rows = rows.into_iter().map(|(_, row)| row).collect();
    Block::Table(table)
}

fn size(recipe: &Recipe) -> Block {
    let proof = match recipe.proof {
        Proof::Best => {
            "No other choice of the configs measured at each layer is predicted to be better"
        }
        Proof::WithinAHundredth => {
            "No other choice of the configs measured at each layer is predicted to be better by more than 1 %"
        }
    };
    let bits = fixed(recipe.bits_per_weight, 4);
    Block::Text(format!("{bits} bits per weight, scales included. {proof}."))
}

fn column(recipe: &Recipe, head: String, losses: &Losses) -> Column {
    let of = |language: &String| losses.get(language).copied().flatten();
    let mut numbers: Vec<[Option<f64>; 3]> = recipe
        .predicted
        .keys()
        .map(|language| {
            let effect = of(language);
            thousandths([
                effect.map(|e| e.delta_nll),
                effect.and_then(|e| e.low),
                effect.and_then(|e| e.high),
            ])
        })
        .collect();
    let values: Option<Vec<f64>> = numbers.iter().map(|[value, _, _]| *value).collect();
    let values = values.filter(|values| !values.is_empty());
    let worst = values.iter().flatten().copied().reduce(f64::max);
    let mean = values.as_ref().map(|values| values.iter().sum::<f64>() / values.len() as f64);
    numbers.extend([worst, mean].map(|value| [value, None, None]));
    Column::new(head, estimates(&numbers, 3))
}
