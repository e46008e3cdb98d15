//! Grids: the sets of values that weights are rounded to, and their spelling. What they compute is the worker's `quant`.

use std::fmt;
use std::num::NonZeroU32;

use super::words::Words;
use super::{Granularity, Uniform};

/// A set of values, shared by some weights up to a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grid {
    /// Evenly spaced: `int4-channel`.
    Uniform(Uniform),
    /// The 16 values of a table, scaled by the largest magnitude of a block: `nf4-block64`, `fp4-block64`, `nf4-block64-double`.
    Codebook {
        /// The table.
        code: Code,
        /// Weights that share a scale, in stored order over the whole tensor.
        block: NonZeroU32,
        /// How the scales are kept.
        scales: BlockScales,
    },
    /// Eight-bit floats: `fp8-e4m3-tensor`, `fp8-e5m2-channel`.
    Float8 {
        /// The format.
        format: Float8,
        /// Whether a tensor or a row shares a scale; groups are no part of the format.
        scope: Float8Scope,
    },
    /// OCP microscaling: blocks of 32 along a row with a power of two as scale: `mxfp4`, `mxfp8-e4m3-ceil`.
    Microscaling {
        /// What the elements are.
        element: MxElement,
        /// How the power of two is chosen.
        scale_rule: ScaleRule,
    },
    /// NVFP4: E2M1 in blocks of 16 with an E4M3 scale, and one f32 scale a tensor: `nvfp4`.
    Nvfp4,
    /// Signs with one scale a row: `ternary-channel`, `binary-channel`.
    Signs(Signs),
    /// A GGUF block format as candle writes it: `candle-q4_0`.
    Candle(CandleBlock),
}

/// A table of 16 values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// NormalFloat of QLoRA.
    Nf4,
    /// The four-bit float of bitsandbytes, which is not OCP's E2M1.
    Fp4,
}

/// How the scales of blocks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockScales {
    /// As f32.
    Plain,
    /// As eight-bit dynamic codes in blocks of 256, `-double`.
    Double,
}

/// An eight-bit float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Float8 {
    /// E4M3FN: no infinity, largest value 448.
    E4m3,
    /// E5M2: largest finite value 57344.
    E5m2,
}

/// Which weights share the scale of eight-bit floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Float8Scope {
    /// The stored tensor.
    Tensor,
    /// A row.
    Channel,
}

/// An element format of OCP microscaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MxElement {
    /// E2M1.
    Fp4,
    /// E2M3.
    Fp6E2m3,
    /// E3M2.
    Fp6E3m2,
    /// E4M3FN.
    Fp8E4m3,
    /// E5M2.
    Fp8E5m2,
    /// Eight bits, steps of 1/64.
    Int8,
}

/// How a block's power of two follows from its largest magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScaleRule {
    /// Of the OCP specification: floor(log2(max)) − emax. Spelled by absence.
    Floor,
    /// ceil(log2(max)) − emax: `-ceil`.
    Ceil,
    /// max rounded to the element's mantissa first: `-even`.
    Even,
    /// ceil(log2(max / largest element)): `-rceil`.
    RoundedCeil,
}

/// Values of sign grids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signs {
    /// −1, 0, 1: 1.58 bits.
    Ternary,
    /// −1, 1.
    Binary,
}

/// A GGUF block format that candle can write on a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the formats have no meaning beyond their names")]
pub enum CandleBlock {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q8_1,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    Q8K,
}

impl Grid {
    /// Every grid without a number in its spelling.
    pub fn fixed() -> Vec<Self> {
        let mut grids = vec![Self::Nvfp4, Self::Signs(Signs::Ternary), Self::Signs(Signs::Binary)];
        for format in [Float8::E4m3, Float8::E5m2] {
            let scopes = [Float8Scope::Tensor, Float8Scope::Channel];
            grids.extend(scopes.map(|scope| Self::Float8 { format, scope }));
        }
        for (element, _) in MX_ELEMENTS {
            grids.extend(
                SCALE_RULES.map(|(scale_rule, _)| Self::Microscaling { element, scale_rule }),
            );
        }
        grids.extend(CANDLE_BLOCKS.map(|(block, _)| Self::Candle(block)));
        grids
    }

