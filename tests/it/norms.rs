//! The gains of norms as a component: which rows they have, what another checkpoint lends, and what does not fit them. What they do to a
//! model stands in the golden cells (`families`).

use std::path::Path;

use babelquant_proto::rows::DocumentRow;
use babelquant_proto::{CheckpointPart, ModelFile};
use candle_core::{DType, Device, Tensor};

use crate::cases::{cell, evaluate, evaluate_in, spec};
use crate::golden::{close, folder, json};
use crate::planted::planted;
use crate::quantization::{rows_in, with_cells};

/// The rows of (layers, components, config) cells of a golden case.
fn rows(case: &Path, cells: &[(&str, &str, &str)]) -> Vec<Vec<DocumentRow>> {
    let mut study = spec(case, &json(&case.join("expected.json")));
    let cells = cells.iter().map(|(layers, components, config)| cell(layers, components, config));
    study.0.models[0].cells = cells.collect();
    evaluate(case, study)
}

#[test]
fn every_norm_of_a_layer_has_a_row_and_no_other_does() {
    let bloom = ["input_layernorm", "post_attention_layernorm"].as_slice();
    let gemma = [
        "input_layernorm",
        "post_attention_layernorm",
        "self_attn.q_norm",
        "self_attn.k_norm",
        "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
    ];
    for (case, stack, norms) in [
        ("bloom/six_heads_f16_sharded", "dec", bloom),
        ("families/gpt2", "dec", &["ln_1", "ln_2"]),
        ("families/xglm", "dec", &["self_attn_layer_norm", "final_layer_norm"]),
        ("families/gpt_neox", "dec", bloom),
        ("families/llama1", "dec", bloom),
        ("families/gemma3", "dec", &gemma),
        ("families/mt5", "enc", &["layer.0.layer_norm", "layer.1.layer_norm"]),
        (
            "families/mt5",
            "dec",
            &["layer.0.layer_norm", "layer.1.layer_norm", "layer.2.layer_norm"],
        ),
    ] {
        let case = folder().join(case);
        let cells =
            [("all", "norm", "none"), ("all", "norm", "int3-channel"), ("all", "linear", "nf4")];
        let spec = with_cells(&case, &cells);
        let width = u64::from(spec.models[0].model.shape.hidden);
        let rows = rows_in(vec![case.clone()], spec);
        let rows = rows.iter().filter(|row| {
            let in_layer = row.stack.as_deref() == Some(stack) && row.layer == Some(1);
            in_layer && row.components == "norm"
        });
        let found: Vec<&str> = rows.clone().map(|row| row.tensor.as_str()).collect();
        assert_eq!(found, norms, "{}", case.display());
        for row in rows {
            let of_heads = row.tensor.starts_with("self_attn.") && row.tensor.ends_with("_norm");
            assert!(row.weights == width || of_heads, "{}: {row:?}", case.display());
            assert_eq!(row.config, "int3-channel");
            close(row.bits_per_weight.unwrap(), 3.0 + 16.0 / row.weights as f64, 1e-12, 0.0);
            assert!(row.mse > Some(0.0));
        }
    }
}

#[test]
fn what_works_by_way_of_inputs_does_not_fit() {
    for case in ["bloom/six_heads_f16_sharded", "families/gemma2", "families/mt5"] {
        let case = folder().join(case);
        for (config, why) in [
            ("gptq-int4-channel@mix", "not calibrated"),
            ("awq-int4-channel@mix", "not calibrated"),
            ("smooth0.5-int8-channel-a8@mix", "not calibrated"),
            ("w8a8", "inputs of norms are not rounded"),
            ("llm-int8", "inputs of norms are not rounded"),
        ] {
            let cells = [("all", "norm", config), ("all", "linear+norm", config)];
            for row in rows(&case, &cells).concat() {
                assert_eq!((row.nll_sum, row.kl_sum, row.top1_count), (None, None, None));
                let reason = row.reason.unwrap();
                assert!(reason.starts_with("unsupported: ") && reason.contains(why), "{reason}");
            }
            let rows = rows_in(vec![case.clone()], with_cells(&case, &cells[..1]));
            let has_reason = |reason: &Option<String>| reason.as_ref().unwrap().contains(why);
            assert!(rows.iter().all(|row| row.mse.is_none() && has_reason(&row.reason)));
            assert!(rows.len() >= 4, "{}", case.display());
        }
        // Nothing of this is asked of the norms where no scope names them.
        let linear = rows(&case, &[("all", "linear", "w8a8"), ("all", "linear", "llm-int8")]);
        assert!(linear.concat().iter().all(|row| row.nll_sum.is_some()));
    }
}

/// A gain to 15 levels, ±7 steps of a seventh of its largest magnitude.
fn int4(gain: &Tensor) -> Tensor {
    let stored: Vec<f32> = gain.to_dtype(DType::F32).unwrap().to_vec1().unwrap();
    let scale = stored.iter().fold(0.0_f32, |max, w| max.max(w.abs())) / 7.0;
    let rounded = stored.iter().map(|w| (w / scale).round_ties_even().clamp(-7.0, 7.0) * scale);
    Tensor::from_vec(rounded.collect(), gain.dims(), &Device::Cpu).unwrap()
}

#[test]
fn another_checkpoint_lends_its_gains_where_a_scope_names_them() {
    // Stored as gain, as gain − 1, and beside biases.
    for (case, layers) in
        [("families/llama1", "layers."), ("families/gemma2", "layers."), ("families/gpt2", "h.")]
    {
        let case = folder().join(case);
        let other = planted(
            &case,
            |tensors| {
                let gains = tensors.iter_mut().filter(|(name, tensor)| {
                    tensor.rank() == 1 && name.contains(layers) && name.ends_with(".weight")
                });
                gains.for_each(|(_, gain)| *gain = int4(gain));
            },
            |_| (),
        );
        let mut study = spec(&case, &json(&case.join("expected.json")));
        let files = ModelFile::of_checkpoint(other.path()).unwrap();
        let part = &mut study.0.models[0];
        part.checkpoints = vec![CheckpointPart { name: "other".parse().unwrap(), files }];
        part.cells = [
            ("all", "norm", "int4-channel"),
            ("all", "norm", "checkpoint:other"),
            ("only(1)", "linear+norm", "checkpoint:other"),
            ("only(1)", "norm", "int4-channel"),
            ("all", "linear", "checkpoint:other"),
        ]
        .map(|(layers, components, config)| cell(layers, components, config))
        .into();
        let directories = vec![case.clone(), other.path().to_owned()];
        let rows = evaluate_in(directories, study, None).into_iter().map(Result::unwrap);
        let scores = rows.map(|rows| {
            let scores = rows.iter().map(|row| (row.nll_sum, row.kl_sum, row.top1_count));
            (scores.collect::<Vec<_>>(), rows)
        });
        let scores: Vec<_> = scores.collect();
        assert_eq!(scores[0].0, scores[1].0, "{}", case.display());
        assert_eq!(scores[2].0, scores[3].0, "{}", case.display());
        assert!(scores[0].1.iter().any(|row| row.nll_sum != Some(row.base_nll_sum)));
        assert!(scores[4].1.iter().all(|row| row.nll_sum == Some(row.base_nll_sum)));
    }
}
