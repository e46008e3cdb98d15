//! Covariates of languages: script, family, and how much text of a language there was to train on. Not what is made of them (`reduce`).
//!
//! The bundled table is `covariates.csv`; a study's own file has the same form: a first row of column names, `language` among them, cells
//! apart by commas, empty where unknown. `script` is ISO 15924, `family` is Glottolog's, `genus` WALS's; every other column is an
//! amount of training text, 0 for a language that the models in question were not trained on:
//!
//! - `roots_bytes`: bytes in ROOTS, the text of BLOOM (Scao et al. 2022, table 1; Laurençon et al. 2023). Arabic and Swahili there are the
//!   standard varieties, Chinese is both scripts together.
//! - `xglm30_tokens`: tokens of XGLM-564M, 1.7B, 2.9B and 7.5B, which have 30 languages (their model cards). XGLM-4.5B has 134.
//! - `cc100xl_million_tokens`: CC100-XL, the web text that XGLM was drawn from (Lin et al. 2022, table A.1).
//! - `mc4_billion_tokens`: mC4, the text of mT5 (Xue et al. 2021, table 6), which has all of these languages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use babelquant_proto::LanguageTag;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where the amounts of a column of the bundled table were published; `None` for a column that it does not have.
pub fn literature(column: &str) -> Option<&'static str> {
    match column {
        "roots_bytes" => Some("ROOTS (Scao et al. 2022, table 1; Laurençon et al. 2023)"),
        "xglm30_tokens" => Some("XGLM (its model cards)"),
        "cc100xl_million_tokens" => Some("CC100-XL (Lin et al. 2022, table A.1)"),
        "mc4_billion_tokens" => Some("mC4 (Xue et al. 2021, table 6)"),
        _ => None,
    }
}

/// The bytes or tokens in one unit of a column of the bundled table; `None` for a column that it does not have.
fn unit(column: &str) -> Option<f64> {
    match column {
        "roots_bytes" | "xglm30_tokens" => Some(1.0),
        "cc100xl_million_tokens" => Some(1e6),
        "mc4_billion_tokens" => Some(1e9),
        _ => None,
    }
}

/// What is known of languages, by their canonical codes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Covariates(BTreeMap<String, Covariate>);

/// What is known of a language.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Covariate {
    /// ISO 15924 code of its script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Its family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Its genus: a branch of the family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genus: Option<String>,
    /// Amounts of training text by column, in that column's unit; 0 where models were not trained on it.
    pub volumes: BTreeMap<String, f64>,
}

/// Why a text is no table of covariates.
#[derive(Debug, Error)]
pub enum CovariatesError {
    /// No column says which language a row is about.
    #[error("the first row names no column `language`")]
    NoLanguage,
    /// It is no table at all.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// A row is longer or shorter than the first.
    #[error("line {line}: {found} cells instead of {expected}")]
    Width {
        /// Line of the file, from 1.
        line: u64,
        /// Its cells.
        found: usize,
        /// Cells of the first row.
        expected: usize,
    },
    /// A cell is not what its column holds.
    #[error("line {line}, column {column}: {value}: expected {expected}")]
    Cell {
        /// Line of the file, from 1.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        value: String,
        /// What the column holds.
        expected: &'static str,
    },
}

static BUNDLED: LazyLock<Covariates> = LazyLock::new(|| {
    let table = Covariates::parse(include_str!("covariates.csv"));
    table.expect("the bundled table is read by a test")
});

