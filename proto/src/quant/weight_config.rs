//! How one matrix is quantized: a rule, and what is done around it. Which matrices it is for stands in `config` and `mixed`.

use std::fmt;

use super::words::Words;
use super::{Bits, CalibrationSet, Decimal, Rule};

/// How a matrix and its inputs are quantized: `[rotate-][keepP-]RULE[-aB][@SET]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeightConfig {
    /// What is done to the matrix before and undone after.
    pub basis: Basis,
    /// The share of weights, in %, that are kept beside the grid, as f16: the largest magnitudes of the matrix.
    pub kept: Option<Decimal>,
    /// How the matrix is brought onto a grid.
    pub rule: Rule,
    /// Width of the codes of the inputs, rounded per token over ± their largest magnitude: `-a8`.
    pub input_bits: Option<Bits>,
    /// Where the inputs of a calibrated rule come from; present exactly with such rules.
    pub calibration: Option<CalibrationSet>,
}

/// In which basis a matrix is quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// As it is.
    Stored,
    /// Turned by random Hadamard matrices on both sides, and back: `rotate-`.
    Rotated,
}

impl WeightConfig {
    /// A rule alone.
    pub fn of(rule: Rule) -> Self {
        Self { basis: Basis::Stored, kept: None, rule, input_bits: None, calibration: None }
    }

    pub(super) fn calibrated_on(self, set: &CalibrationSet) -> Self {
        Self { calibration: self.calibration.map(|_| set.clone()), ..self }
    }

    /// The config that `text` spells; `open` is the set of a calibrated rule that names none.
    pub(super) fn parse(text: &str, open: Option<&CalibrationSet>) -> Option<Self> {
        let text = SHORT.iter().find(|(short, _)| *short == text).map_or(text, |(_, long)| long);
        let (text, calibration) = match text.split_once('@') {
            Some((text, set)) => (text, Some(set.parse().ok()?)),
            None => (text, None),
        };
        let mut words = Words::new(text);
        let basis = if words.take("rotate") { Basis::Rotated } else { Basis::Stored };
        let kept: Option<Decimal> = words.take_after("keep");
        let rule = Rule::parse(&mut words)?;
        let input_bits = words.take_after("a");
        let open = open.filter(|_| rule.is_calibrated()).cloned();
        let calibration = calibration.or(open);
        let fits = words.is_empty()
            && rule.is_calibrated() == calibration.is_some()
            && kept.is_none_or(|kept| kept.value() < 100.0)
            && !(matches!(rule, Rule::LlmInt8 { .. }) && input_bits.is_some());
        fits.then_some(Self { basis, kept, rule, input_bits, calibration })
    }
}

/// What is written short: weights and inputs of so many bits.
const SHORT: [(&str, &str); 3] =
    [("w8a8", "int8-channel-a8"), ("w4a8", "int4-channel-a8"), ("w4a4", "int4-channel-a4")];

impl fmt::Display for WeightConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.basis == Basis::Rotated {
            f.write_str("rotate-")?;
        }
        if let Some(kept) = self.kept {
            write!(f, "keep{kept}-")?;
        }
        self.rule.fmt(f)?;
        if let Some(bits) = self.input_bits {
            write!(f, "-a{bits}")?;
        }
        match &self.calibration {
            Some(set) => write!(f, "@{set}"),
            None => Ok(()),
        }
    }
}
