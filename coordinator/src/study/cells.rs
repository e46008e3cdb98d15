//! The (scope, config) pairs of a model: what a study evaluates on it, in order, and what it must not ask. Not the sets of layers
//! (`scopes`, proto `scope`).

use std::collections::BTreeSet;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{
    Components, Dtype, Layer, LayerSet, Layers, Model, Part, Scope, Shape, Stack,
};

use super::error::StudyError;
use super::scopes::ScopePattern;

/// What a study evaluates on each model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) scopes: &'a [ScopePattern],
    pub(super) components: &'a [Components],
    pub(super) configs: &'a [QuantConfig],
    pub(super) dtype: Dtype,
}

/// The (scope, config) pairs of `model` in their fixed order, each once: first `none` resumed from the first, a middle and the
/// last layer of both stacks together; then, where the dtype is not f32, the whole model in f32; then scope by scope, so that
/// pairs that resume from the same boundary stand together.
pub(super) fn cells(
    model: &Model,
    wanted: Wanted<'_>,
) -> Result<Vec<(Scope, QuantConfig)>, StudyError> {
    let (mut cells, mut known) = (Vec::new(), BTreeSet::new());
    let mut add = |cell: (Scope, QuantConfig)| {
        if known.insert(cell.clone()) {
            cells.push(cell);
        }
    };
    checks(&model.shape, wanted).into_iter().for_each(&mut add);
    for (scope, origin) in scopes(model, wanted)? {
        for config in wanted.configs {
            match config {
                QuantConfig::F32 => check_reference(model, &scope, wanted.dtype)?,
                QuantConfig::None
                | QuantConfig::Weights(_)
                | QuantConfig::Mixed(_)
                | QuantConfig::Checkpoint(_) => {
                    if check(model, (&scope, origin), config)? == Effect::Something {
                        add((scope.clone(), config.clone()));
                    }
                }
            }
        }
    }
    Ok(cells)
}

/// What is measured whatever a study asks: that the identity changes nothing, and what the dtype changes.
fn checks(shape: &Shape, wanted: Wanted<'_>) -> Vec<(Scope, QuantConfig)> {
    let components = wanted.components.first().cloned().unwrap_or_else(Components::mlp);
    let scope = |layers| Scope { layers, components: components.clone() };
    let only_cross = only_cross(&components);
    let layers: Vec<Layer> =
        shape.stacked_layers().filter(|layer| !only_cross || layer.stack == Stack::Dec).collect();
    let places = [layers.first(), layers.get(layers.len() / 2), layers.last()];
    let none = places.into_iter().flatten().map(|&layer| scope(Layers::only(layer)));
    let mut checks: Vec<_> = none.map(|scope| (scope, QuantConfig::None)).collect();
    match wanted.dtype {
        Dtype::F32 => {}
        Dtype::Bf16 | Dtype::F16 => checks.push((scope(Layers::All), QuantConfig::F32)),
    }
    checks
}

/// Whether a study wrote the scope as it is or by a shorthand for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Written,
    Shorthand,
}

/// Whether a scope holds a weight that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Something,
    Nothing,
}

fn scopes(model: &Model, wanted: Wanted<'_>) -> Result<Vec<(Scope, Origin)>, StudyError> {
    let mut scopes = Vec::new();
    for pattern in wanted.scopes {
        let origin = match pattern {
            ScopePattern::One(_) => Origin::Written,
            ScopePattern::Only(_) | ScopePattern::AllBut(_) => Origin::Shorthand,
        };
        let expanded = pattern.expand(&model.shape).map_err(|reason| StudyError::Scope {
            scope: pattern.to_string(),
            model: model.name.clone(),
            reason,
        })?;
        for layers in expanded {
            let with = |components: &Components| Scope {
                layers: layers.clone(),
                components: components.clone(),
            };
            scopes.extend(wanted.components.iter().map(|components| (with(components), origin)));
        }
    }
    Ok(scopes)
}