impl Covariates {
    /// Reads a table.
    ///
    /// # Errors
    /// It has another form than this module says, or a language twice.
    pub fn parse(text: &str) -> Result<Self, CovariatesError> {
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let header = reader.headers()?.clone();
        let at = header.iter().position(|name| name == "language");
        let at = at.ok_or(CovariatesError::NoLanguage)?;
        let mut table = BTreeMap::new();
        for cells in reader.records() {
            let cells = cells?;
            let line = cells.position().map_or(0, |start| line(text, start));
            let (found, expected) = (cells.len(), header.len());
            if found != expected {
                return Err(CovariatesError::Width { line, found, expected });
            }
            let wrong = |column: usize, expected| CovariatesError::Cell {
                line,
                column: header[column].to_owned(),
                value: cells[column].to_owned(),
                expected,
            };
            let language: LanguageTag =
                cells[at].parse().map_err(|_| wrong(at, "a code of a language"))?;
            let mut covariate = Covariate::default();
            for column in (0..expected).filter(|column| !cells[*column].is_empty()) {
                let set = covariate.set(&header[column], &cells[column]);
                set.ok_or_else(|| wrong(column, "a number of at least 0"))?;
            }
            if table.insert(language.with_script().to_string(), covariate).is_some() {
                return Err(wrong(at, "each language once"));
            }
        }
        Ok(Self(table))
    }

