//! Languages: ISO 639-1, ISO 639-3 and FLORES codes brought to one canonical spelling. Knows no names, scripts or families.

use std::fmt;
use std::str::FromStr;

use crate::parse::ParseError;
use crate::serde_by_spelling;

/// A canonical language of a study: `eng`, or `zho_Hant` where a study has two scripts of one language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(String);

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Language {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse::<LanguageTag>().map(|tag| tag.with_script())
    }
}

serde_by_spelling!(Language);

/// A language as a user writes it, canonicalised: ISO 639-3 macrolanguage where there is one, script apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LanguageTag {
    code: &'static str,
    script: Option<String>,
}

impl LanguageTag {
    /// The language without its script: for studies that have one script of it.
    pub fn without_script(&self) -> Language {
        Language(self.code.to_owned())
    }

    /// The language with its script, if one was given: for studies that have two scripts of it.
    pub fn with_script(&self) -> Language {
        match &self.script {
            Some(script) => Language(format!("{}_{script}", self.code)),
            None => self.without_script(),
        }
    }
}

impl FromStr for LanguageTag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new("language", text, EXPECTED);
        let (code, script) = match text.split_once(['_', '-']) {
            Some((code, script)) => (code, Some(parse_script(script).ok_or_else(error)?)),
            None => (text, None),
        };
        let known = match code.len() {
            2 => isolang::Language::from_639_1(code),
            3 => isolang::Language::from_639_3(code),
            _ => None,
        };
        let code = macrolanguage(known.ok_or_else(error)?.to_639_3());
        Ok(Self { code, script })
    }
}

const EXPECTED: &str = "an ISO 639-3 (eng), ISO 639-1 (en) or FLORES (eng_Latn) code";

/// An ISO 15924 script code: four letters, the first a capital.
fn parse_script(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let fine = text.len() == 4
        && bytes.next().is_some_and(|byte| byte.is_ascii_uppercase())
        && bytes.all(|byte| byte.is_ascii_lowercase());
    fine.then(|| text.to_owned())
}

/// The macrolanguage of an individual code, for the individual codes that FLORES-200 uses for a standard variety.
fn macrolanguage(code: &'static str) -> &'static str {
    match code {
        "arb" => "ara",
        "cmn" => "zho",
        "pes" => "fas",
        "swh" => "swa",
        "zsm" => "msa",
        "ekk" => "est",
        "lvs" => "lav",
        "khk" => "mon",
        "npi" => "nep",
        "ory" => "ori",
        "plt" => "mlg",
        "uzn" => "uzb",
        "azj" => "aze",
        "ydd" => "yid",
        "als" => "sqi",
        "gaz" => "orm",
        "pbt" => "pus",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_canonicalised() {
        for (text, bare, scripted) in [
            ("eng", "eng", "eng"),
            ("en", "eng", "eng"),
            ("eng_Latn", "eng", "eng_Latn"),
            ("arb_Arab", "ara", "ara_Arab"),
            ("cmn", "zho", "zho"),
            ("zh-Hant", "zho", "zho_Hant"),
            ("he", "heb", "heb"),
        ] {
            let tag: LanguageTag = text.parse().unwrap();
            assert_eq!(tag.without_script().to_string(), bare);
            assert_eq!(tag.with_script().to_string(), scripted);
        }
    }

    #[test]
    fn unknown_codes_are_errors() {
        for wrong in ["", "xx", "qqq", "english", "eng_latn", "eng_", "EN", "e1"] {
            assert!(wrong.parse::<LanguageTag>().is_err(), "{wrong:?}");
        }
    }
}
