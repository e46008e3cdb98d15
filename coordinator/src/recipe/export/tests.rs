//! What the files say, by example; their formats are those of the tools' own documentation.

use std::collections::BTreeMap;

use babelquant_proto::Layer;

use super::*;
use crate::recipe::{Objective, Proof, Question, Subject};

fn recipe(configs: &[&str], matrices: &[(Layer, &str, &str)], components: &str) -> Recipe {
    let portion = |(index, config): (usize, &&str)| Portion {
        layer: Layer::dec(index as u32),
        weights: 100,
        config: (*config != "none").then(|| match config.parse().unwrap() {
            babelquant_proto::quant::QuantConfig::Weights(config) => config,
            other => panic!("{other}"),
        }),
        bits_per_weight: 4.5,
    };
    let components: babelquant_proto::Components = components.parse().unwrap();
    let matrix = |(layer, tensor, serves): &(Layer, &str, &str)| {
        let serves: babelquant_proto::Components = serves.parse().unwrap();
        let whole = serves.iter().all(|component| components.contains(component));
        StoredMatrix { layer: *layer, tensor: (*tensor).to_owned(), serves, whole }
    };
    Recipe {
        matrices: matrices.iter().map(matrix).collect(),
        question: Question {
            subject: Subject { model: "toy".to_owned(), components: components.clone() },
            configs: Vec::new(),
            budget: "4.5bpw".parse().unwrap(),
            objective: Objective::Mean,
        },
        layers: configs.iter().enumerate().map(portion).collect(),
        bits_per_weight: 4.5,
        proof: Proof::Best,
        unusable: Vec::new(),
        predicted: BTreeMap::new(),
        neighbours: Vec::new(),
    }
}

fn of(recipe: &Recipe, file: &str) -> Export {
    exports(recipe).into_iter().find(|export| export.file == file).unwrap()
}

/// The JSON of a file behind its comments.
fn json(export: &Export) -> serde_json::Value {
    let text: String = export.text.lines().filter(|line| !line.starts_with('#')).collect();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn types_that_llama_cpp_has_are_named_and_others_get_a_stand_in() {
    let matrices = [
        (Layer::dec(0), "self_attention.query_key_value", "attn.q+attn.k+attn.v"),
        (Layer::dec(0), "self_attention.dense", "attn.o"),
        (Layer::dec(1), "mlp.dense_h_to_4h", "mlp.up"),
        (Layer::dec(2), "mlp.dense_4h_to_h", "mlp.down"),
    ];
    let recipe = recipe(&["candle-q4k", "none", "int4-group64"], &matrices, "linear");
    let export = of(&recipe, "llama.cpp.sh");
    let patterns: Vec<&str> = export.text.lines().filter(|l| l.contains("blk")).collect();
    assert_eq!(
        patterns,
        [
            "  --tensor-type 'blk\\.0\\.attn_qkv\\.=q4_k' \\",
            "  --tensor-type 'blk\\.0\\.attn_output\\.=q4_k' \\",
            "  --tensor-type 'blk\\.1\\.ffn_up\\.=f16' \\",
            "  --tensor-type 'blk\\.2\\.ffn_down\\.=q4_k' \\",
        ]
    );
    // Patterns count in their order, and only under a quantized type.
    assert!(export.text.trim_end().ends_with("\"$1\" \"$2\" q8_0"));
    let rest = export.text.find("'.*=f16'").unwrap();
    assert!(rest > export.text.find("blk\\.2").unwrap());
    let [remark] = &export.remarks[..] else { panic!("{:?}", export.remarks) };
    assert!(remark.starts_with("layer 2: llama.cpp has no int4-group64"), "{remark}");
}

#[test]
fn a_part_of_a_matrix_is_left_out_in_words() {
    let matrices = [(Layer::dec(0), "qkv", "attn.q+attn.k+attn.v")];
    let recipe = recipe(&["int4-channel"], &matrices, "attn.q");
    for file in ["llama.cpp.sh", "gptqmodel.json", "llm-compressor.yaml"] {
        let export = of(&recipe, file);
        assert!(export.remarks.len() == 1 && !export.text.contains("qkv$"), "{export:?}");
    }
}

#[test]
fn gptqmodel_takes_uniform_grids_and_skips_the_rest() {
    let matrices = [0, 1, 2].map(|layer| (Layer::dec(layer), "mlp.up_proj", "mlp.up"));
    let configs = ["gptq-actorder-int4-asym-group128@eng", "nf4", "none"];
    let export = of(&recipe(&configs, &matrices, "mlp"), "gptqmodel.json");
    let json = json(&export);
    let own = serde_json::json!({ "bits": 4, "group_size": 128, "sym": false, "desc_act": true });
    assert_eq!(json["dynamic"]["+:(.*[.])?0[.]mlp[.]up_proj$"], own);
    assert_eq!(json["dynamic"].as_object().unwrap().len(), 2);
    assert_eq!(json["dynamic"].as_object().unwrap().keys().next_back().unwrap(), "-:.*");
    assert_eq!(json["bits"], 4);
    assert_eq!(export.remarks, ["layer 1: GPTQModel has no nf4-block64; left as it is"]);
}

#[test]
fn llm_compressor_has_a_modifier_for_each_way_to_round() {
    let layers = [0, 1, 2, 3];
    let matrices = layers.map(|layer| (Layer::dec(layer), "mlp.up_proj", "mlp.up"));
    let configs =
        ["gptq-int4-group128@mix", "int8-channel-a8", "fp8-e4m3-channel", "hqq-int4-group64"];
    let export = of(&recipe(&configs, &matrices, "mlp"), "llm-compressor.yaml");
    let modifiers = &json(&export)["quant_stage"]["quant_modifiers"];
    let group = &modifiers["GPTQModifier"]["config_groups"]["group_0"];
    assert_eq!(group["targets"][0], "re:(.*[.])?0[.]mlp[.]up_proj$");
    assert_eq!(
        (&group["weights"]["strategy"], &group["weights"]["group_size"]),
        (&"group".into(), &128.into())
    );
    let groups = modifiers["QuantizationModifier"]["config_groups"].as_object().unwrap();
    let inputs: Vec<_> = groups.values().filter(|g| g.get("input_activations").is_some()).collect();
    assert_eq!((groups.len(), inputs.len()), (2, 1));
    assert_eq!(inputs[0]["weights"]["num_bits"], 8);
    let remark = "layer 3: llm-compressor has no hqq-int4-group64; left as it is";
    assert_eq!(export.remarks, [remark]);
}

#[test]
fn stacks_are_told_apart() {
    let encoder = Layer { stack: Stack::Enc, index: 0 };
    let matrices = [
        (encoder, "layer.0.SelfAttention.o", "attn.o"),
        (Layer::dec(0), "layer.1.EncDecAttention.o", "cross.o"),
    ];
    let mut recipe = recipe(&["candle-q8_0"], &matrices, "linear");
    recipe.layers.insert(0, Portion { layer: encoder, ..recipe.layers[0].clone() });
    let text = of(&recipe, "llama.cpp.sh").text;
    assert!(text.contains("'enc\\.blk\\.0\\.attn_o\\.=q8_0'"), "{text}");
    assert!(text.contains("'dec\\.blk\\.0\\.cross_attn_o\\.=q8_0'"), "{text}");
    assert_eq!(
        module(&recipe, &recipe.matrices[0]),
        "(.*[.])?encoder[.](.*[.])?0[.]layer[.]0[.]SelfAttention[.]o$"
    );
}
