//! The bundled covariates as columns of a table: made ready for a regression, each with what it is and where it was published. Languages are
//! found by any accepted code. Not the figures themselves.

use babelquant_proto::LanguageTag;
use serde::Serialize;

use crate::covariates::Covariates;

/// A published number about a language, made ready for a regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Covariate {
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
    /// Every covariate.
    pub(crate) const ALL: [Self; 7] = [
        Self::Latin,
        Self::InBloom,
        Self::LogRoots,
        Self::InXglm,
        Self::LogXglm,
        Self::LogCc100,
        Self::LogMc4,
    ];

    /// Its name as a column.
    pub(crate) fn name(self) -> &'static str {
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
            Self::LogRoots => {
                ("log10 of its UTF-8 bytes in ROOTS, of one byte where there are none", ROOTS)
            }
            Self::InXglm => {
                ("1 where XGLM was trained on the language (not the 4.5B model), else 0", XGLM)
            }
            Self::LogXglm => (
                "log10 of its tokens in XGLM's training text, of one token where there are none",
                XGLM,
            ),
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

/// The language's number; `None` for a label that is no language of the bundled table.
pub(crate) fn number(label: &str, covariate: Covariate) -> Option<f64> {
    let (language, bundled) = (canonical(label)?, Covariates::bundled());
    let is_in = |column| bundled.volume(&language, column).map(|volume| volume > 0.0);
    let log = |column| bundled.log_volume(&language, column);
    let truth = |holds: bool| f64::from(u8::from(holds));
    match covariate {
        Covariate::Latin => bundled.is_latin(&language).map(truth),
        Covariate::InBloom => is_in("roots_bytes").map(truth),
        Covariate::LogRoots => log("roots_bytes"),
        Covariate::InXglm => is_in("xglm30_tokens").map(truth),
        Covariate::LogXglm => log("xglm30_tokens"),
        Covariate::LogCc100 => log("cc100xl_million_tokens"),
        Covariate::LogMc4 => log("mc4_billion_tokens"),
    }
}

/// The language's group; `None` for a label that is no language of the bundled table.
pub(super) fn group(label: &str, grouping: Grouping) -> Option<String> {
    let (language, bundled) = (canonical(label)?, Covariates::bundled());
    let group = match grouping {
        Grouping::Family => bundled.family(&language),
        Grouping::Genus => bundled.genus(&language),
        Grouping::Script => bundled.script(&language),
    };
    group.map(str::to_owned)
}

/// The code by which the table knows a language, with the script that the label names, if it does; `None` for one that it does not know.
fn canonical(label: &str) -> Option<String> {
    let tag: LanguageTag = label.parse().ok()?;
    let language = tag.with_script().to_string();
    Covariates::bundled().family(&language).is_some().then_some(language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_by_any_code() {
        for code in ["arb_Arab", "ar", "ara"] {
            assert_eq!(group(code, Grouping::Family).as_deref(), Some("Afro-Asiatic"));
        }
        let number = |code, covariate| number(code, covariate).unwrap();
        assert_eq!((number("en", Covariate::Latin), number("heb", Covariate::InXglm)), (1.0, 0.0));
        assert!((number("yor", Covariate::LogMc4) - 5e7_f64.log10()).abs() < 1e-12);
        assert_eq!(super::number("tlh", Covariate::Latin), None);
        let of_klingon =
            [Covariate::Latin, Covariate::LogMc4].map(|of| super::number("tlh_Latn", of));
        assert_eq!((of_klingon, group("tlh_Latn", Grouping::Script)), ([None, None], None));
    }

    /// Hindi is written in Devanagari, but not in a table of romanized Hindi.
    #[test]
    fn a_label_may_name_another_script() {
        let scripts = ["hin", "hin_Latn"].map(|label| number(label, Covariate::Latin));
        assert_eq!(scripts, [Some(0.0), Some(1.0)]);
        assert_eq!(group("hin_Latn", Grouping::Script).as_deref(), Some("Latn"));
        assert_eq!(number("hin_Latn", Covariate::LogMc4), number("hin", Covariate::LogMc4));
    }

    #[test]
    fn every_bundled_language_has_every_fact() {
        let languages = Covariates::bundled().languages();
        assert_eq!(languages.size_hint(), (39, Some(39)));
        for code in languages {
            for covariate in Covariate::ALL {
                assert!(number(code, covariate).is_some_and(f64::is_finite), "{code}");
            }
            assert!(Grouping::ALL.into_iter().all(|grouping| group(code, grouping).is_some()));
        }
    }
}
