//! A recipe as JSON for programs: versioned, every number with all its digits. Not for people (`report`).

use serde::Serialize;

use super::{Losses, Neighbour, Proof, Recipe, Unusable};

/// Version of the document; fields are added without a new one.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    model: &'a str,
    components: String,
    budget_bits_per_weight: f64,
    objective: String,
    config: String,
    bits_per_weight: f64,
    proof: Proof,
    layers: Vec<Layer>,
    predicted: &'a Losses,
    /// `null` where the recipe was not evaluated.
    measured: Option<&'a Losses>,
    neighbours: Vec<Other<'a>>,
    unusable: &'a [Unusable],
}

#[derive(Serialize)]
struct Layer {
    layer: String,
    weights: u64,
    /// `none` leaves the layer as it is.
    config: String,
    bits_per_weight: f64,
}

#[derive(Serialize)]
struct Other<'a> {
    config: String,
    bits_per_weight: f64,
    predicted: &'a Losses,
    measured: Option<&'a Losses>,
}

/// The recipe with what was measured of it; ΔNLL in nat per token by language.
///
/// # Errors
/// A number is not finite.
pub(crate) fn document(
    recipe: &Recipe,
    measured: Option<&Losses>,
) -> Result<String, serde_json::Error> {
    let layers = recipe.layers.iter().map(|portion| Layer {
        layer: portion.layer.to_string(),
        weights: portion.weights,
        config: portion.config.as_ref().map_or("none".to_owned(), ToString::to_string),
        bits_per_weight: portion.bits_per_weight,
    });
    let neighbours = recipe.neighbours.iter().map(|neighbour| {
        let Neighbour { config, bits_per_weight, predicted, measured } = neighbour;
        Other {
            config: config.to_string(),
            bits_per_weight: *bits_per_weight,
            predicted,
            measured: Some(measured).filter(|measured| !measured.is_empty()),
        }
    });
    let text = serde_json::to_string_pretty(&Document {
        version: VERSION,
        model: &recipe.question.subject.model,
        components: recipe.question.subject.components.to_string(),
        budget_bits_per_weight: recipe.question.budget.bits_per_weight(),
        objective: recipe.question.objective.to_string(),
        config: recipe.config().to_string(),
        bits_per_weight: recipe.bits_per_weight,
        proof: recipe.proof,
        layers: layers.collect(),
        predicted: &recipe.predicted,
        measured,
        neighbours: neighbours.collect(),
        unusable: &recipe.unusable,
    })?;
    Ok(text + "\n")
}
