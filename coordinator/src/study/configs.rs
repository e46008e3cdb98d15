//! Configs as a study writes them: a calibrated rule that names no set stands for one config for each of the study's sets. Not the
//! configs (proto `quant`), not the sets (`calibration`).

use std::fmt;
use std::str::FromStr;

use babelquant_proto::ParseError;
use babelquant_proto::quant::{CalibrationSet, QuantConfig};

/// A config of the study file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigPattern {
    /// One config.
    Config(QuantConfig),
    /// A config without the set of its calibrated rules, such as `gptq-int4-group128`; here it stands with some set.
    EachSet(QuantConfig),
}

impl ConfigPattern {
    /// The configs that the pattern stands for.
    pub(super) fn over(&self, sets: &[CalibrationSet]) -> Vec<QuantConfig> {
        match self {
            Self::Config(config) => vec![config.clone()],
            Self::EachSet(config) => {
                sets.iter().map(|set| config.clone().calibrated_on(set)).collect()
            }
        }
    }
}

impl fmt::Display for ConfigPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(config) => config.fmt(f),
            Self::EachSet(config) => {
                let mix = CalibrationSet::Mix;
                let spelled = config.clone().calibrated_on(&mix).to_string();
                f.write_str(&spelled.replace(&format!("@{mix}"), ""))
            }
        }
    }
}

impl FromStr for ConfigPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let closed = text.parse().map(Self::Config);
        // A spelling that names some sets and leaves others open would hide which is meant.
        match closed {
            Err(_) if !text.contains('@') => {
                QuantConfig::parse_with(text, &CalibrationSet::Mix).map(Self::EachSet)
            }
            closed => closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_set_stands_for_each() {
        let sets: Vec<CalibrationSet> =
            ["eng", "mix"].into_iter().map(|set| set.parse().unwrap()).collect();
        for (text, expected) in [
            ("int4-channel", &["int4-channel"][..]),
            ("gptq-int4-channel@deu", &["gptq-int4-channel@deu"]),
            ("gptq-int4-channel", &["gptq-int4-channel@eng", "gptq-int4-channel@mix"]),
            (
                "mixed(0=awq-int4-channel;rest=none)",
                &[
                    "mixed(0=awq-int4-channel@eng;rest=none)",
                    "mixed(0=awq-int4-channel@mix;rest=none)",
                ],
            ),
        ] {
            let pattern: ConfigPattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), text);
            let configs: Vec<_> = pattern.over(&sets).iter().map(QuantConfig::to_string).collect();
            assert_eq!(configs, expected);
        }
        for wrong in ["mixed(0=awq-int4-channel@eng;rest=awq-int4-channel)", "gptq", "gptq-nf4"] {
            assert!(wrong.parse::<ConfigPattern>().is_err(), "{wrong}");
        }
    }
}
