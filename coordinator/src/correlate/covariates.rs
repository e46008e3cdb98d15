//! Facts about languages that are published, not measured here: script, family, training volume. Each column says what it is and where it
//! comes from. Languages are found by any accepted code.

use std::collections::BTreeMap;

use babelquant_proto::LanguageTag;
use serde::Serialize;

/// A published number about a language, made ready for a regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Covariate {
    Latin,
    InBloom,
    LogRoots,
    InXglm,
    LogXglm,
    LogCc100,
    LogMc4,
}

/// A published grouping of languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    Family,
    Genus,
    Script,
}

/// What a bundled column is and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The column's name.
    pub name: String,
    /// What its values are.
    pub definition: String,
    /// Where they were published.
    pub source: String,
}

const SCRIPTS: &str = "ISO 15924 code of the script that the language is usually written in";
const ROOTS: &str = "table of languages of the ROOTS corpus, BLOOM's training text (arXiv:2211.05100, arXiv:2303.03915)";
const XGLM: &str =
    "model card of facebook/xglm-1.7B, whose 30 languages are also those of 564M, 2.9B and 7.5B";
const CC100: &str = "appendix A of the XGLM paper (arXiv:2112.10668)";
const MC4: &str = "table of languages of the mT5 paper (arXiv:2010.11934)";
const FAMILIES: &str = "names of families as in Glottolog, of genera as in WALS";

impl Covariate {
    pub(super) const ALL: [Self; 7] = [
        Self::Latin,
        Self::InBloom,
        Self::LogRoots,
        Self::InXglm,
        Self::LogXglm,
        Self::LogCc100,
        Self::LogMc4,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Latin => "latin",
            Self::InBloom => "in_bloom",
            Self::LogRoots => "log_roots",
            Self::InXglm => "in_xglm",
            Self::LogXglm => "log_xglm",
            Self::LogCc100 => "log_cc100",
            Self::LogMc4 => "log_mc4",
        }
    }

    pub(super) fn fact(self) -> Fact {
        let (definition, source) = match self {
            Self::Latin => ("1 where the language is written in Latin script, else 0", SCRIPTS),
            Self::InBloom => ("1 where BLOOM was trained on the language, else 0", ROOTS),
            Self::LogRoots => ("log10 of 1 + its UTF-8 bytes in ROOTS", ROOTS),
            Self::InXglm => {
                ("1 where XGLM was trained on the language (not the 4.5B model), else 0", XGLM)
            }
            Self::LogXglm => ("log10 of 1 + its tokens in XGLM's training text", XGLM),
            Self::LogCc100 => ("log10 of its tokens in CC100-XL", CC100),
            Self::LogMc4 => ("log10 of its tokens in mC4, mT5's training text", MC4),
        };
        fact(self.name(), definition, source)
    }
}

impl Grouping {
    pub(super) const ALL: [Self; 3] = [Self::Family, Self::Genus, Self::Script];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::Genus => "genus",
            Self::Script => "script",
        }
    }

    pub(super) fn fact(self) -> Fact {
        let (definition, source) = match self {
            Self::Family => ("the language family", FAMILIES),
            Self::Genus => {
                ("the genus, a group of closely related languages within a family", FAMILIES)
            }
            Self::Script => ("the script", SCRIPTS),
        };
        fact(self.name(), definition, source)
    }
}

fn fact(name: &str, definition: &str, source: &str) -> Fact {
    let [name, definition, source] = [name, definition, source].map(str::to_owned);
    Fact { name, definition, source }
}

/// A row of the bundled table. A language that a corpus does not hold has no bytes or tokens in it.
#[derive(Debug, Clone, serde::Deserialize)]
struct Language {
    language: String,
    script: String,
    family: String,
    genus: String,
    roots_bytes: f64,
    xglm30_tokens: f64,
    cc100xl_million_tokens: f64,
    mc4_billion_tokens: f64,
}

/// The bundled table.
#[derive(Debug)]
pub(super) struct Languages(BTreeMap<String, Language>);

impl Languages {
    pub(super) fn bundled() -> Self {
        let text: &[u8] = include_bytes!("covariates.csv");
        let rows = csv::Reader::from_reader(text).into_deserialize::<Language>();
        let rows = rows.map(|row| row.expect("the bundled table is well-formed: a test reads it"));
        Self(rows.map(|row| (row.language.clone(), row)).collect())
    }

    /// The language's number; `None` for a label that is no language of the table.
    pub(super) fn number(&self, label: &str, covariate: Covariate) -> Option<f64> {
        let language = self.find(label)?;
        let truth = |holds: bool| f64::from(u8::from(holds));
        Some(match covariate {
            Covariate::Latin => truth(language.script == "Latn"),
            Covariate::InBloom => truth(language.roots_bytes > 0.0),
            Covariate::LogRoots => (language.roots_bytes + 1.0).log10(),
            Covariate::InXglm => truth(language.xglm30_tokens > 0.0),
            Covariate::LogXglm => (language.xglm30_tokens + 1.0).log10(),
            Covariate::LogCc100 => (language.cc100xl_million_tokens * 1e6).log10(),
            Covariate::LogMc4 => (language.mc4_billion_tokens * 1e9).log10(),
        })
    }

    /// The language's group; `None` for a label that is no language of the table.
    pub(super) fn group(&self, label: &str, grouping: Grouping) -> Option<&str> {
        let language = self.find(label)?;
        Some(match grouping {
            Grouping::Family => &language.family,
            Grouping::Genus => &language.genus,
            Grouping::Script => &language.script,
        })
    }

    fn find(&self, label: &str) -> Option<&Language> {
        let tag: LanguageTag = label.parse().ok()?;
        self.0.get(&tag.without_script().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_table_is_whole() {
        let languages = Languages::bundled();
        assert_eq!(languages.0.len(), 39);
        for code in languages.0.keys() {
            for covariate in Covariate::ALL {
                assert!(languages.number(code, covariate).is_some_and(f64::is_finite), "{code}");
            }
            assert!(
                Grouping::ALL.into_iter().all(|grouping| languages.group(code, grouping).is_some())
            );
        }
    }

    #[test]
    fn languages_by_any_code() {
        let languages = Languages::bundled();
        for code in ["arb_Arab", "ar", "ara"] {
            assert_eq!(languages.group(code, Grouping::Family), Some("Afro-Asiatic"));
        }
        let number = |code, covariate| languages.number(code, covariate).unwrap();
        assert_eq!((number("en", Covariate::Latin), number("heb", Covariate::InXglm)), (1.0, 0.0));
        assert!((number("yor", Covariate::LogMc4) - 5e7_f64.log10()).abs() < 1e-12);
        assert_eq!(languages.number("tlh", Covariate::Latin), None);
    }
}