    pub(super) fn parse(words: &mut Words<'_>) -> Option<Self> {
        // The longest spelling first: `mxfp4-ceil` starts with `mxfp4`.
        let mut fixed: Vec<(String, Self)> =
            Self::fixed().into_iter().map(|grid| (grid.to_string(), grid)).collect();
        fixed.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        if let Some((_, grid)) = fixed.into_iter().find(|(name, _)| words.take(name)) {
            return Some(grid);
        }
        if let Some((code, _)) = CODES.into_iter().find(|(_, name)| words.take(name)) {
            let block = words.take_after("block").unwrap_or(BLOCK);
            let scales = match words.take("double") {
                true => BlockScales::Double,
                false => BlockScales::Plain,
            };
            return Some(Self::Codebook { code, block, scales });
        }
        Uniform::parse(words).map(Self::Uniform)
    }
}

/// Block of `nf4` and `fp4` where none is given, as in bitsandbytes.
const BLOCK: NonZeroU32 = NonZeroU32::new(64).expect("64 is not 0");
const CODES: [(Code, &str); 2] = [(Code::Nf4, "nf4"), (Code::Fp4, "fp4")];
const MX_ELEMENTS: [(MxElement, &str); 6] = [
    (MxElement::Fp4, "mxfp4"),
    (MxElement::Fp6E2m3, "mxfp6-e2m3"),
    (MxElement::Fp6E3m2, "mxfp6-e3m2"),
    (MxElement::Fp8E4m3, "mxfp8-e4m3"),
    (MxElement::Fp8E5m2, "mxfp8-e5m2"),
    (MxElement::Int8, "mxint8"),
];
const SCALE_RULES: [(ScaleRule, &str); 4] = [
    (ScaleRule::Floor, ""),
    (ScaleRule::Ceil, "-ceil"),
    (ScaleRule::Even, "-even"),
    (ScaleRule::RoundedCeil, "-rceil"),
];
const CANDLE_BLOCKS: [(CandleBlock, &str); 12] = [
    (CandleBlock::Q4_0, "candle-q4_0"),
    (CandleBlock::Q4_1, "candle-q4_1"),
    (CandleBlock::Q5_0, "candle-q5_0"),
    (CandleBlock::Q5_1, "candle-q5_1"),
    (CandleBlock::Q8_0, "candle-q8_0"),
    (CandleBlock::Q8_1, "candle-q8_1"),
    (CandleBlock::Q2K, "candle-q2k"),
    (CandleBlock::Q3K, "candle-q3k"),
    (CandleBlock::Q4K, "candle-q4k"),
    (CandleBlock::Q5K, "candle-q5k"),
    (CandleBlock::Q6K, "candle-q6k"),
    (CandleBlock::Q8K, "candle-q8k"),
];

/// The name of `value` in a table of all values.
fn name<T: PartialEq>(table: &[(T, &'static str)], value: &T) -> &'static str {
    table.iter().find(|(known, _)| known == value).map_or("", |(_, name)| name)
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform(uniform) => uniform.fmt(f),
            Self::Codebook { code, block, scales } => {
                let double = if *scales == BlockScales::Double { "-double" } else { "" };
                write!(f, "{}-block{block}{double}", name(&CODES, code))
            }
            Self::Float8 { format, scope } => {
                let format = if *format == Float8::E4m3 { "e4m3" } else { "e5m2" };
                let granularity = match scope {
                    Float8Scope::Tensor => Granularity::Tensor,
                    Float8Scope::Channel => Granularity::Channel,
                };
                write!(f, "fp8-{format}-{granularity}")
            }
            Self::Microscaling { element, scale_rule } => {
                write!(f, "{}{}", name(&MX_ELEMENTS, element), name(&SCALE_RULES, scale_rule))
            }
            Self::Nvfp4 => f.write_str("nvfp4"),
            Self::Signs(Signs::Ternary) => f.write_str("ternary-channel"),
            Self::Signs(Signs::Binary) => f.write_str("binary-channel"),
            Self::Candle(block) => f.write_str(name(&CANDLE_BLOCKS, block)),
        }
    }
}
