//! A recipe as other tools take it: a file for each, and what the tool cannot say. Pure: writes nothing.

mod gptqmodel;
mod llama_cpp;
mod llm_compressor;
mod study;

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::quant::{Basis, Rule, WeightConfig};
use babelquant_proto::{Layer, LayerSet, Stack};

use super::{Portion, Recipe};
use crate::reduce::StoredMatrix;

/// A recipe for one tool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Export {
    /// The file's name.
    pub(crate) file: &'static str,
    /// Its content.
    pub(crate) text: String,
    /// Where it says something else than the recipe.
    pub(crate) remarks: Vec<String>,
}

/// The recipe for every tool.
pub(crate) fn exports(recipe: &Recipe) -> Vec<Export> {
    vec![
        study::export(recipe),
        llama_cpp::export(recipe),
        gptqmodel::export(recipe),
        llm_compressor::export(recipe),
    ]
}

/// The matrices in scope, each with what its layer gets.
fn placed(recipe: &Recipe) -> impl Iterator<Item = (&Portion, &StoredMatrix)> {
    recipe.layers.iter().flat_map(|portion| {
        let matrices = recipe.matrices.iter().filter(|matrix| matrix.layer == portion.layer);
        matrices.map(move |matrix| (portion, matrix))
    })
}

/// True for a model with an encoder.
fn has_encoder(recipe: &Recipe) -> bool {
    recipe.matrices.iter().any(|matrix| matrix.layer.stack == Stack::Enc)
}

/// The rule of a config that does nothing beside it: matrices as they are stored, no weight kept.
fn plain(config: &WeightConfig) -> Option<&Rule> {
    let WeightConfig { basis, kept, rule, input_bits: _, calibration: _ } = config;
    (*basis == Basis::Stored && kept.is_none()).then_some(rule)
}

/// A regular expression for the name of a matrix as a module of `transformers`: `(.*[.])?3[.]mlp[.]up_proj$`.
fn module(recipe: &Recipe, matrix: &StoredMatrix) -> String {
    let stack = match (has_encoder(recipe), matrix.layer.stack) {
        (false, _) => "",
        (true, Stack::Enc) => "encoder[.](.*[.])?",
        (true, Stack::Dec) => "decoder[.](.*[.])?",
    };
    let tensor = matrix.tensor.replace('.', "[.]");
    format!("(.*[.])?{stack}{}[.]{tensor}$", matrix.layer.index)
}

/// Remarks on layers, those that say the same as one.
#[derive(Debug, Default)]
struct Remarks(BTreeMap<String, BTreeSet<Layer>>);

impl Remarks {
    fn add(&mut self, layer: Layer, remark: String) {
        self.0.entry(remark).or_default().insert(layer);
    }

    /// `layers 0,3: what`.
    fn in_words(self) -> Vec<String> {
        let words = self.0.into_iter();
        words.map(|(remark, layers)| format!("{}: {remark}", layers_in_words(layers))).collect()
    }
}

fn layers_in_words(layers: BTreeSet<Layer>) -> String {
    let word = if layers.len() == 1 { "layer" } else { "layers" };
    format!("{word} {}", LayerSet::from(layers))
}

/// The head of a file whose comments begin with `#`: what it is, how to use it, and the remarks.
fn comments(recipe: &Recipe, usage: &str, remarks: &[String]) -> String {
    let mut lines = vec![
        format!(
            "{} of {}: {:.4} bits per weight, least ΔNLL of {}.",
            recipe.question.subject.components,
            recipe.question.subject.model,
            recipe.bits_per_weight,
            recipe.question.objective.in_words(),
        ),
        usage.to_owned(),
    ];
    lines.extend(remarks.iter().map(|remark| format!("Not as in the recipe: {remark}.")));
    lines.iter().map(|line| format!("# {line}\n")).collect()
}

#[cfg(test)]
mod tests;
