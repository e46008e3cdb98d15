//! How a model of a study reads a text: what the study says over what its family does. Not what a protocol means (proto `protocol`).

use babelquant_proto::{Marks, Model, Protocol};

use super::error::StudyError;
use super::models::{Prefix, ProtocolKind, ReadingChoice};

impl ReadingChoice {
    /// The protocol of `model`, whose own is that of its family.
    ///
    /// # Errors
    /// A choice does not fit the family: the error names the key.
    pub(super) fn over(self, model: &Model) -> Result<Protocol, StudyError> {
        let wrong = |key, value: String, reason: &str| StudyError::Reading {
            model: model.name.clone(),
            key,
            value,
            reason: reason.to_owned(),
        };
        let fits = |protocol| match self.protocol {
            Some(kind) => with_kind(protocol, kind)
                .map_err(|reason| wrong("protocol", kind.to_string(), reason)),
            None => Ok(protocol),
        };
        let mut protocol = fits(model.protocol)?;
        if let Some(prefix) = self.prefix {
            protocol = with_prefix(protocol, prefix, model.shape.vocabulary)
                .map_err(|reason| wrong("prefix", prefix.to_string(), &reason))?;
        }
        if let Some(draws) = self.draws {
            protocol = with_draws(protocol, draws)
                .map_err(|reason| wrong("draws", draws.to_string(), reason))?;
        }
        Ok(protocol)
    }
}

/// Maskings of a document of a model whose own protocol masks nothing.
const DRAWS: u32 = 5;

fn with_kind(own: Protocol, kind: ProtocolKind) -> Result<Protocol, &'static str> {
    let marks = |marks: Marks| match kind {
        ProtocolKind::SpanCorruption => Ok(Protocol::SpanCorruption { draws: DRAWS, marks }),
        ProtocolKind::PrefixInfill => Ok(Protocol::PrefixInfill { marks }),
        ProtocolKind::Causal => Err(
            "an encoder–decoder does not read a text from the left: choose span_corruption or prefix_infill",
        ),
    };
    match (own, kind) {
        (Protocol::Causal { .. }, ProtocolKind::Causal)
        | (Protocol::SpanCorruption { .. }, ProtocolKind::SpanCorruption) => Ok(own),
        (Protocol::Causal { .. }, ProtocolKind::SpanCorruption | ProtocolKind::PrefixInfill) => {
            Err("the model has no encoder: leave the key out, its protocol is causal")
        }
        (
            Protocol::SpanCorruption { marks: own, .. } | Protocol::PrefixInfill { marks: own },
            _,
        ) => marks(own),
    }
}

fn with_prefix(own: Protocol, prefix: Prefix, vocabulary: u32) -> Result<Protocol, String> {
    let Protocol::Causal { newline, .. } = own else {
        return Err(
            "an encoder–decoder reads no prefix, its start token is its own: leave the key out"
                .to_owned(),
        );
    };
    match prefix {
        Prefix::Nothing => Ok(Protocol::Causal { prefix: None, newline }),
        Prefix::Token(token) if token < vocabulary => {
            Ok(Protocol::Causal { prefix: Some(token), newline })
        }
        Prefix::Token(_) => Err(format!(
            "the vocabulary ends at {}: give the number of a token in it, or \"none\"",
            vocabulary.saturating_sub(1)
        )),
    }
}

fn with_draws(own: Protocol, draws: u32) -> Result<Protocol, &'static str> {
    match own {
        Protocol::SpanCorruption { marks, .. } => Ok(Protocol::SpanCorruption { draws, marks }),
        Protocol::Causal { .. } | Protocol::PrefixInfill { .. } => {
            Err("only span_corruption masks a document, and so has draws: leave the key out")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use babelquant_proto::Shape;

    use super::*;

    const MARKS: Marks = Marks { start: 0, end: 1 };
    const CAUSAL: Protocol = Protocol::Causal { prefix: Some(2), newline: Some(2) };
    const MASKED: Protocol = Protocol::SpanCorruption { draws: 5, marks: MARKS };

    fn over(own: Protocol, choice: ReadingChoice) -> Result<Protocol, String> {
        let shape =
            Shape { encoder_layers: 0, layers: 1, hidden: 8, vocabulary: 16, positions: None };
        let (name, files) = ("m".to_owned(), BTreeMap::new());
        let model = Model { name, shape, protocol: own, published: None, files };
        choice.over(&model).map_err(|error| error.to_string())
    }

    fn choice(
        kind: Option<ProtocolKind>,
        prefix: Option<Prefix>,
        draws: Option<u32>,
    ) -> ReadingChoice {
        ReadingChoice { protocol: kind, prefix, draws }
    }

    #[test]
    fn choices_stand_over_the_family() {
        let (infill, masks) = (ProtocolKind::PrefixInfill, ProtocolKind::SpanCorruption);
        for (own, choice, expected) in [
            (CAUSAL, ReadingChoice::default(), CAUSAL),
            (
                CAUSAL,
                choice(None, Some(Prefix::Nothing), None),
                Protocol::Causal { prefix: None, newline: Some(2) },
            ),
            (
                CAUSAL,
                choice(Some(ProtocolKind::Causal), Some(Prefix::Token(15)), None),
                Protocol::Causal { prefix: Some(15), newline: Some(2) },
            ),
            (MASKED, choice(Some(infill), None, None), Protocol::PrefixInfill { marks: MARKS }),
            (
                MASKED,
                choice(Some(masks), None, Some(2)),
                Protocol::SpanCorruption { draws: 2, marks: MARKS },
            ),
        ] {
            assert_eq!(over(own, choice), Ok(expected));
        }
    }

    #[test]
    fn choices_that_do_not_fit_name_their_key() {
        let infill = Some(ProtocolKind::PrefixInfill);
        for (own, choice, parts) in [
            (CAUSAL, choice(infill, None, None), ["protocol = prefix_infill", "no encoder"]),
            (
                MASKED,
                choice(Some(ProtocolKind::Causal), None, None),
                ["protocol = causal", "encoder–decoder"],
            ),
            (
                MASKED,
                choice(None, Some(Prefix::Nothing), None),
                ["prefix = none", "encoder–decoder"],
            ),
            (CAUSAL, choice(None, Some(Prefix::Token(16)), None), ["prefix = 16", "ends at 15"]),
            (CAUSAL, choice(None, None, Some(3)), ["draws = 3", "span_corruption"]),
            (MASKED, choice(infill, None, Some(3)), ["draws = 3", "span_corruption"]),
        ] {
            let error = over(own, choice).unwrap_err();
            assert!(
                error.contains("model m") && parts.iter().all(|part| error.contains(part)),
                "{error}"
            );
        }
    }
}
