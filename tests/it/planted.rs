//! Planted mistakes: each wrong number, activation, norm, split or position of a family moves its states far beyond the bound that
//! they are held to, so that the comparison can fail.

use std::collections::BTreeMap;
use std::path::Path;

use babelquant_worker::model::Residence;
use candle_core::safetensors::BufferedSafetensors;
use candle_core::{Device, Tensor};
use serde_json::{Value, json};

use crate::cases::cases;
use crate::families::{FROBENIUS, NLL, worst_span, worst_state};
use crate::golden::{folder, json};

/// By how much a mistake must exceed the bound; the two forms of GELU differ least.
const FACTOR: f64 = 50.0;

/// The tensors of a case, but for its masks, which candle cannot hold.
fn checkpoint(case: &Path) -> BTreeMap<String, Tensor> {
    let file = std::fs::read(case.join("model.safetensors")).unwrap();
    let file = BufferedSafetensors::new(file).unwrap();
    let names = file.tensors().into_iter().map(|(name, _)| name);
    let load = |name: String| Some((file.load(&name, &Device::Cpu).ok()?, name));
    names.filter_map(load).map(|(tensor, name)| (name, tensor)).collect()
}

/// A copy of a case whose single checkpoint file and config were changed.
pub(crate) fn planted(
    case: &Path,
    tensors: impl FnOnce(&mut BTreeMap<String, Tensor>),
    config: impl FnOnce(&mut Value),
) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut all = checkpoint(case);
    tensors(&mut all);
    let all = all.into_iter().collect();
    candle_core::safetensors::save(&all, copy.path().join("model.safetensors")).unwrap();
    let mut json = json(&case.join("config.json"));
    config(&mut json);
    std::fs::write(copy.path().join("config.json"), json.to_string()).unwrap();
    copy
}

fn distance(case: &Path, copy: &Path) -> (f64, String) {
    worst_state(copy, &case.join("expected.safetensors"), Residence::Whole)
}

/// Cases of one file.
fn single() -> impl Iterator<Item = std::path::PathBuf> {
    cases().into_iter().filter(|case| case.join("model.safetensors").is_file())
}

#[test]
fn each_dropped_bias_and_gain_breaks_the_comparison() {
    let mut dropped_vectors = 0;
    for case in single() {
        let unchanged = planted(&case, |_| (), |_| ());
        assert!(distance(&case, unchanged.path()).0 < FROBENIUS);
        let all = checkpoint(&case);
        // A bias of the keys alone moves all of a query's scores alike, which its softmax does not see.
        let buffers =
            ["inv_freq", "masked_bias", "attn.bias", "attention.bias", "self_attn.k_proj.bias"];
        let vectors = all.iter().filter(|(name, tensor)| {
            let buffer = buffers.iter().any(|buffer| name.ends_with(buffer));
            let turned = case.to_string_lossy().contains("qwen2");
            tensor.rank() == 1 && (!buffer || turned)
        });
        for (name, tensor) in vectors {
            // What a reader that forgot the vector would compute with.
            let forgotten =
                if name.ends_with("bias") { tensor.zeros_like() } else { tensor.ones_like() };
            let forgotten = forgotten.unwrap();
            let copy = planted(&case, |all| drop(all.insert(name.clone(), forgotten)), |_| ());
            let (distance, state) = distance(&case, copy.path());
            assert!(
                distance > FACTOR * FROBENIUS,
                "{}: without {name}, {state} is off by {distance:e} only",
                case.display()
            );
            dropped_vectors += 1;
        }
    }
    assert!(dropped_vectors > 250, "{dropped_vectors}");
}

#[test]
fn each_wrong_number_of_a_configuration_breaks_the_comparison() {
    let plants: &[(&str, &str, Value)] = &[
        ("bloom/four_heads_f32", "layer_norm_epsilon", json!(1e-3)),
        ("bloom/four_heads_f32", "apply_residual_connection_post_layernorm", json!(true)),
        ("bloom/four_heads_f32", "n_head", json!(2)),
        ("bloom/three_heads_bf16_wide", "n_head", json!(6)),
        ("families/xglm", "scale_embedding", json!(false)),
        ("families/xglm", "activation_function", json!("gelu_new")),
        ("families/xglm", "attention_heads", json!(6)),
        ("families/gpt2", "activation_function", json!("gelu")),
        ("families/gpt2", "n_head", json!(6)),
        ("families/opt", "activation_function", json!("gelu")),
        ("families/opt", "num_attention_heads", json!(6)),
        ("families/gpt_neox", "rotary_pct", json!(0.5)),
        ("families/gpt_neox", "rotary_emb_base", json!(50)),
        ("families/gpt_neox", "use_parallel_residual", json!(false)),
        ("families/gpt_neox", "hidden_act", json!("gelu_new")),
        ("families/gpt_neox_sequential", "use_parallel_residual", json!(true)),
        ("families/llama1", "rope_theta", json!(50)),
        ("families/llama1", "rms_norm_eps", json!(1e-2)),
        ("families/llama1", "hidden_act", json!("gelu")),
        ("families/llama3", "rope_scaling", json!(null)),
        ("families/llama_linear", "rope_scaling", json!(null)),
        ("families/mistral", "sliding_window", json!(null)),
        ("families/mistral", "sliding_window", json!(3)),
        ("families/qwen2_sliding", "use_sliding_window", json!(false)),
        ("families/qwen2_sliding", "max_window_layers", json!(1000)),
        ("families/qwen2_sliding", "max_window_layers", json!(0)),
        ("families/qwen2_yarn", "rope_scaling", json!(null)),
        ("families/qwen3", "rope_theta", json!(50)),
        ("families/gemma2", "attn_logit_softcapping", json!(null)),
        ("families/gemma2", "final_logit_softcapping", json!(null)),
        ("families/gemma2", "query_pre_attn_scalar", json!(3)),
        ("families/gemma2", "sliding_window", json!(null)),
        ("families/gemma2", "hidden_activation", json!("silu")),
        ("families/gemma3", "rope_local_base_freq", json!(33)),
        ("families/gemma3", "rope_theta", json!(33)),
        ("families/gemma3", "sliding_window_pattern", json!(7)),
        ("families/gemma3", "query_pre_attn_scalar", json!(3)),
        ("families/olmo2", "rms_norm_eps", json!(1e-2)),
        ("families/olmo2", "rope_theta", json!(50)),
        ("families/mt5", "feed_forward_proj", json!("gated-silu")),
        ("families/mt5", "layer_norm_epsilon", json!(1e-2)),
    ];
    for (case, key, value) in plants {
        let case = folder().join(case);
        let copy = planted(&case, |_| (), |config| config[*key] = value.clone());
        let (distance, _) = distance(&case, copy.path());
        let name = case.display();
        assert!(
            distance > FACTOR * FROBENIUS,
            "{name}: {key} = {value} moves states by {distance:e}"
        );
    }
}

