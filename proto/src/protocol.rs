//! Protocols: what a model reads and which tokens of a text it is scored on. Not how a text is cut into windows (`Windows`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a text becomes something that a model was trained to continue or to restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Protocol {
    /// A decoder reads the text from the left and is scored on every token but the first one it reads.
    Causal {
        /// Token put before every document, so that the document's first token is scored too.
        prefix: Option<u32>,
        /// Token that stands for a line break, where the model never saw one in training.
        newline: Option<u32>,
    },
    /// An encoder–decoder restores masked spans (Raffel et al. 2020, §3.1.4): 15 % of the tokens in spans of 3 on average.
    SpanCorruption {
        /// Maskings of every document; the same for baseline and quantized model.
        draws: u32,
        /// What encoder and decoder get beside the text.
        marks: Marks,
    },
    /// An encoder reads the first half and the decoder is scored on the second.
    PrefixInfill {
        /// What encoder and decoder get beside the text.
        marks: Marks,
    },
}

/// The tokens that an encoder–decoder reads beside the text; its sentinels are the tokenizer's `<extra_id_N>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// First token that the decoder reads.
    pub start: u32,
    /// Last token of the encoder's text and of the decoder's target.
    pub end: u32,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Causal { prefix: None, newline: None } => f.write_str("causal"),
            Self::Causal { prefix: Some(prefix), newline: None } => write!(f, "causal({prefix})"),
            Self::Causal { prefix: None, newline: Some(line) } => {
                write!(f, "causal(newline={line})")
            }
            Self::Causal { prefix: Some(prefix), newline: Some(line) } => {
                write!(f, "causal({prefix},newline={line})")
            }
            Self::SpanCorruption { draws, .. } => write!(f, "span_corruption({draws})"),
            Self::PrefixInfill { .. } => f.write_str("prefix_infill"),
        }
    }
}