fn refusal(model: &Model, scope: &Scope, config: &QuantConfig, reason: String) -> StudyError {
    StudyError::EmptyScope {
        config: config.to_string(),
        scope: scope.to_string(),
        model: model.name.clone(),
        reason,
    }
}

/// Refuses `f32` where it is the dtype anyway; elsewhere the whole model in f32 is among the checks already.
fn check_reference(model: &Model, scope: &Scope, dtype: Dtype) -> Result<(), StudyError> {
    match dtype {
        Dtype::Bf16 | Dtype::F16 => Ok(()),
        Dtype::F32 => {
            let reason = "the study's dtype is f32 already: leave the config out".to_owned();
            Err(refusal(model, scope, &QuantConfig::F32, reason))
        }
    }
}

/// Refuses a scope that names a layer that the model lacks, and one that holds no layer of it, or none with such components,
/// unless a shorthand only passes over that layer.
fn check(
    model: &Model,
    (scope, origin): (&Scope, Origin),
    config: &QuantConfig,
) -> Result<Effect, StudyError> {
    let shape = &model.shape;
    let error = |reason| Err(refusal(model, scope, config, reason));
    let mut listed = scope.layers.set().into_iter().flat_map(LayerSet::listed);
    if let Some(layer) = listed.find(|layer| !shape.has(*layer)) {
        return error(format!("it has no layer {layer}, its layers are {}", in_words(shape)));
    }
    if scope.layers.count(shape) == 0 {
        return error("the scope holds no layer".to_owned());
    }
    // Where the weights decide, any layer may be held.
    let held = scope.layers.known(shape).unwrap_or_else(|| shape.stacked_layers().collect());
    let crosses = |layer: &Layer| shape.encoder_layers > 0 && layer.stack == Stack::Dec;
    match (only_cross(&scope.components) && !held.iter().any(crosses), origin, shape.encoder_layers)
    {
        (false, _, _) => Ok(Effect::Something),
        (true, _, 0) => error("cross-attention is a part of encoder–decoders alone".to_owned()),
        (true, Origin::Shorthand, _) => Ok(Effect::Nothing),
        (true, Origin::Written, _) => {
            error("cross-attention is a part of the decoder's layers alone".to_owned())
        }
    }
}