#[test]
fn a_wrong_bucket_of_far_distances_breaks_the_scores() {
    let case = folder().join("families/mt5_far");
    let distance = |far: Value| {
        let plant = |config: &mut Value| config["relative_attention_max_distance"] = far;
        worst_span(planted(&case, |_| (), plant).path(), &case).0
    };
    let right = json(&case.join("config.json"))["relative_attention_max_distance"].clone();
    assert!(distance(right) < NLL && distance(json!(64)) > FACTOR * NLL);
}

#[test]
fn the_wrong_gelu_would_break_the_comparison() {
    let case = folder().join("bloom/four_heads_f32");
    let expected =
        candle_core::safetensors::load(case.join("expected.safetensors"), &Device::Cpu).unwrap();
    let checkpoint = checkpoint(&case);
    let part = |part: &str| &checkpoint[&format!("transformer.h.0.mlp.dense_h_to_4h.{part}")];
    let product = expected["point.0.mlp_in"].matmul(&part("weight").t().unwrap()).unwrap();
    let up = product.broadcast_add(part("bias")).unwrap();
    let act = &expected["point.0.mlp_act"];
    let distance = crate::golden::relative_frobenius;
    assert!(distance(&up.gelu().unwrap(), act) < FROBENIUS);
    assert!(distance(&up.gelu_erf().unwrap(), act) > 10.0 * FROBENIUS);
}

/// A head stored although it is tied, and the part of a model that sees: published files have both.
#[test]
fn what_published_files_hold_beside_the_weights_changes_nothing() {
    for (case, added) in [
        ("qwen2", "lm_head.weight"),
        ("llama3", "lm_head.weight"),
        ("gemma3", "vision_tower.vision_model.post_layernorm.weight"),
    ] {
        let case = folder().join("families").join(case);
        let add = |all: &mut BTreeMap<String, Tensor>| {
            let any = all.values().next().unwrap().clone();
            all.insert(added.to_owned(), any);
        };
        let copy = planted(&case, add, |_| ());
        assert!(distance(&case, copy.path()).0 < FROBENIUS, "{}", case.display());
    }
}

/// Heads interleaved instead of side by side and the reverse, and a matrix that was not turned.
#[test]
fn a_wrong_split_breaks_the_comparison() {
    for (case, matrix, heads) in [
        ("bloom/four_heads_f32", "self_attention.query_key_value.weight", 4),
        ("families/gpt_neox", "attention.query_key_value.weight", 4),
    ] {
        let case = folder().join(case);
        let swapped = |all: &mut BTreeMap<String, Tensor>| {
            for (_, tensor) in all.iter_mut().filter(|(name, _)| name.ends_with(matrix)) {
                let (rows, columns) = tensor.dims2().unwrap();
                let parts = tensor.reshape((heads, 3, rows / (3 * heads), columns)).unwrap();
                let parts = parts.transpose(0, 1).unwrap().contiguous().unwrap();
                *tensor = parts.reshape((rows, columns)).unwrap();
            }
        };
        let copy = planted(&case, swapped, |_| ());
        assert!(distance(&case, copy.path()).0 > FACTOR * FROBENIUS, "{}", case.display());
    }
    let case = folder().join("families/gpt2");
    let turned = |all: &mut BTreeMap<String, Tensor>| {
        let square = all.iter_mut().filter(|(name, _)| name.ends_with("attn.c_proj.weight"));
        square.for_each(|(_, tensor)| *tensor = tensor.t().unwrap().contiguous().unwrap());
    };
    let copy = planted(&case, turned, |_| ());
    assert!(distance(&case, copy.path()).0 > FACTOR * FROBENIUS);
}
