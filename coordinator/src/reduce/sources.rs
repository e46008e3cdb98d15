//! Where the numbers of each table come from: one definition for the metadata of Parquet files, for summary.json and for the reports. Which run
//! it was is said by the report's `Provenance`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Summary;
use super::tables::{
    AdditivityRow, AdjustedRow, ConfigRow, CorrelationRow, DepthRow, DisparityRow, DivergenceRow,
    FloorRow, HypothesisRow, LanguageRow, LayerRow, LeaningRow, LimitRow, MatrixRow, ModelRow,
    ProtectionRow, RegressionRow, ReplicationRow, SensitivityRow, ShareRow, TrendRow,
};
use crate::study::Analysis;
use babelquant_proto::rows::Row;

/// Where a number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// This run: its models on its texts.
    Measured,
    /// This run: its models' weights, without any text.
    #[serde(rename = "measured")]
    Weights,
    /// What was known of the languages before: script, family, amounts of training text.
    Literature,
    /// Of that only what comes with the program, which no study can change.
    #[serde(rename = "literature")]
    Bundled,
    /// A formula of the number of languages, such as power: no data are in it.
    Computed,
}

/// A table that says where its numbers come from.
pub trait Sourced: Row {
    /// Its sources; every table has one at least.
    const SOURCES: &'static [Source];
}

/// Implements `Sourced` for every table of `analysis/`, and lists them.
macro_rules! sources {
    ($($row:ident: $($source:ident)+;)+) => {
        $(impl Sourced for $row {
            const SOURCES: &'static [Source] = &[$(Source::$source),+];
        })+

        /// The sources of each table by its name.
        pub(crate) fn by_table() -> BTreeMap<&'static str, &'static [Source]> {
            BTreeMap::from([$((<$row as Row>::TABLE.name, <$row as Sourced>::SOURCES)),+])
        }
    };
}

sources! {
    HypothesisRow: Measured Bundled Computed;
    ModelRow: Weights;
    LayerRow: Weights;
    LanguageRow: Measured;
    ShareRow: Measured;
    MatrixRow: Weights;
    LimitRow: Weights;
    ConfigRow: Measured;
    SensitivityRow: Measured;
    DisparityRow: Measured Literature;
    DivergenceRow: Measured;
    TrendRow: Measured;
    LeaningRow: Measured Literature;
    DepthRow: Measured;
    AdditivityRow: Measured;
    ProtectionRow: Measured;
    FloorRow: Measured;
    CorrelationRow: Measured Computed;
    AdjustedRow: Measured Literature;
    ReplicationRow: Measured;
    RegressionRow: Measured Literature;
}

impl Summary {
    /// Where the numbers of a table come from, in words.
    pub fn sources_in_words<R: Sourced>(&self) -> String {
        let words: Vec<String> = R::SOURCES.iter().map(|source| source.in_words(self)).collect();
        words.join("; ")
    }
}

impl Source {
    fn in_words(self, summary: &Summary) -> String {
        match self {
            Self::Measured => format!("measured in this run{}", size(summary)),
            Self::Weights => "measured in this run on the weights".to_owned(),
            Self::Literature => literature(&summary.analysis),
            Self::Bundled => {
                "literature: script and training text as bundled, whatever the study says"
                    .to_owned()
            }
            Self::Computed => {
                "visible r and power: computed from the number of languages".to_owned()
            }
        }
    }
}

/// ` on 14 languages, 1152 documents each`
fn size(summary: &Summary) -> String {
    let languages: BTreeMap<&str, u64> =
        summary.languages.iter().map(|row| (row.language.as_str(), row.documents)).collect();
    let least = languages.values().min().copied().unwrap_or_default();
    let most = languages.values().max().copied().unwrap_or_default();
    match (languages.len(), least == most) {
        (0, _) => String::new(),
        (count, true) => format!(" on {count} languages, {most} documents each"),
        (count, false) => format!(" on {count} languages, {least} to {most} documents each"),
    }
}

/// `literature: script (ISO 15924), …`, and what the study itself says of languages.
fn literature(analysis: &Analysis) -> String {
    let Analysis { covariates, resource, .. } = analysis;
    let volume = crate::covariates::literature(resource).map_or_else(
        || format!("{resource} as the study gives it"),
        |source| format!("{resource} of {source}"),
    );
    let own = match covariates.languages().next() {
        None => "",
        Some(_) => "; where the study's own table has a language, that one",
    };
    format!("literature: script (ISO 15924), family (Glottolog), training text {volume}{own}")
}

#[cfg(test)]
mod tests {
    use super::super::example::summary;
    use super::*;

    #[test]
    fn every_table_of_the_summary_has_a_source() {
        let json = serde_json::to_value(summary()).unwrap();
        let mut tables: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        tables.retain(|table| *table != "analysis");
        tables.sort_unstable();
        assert_eq!(by_table().into_keys().collect::<Vec<_>>(), tables);
    }

    #[test]
    fn words_are_of_this_run() {
        let mut summary = summary();
        let measured = "measured in this run on 14 languages, 12 documents each";
        assert_eq!(summary.sources_in_words::<LanguageRow>(), measured);
        assert_eq!(summary.sources_in_words::<LayerRow>(), "measured in this run on the weights");
        let words = summary.sources_in_words::<DisparityRow>();
        assert!(words.contains("mc4_billion_tokens of mC4 (Xue et al. 2021"), "{words}");
        summary.analysis.resource = "web_pages".to_owned();
        summary.languages[0].documents = 3;
        let words = summary.sources_in_words::<AdjustedRow>();
        assert!(words.contains("web_pages as the study gives it"), "{words}");
        assert!(words.contains("3 to 12 documents each"), "{words}");
    }
}
