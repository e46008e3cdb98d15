//! What is asked of a table: which columns go with which, over which rows. Not where the columns come from.

use serde::Serialize;

use super::error::CorrelateError;

/// Which columns are correlated, and how.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Question {
    /// The predictors; several are compared with each other.
    pub x: Vec<String>,
    /// The outcome.
    pub y: String,
    /// Columns whose values split the rows into samples of their own.
    pub by: Vec<String>,
    /// What is held fixed: columns of the table, or bundled facts about languages.
    pub covariates: Vec<String>,
    /// What rows belong together by: a column of the table, or a bundled grouping of languages.
    pub cluster: Option<String>,
    /// What a row is about; without it, its place in the file.
    pub label: Option<String>,
    /// Coverage that intervals aim at.
    pub confidence: f64,
    /// Random orders and resamples, where not all can be counted.
    pub draws: u32,
    /// Their seed.
    pub seed: u64,
}

/// Fewest random orders and resamples: fewer could not show a p below 0.01.
const DRAWS_MIN: u32 = 100;

impl Question {
    /// Every column that it names, bundled facts among them.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let lists = self.x.iter().chain([&self.y]).chain(&self.by).chain(&self.covariates);
        lists.chain(&self.cluster).chain(&self.label).map(String::as_str)
    }

    /// Refuses what no table can answer.
    pub(super) fn check(&self) -> Result<(), CorrelateError> {
        let wrong = |text: String| Err(CorrelateError::Question(text));
        let columns: Vec<&String> =
            self.x.iter().chain([&self.y]).chain(&self.covariates).collect();
        if self.x.is_empty() {
            return wrong("give at least one predictor: --x COLUMN".to_owned());
        }
        if let Some(twice) = (1..columns.len()).find(|&at| columns[..at].contains(&columns[at])) {
            return wrong(format!(
                "column `{}` stands twice among predictors, outcome and covariates: a column with itself says nothing",
                columns[twice]
            ));
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return wrong(format!(
                "--confidence {}: give a number between 0 and 1, such as 0.95",
                self.confidence
            ));
        }
        if self.draws < DRAWS_MIN {
            return wrong(format!("--draws {}: give at least {DRAWS_MIN}", self.draws));
        }
        Ok(())
    }
}
