//! The corpus path pattern `DIR/{language}.txt`: which files match it, and which language each holds. Reads no document.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use babelquant_proto::{Language, LanguageTag};

use super::documents::Format;
use super::error::CorpusError;

/// The placeholder of a pattern.
const PLACEHOLDER: &str = "{language}";

/// A file of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LanguageFile {
    pub(super) language: Language,
    pub(super) path: PathBuf,
}

/// A path with one `{language}` in one of its components, which ends in `.txt` or `.jsonl`.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    pub(super) format: Format,
}

impl Pattern {
    /// The pattern that `text` spells.
    pub(super) fn new(text: &str) -> Result<Self, CorpusError> {
        let error = |reason| CorpusError::Pattern { pattern: text.to_owned(), reason };
        if text.matches(PLACEHOLDER).count() != 1 {
            return Err(error("give it exactly one {language}, as in corpus/{language}.txt"));
        }
        let format = match Path::new(text).extension().and_then(|extension| extension.to_str()) {
            Some("txt") => Format::Lines,
            Some("jsonl") => Format::JsonLines,
            _ => return Err(error("it must end in .txt (a document per line) or .jsonl")),
        };
        Ok(Self { text: text.to_owned(), format })
    }

    /// The wanted languages with their files, in the order wanted; all that match, by code, where none is named.
    pub(super) fn choose(&self, wanted: &[LanguageTag]) -> Result<Vec<LanguageFile>, CorpusError> {
        let found = self.files()?;
        if found.is_empty() {
            return Err(CorpusError::NoFiles { pattern: self.text.clone() });
        }
        let chosen = match wanted {
            [] => found.iter().map(|(code, path)| known(code, path)).collect::<Result<_, _>>()?,
            _ => wanted.iter().map(|tag| self.find(tag, &found)).collect::<Result<Vec<_>, _>>()?,
        };
        named(chosen)
    }

    /// Every matching file by the code in its name.
    fn files(&self) -> Result<BTreeMap<String, PathBuf>, CorpusError> {
        let (before, after) = self.text.split_once(PLACEHOLDER).expect("`new` counted one");
        let (folder, prefix) = before.rsplit_once('/').unwrap_or((".", before));
        let folder = if folder.is_empty() { "/" } else { folder };
        let (suffix, rest) = after.split_once('/').unwrap_or((after, ""));
        let error = |source| CorpusError::Read { path: folder.into(), source };
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = entry.file_name();
            let code =
                name.to_str().and_then(|name| name.strip_prefix(prefix)?.strip_suffix(suffix));
            let path = if rest.is_empty() { entry.path() } else { entry.path().join(rest) };
            if let Some(code) = code.filter(|_| path.is_file()) {
                files.insert(code.to_owned(), path);
            }
        }
        Ok(files)
    }

    /// The one file of a wanted language: of any script where none is asked for, else of exactly that script.
    fn find(
        &self,
        wanted: &LanguageTag,
        found: &BTreeMap<String, PathBuf>,
    ) -> Result<(LanguageTag, PathBuf), CorpusError> {
        let any_script = wanted.with_script() == wanted.without_script();
        let fits = |tag: &LanguageTag| {
            tag.without_script() == wanted.without_script()
                && (any_script || tag.with_script() == wanted.with_script())
        };
        let parsed = found.iter().filter_map(|(code, path)| Some((code.parse().ok()?, path)));
        let mut fitting = parsed.filter(|(tag, _)| fits(tag));
        match (fitting.next(), fitting.next()) {
            (Some((tag, path)), None) => Ok((tag, path.clone())),
            (Some((_, first)), Some((_, second))) => Err(CorpusError::Twice {
                language: wanted.with_script(),
                first: first.clone(),
                second: second.clone(),
            }),
            (None, _) => Err(CorpusError::MissingLanguage {
                language: wanted.with_script(),
                pattern: self.text.clone(),
                found: found.keys().cloned().collect::<Vec<_>>().join(" "),
            }),
        }
    }
}

