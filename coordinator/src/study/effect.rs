//! Whether a config at a scope changes a weight of a model, and why not. Not which scopes a study asks for (`cells`).

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Dtype, LayerSet, Layers, Model, Scope, Shape, Stack};

use super::error::StudyError;

/// Whether a study wrote the scope as it is or by a shorthand for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Written,
    Shorthand,
}

/// Whether a scope holds a weight that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Something,
    Nothing,
}

/// Refuses a scope that names a layer that the model lacks, and one that holds no layer of it or none of the components there,
/// unless a shorthand only passes over that layer.
pub(super) fn effect(
    model: &Model,
    (scope, origin): (&Scope, Origin),
    config: &QuantConfig,
) -> Result<Effect, StudyError> {
    let shape = &model.shape;
    let error = |reason| Err(refusal(model, scope, config, reason));
    let mixed = match config {
        QuantConfig::Mixed(mixed) => Some(mixed.named()),
        QuantConfig::None
        | QuantConfig::F32
        | QuantConfig::Weights(_)
        | QuantConfig::Checkpoint(_) => None,
    };
    let listed = scope.layers.set().into_iter().flat_map(LayerSet::listed);
    let mut named = listed.chain(mixed.into_iter().flatten());
    if let Some(layer) = named.find(|layer| !shape.has(*layer)) {
        return error(format!("it has no layer {layer}, its layers are {}", in_words(shape)));
    }
    if scope.layers.count(shape) == 0 {
        return error("the scope holds no layer".to_owned());
    }
    let outside = !scope.outside_layers().is_empty();
    match (in_layers(shape, scope), outside, origin) {
        (Ok(()), _, _) => Ok(Effect::Something),
        // Whichever layers are left out, the same is quantized as in `all`.
        (Err(_), true, Origin::Shorthand) if scope.layers != Layers::All => Ok(Effect::Nothing),
        (Err(_), true, Origin::Written | Origin::Shorthand) => Ok(Effect::Something),
        (Err(Absent::Nowhere(reason)), false, _) => error(reason.to_owned()),
        (Err(Absent::Here(_)), false, Origin::Shorthand) => Ok(Effect::Nothing),
        (Err(Absent::Here(reason)), false, Origin::Written) => error(reason.to_owned()),
    }
}

/// Why nothing in the layers of a scope changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// No layer of the model has such components.
    Nowhere(&'static str),
    /// Not these layers.
    Here(&'static str),
}

fn in_layers(shape: &Shape, scope: &Scope) -> Result<(), Absent> {
    if scope.components.in_layers().is_empty() {
        return Err(Absent::Here(OUTSIDE));
    }
    if !scope.components.is_cross_alone() {
        return Ok(());
    }
    match scope.layers.possible(shape).iter().any(|layer| layer.stack == Stack::Dec) {
        _ if shape.encoder_layers == 0 => {
            Err(Absent::Nowhere("cross-attention is a part of encoder–decoders alone"))
        }
        true => Ok(()),
        false => Err(Absent::Here("cross-attention is a part of the decoder's layers alone")),
    }
}

/// What a scope of layers alone does not reach.
pub(super) const OUTSIDE: &str = "embedding and head stand outside the layers: the scopes all and all-but(...) hold them, only(...) does not";

/// Refuses a config at a scope.
pub(super) fn refusal(
    model: &Model,
    scope: &Scope,
    config: &QuantConfig,
    reason: String,
) -> StudyError {
    StudyError::EmptyScope {
        config: config.to_string(),
        scope: scope.to_string(),
        model: model.name.clone(),
        reason,
    }
}

/// Refuses `f32` where it is the dtype anyway; elsewhere the whole model in f32 is among the checks already.
pub(super) fn check_reference(
    model: &Model,
    scope: &Scope,
    dtype: Dtype,
) -> Result<(), StudyError> {
    match dtype {
        Dtype::Bf16 | Dtype::F16 => Ok(()),
        Dtype::F32 => {
            let reason = "the study's dtype is f32 already: leave the config out".to_owned();
            Err(refusal(model, scope, &QuantConfig::F32, reason))
        }
    }
}

/// `0 to 5`, or `enc.0 to enc.7 and 0 to 7`.
fn in_words(shape: &Shape) -> String {
    let words = [Stack::Enc, Stack::Dec].map(|stack| {
        let mut layers = shape.stacked_layers().filter(move |layer| layer.stack == stack);
        match (layers.next(), layers.next_back()) {
            (Some(first), Some(last)) => format!("{first} to {last}"),
            (Some(only), None) => format!("{only} alone"),
            (None, _) => String::new(),
        }
    });
    words.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" and ")
}
