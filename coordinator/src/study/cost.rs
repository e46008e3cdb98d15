//! What a model costs: operations and bytes, estimated from its shape alone. Not how often a study pays it (`plan`).

use std::collections::BTreeSet;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{
    Calibration, Component, Layer, ModelPart, Protocol, Role, Scope, Shape, Stack,
};

/// Bytes of UTF-8 text per token, assumed: the plan reads no tokenizer. Scripts of three bytes a letter come near it, Latin
/// scripts lie a little above.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// Square matrices of the model's width in a block: attention has 4, the MLP 8, cross-attention 4.
pub(super) fn matrices(shape: Shape, layer: Layer) -> u64 {
    match layer.stack {
        Stack::Dec if shape.encoder_layers > 0 => 16,
        Stack::Dec | Stack::Enc => 12,
    }
}

/// Tokens that a stack reads for each token of the corpus. A masking leaves the encoder about 0.9 of them, sentinels included,
/// and the decoder 0.2 (science §D.5).
pub(super) fn share(protocol: Protocol, stack: Stack) -> f64 {
    match (protocol, stack) {
        (Protocol::Causal { .. }, Stack::Dec) => 1.0,
        (Protocol::Causal { .. }, Stack::Enc) => 0.0,
        (Protocol::SpanCorruption { draws, .. }, Stack::Enc) => 0.9 * f64::from(draws),
        (Protocol::SpanCorruption { draws, .. }, Stack::Dec) => 0.2 * f64::from(draws),
        (Protocol::PrefixInfill { .. }, Stack::Enc | Stack::Dec) => 0.5,
    }
}

/// Operations per token of one model: two per weight and token. The baseline and the config `f32` run every block and the head
/// once, any other cell the blocks from its first quantized layer on and the head: from the encoder on, the whole decoder too. An
/// embedding comes before all blocks, a head after them. A set that the weights decide is taken to begin at the first layer.
pub(super) fn flops_per_token(part: &ModelPart) -> f64 {
    let (shape, protocol) = (part.model.shape, part.model.protocol);
    let hidden = f64::from(shape.hidden);
    let block = |layer: Layer| {
        let weights = matrices(shape, layer) as f64 * hidden * hidden;
        2.0 * weights * share(protocol, layer.stack)
    };
    let head = 2.0 * hidden * f64::from(shape.vocabulary) * share(protocol, Stack::Dec);
    let all: f64 = shape.stacked_layers().map(block).sum();
    let suffix = |(scope, config): &(Scope, QuantConfig)| {
        let whole =
            *config == QuantConfig::F32 || scope.outside_layers().contains(Component::Embedding);
        let held = match scope.components.in_layers().is_empty() {
            true => BTreeSet::new(),
            false => scope.layers.possible(&shape),
        };
        let before = |layer: &Layer| !whole && !held.contains(layer);
        head + shape.stacked_layers().skip_while(before).map(block).sum::<f64>()
    };
    all + head + part.cells.iter().map(suffix).sum::<f64>()
}

pub(super) fn text_bytes(set: &Calibration) -> u64 {
    set.texts.iter().map(|text| text.len() as u64).sum()
}

/// Operations of one calibration set on one model: a pass over all blocks, and one triangle of the products of what their matrices
/// read. Counted once: a worker keeps the moments in its cache.
pub(super) fn calibration_flops(set: &Calibration, part: &ModelPart) -> f64 {
    let named = part.cells.iter().any(|(_, config)| config.calibration_sets().contains(&&set.set));
    if !named {
        return 0.0;
    }
    let shape = part.model.shape;
    let square = f64::from(shape.hidden) * f64::from(shape.hidden);
    // Attention, its context and the MLP read vectors of the model's width, the MLP's last matrix one of four times that.
    let products = |layer: Layer| match layer.stack {
        Stack::Dec if shape.encoder_layers > 0 => 3.0 + 3.0 + 16.0,
        Stack::Dec | Stack::Enc => 3.0 + 16.0,
    };
    let layer = |layer: Layer| {
        let operations = 2.0 * matrices(shape, layer) as f64 + products(layer);
        operations * square * share(part.model.protocol, layer.stack)
    };
    let tokens = text_bytes(set) as f64 / BYTES_PER_TOKEN as f64;
    tokens * shape.stacked_layers().map(layer).sum::<f64>()
}

/// What the moments of the widest matrix take, with GPTQ's factors of them: 32 bytes an entry.
pub(super) fn moments_bytes(part: &ModelPart) -> u64 {
    let calibrated = part.cells.iter().filter(|(_, config)| !config.calibration_sets().is_empty());
    let hidden = u64::from(part.model.shape.hidden);
    let width = |(scope, _): &(Scope, QuantConfig)| match scope.components.contains(Role::MlpDown) {
        true => 4 * hidden,
        false => hidden,
    };
    calibrated.map(width).max().map_or(0, |width| 32 * width * width)
}

#[cfg(test)]
mod tests {
    use babelquant_proto::Marks;

    use super::super::plan::Plan;
    use super::*;
    use crate::study::resolve::tests::{no_hub, write_study};

    #[test]
    fn cells_that_start_in_the_encoder_run_the_decoder_in_full() {
        let folder = tempfile::tempdir().unwrap();
        let study = write_study(folder.path(), "['int4-channel']");
        let mut spec = study.resolve(&mut no_hub).unwrap().spec;
        let part = &mut spec.models[0];
        part.model.shape.encoder_layers = 3;
        let marks = Marks { start: 0, end: 1 };
        let flops = |part: &ModelPart, protocol, cell: Option<[&str; 3]>| {
            let mut part = part.clone();
            part.model.protocol = protocol;
            let parsed = |[layers, components, config]: [&str; 3]| {
                let (layers, components) = (layers.parse().unwrap(), components.parse().unwrap());
                (Scope { layers, components }, config.parse().unwrap())
            };
            part.cells = cell.map(parsed).into_iter().collect();
            flops_per_token(&part)
        };
        let masked = |draws| Protocol::SpanCorruption { draws, marks };
        let (encoder, decoder, head) =
            (0.9 * 24.0 * 64.0, 0.2 * 32.0 * 64.0, 0.2 * 2.0 * 8.0 * 16.0);
        let base = flops(part, masked(1), None);
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-9 * expected, "{found} {expected}");
        };
        close(base, 3.0 * encoder + 2.0 * decoder + head);
        close(flops(part, masked(5), None), 5.0 * base);
        for (cell, expected) in [
            (["only(enc.2)", "mlp", "int4-channel"], encoder + 2.0 * decoder + head),
            (["only(1)", "mlp", "int4-channel"], decoder + head),
            (["all-but(enc.0)", "mlp", "int4-channel"], base - encoder),
            (["only(1)", "mlp", "f32"], base),
            (["suffix(1)", "mlp", "int4-channel"], decoder + head),
            (["all-but(top(1,kurtosis))", "mlp", "int4-channel"], base),
            (["all", "head", "int4-channel"], head),
            (["all", "embedding", "int4-channel"], base),
            (["all-but(enc.0)", "embedding+mlp", "int4-channel"], base),
            (["all-but(enc.0)", "mlp+head", "int4-channel"], base - encoder),
        ] {
            close(flops(part, masked(1), Some(cell)), base + expected);
        }
        assert!(Plan::of(&spec, 1.0).to_string().contains("tiny 3 encoder, 2 decoder"));
    }
}