    /// The table that comes with the program.
    pub fn bundled() -> &'static Self {
        &BUNDLED
    }

    /// The languages of the table.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The script of a language, as a study spells it: the one in its code, else this table's, else the bundled one's.
    pub fn script<'a>(&'a self, language: &'a str) -> Option<&'a str> {
        match language.split_once('_') {
            Some((_, script)) => Some(script),
            None => self.find(language, |covariate| covariate.script.as_deref()),
        }
    }

    /// Whether a language is written in Latin script.
    pub fn is_latin(&self, language: &str) -> Option<bool> {
        self.script(language).map(|script| script == "Latn")
    }

    /// log10 of the training text of a language by a column. Of a bundled column in bytes or tokens, where a language without any counts as
    /// one with a single one; of a study's own in whatever unit it has, where a language without any has none.
    pub fn log_volume(&self, language: &str, column: &str) -> Option<f64> {
        let volume = self.volume(language, column)?;
        match unit(column) {
            Some(unit) => Some((volume * unit).max(1.0).log10()),
            None => Some(volume).filter(|volume| *volume > 0.0).map(f64::log10),
        }
    }

    /// The family of a language.
    pub fn family<'a>(&'a self, language: &str) -> Option<&'a str> {
        self.find(language, |covariate| covariate.family.as_deref())
    }

    /// The genus of a language: a branch of its family.
    pub fn genus<'a>(&'a self, language: &str) -> Option<&'a str> {
        self.find(language, |covariate| covariate.genus.as_deref())
    }

    /// The amount of training text of a language by a column, of this table or else of the bundled one.
    pub fn volume(&self, language: &str, column: &str) -> Option<f64> {
        self.find(language, |covariate| covariate.volumes.get(column).copied())
    }

    /// The columns that hold amounts of training text, of both tables.
    pub fn volume_columns(&self) -> Vec<&str> {
        let tables = self.0.values().chain(BUNDLED.0.values());
        let mut columns: Vec<&str> =
            tables.flat_map(|covariate| covariate.volumes.keys().map(String::as_str)).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// A value of this table, else of the bundled one.
    fn find<'a, T>(
        &'a self,
        language: &str,
        value: impl Fn(&'a Covariate) -> Option<T>,
    ) -> Option<T> {
        let tables: [&'a Self; 2] = [self, &BUNDLED];
        tables.into_iter().find_map(|table| table.get(language).and_then(&value))
    }

    /// The row of a language: with its script, without it, or else with whatever script there is.
    fn get(&self, language: &str) -> Option<&Covariate> {
        let bare = language.split_once('_').map_or(language, |(code, _)| code);
        let scripted = || self.0.range(format!("{bare}_")..).next();
        let scripted = || scripted().filter(|(code, _)| code.starts_with(bare));
        let exact = self.0.get(language).or_else(|| self.0.get(bare));
        exact.or_else(|| scripted().map(|(_, covariate)| covariate))
    }
}

impl Covariate {
    /// Sets a column; `None` where the text is not what it holds.
    fn set(&mut self, column: &str, text: &str) -> Option<()> {
        match column {
            "language" => {}
            "script" => self.script = Some(text.to_owned()),
            "family" => self.family = Some(text.to_owned()),
            "genus" => self.genus = Some(text.to_owned()),
            volume => {
                let number: f64 = text.parse().ok().filter(|number| *number >= 0.0)?;
                self.volumes.insert(volume.to_owned(), Some(number).filter(|n| n.is_finite())?);
            }
        }
        Some(())
    }
}

/// The line of a record, from 1; the reader counts from the end of the record before, which leaves out empty lines between them.
fn line(text: &str, start: &csv::Position) -> u64 {
    let rest = text.bytes().skip(start.byte() as usize);
    let empty = rest.take_while(|byte| b"\r\n".contains(byte)).filter(|byte| *byte == b'\n');
    start.line() + empty.count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_table_has_39_languages() {
        assert_eq!(BUNDLED.0.len(), 39);
        let none = Covariates::default();
        assert_eq!(none.volume("eng", "mc4_billion_tokens"), Some(2733.0));
        assert_eq!(none.volume("deu", "roots_bytes"), Some(0.0));
        assert_eq!((none.script("rus"), none.script("zho_Hant")), (Some("Cyrl"), Some("Hant")));
        assert_eq!(none.volume("zho_Hant", "roots_bytes"), Some(261_781_923_042.0));
        assert_eq!((none.script("xho"), none.volume("eng", "bytes")), (None, None));
        let log = |language: &str, column: &str| none.log_volume(language, column);
        assert_eq!(log("deu", "roots_bytes"), Some(0.0));
        assert!((log("eng", "mc4_billion_tokens").unwrap() - 2.733e12_f64.log10()).abs() < 1e-12);
        assert_eq!(log("xho", "roots_bytes"), None);
        let columns = none.volume_columns();
        assert!(
            columns.iter().all(|column| unit(column).is_some() && literature(column).is_some())
        );
        let whole =
            |covariate: &Covariate| covariate.volumes.len() == 4 && covariate.family.is_some();
        assert!(BUNDLED.0.values().all(whole));
        // Six of the earlier study's languages are BLOOM's.
        let seen = |language: &&&str| none.volume(language, "roots_bytes") > Some(0.0);
        assert_eq!(crate::reduce::example::LANGUAGES.iter().filter(seen).count(), 6);
    }

    #[test]
    fn a_users_table_comes_first_and_the_bundled_one_fills_it_up() {
        let table =
            Covariates::parse("mine, language ,script\n5,xh,Latn\n,en_Latn,\n7,ru_Latn,Latn\n");
        let table = table.unwrap();
        assert_eq!((table.volume("xho", "mine"), table.script("xho")), (Some(5.0), Some("Latn")));
        assert_eq!((table.volume("eng", "mine"), table.script("rus")), (None, Some("Latn")));
        assert_eq!(table.volume("rus", "mc4_billion_tokens"), Some(713.0));
        assert_eq!((table.log_volume("xho", "mine"), unit("mine")), (Some(5.0_f64.log10()), None));
        assert!(table.volume_columns().contains(&"mine"));
        let text = toml::to_string(&table).unwrap();
        assert_eq!(toml::from_str::<Covariates>(&text).unwrap(), table, "{text}");
    }

    #[test]
    fn mistakes_name_line_and_column() {
        for (text, expected) in [
            ("", "no column `language`"),
            ("language,x\neng,1,2", "line 2: 3 cells instead of 2"),
            ("language,x\neng,-1", "line 2, column x: -1: expected a number"),
            ("language,x\neng,inf", "line 2, column x: inf"),
            ("language\nenglish", "line 2, column language: english"),
            ("language\neng\n\nen", "line 4, column language: en: expected each language once"),
        ] {
            let error = Covariates::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
