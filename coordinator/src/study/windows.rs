//! The windows of a study: what it says, and what its models allow. Not how a document is cut (the worker's `corpus`).

use babelquant_proto::{Model, Windows};

use super::error::StudyError;

/// What a study says of its windows; what it leaves open follows from its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowsChoice {
    /// Longest window, in tokens; of an encoder–decoder the encoder's input.
    pub tokens: Option<u32>,
    /// Distance between the starts of windows, in tokens.
    pub stride: Option<u32>,
}

/// Longest window unless a study says otherwise.
const TOKENS: u32 = 1024;

impl WindowsChoice {
    /// The windows for these models: by default as long as the shortest table of positions allows, up to a bound, and overlapping
    /// by half.
    ///
    /// # Errors
    /// They are longer than a model's table of positions, or do not overlap.
    pub(super) fn over(self, models: &[Model]) -> Result<Windows, StudyError> {
        let tokens = self.tokens.unwrap_or_else(|| default_tokens(models));
        for model in models {
            if let Some(positions) = model.shape.positions.filter(|&positions| positions < tokens) {
                return Err(StudyError::Positions { model: model.name.clone(), tokens, positions });
            }
        }
        let stride = self.stride.unwrap_or((tokens / 2).max(1));
        match stride < tokens {
            true => Ok(Windows { tokens, stride }),
            false => Err(StudyError::Stride { stride, tokens }),
        }
    }
}

fn default_tokens(models: &[Model]) -> u32 {
    let positions = models.iter().filter_map(|model| model.shape.positions);
    positions.fold(TOKENS, u32::min).max(2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use babelquant_proto::{Protocol, Shape};

    use super::*;

    fn model(encoder_layers: u32, positions: Option<u32>) -> Model {
        Model {
            name: "m".to_owned(),
            shape: Shape { encoder_layers, layers: 1, hidden: 8, vocabulary: 16, positions },
            protocol: Protocol::Causal { prefix: None, newline: None },
            published: None,
            files: BTreeMap::new(),
        }
    }

    fn over(choice: (Option<u32>, Option<u32>), models: &[Model]) -> Result<(u32, u32), String> {
        let choice = WindowsChoice { tokens: choice.0, stride: choice.1 };
        let windows = choice.over(models).map_err(|error| error.to_string())?;
        Ok((windows.tokens, windows.stride))
    }

    #[test]
    fn defaults_follow_from_the_models() {
        let free = (None, None);
        assert_eq!(over(free, &[model(0, None)]), Ok((1024, 512)));
        assert_eq!(over(free, &[model(0, Some(2048))]), Ok((1024, 512)));
        assert_eq!(over(free, &[model(0, None), model(0, Some(513))]), Ok((513, 256)));
        assert_eq!(over(free, &[model(2, None)]), Ok((1024, 512)));
        assert_eq!(over((Some(64), None), &[model(0, None)]), Ok((64, 32)));
        assert_eq!(over((Some(3000), Some(2999)), &[model(0, None)]), Ok((3000, 2999)));
        assert_eq!(over((Some(2), None), &[model(0, None)]), Ok((2, 1)));
    }

    #[test]
    fn windows_that_a_model_cannot_read_are_refused_with_both_numbers() {
        let error = over((Some(2048), None), &[model(0, None), model(0, Some(1024))]).unwrap_err();
        for part in ["model m", "windows.tokens", "2048", "1024"] {
            assert!(error.contains(part), "{error}");
        }
        let error = over((None, Some(800)), &[model(0, Some(512))]).unwrap_err();
        assert!(error.contains("windows.stride = 800") && error.contains("512"), "{error}");
        assert!(over((Some(64), Some(64)), &[model(0, None)]).is_err());
    }
}
