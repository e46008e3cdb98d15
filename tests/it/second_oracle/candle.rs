//! What candle-transformers is given for one golden case, and the logits that it gives back. What it should give is not here.

use std::collections::HashMap;
use std::fs;

use babelquant_worker::model::Residence;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{gemma2, gemma3, llama, mistral, olmo2, qwen2, qwen3, t5};
use serde_json::{Value, from_value, json};

use crate::families::worst_state;
use crate::golden::{folder, relative_frobenius};

/// A golden case as candle-transformers is given it.
#[derive(Clone)]
pub(super) struct Checkpoint {
    pub(super) config: Value,
    pub(super) weights: HashMap<String, Tensor>,
    source: Option<Vec<u32>>,
    pub(super) tokens: Vec<u32>,
}

impl Checkpoint {
    pub(super) fn read(name: &str) -> Self {
        let case = folder().join("families").join(name);
        let tensors = |file: &str| candle_core::safetensors::load(case.join(file), &Device::Cpu);
        let expected = tensors("expected.safetensors").unwrap();
        let ids = |name: &str| {
            let ids: Vec<i64> = expected.get(name)?.to_vec1().unwrap();
            Some(ids.into_iter().map(|id| id as u32).collect())
        };
        let wide = |(name, weight): (String, Tensor)| (name, weight.to_dtype(DType::F32).unwrap());
        Self {
            config: crate::golden::json(&case.join("config.json")),
            weights: tensors("model.safetensors").unwrap().into_iter().map(wide).collect(),
            source: ids("source_ids"),
            tokens: ids("input_ids").or_else(|| ids("decoder_ids")).unwrap(),
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.config.as_object_mut().unwrap().remove(key);
    }

    pub(super) fn number(&self, key: &str) -> f64 {
        self.config[key].as_f64().unwrap()
    }

    /// Its windows have one key more than they say.
    pub(super) fn shorten_window(&mut self) {
        self.config["sliding_window"] = json!(self.config["sliding_window"].as_u64().unwrap() - 1);
    }

    /// What turns 1/√head_dim into 1/√query_pre_attn_scalar.
    pub(super) fn query_scale(&self) -> f64 {
        (self.number("head_dim") / self.number("query_pre_attn_scalar")).sqrt()
    }

    /// w ← (w + gain) · factor − gain, where the name of w ends so.
    pub(super) fn scale(&mut self, ending: &str, factor: f64, gain: f64) {
        for (_, weight) in self.weights.iter_mut().filter(|(name, _)| name.ends_with(ending)) {
            *weight = weight.affine(factor, gain * (factor - 1.0)).unwrap();
        }
    }

    /// The logits of candle-transformers, [positions, vocabulary]. It gives those of the last position, so every prefix is run.
    pub(super) fn logits(&self) -> Tensor {
        let row = |ids: &[u32]| Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let mut last = last_position(self.clone());
        let rows = (1..=self.tokens.len()).map(|end| last(&row(&self.tokens[..end])));
        let rows: Vec<Tensor> = rows.map(|logits| logits.flatten_all().unwrap()).collect();
        Tensor::stack(&rows, 0).unwrap()
    }

    /// How far our logits for this config are from those given; the weights are the published ones.
    pub(super) fn ours(&self, name: &str, logits: &Tensor) -> f64 {
        let directory = tempfile::tempdir().unwrap();
        let inside = |file: &str| directory.path().join(file);
        let weights = folder().join("families").join(name).join("model.safetensors");
        fs::copy(weights, inside("model.safetensors")).unwrap();
        fs::write(inside("config.json"), self.config.to_string()).unwrap();
        let ids = |ids: &[u32]| Tensor::new(ids, &Device::Cpu).unwrap().to_dtype(DType::I64);
        let mut golden = HashMap::from([("logits", logits.clone())]);
        let tokens = ids(&self.tokens).unwrap();
        match &self.source {
            None => golden.insert("input_ids", tokens),
            Some(source) => {
                golden.insert("source_ids", ids(source).unwrap());
                golden.insert("decoder_ids", tokens)
            }
        };
        candle_core::safetensors::save(&golden, inside("golden.safetensors")).unwrap();
        worst_state(directory.path(), &inside("golden.safetensors"), Residence::Whole).0
    }

    /// How far given logits are from those of `transformers` for the first positions.
    pub(super) fn transformers(&self, name: &str, logits: &Tensor) -> f64 {
        let golden = folder().join("families").join(name).join("expected.safetensors");
        let golden = candle_core::safetensors::load(golden, &Device::Cpu).unwrap();
        relative_frobenius(logits, &golden["logits"].narrow(0, 0, self.tokens.len()).unwrap())
    }
}

/// A model of candle-transformers that starts afresh with every prefix.
macro_rules! afresh {
    ($model:expr) => {{
        let mut model = $model.unwrap();
        Box::new(move |ids: &Tensor| {
            model.clear_kv_cache();
            model.forward(ids, 0).unwrap()
        })
    }};
}

/// Gives the logits of the last position, [.., vocabulary], of token ids [1, positions].
fn last_position(checkpoint: Checkpoint) -> Box<dyn FnMut(&Tensor) -> Tensor> {
    let Checkpoint { config, weights, source, .. } = checkpoint;
    let weights = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    match config["model_type"].as_str().unwrap() {
        "gemma2" => afresh!(gemma2::Model::new(false, &from_value(config).unwrap(), weights)),
        "gemma3_text" => afresh!(gemma3::Model::new(false, &from_value(config).unwrap(), weights)),
        "mistral" => afresh!(mistral::Model::new(&from_value(config).unwrap(), weights)),
        "olmo2" => afresh!(olmo2::Model::new(&from_value(config).unwrap(), weights)),
        "qwen2" => afresh!(qwen2::ModelForCausalLM::new(&from_value(config).unwrap(), weights)),
        "qwen3" => afresh!(qwen3::ModelForCausalLM::new(&from_value(config).unwrap(), weights)),
        "llama" => {
            let config = from_value::<llama::LlamaConfig>(config).unwrap().into_config(false);
            let model = llama::Llama::load(weights, &config).unwrap();
            let cache = llama::Cache::new(false, DType::F32, &config, &Device::Cpu).unwrap();
            Box::new(move |ids| model.forward(ids, 0, &mut cache.clone()).unwrap())
        }
        "mt5" => {
            let config = from_value(config).unwrap();
            let mut model = t5::T5ForConditionalGeneration::load(weights, &config).unwrap();
            let source = Tensor::new(source.unwrap(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
            Box::new(move |ids| {
                model.clear_kv_cache();
                model.forward(&source, ids).unwrap()
            })
        }
        other => panic!("no candle model for {other}"),
    }
}
