//! Why a study cannot be run: each mistake with its file, its key or line, and its value. Not errors of a run.

use std::io;
use std::path::PathBuf;

use babelquant_proto::hub::HubError;
use babelquant_proto::quant::CheckpointName;
use babelquant_proto::{Language, ModelError, ParseError};
use thiserror::Error;

/// A mistake in a study, its models or its corpus.
#[derive(Debug, Error)]
pub enum StudyError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is no TOML.
    #[error("{file} is no TOML: {reason}")]
    Toml {
        /// The study file.
        file: String,
        /// What the parser says, with the line.
        reason: String,
    },
    /// A key that no study has.
    #[error("{file}: unknown key `{key}` in {section}: {hint}")]
    UnknownKey {
        /// The study file.
        file: String,
        /// The section, or the top level.
        section: String,
        /// The key.
        key: String,
        /// The nearest known key.
        hint: String,
    },
    /// A value that its key cannot have.
    #[error("{file}: {key} = {value}: {reason}")]
    Value {
        /// The study file.
        file: String,
        /// The key with its section.
        key: String,
        /// The value.
        value: String,
        /// Why not, and what is accepted.
        reason: String,
    },
    /// A key that every study needs.
    #[error("{file}: `{key}` is missing: give {expected}")]
    Missing {
        /// The study file.
        file: String,
        /// The key with its section.
        key: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// Two models of one name.
    #[error("two models are called {name}: give one of them another `name`")]
    ModelTwice {
        /// The name.
        name: String,
    },
    /// A directory that is no model.
    #[error("model {name}")]
    Model {
        /// The model's name.
        name: String,
        /// The cause.
        source: ModelError,
    },
    /// A path that holds no checkpoint.
    #[error("checkpoint {name}")]
    Checkpoint {
        /// The checkpoint's name.
        name: CheckpointName,
        /// The cause.
        source: ModelError,
    },
    /// A model that a hub does not give.
    #[error(
        "model {name}: there is no directory of that name, and the hub does not give {repository} at {revision}"
    )]
    Hub {
        /// The model's name.
        name: String,
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// The cause.
        source: Box<HubError>,
    },
    /// A choice of how a model reads a text that does not fit its family.
    #[error("model {model}: {key} = {value}: {reason}")]
    Reading {
        /// The model.
        model: String,
        /// The key of its entry.
        key: &'static str,
        /// The value.
        value: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A dtype that a model's activations do not fit into.
    #[error(
        "model {model}: dtype = f16: the activations of mT5's MLP do not fit into it; use bf16 or f32"
    )]
    Overflow {
        /// The model.
        model: String,
    },
    /// Windows that a model has no positions for.
    #[error(
        "model {model}: windows.tokens = {tokens} exceeds its table of {positions} positions: set windows.tokens to at most \
         {positions}, or leave it out"
    )]
    Positions {
        /// The model.
        model: String,
        /// Longest window, in tokens.
        tokens: u32,
        /// What its table has room for.
        positions: u32,
    },
    /// Windows that do not overlap.
    #[error(
        "windows.stride = {stride}: windows of {tokens} tokens overlap with strides below {tokens}, and by half with one of half \
         that: a token without context cannot be scored"
    )]
    Stride {
        /// Distance of the windows' starts, in tokens.
        stride: u32,
        /// Longest window, in tokens.
        tokens: u32,
    },
    /// A scope that a model has no layers for, or that stands for too many.
    #[error("scope {scope} does not fit model {model}: {reason}")]
    Scope {
        /// The scope, as the study spells it.
        scope: String,
        /// The model.
        model: String,
        /// Why.
        reason: String,
    },
    /// A config at a scope that changes no weight.
    #[error("config {config} at scope {scope} changes no weight of model {model}: {reason}")]
    EmptyScope {
        /// The config.
        config: String,
        /// The scope.
        scope: String,
        /// The model.
        model: String,
        /// Why.
        reason: String,
    },
    /// A hypothesis about something that the study does not measure.
    #[error("hypothesis {id}: {key} = {value}: {reason}")]
    Hypothesis {
        /// Its id.
        id: String,
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// Why not, and what is measured.
        reason: String,
    },
    /// The corpus is at fault.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The calibration text is at fault.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The spec cannot be written, which is a bug.
    #[error("the spec cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// A mistake in the calibration text.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// A calibrated config in a study without calibration text.
    #[error(
        "config {config} needs calibration text: add a section [calibration] with path = \"DIR/{{language}}.txt\", text that is not \
         evaluated"
    )]
    NoSection {
        /// The config.
        config: String,
    },
    /// More text than the message to a worker can take.
    #[error(
        "calibration.bytes = {bytes}: {sets} sets of that size are more than {bytes_max} bytes, which every worker is sent: lower it, \
         or name fewer calibration.languages"
    )]
    TooMuch {
        /// How many sets the configs name.
        sets: usize,
        /// The budget of each, in bytes.
        bytes: u64,
        /// What all sets together may have, in bytes.
        bytes_max: u64,
    },
    /// A file that does not fill its budget.
    #[error(
        "{path} holds {found} bytes of text, and a set needs {bytes} of it: all sets have one size, so lower calibration.bytes"
    )]
    TooLittle {
        /// The file.
        path: PathBuf,
        /// What it holds, in bytes.
        found: u64,
        /// What is needed of it, in bytes.
        bytes: u64,
    },
    /// Calibration text that is evaluated too.
    #[error(
        "{path}, document {id}: a line of it stands in document {other} of the evaluated corpus too: calibrate on held-out text"
    )]
    Evaluated {
        /// The calibration file.
        path: PathBuf,
        /// Its document.
        id: String,
        /// The evaluated document.
        other: String,
    },
    /// The path is no pattern, or a file cannot be used.
    #[error("calibration: {0}")]
    Corpus(#[from] CorpusError),
}

/// A mistake in the corpus.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// The path pattern is no pattern.
    #[error("corpus path {pattern:?}: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why not.
        reason: &'static str,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Nothing matches the pattern.
    #[error("no file matches corpus path {pattern:?}")]
    NoFiles {
        /// The pattern.
        pattern: String,
    },
    /// A file name that holds no language code.
    #[error("{path}: list the wanted `languages` to leave this file out")]
    UnknownLanguage {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ParseError,
    },
    /// A wanted language without a file.
    #[error("language {language} has no file: {pattern:?} matches {found}")]
    MissingLanguage {
        /// The language.
        language: Language,
        /// The pattern.
        pattern: String,
        /// The codes that there are.
        found: String,
    },
    /// Two files or two list entries for one language.
    #[error("language {language} is there twice, as {first} and {second}: keep one of them")]
    Twice {
        /// The language.
        language: Language,
        /// One file.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// A file without documents.
    #[error("{path} holds no document")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line that cannot be used.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// Why not.
        reason: String,
    },
}