/// True for components that only the layers of a decoder with an encoder have.
fn only_cross(components: &Components) -> bool {
    components.roles().all(|role| role.part() == Part::Cross)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use babelquant_proto::Protocol;

    use super::*;

    fn spelled(
        (encoder_layers, layers): (u32, u32),
        study: (&[&str], &[&str], &[&str]),
        dtype: Dtype,
    ) -> Result<Vec<String>, String> {
        let shape = Shape { encoder_layers, layers, hidden: 8, vocabulary: 16, positions: None };
        let protocol = Protocol::Causal { prefix: None, newline: None };
        let (name, files) = ("m".to_owned(), BTreeMap::new());
        let model = Model { name, shape, protocol, published: None, files };
        let (scopes, components, configs) = study;
        let scopes: Vec<_> = scopes.iter().map(|text| text.parse().unwrap()).collect();
        let configs: Vec<_> = configs.iter().map(|text| text.parse().unwrap()).collect();
        let components: Vec<_> = components.iter().map(|text| text.parse().unwrap()).collect();
        let wanted = Wanted { scopes: &scopes, components: &components, configs: &configs, dtype };
        let cells = cells(&model, wanted).map_err(|error| error.to_string())?;
        Ok(cells.iter().map(|(scope, config)| format!("{} {config}", scope.layers)).collect())
    }

    fn spell(layers: u32, scopes: &[&str], configs: &[&str]) -> Result<Vec<String>, String> {
        spelled((0, layers), (scopes, &["mlp"], configs), Dtype::F32)
    }

    #[test]
    fn none_comes_first_and_every_pair_once() {
        let cells =
            spell(3, &["all", "each", "only(1)", "all-but(each)"], &["int4-channel"]).unwrap();
        assert_eq!(
            cells,
            [
                "only(0) none",
                "only(1) none",
                "only(2) none",
                "all int4-channel",
                "only(0) int4-channel",
                "only(1) int4-channel",
                "only(2) int4-channel",
                "all-but(0) int4-channel",
                "all-but(1) int4-channel",
                "all-but(2) int4-channel",
            ]
        );
        assert_eq!(spell(1, &["all"], &["none"]).unwrap(), ["only(0) none", "all none"]);
    }

    #[test]
    fn named_sets_keep_their_names() {
        let scopes = ["prefix(2)", "all-but(top(2,kurtosis))", "all-but(random(2,1..2))"];
        assert_eq!(
            spell(4, &scopes, &["int4-channel"]).unwrap()[3..],
            [
                "only(prefix(2)) int4-channel",
                "all-but(top(2,kurtosis)) int4-channel",
                "all-but(random(2,1)) int4-channel",
                "all-but(random(2,2)) int4-channel",
            ]
        );
        let error = spell(4, &["prefix(5)"], &["int4-channel"]).unwrap_err();
        assert!(error.contains("only(prefix(5))") && error.contains("model m"), "{error}");
    }

    #[test]
    fn scopes_that_change_nothing_are_refused_by_name() {
        for (layers, scope, names) in [
            (4, "only(4)", "layer 4"),
            (4, "only(enc.0)", "layer enc.0"),
            (1, "all-but(each)", "no layer"),
            (4, "all-but(prefix(4))", "no layer"),
        ] {
            let error = spell(layers, &[scope], &["int4-channel"]).unwrap_err();
            assert!(error.contains("int4-channel") && error.contains(names), "{error}");
        }
    }

    #[test]
    fn both_stacks_are_expanded_the_encoder_first() {
        let cells =
            spelled((2, 2), (&["each", "only(0..1)"], &["mlp"], &["int4-channel"]), Dtype::F32);
        assert_eq!(
            cells.unwrap(),
            [
                "only(enc.0) none",
                "only(0) none",
                "only(1) none",
                "only(enc.0) int4-channel",
                "only(enc.1) int4-channel",
                "only(0) int4-channel",
                "only(1) int4-channel",
                "only(0,1) int4-channel",
            ]
        );
    }

    #[test]
    fn cross_attention_is_quantized_where_it_is() {
        let cross = |scopes: &[&str], stacks| {
            spelled(stacks, (scopes, &["cross"], &["int4-channel"]), Dtype::F32)
        };
        let cells = cross(&["each", "all"], (2, 1)).unwrap();
        assert_eq!(cells, ["only(0) none", "only(0) int4-channel", "all int4-channel"]);
        for (scopes, stacks, part) in [
            (["only(enc.0)"], (2, 1), "decoder's layers alone"),
            (["each"], (0, 1), "encoder–decoders alone"),
        ] {
            let error = cross(&scopes, stacks).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_narrow_dtype_is_measured_against_f32_once() {
        let with = |configs: &[&str], dtype| spelled((0, 1), (&["all"], &["mlp"], configs), dtype);
        let expected = ["only(0) none", "all f32", "all int4-channel"];
        assert_eq!(with(&["int4-channel"], Dtype::Bf16).unwrap(), expected);
        assert_eq!(with(&["int4-channel", "f32"], Dtype::F16).unwrap(), expected);
        let error = with(&["f32"], Dtype::F32).unwrap_err();
        assert!(error.contains("dtype is f32 already"), "{error}");
    }

    #[test]
    fn errors_name_the_layers_of_both_stacks() {
        let study = (&["only(enc.8)"][..], &["mlp"][..], &["int4-channel"][..]);
        let error = spelled((8, 8), study, Dtype::F32).unwrap_err();
        assert!(
            error.contains("no layer enc.8, its layers are enc.0 to enc.7 and 0 to 7"),
            "{error}"
        );
    }
}
