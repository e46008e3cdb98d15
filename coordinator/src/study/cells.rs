//! The (scope, config) pairs of a model: what a study evaluates on it, in order, and what it must not ask. Not the sets of layers
//! (`scopes`, proto `scope`).

use std::collections::BTreeSet;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Components, Dtype, Layer, Layers, Model, Scope, Shape, Stack};

use super::effect::{Effect, OUTSIDE, Origin, check_reference, effect, refusal};
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
/// last layer of both stacks together, and where tables outside the layers are quantized, through those; then, where the dtype is
/// not f32, the whole model in f32; then scope by scope, so that pairs that resume from the same boundary stand together.
pub(super) fn cells(
    model: &Model,
    wanted: Wanted<'_>,
) -> Result<Vec<(Scope, QuantConfig)>, StudyError> {
    let (mut cells, mut known) = (Vec::new(), BTreeSet::new());
    let mut reached = BTreeSet::new();
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
                    if effect(model, (&scope, origin), config)? == Effect::Something {
                        reached.insert(scope.components.clone());
                        add((scope.clone(), config.clone()));
                    }
                }
            }
        }
    }
    let mut missed = wanted.components.iter().filter(|components| !reached.contains(*components));
    match (missed.next(), wanted.configs.iter().find(|config| **config != QuantConfig::F32)) {
        (Some(components), Some(config)) => {
            let scope = Scope { layers: Layers::All, components: components.clone() };
            let reason = format!("no scope of the study holds them: {OUTSIDE}");
            Err(refusal(model, &scope, config, reason))
        }
        (_, None) | (None, _) => Ok(cells),
    }
}

/// What is measured whatever a study asks: that the identity changes nothing, and what the dtype changes.
fn checks(shape: &Shape, wanted: Wanted<'_>) -> Vec<(Scope, QuantConfig)> {
    let mut checks = Vec::new();
    let scope = |layers, components: &Components| Scope { layers, components: components.clone() };
    if let Some(components) = wanted.components.iter().find(|c| !c.in_layers().is_empty()) {
        let only_cross = components.is_cross_alone();
        let layers = shape.stacked_layers();
        let layers: Vec<Layer> =
            layers.filter(|layer| !only_cross || layer.stack == Stack::Dec).collect();
        let places = [layers.first(), layers.get(layers.len() / 2), layers.last()];
        let none = |&layer| (scope(Layers::only(layer), components), QuantConfig::None);
        checks.extend(places.into_iter().flatten().map(none));
    }
    if let Some(components) = wanted.components.iter().find(|c| !c.outside_layers().is_empty()) {
        checks.push((scope(Layers::All, components), QuantConfig::None));
    }
    match (wanted.dtype, wanted.components.first()) {
        (Dtype::F32, _) | (_, None) => {}
        (Dtype::Bf16 | Dtype::F16, Some(components)) => {
            checks.push((scope(Layers::All, components), QuantConfig::F32));
        }
    }
    checks
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
        let error = spell(4, &["all"], &["mixed(2,5=int8-channel;rest=none)"]).unwrap_err();
        assert!(error.contains("no layer 5") && error.contains("mixed("), "{error}");
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
    fn tables_are_quantized_where_the_scope_reaches_outside_the_layers() {
        let tables = |scopes: &[&str], components: &[&str]| {
            spelled((0, 2), (scopes, components, &["int4-channel"]), Dtype::F32)
        };
        let scopes = ["all", "each", "all-but(each)", "all-but(1)"];
        assert_eq!(
            tables(&scopes, &["embedding"]).unwrap(),
            ["all none", "all int4-channel", "all-but(1) int4-channel"]
        );
        let cells = tables(&["all", "each"], &["mlp", "mlp+head"]).unwrap();
        let none = ["only(0) none", "only(1) none", "all none"];
        assert_eq!((&cells[..3], cells.len()), (&none.map(str::to_owned)[..], 3 + 2 * 3));
        for (scopes, components) in [
            (&["all", "only(1)"][..], &["embedding+head"][..]),
            (&["each"], &["head"]),
            (&["each", "only(1)"], &["mlp", "embedding"]),
        ] {
            let error = tables(scopes, components).unwrap_err();
            assert!(error.contains("stand outside the layers"), "{error}");
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
