//! Quantization configs and their only spelling: `int4-channel`, `gptq-int4-group128@eng`, `int8-channel-a8`, `none`.

use std::fmt;
use std::str::FromStr;

use super::{CalibrationSet, CheckpointName, Mixed, WeightConfig};
use crate::layer::Layer;
use crate::parse::ParseError;
use crate::serde_by_spelling;

/// How a model is quantized.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuantConfig {
    /// The identity, computed like any other config.
    None,
    /// The identity, with the whole model computed in 32-bit floats: by how much the study's own dtype moves every result.
    F32,
    /// One way for every matrix of the scope.
    Weights(WeightConfig),
    /// Another way for some layers.
    Mixed(Mixed),
    /// The weights of another checkpoint of the same model, quantized elsewhere: `checkpoint:NAME`.
    Checkpoint(CheckpointName),
}

/// What a config does to one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied<'a> {
    /// Nothing.
    Identity,
    /// Quantizes it.
    Weights(&'a WeightConfig),
    /// Replaces its weights.
    Checkpoint(&'a CheckpointName),
}

impl QuantConfig {
    /// What is done to a layer, or (`None`) to what stands outside the layers.
    pub fn at(&self, layer: Option<Layer>) -> Applied<'_> {
        match self {
            Self::None | Self::F32 => Applied::Identity,
            Self::Weights(config) => Applied::Weights(config),
            Self::Mixed(mixed) => mixed.at(layer).map_or(Applied::Identity, Applied::Weights),
            Self::Checkpoint(name) => Applied::Checkpoint(name),
        }
    }

    /// The config that does to a layer alone what this one does to it; `None` where that is nothing.
    pub fn of_layer(&self, layer: Option<Layer>) -> Option<Self> {
        match self.at(layer) {
            Applied::Identity => None,
            Applied::Weights(config) => Some(Self::Weights(config.clone())),
            Applied::Checkpoint(name) => Some(Self::Checkpoint(name.clone())),
        }
    }

    /// True for the configs that change no weight.
    pub fn is_identity(&self) -> bool {
        match self {
            Self::None | Self::F32 => true,
            Self::Weights(_) | Self::Mixed(_) | Self::Checkpoint(_) => false,
        }
    }

    /// Every way in which it quantizes some matrix.
    pub fn weight_configs(&self) -> impl Iterator<Item = &WeightConfig> {
        let (one, mixed) = match self {
            Self::None | Self::F32 | Self::Checkpoint(_) => (None, None),
            Self::Weights(config) => (Some(config), None),
            Self::Mixed(mixed) => (None, Some(mixed)),
        };
        one.into_iter().chain(mixed.into_iter().flat_map(Mixed::configs))
    }

    /// The calibration sets that it needs.
    pub fn calibration_sets(&self) -> Vec<&CalibrationSet> {
        self.weight_configs().filter_map(|config| config.calibration.as_ref()).collect()
    }

    /// The config of a spelling whose calibrated rules need not name a set: `set` is theirs where they do not.
    ///
    /// # Errors
    /// It is no spelling of a config.
    pub fn parse_with(text: &str, set: &CalibrationSet) -> Result<Self, ParseError> {
        Self::read(text, Some(set))
    }

    /// The same config with the inputs of every calibrated rule from `set`.
    #[must_use]
    pub fn calibrated_on(self, set: &CalibrationSet) -> Self {
        match self {
            Self::None | Self::F32 | Self::Checkpoint(_) => self,
            Self::Weights(config) => Self::Weights(config.calibrated_on(set)),
            Self::Mixed(mixed) => Self::Mixed(mixed.map(|config| config.calibrated_on(set))),
        }
    }

    fn read(text: &str, set: Option<&CalibrationSet>) -> Result<Self, ParseError> {
        match text {
            "none" => return Ok(Self::None),
            "f32" => return Ok(Self::F32),
            _ => {}
        }
        if let Some(name) = text.strip_prefix("checkpoint:") {
            return name.parse().map(Self::Checkpoint);
        }
        let config = match text.strip_prefix("mixed(").and_then(|text| text.strip_suffix(')')) {
            Some(parts) => Mixed::parse(parts, set).map(Self::Mixed),
            None => WeightConfig::parse(text, set).map(Self::Weights),
        };
        config.ok_or_else(|| ParseError::new("config", text, EXPECTED))
    }
}

impl fmt::Display for QuantConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::F32 => f.write_str("f32"),
            Self::Weights(config) => config.fmt(f),
            Self::Mixed(mixed) => mixed.fmt(f),
            Self::Checkpoint(name) => write!(f, "checkpoint:{name}"),
        }
    }
}

impl FromStr for QuantConfig {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::read(text, None)
    }
}

const EXPECTED: &str = "none, f32, checkpoint:NAME, mixed(LAYERS=CONFIG;rest=CONFIG) or [rotate-][keepP-]RULE[-aB][@SET], such as \
     int4-channel, int4-asym-group128, int3-tensor-sigma3.5, nf4, mxfp4, gptq-int4-group128@eng, w8a8 (intB: B 2 to 8; \
     GRANULARITY tensor, channel, groupN; README lists every rule)";

