//! Scopes as a study writes them, with their shorthands, and the (scope, config) pairs of a model. Not the sets (proto `scope`).

use std::fmt;
use std::str::FromStr;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Components, Layer, Layers, Model, ParseError, Scope, Stack};

use super::error::StudyError;

/// A scope of the study file: a set of layers, or a shorthand for one set per layer of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopePattern {
    /// One set of layers.
    Layers(Layers),
    /// `only(each)` or `each`: every layer alone.
    OnlyEach,
    /// `all-but(each)`: every layer left out once.
    AllButEach,
}

impl ScopePattern {
    /// The sets of layers that the pattern stands for in a decoder of so many layers.
    fn expand(&self, layers: u32) -> Vec<Layers> {
        let each = (0..layers).map(Layer::dec);
        match self {
            Self::Layers(layers) => vec![layers.clone()],
            Self::OnlyEach => each.map(Layers::only).collect(),
            Self::AllButEach => each.map(Layers::all_but).collect(),
        }
    }
}

impl fmt::Display for ScopePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layers(layers) => layers.fmt(f),
            Self::OnlyEach => f.write_str("only(each)"),
            Self::AllButEach => f.write_str("all-but(each)"),
        }
    }
}

impl FromStr for ScopePattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "each" | "only(each)" => Ok(Self::OnlyEach),
            "all-but(each)" => Ok(Self::AllButEach),
            layers => layers.parse().map(Self::Layers),
        }
    }
}

/// What a study evaluates on each model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) scopes: &'a [ScopePattern],
    pub(super) components: &'a [Components],
    pub(super) configs: &'a [QuantConfig],
}

/// The (scope, config) pairs of `model` in their fixed order, each once: first `none` resumed from the first, a middle and the
/// last layer; then scope by scope, so that pairs that resume from the same boundary stand together.
pub(super) fn cells(
    model: &Model,
    wanted: Wanted<'_>,
) -> Result<Vec<(Scope, QuantConfig)>, StudyError> {
    let layers = model.shape.layers;
    let last = layers.saturating_sub(1);
    let components = wanted.components.first().cloned().unwrap_or_else(Components::mlp);
    let none = [0, layers / 2, last].map(|layer| {
        let scope =
            Scope { layers: Layers::only(Layer::dec(layer)), components: components.clone() };
        (scope, QuantConfig::None)
    });
    let mut cells = Vec::new();
    let mut add = |cell| {
        if !cells.contains(&cell) {
            cells.push(cell);
        }
    };
    none.into_iter().for_each(&mut add);
    for scope in scopes(layers, wanted) {
        for &config in wanted.configs {
            check(model, &scope, config)?;
            add((scope.clone(), config));
        }
    }
    Ok(cells)
}

fn scopes(layers: u32, wanted: Wanted<'_>) -> impl Iterator<Item = Scope> {
    let expanded = wanted.scopes.iter().flat_map(move |pattern| pattern.expand(layers));
    expanded.flat_map(move |layers| {
        let with = |components: &Components| Scope {
            layers: layers.clone(),
            components: components.clone(),
        };
        wanted.components.iter().map(with).collect::<Vec<_>>()
    })
}

/// Refuses a scope that names a layer that the model lacks, and one that holds no layer of it.
fn check(model: &Model, scope: &Scope, config: QuantConfig) -> Result<(), StudyError> {
    let layers = model.shape.layers;
    let error = |reason| StudyError::EmptyScope {
        config: config.to_string(),
        scope: scope.to_string(),
        model: model.name.clone(),
        reason,
    };
    let absent = |layer: &Layer| layer.stack != Stack::Dec || layer.index >= layers;
    if let Some(layer) = scope.layers.named().find(absent) {
        return Err(error(format!("it has no layer {layer}, its layers are 0 to {}", layers - 1)));
    }
    if !(0..layers).any(|layer| scope.layers.contains(Layer::dec(layer))) {
        return Err(error("the scope holds no layer".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use babelquant_proto::Shape;

    use super::*;

    fn spell(layers: u32, scopes: &[&str], configs: &[&str]) -> Result<Vec<String>, String> {
        let shape = Shape { layers, hidden: 8, vocabulary: 16 };
        let model = Model { name: "m".to_owned(), shape, files: BTreeMap::new() };
        let scopes: Vec<_> = scopes.iter().map(|text| text.parse().unwrap()).collect();
        let configs: Vec<_> = configs.iter().map(|text| text.parse().unwrap()).collect();
        let components = [Components::mlp()];
        let wanted = Wanted { scopes: &scopes, components: &components, configs: &configs };
        let cells = cells(&model, wanted).map_err(|error| error.to_string())?;
        Ok(cells.iter().map(|(scope, config)| format!("{} {config}", scope.layers)).collect())
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
    fn scopes_that_change_nothing_are_refused_by_name() {
        for (layers, scope, names) in [
            (4, "only(4)", "layer 4"),
            (4, "only(enc.0)", "layer enc.0"),
            (1, "all-but(each)", "no layer"),
        ] {
            let error = spell(layers, &[scope], &["int4-channel"]).unwrap_err();
            assert!(error.contains("int4-channel") && error.contains(names), "{error}");
        }
    }
}
