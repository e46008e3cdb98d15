//! The golden cases of the families once more, against a second program that we did not write: `candle-transformers`.
//!
//! It is not always right: the table says how it reads each case as published. Where its config cannot say what a case means,
//! but can say the same in other words, it must then equal both `transformers` and us. What it cannot do at all is left out on
//! both sides, and it must then equal us.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use candle_core::Tensor;
use serde_json::json;

use crate::cases::cases;
use candle::Checkpoint;

mod candle;

/// Bound on the logits of the two oracles and of ours.
const AGREES: f64 = 2e-6;
/// A case that candle-transformers reads wrongly is at least this far away.
const DIFFERS: f64 = 1e-3;

/// What candle-transformers makes of a case as published.
enum Published {
    Agrees,
    /// Other logits, for this reason.
    Differs(&'static str),
    /// It does not load; part of its message, and the reason.
    Refuses(&'static str, &'static str),
}
use Published::{Agrees, Differs, Refuses};

/// A golden case, and how to ask candle-transformers for it.
struct Case {
    name: &'static str,
    published: Published,
    /// Takes out, for us too, what it cannot do.
    left_out: fn(&mut Checkpoint),
    /// Says the rest in its words.
    reworded: fn(&mut Checkpoint),
}

const fn case(name: &'static str, published: Published) -> Case {
    Case { name, published, left_out: |_| {}, reworded: |_| {} }
}

const HEAD_WIDTH: &str =
    "the head width is hidden_size / num_attention_heads, head_dim is not read";
const WINDOW: &str = "the window has one key too many";
const QWEN_WINDOW: &str = "every layer slides, and the window has one key too many";
const GEMMA2: &str = "query_pre_attn_scalar is not read, every layer slides, one key too many";
const GEMMA3: &str = "query_pre_attn_scalar and rope_scaling are not read, one key too many";
const T5: &str = "the decoder's relative positions fall into the encoder's two-sided buckets";

const CASES: [Case; 15] = [
    Case {
        left_out: |c| c.config["layer_types"] = ["sliding_attention"; 3].as_slice().into(),
        reworded: |c| {
            c.shorten_window();
            c.scale("self_attn.q_proj.weight", c.query_scale(), 0.0);
        },
        ..case("gemma2", Differs(GEMMA2))
    },
    Case {
        left_out: |c| c.remove("rope_scaling"),
        reworded: reword_gemma3,
        ..case("gemma3", Differs(GEMMA3))
    },
    Case {
        left_out: |c| {
            c.config["rope_parameters"]["full_attention"] =
                json!({"rope_type": "default", "rope_theta": 2000.0});
        },
        reworded: |c| {
            c.config["rope_theta"] =
                c.config["rope_parameters"]["full_attention"]["rope_theta"].take();
            c.config["rope_local_base_freq"] =
                c.config["rope_parameters"]["sliding_attention"]["rope_theta"].take();
            reword_gemma3(c);
        },
        ..case(
            "gemma3_resaved",
            Refuses("missing field `rope_theta`", "rope_parameters is unknown"),
        )
    },
    Case {
        reworded: |c| c.config["max_position_embeddings"] = c.config["max_sequence_length"].take(),
        ..case("llama1", Refuses("missing field `max_position_embeddings`", "it is not optional"))
    },
    Case { reworded: widen, ..case("llama3", Refuses("shape mismatch", HEAD_WIDTH)) },
    Case {
        reworded: |c| {
            let rope = c.config["rope_parameters"].take();
            c.config["rope_theta"] = rope["rope_theta"].clone();
            c.config["rope_scaling"] = rope;
            widen(c);
        },
        ..case("llama3_resaved", Refuses("shape mismatch", HEAD_WIDTH))
    },
    Case {
        // Above so low a wavelength, Llama 3's rule is the linear one.
        reworded: |c| {
            c.config["rope_scaling"] = json!({
                "rope_type": "llama3", "factor": c.config["rope_scaling"]["factor"],
                "low_freq_factor": 1e6, "high_freq_factor": 2e6, "original_max_position_embeddings": 1,
            });
        },
        ..case("llama_linear", Refuses("missing field `low_freq_factor`", "only llama3 is known"))
    },
    Case { reworded: Checkpoint::shorten_window, ..case("mistral", Differs(WINDOW)) },
    Case { left_out: |c| c.tokens.truncate(9), ..case("mt5", Differs(T5)) },
    Case { left_out: |c| c.tokens.truncate(9), ..case("mt5_far", Differs(T5)) },
    case("olmo2", Agrees),
    case("qwen2", Agrees),
    Case {
        left_out: |c| c.config["layer_types"] = ["sliding_attention"; 3].as_slice().into(),
        reworded: Checkpoint::shorten_window,
        ..case("qwen2_sliding", Differs(QWEN_WINDOW))
    },
    Case {
        left_out: |c| c.remove("rope_scaling"),
        ..case("qwen2_yarn", Differs("rope_scaling is not read"))
    },
    case("qwen3", Agrees),
];

/// Cases of families that candle-transformers does not have.
const ABSENT: [&str; 7] =
    ["gpt2", "gpt2_prefixed", "gpt_neox", "gpt_neox_resaved", "gpt_neox_sequential", "opt", "xglm"];

fn reword_gemma3(checkpoint: &mut Checkpoint) {
    checkpoint.shorten_window();
    checkpoint.scale("self_attn.q_norm.weight", checkpoint.query_scale(), 1.0);
}

/// The same Llama with zeros after every hidden vector, so that the hidden size is heads · head width. The mean of squares
/// falls by the same factor, which the norms' gains and ε take back.
fn widen(checkpoint: &mut Checkpoint) {
    let hidden = checkpoint.number("hidden_size");
    let wide = checkpoint.number("num_attention_heads") * checkpoint.number("head_dim");
    checkpoint.config["rms_norm_eps"] = json!(checkpoint.number("rms_norm_eps") * hidden / wide);
    checkpoint.config["hidden_size"] = json!(wide as u64);
    checkpoint.scale("norm.weight", (hidden / wide).sqrt(), 0.0);
    for (name, weight) in &mut checkpoint.weights {
        let writes = ["o_proj.weight", "down_proj.weight", "norm.weight"];
        let axis = usize::from(!writes.iter().any(|ending| name.ends_with(ending)));
        *weight = weight.pad_with_zeros(axis, 0, (wide - hidden) as usize).unwrap();
    }
}

/// The logits of candle-transformers, or the message of its refusal.
fn tried(checkpoint: &Checkpoint) -> Result<Tensor, String> {
    catch_unwind(AssertUnwindSafe(|| checkpoint.logits()))
        .map_err(|panic| *panic.downcast::<String>().unwrap())
}

#[test]
fn candle_transformers_reads_the_published_cases_as_the_table_says() {
    for Case { name, published, .. } in CASES {
        let checkpoint = Checkpoint::read(name);
        match (published, tried(&checkpoint)) {
            (Agrees, Ok(logits)) => {
                assert!(checkpoint.transformers(name, &logits) < AGREES, "{name}")
            }
            (Differs(reason), Ok(logits)) => {
                let distance = checkpoint.transformers(name, &logits);
                assert!(distance > DIFFERS, "{name}: no longer true: {reason} ({distance:e})");
            }
            (Refuses(part, reason), Err(message)) => {
                assert!(message.contains(part), "{name}: {message} instead of: {reason}");
            }
            (Agrees, Err(message)) => panic!("{name}: {message}"),
            (Refuses(_, reason), Ok(_)) => panic!("{name}: no longer true: {reason}"),
            (Differs(_), Err(message)) => panic!("{name}: {message}"),
        }
    }
}

#[test]
fn candle_transformers_and_transformers_and_we_agree() {
    for Case { name, left_out, reworded, .. } in CASES {
        let published = Checkpoint::read(name);
        let mut shared = published.clone();
        left_out(&mut shared);
        let mut candle = shared.clone();
        reworded(&mut candle);
        let logits = candle.logits();
        let distance = shared.ours(name, &logits);
        assert!(distance < AGREES, "{name}: we are off by {distance:e}");
        if shared.config == published.config {
            let distance = candle.transformers(name, &logits);
            assert!(distance < AGREES, "{name}: transformers is off by {distance:e}");
        }
    }
}

#[test]
fn every_family_is_in_the_table_or_absent() {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    for case in cases().iter().filter(|case| case.parent().unwrap().ends_with("families")) {
        let name = name(case);
        let known = CASES.iter().any(|case| case.name == name) || ABSENT.contains(&name.as_str());
        assert!(known, "{name} is not held against candle-transformers");
    }
}