serde_by_spelling!(QuantConfig);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::Grid;

    #[track_caller]
    fn check(text: &str, canonical: &str) {
        let config: QuantConfig = text.parse().unwrap();
        assert_eq!(config.to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(config));
    }

    #[test]
    fn every_uniform_spelling_round_trips() {
        let mut texts: Vec<String> = (2..=8).map(|bits| format!("int{bits}")).collect();
        let parts: [&[&str]; 3] = [
            &["", "-asym"],
            &["-tensor", "-channel", "-group32", "-group128"],
            &[
                "",
                "-sigma3.5",
                "-sigma4",
                "-sigma2.125",
                "-percentile99.9",
                "-aciq-gauss",
                "-aciq-laplace",
                "-aciq-auto",
                "-octav",
                "-mse",
            ],
        ];
        for part in parts {
            let longer = |text: &String| part.iter().map(|word| format!("{text}{word}")).collect();
            texts = texts.iter().flat_map::<Vec<_>, _>(longer).collect();
        }
        assert_eq!(texts.len(), 7 * 2 * 4 * 10);
        texts.iter().for_each(|text| check(text, text));
    }

    #[test]
    fn every_other_spelling_round_trips() {
        for grid in Grid::fixed() {
            check(&grid.to_string(), &grid.to_string());
        }
        for text in [
            "none",
            "f32",
            "phase1-kurtosis-int4",
            "nf4-block64",
            "fp4-block128-double",
            "gptq-int4-group128@eng",
            "gptq-actorder-damp0.1-int4-asym-channel-mse@mix",
            "awq-int4-asym-group128@zho_Hant",
            "smooth0.5-int8-channel-a8@mix",
            "hqq-int4-group64",
            "llm-int8-6",
            "int4-group128-a8",
            "rotate-keep0.1-int4-channel-a4",
            "mixed(0,9,11=int8-channel;rest=int4-group128)",
            "mixed(enc.0..enc.3=nf4-block64;2=none;rest=gptq-int4-channel@eng)",
            "checkpoint:bloom-560m.Q4_K_M.gguf",
        ] {
            check(text, text);
        }
        check("nf4", "nf4-block64");
        check("llm-int8", "llm-int8-6");
        check("w4a8", "int4-channel-a8");
        check(
            "mixed(1=int8-channel; 0=int8-channel; 5=none; rest=none)",
            "mixed(0,1=int8-channel;rest=none)",
        );
    }

    #[test]
    fn a_set_that_is_left_open_is_filled_in_everywhere() {
        let eng: CalibrationSet = "eng".parse().unwrap();
        for (open, full) in [
            ("gptq-int4-channel", "gptq-int4-channel@eng"),
            ("awq-int4-channel@mix", "awq-int4-channel@mix"),
            ("int4-channel", "int4-channel"),
            (
                "mixed(0=awq-int4-channel;1=nf4;rest=gptq-int3-channel)",
                "mixed(0=awq-int4-channel@eng;1=nf4-block64;rest=gptq-int3-channel@eng)",
            ),
        ] {
            let config = QuantConfig::parse_with(open, &eng).unwrap();
            assert_eq!(config.to_string(), full);
            let mix = config.clone().calibrated_on(&CalibrationSet::Mix);
            assert_eq!(
                mix.calibrated_on(&eng).calibration_sets(),
                vec![&eng; config.calibration_sets().len()]
            );
        }
        assert!(QuantConfig::parse_with("gptq-nf4", &eng).is_err());
    }

    #[test]
    fn mistakes_are_errors() {
        for wrong in [
            "",
            "int4",
            "int1-tensor",
            "int9-tensor",
            "int4-row",
            "int4-group0",
            "int4-group",
            "int4-channel-sigma0",
            "int4-channel-sigma",
            "int4-channel-sigma3.5-x",
            "int4-channel-",
            "INT4-channel",
            "int4-channel-asym",
            "int4-tensor-sigma1e3",
            "int4-tensor-percentile101",
            "int04-tensor",
            "int4-group032",
            "int4-channel-a9",
            "llm-int8-6-a8",
            "int4-channel@eng",
            "gptq-int4-channel",
            "gptq-int4-channel@xx",
            "gptq-nf4@eng",
            "nf4-block0",
            "mxfp4-round",
            "candle-q4",
            "keep0-int4-channel",
            "keep100-int4-channel",
            "keep1-rotate-int4-channel",
            "smooth1-int8-channel@eng",
            "mixed(0=int4-channel)",
            "mixed(0=int4-channel;0=int8-channel;rest=none)",
            "mixed(0=none;rest=none;rest=none)",
            "checkpoint:a/b",
        ] {
            assert!(wrong.parse::<QuantConfig>().is_err(), "{wrong:?}");
        }
    }
}
