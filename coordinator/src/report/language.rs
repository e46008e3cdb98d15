//! Languages by name: English for the reader, the language's own for its speakers. Codes without a name keep their code.

use isolang::Language;

fn known(code: &str) -> Option<Language> {
    Language::from_639_3(code.split('_').next()?)
}

/// `Thai (tha)`, or the code alone.
pub(crate) fn full(code: &str) -> String {
    match known(code) {
        Some(language) => format!("{} ({code})", english(language)),
        None => code.to_owned(),
    }
}

/// The English name, without what stands in brackets behind it.
fn english(language: Language) -> &'static str {
    let name = language.to_name();
    name.split(" (").next().unwrap_or(name)
}

/// The language's name in itself.
pub(crate) fn own(code: &str) -> String {
    known(code).and_then(|language| language.to_autonym()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_beside_codes() {
        assert_eq!(
            (full("tha"), full("zho_Hant")),
            ("Thai (tha)".into(), "Chinese (zho_Hant)".into())
        );
        assert_eq!((full("<b>"), own("<b>")), ("<b>".to_owned(), String::new()));
        assert!(own("heb").contains("עברית"));
    }
}