fn known(code: &str, path: &Path) -> Result<(LanguageTag, PathBuf), CorpusError> {
    let tag = code.parse();
    let tag =
        tag.map_err(|source| CorpusError::UnknownLanguage { path: path.to_owned(), source })?;
    Ok((tag, path.to_owned()))
}

/// Names each language; the script is kept where there are two scripts of one language, and only there.
fn named(chosen: Vec<(LanguageTag, PathBuf)>) -> Result<Vec<LanguageFile>, CorpusError> {
    let mut files: Vec<LanguageFile> = Vec::new();
    for (tag, path) in &chosen {
        let same = |other: &LanguageTag| other.without_script() == tag.without_script();
        let several = chosen.iter().filter(|(other, _)| same(other)).count() > 1;
        let language = if several { tag.with_script() } else { tag.without_script() };
        let clash = files.iter().zip(&chosen).find(|(file, (other, _))| {
            let unscripted = other.with_script() == other.without_script();
            let bare = tag.with_script() == tag.without_script();
            file.language == language || (same(other) && (unscripted || bare))
        });
        if let Some((first, _)) = clash {
            let (first, second) = (first.path.clone(), path.clone());
            return Err(CorpusError::Twice { language: tag.without_script(), first, second });
        }
        files.push(LanguageFile { language, path: path.clone() });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(names: &[&str], wanted: &[&str]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "x\n").unwrap();
        }
        let pattern =
            Pattern::new(&format!("{}/{{language}}.txt", folder.path().display())).unwrap();
        let wanted: Vec<_> = wanted.iter().map(|code| code.parse().unwrap()).collect();
        let files = pattern.choose(&wanted).map_err(|error| error.to_string())?;
        let spell = |file: LanguageFile| {
            format!("{}:{}", file.language, file.path.file_stem().unwrap().display())
        };
        Ok(files.into_iter().map(spell).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn any_accepted_spelling_is_found_and_canonicalised() {
        for (names, wanted, expected) in [
            (&["eng_Latn.txt", "fr.txt", "notes.md"][..], &[][..], "eng:eng_Latn fra:fr"),
            (&["arb_Arab.txt", "cmn.txt"], &["zh", "ar"], "zho:cmn ara:arb_Arab"),
            (&["zho_Hans.txt", "zho_Hant.txt"], &[], "zho_Hans:zho_Hans zho_Hant:zho_Hant"),
            (&["zho_Hans.txt", "zho_Hant.txt"], &["zho_Hant"], "zho:zho_Hant"),
            (&["eng.txt", "rows.txt"], &["en"], "eng:eng"),
        ] {
            assert_eq!(choose(names, wanted).unwrap(), expected, "{names:?} {wanted:?}");
        }
    }

    #[test]
    fn mistakes_name_the_file_or_the_language() {
        for (names, wanted, part) in [
            (&["eng.txt", "rows.txt"][..], &[][..], "rows.txt"),
            (&["eng.txt", "en.txt"], &[], "twice"),
            (&["eng.txt", "eng_Latn.txt"], &[], "twice"),
            (&["eng.txt"], &["eng", "en"], "twice"),
            (&["zho_Hans.txt", "zho_Hant.txt"], &["zho"], "twice"),
            (&["zho.txt"], &["zho_Hant"], "zho_Hant has no file"),
            (&["eng.txt"], &["deu"], "deu has no file"),
            (&["eng.md"], &[], "no file matches"),
        ] {
            let error = choose(names, wanted).unwrap_err();
            assert!(error.contains(part), "{names:?} {wanted:?}: {error}");
        }
    }

    #[test]
    fn the_placeholder_may_stand_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("l-eng")).unwrap();
        fs::write(folder.path().join("l-eng/dev.jsonl"), "{}").unwrap();
        let text = format!("{}/l-{{language}}/dev.jsonl", folder.path().display());
        assert_eq!(Pattern::new(&text).unwrap().choose(&[]).unwrap().len(), 1);
        assert!(Pattern::new("a/b.txt").is_err() && Pattern::new("a/{language}.csv").is_err());
    }
}
