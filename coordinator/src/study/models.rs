//! The models of a study: where each is and how it reads a text. Not what a model is made of (proto `model`).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use babelquant_proto::hub::{HubError, Snapshot};

use super::error::StudyError;

/// A model of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSource {
    /// Its name in tables.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// What the study says of how it reads a text; the rest follows from its family.
    pub reading: ReadingChoice,
}

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a directory.
    Directory(PathBuf),
    /// On a hub.
    Hub(Repository),
}

/// A model of a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// `owner/name`, or a bare name such as `gpt2`.
    pub name: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

/// Who brings a model of a hub to a directory.
pub type Fetch<'a> = &'a mut dyn FnMut(&Repository) -> Result<Snapshot, HubError>;

/// The revision that a hub shows unless it is asked for another.
const MAIN: &str = "main";

/// What a study may say of how a model reads a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadingChoice {
    /// The protocol.
    pub protocol: Option<ProtocolKind>,
    /// The token before every document.
    pub prefix: Option<Prefix>,
    /// Maskings of every document.
    pub draws: Option<u32>,
}

/// A protocol without its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolKind {
    /// A decoder is scored from the left.
    Causal,
    /// Masked spans are restored.
    SpanCorruption,
    /// The second half is scored after the first.
    PrefixInfill,
}

/// The token that a decoder reads before every document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// No token: the document's first one is not scored.
    Nothing,
    /// This token.
    Token(u32),
}

impl ModelSource {
    /// The model in the directory `path`, called by its last component.
    pub fn at(path: &Path) -> Self {
        let name = path.canonicalize().ok();
        let name = name.as_deref().unwrap_or(path).file_name();
        let name =
            name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned());
        Self { name, place: Place::Directory(path.to_owned()), reading: ReadingChoice::default() }
    }

    /// The model that `text` names: the directory of that name below `folder` if there is one, else the repository of a hub.
    ///
    /// # Errors
    /// It is neither: the reason says what was tried.
    pub fn named(text: &str, folder: &Path) -> Result<Self, String> {
        let path = folder.join(text);
        if path.is_dir() {
            return Ok(Self::at(&path));
        }
        if !is_repository(text) {
            return Err(format!(
                "there is no directory {}, and it is no repository of a hub: expected a directory that exists, or owner/name such \
                 as facebook/xglm-564M",
                path.display()
            ));
        }
        let name = text.rsplit('/').next().unwrap_or(text).to_owned();
        let repository = Repository { name: text.to_owned(), revision: MAIN.to_owned() };
        Ok(Self { name, place: Place::Hub(repository), reading: ReadingChoice::default() })
    }

    /// The same model at another revision.
    ///
    /// # Errors
    /// It is in a directory, which has no revisions.
    pub fn at_revision(mut self, revision: &str) -> Result<Self, String> {
        match &mut self.place {
            Place::Directory(path) => Err(format!(
                "{} is a directory, which has no revisions: leave the key out, or name a repository of a hub",
                path.display()
            )),
            Place::Hub(repository) => {
                revision.clone_into(&mut repository.revision);
                Ok(self)
            }
        }
    }
}

/// Refuses two models of one name.
pub(super) fn check_names(models: &[ModelSource]) -> Result<(), StudyError> {
    let twice = (1..models.len()).find(|&i| models[..i].iter().any(|m| m.name == models[i].name));
    twice.map_or(Ok(()), |i| Err(StudyError::ModelTwice { name: models[i].name.clone() }))
}

/// True for `owner/name` and a bare name, as hubs spell them.
fn is_repository(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_word = |word: &str| {
        let edge = |c: char| matches!(c, '-' | '.');
        !word.is_empty()
            && word.bytes().all(plain)
            && !word.starts_with(edge)
            && !word.ends_with(edge)
            && !word.contains("--")
            && !word.contains("..")
    };
    text.split('/').count() <= 2 && text.split('/').all(is_word)
}

impl ProtocolKind {
    const ALL: [Self; 3] = [Self::Causal, Self::SpanCorruption, Self::PrefixInfill];

    fn name(self) -> &'static str {
        match self {
            Self::Causal => "causal",
            Self::SpanCorruption => "span_corruption",
            Self::PrefixInfill => "prefix_infill",
        }
    }
}

impl fmt::Display for ProtocolKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ProtocolKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("known are {}", Self::ALL.map(Self::name).join(", ")))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Token(token) => token.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_directory_if_there_is_one_and_else_a_repository() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("owner/model")).unwrap();
        let named = |text: &str| ModelSource::named(text, folder.path()).unwrap();
        let here = Place::Directory(folder.path().join("owner/model"));
        assert_eq!(
            (named("owner/model").name.as_str(), named("owner/model").place),
            ("model", here)
        );
        for (text, name) in
            [("owner/other", "other"), ("gpt2", "gpt2"), ("facebook/xglm-1.7B", "xglm-1.7B")]
        {
            let revision = "main".to_owned();
            let place = Place::Hub(Repository { name: text.to_owned(), revision });
            assert_eq!((named(text).name.as_str(), named(text).place), (name, place));
        }
    }

    #[test]
    fn what_is_neither_says_both_readings() {
        for text in
            ["./m", "/m", "a/b/c", "../m", "", "a b", "~/m", "a/", ".m/x", "a--b/c", "a..b", "ä"]
        {
            let error = ModelSource::named(text, Path::new("/nowhere")).unwrap_err();
            assert!(error.contains("no directory /") && error.contains("owner/name"), "{error}");
        }
    }

    #[test]
    fn directories_have_no_revisions() {
        let error = ModelSource::at(Path::new("/m")).at_revision("main").unwrap_err();
        assert!(error.contains("/m is a directory"), "{error}");
        let model = ModelSource::named("a/b", Path::new("/nowhere")).unwrap();
        let Place::Hub(repository) = model.at_revision("step1").unwrap().place else { panic!() };
        assert_eq!(repository.revision, "step1");
    }
}
