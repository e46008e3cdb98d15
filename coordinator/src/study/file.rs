//! Reads a study file (TOML). Every key is known here and nowhere else; what is absent comes from `Study::sensible`.

use std::fs;
use std::path::{Path, PathBuf};

use babelquant_proto::{Batch, Dtype, Metrics};
use toml::Table;

use super::analysis_section;
use super::checkpoints;
use super::entries::models;
use super::error::StudyError;
use super::section::{Known, Section};
use super::{
    Analysis, CALIBRATION_BYTES, CalibrationSource, CorpusSource, Hypothesis, SetChoice, Study,
    WindowsChoice, calibration, hypothesis,
};

const TOP: Known = Known {
    name: "",
    keys: &[
        "name",
        "model",
        "models",
        "revision",
        "protocol",
        "prefix",
        "draws",
        "dtype",
        "components",
        "scopes",
        "configs",
        "checkpoints",
        "metrics",
        "seed",
        "corpus",
        "calibration",
        "windows",
        "batch",
        "analysis",
        "hypothesis",
    ],
};
const CORPUS: Known =
    Known { name: "corpus", keys: &["path", "groups", "languages", "documents", "shard_bytes"] };
const CALIBRATION: Known = Known { name: "calibration", keys: &["path", "languages", "bytes"] };
const WINDOWS: Known = Known { name: "windows", keys: &["tokens", "stride"] };
const BATCH: Known = Known { name: "batch", keys: &["tokens", "head_rows", "head_columns"] };
const ALL: &[Known] =
    &[TOP, CORPUS, CALIBRATION, WINDOWS, BATCH, analysis_section::KNOWN, hypothesis::KNOWN];

impl Study {
    /// Reads the study file at `path`; relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// The file is unreadable, or a key or value in it is wrong.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| StudyError::Read { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &path.display().to_string(), folder)
    }

    /// Reads the text of a study file called `file`; relative paths in it are relative to `folder`.
    ///
    /// # Errors
    /// A key or value is wrong.
    pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Self, StudyError> {
        let mut top = top(text, file)?;
        let models = models(&mut top, file, folder)?;
        let mut section = top.section(CORPUS, ALL)?;
        let path: Option<String> = section.take("path")?;
        let path =
            path.ok_or_else(|| section.missing("path", "a path such as corpus/{language}.txt"))?;
        let pattern = folder.join(path).to_string_lossy().into_owned();
        let sensible = Self::sensible(models, pattern);
        let mut study = sensible.map_err(|error| top.wrong("configs", &"default", error))?;
        corpus(&mut section, &mut study.corpus, folder)?;
        study.calibration = calibration(&mut top, folder)?;
        study.windows = windows(&mut top.section(WINDOWS, ALL)?)?;
        study.batch = batch(&mut top.section(BATCH, ALL)?, study.batch)?;
        study.analysis = analysis_section::read(&mut top, ALL, folder)?;
        study.hypotheses = hypothesis::read(&mut top, file, ALL)?;
        set(&mut study.name, top.take("name")?);
        set(&mut study.dtype, top.take::<Dtype>("dtype")?);
        set(&mut study.components, top.spellings("components")?);
        set(&mut study.scopes, top.spellings("scopes")?);
        let texts = top.spellings("configs")?;
        let named = checkpoints::read(&mut top, (file, folder), texts, &study.models)?;
        set(&mut study.configs, named.configs);
        study.checkpoints = named.checkpoints;
        set(&mut study.seed, top.take("seed")?);
        set(&mut study.metrics, metrics(&mut top)?);
        Ok(study)
    }

    /// Reads only the analysis and the hypotheses of a study file's text: the report needs no model and no corpus. A relative path in it is
    /// relative to `folder`.
    ///
    /// # Errors
    /// A key of the file, or a value of its `[analysis]` or `[[hypothesis]]`, is wrong.
    pub fn parse_analysis(
        text: &str,
        file: &str,
        folder: &Path,
    ) -> Result<(Analysis, Vec<Hypothesis>), StudyError> {
        let mut top = top(text, file)?;
        let analysis = analysis_section::read(&mut top, ALL, folder)?;
        Ok((analysis, hypothesis::read(&mut top, file, ALL)?))
    }
}

fn top<'a>(text: &str, file: &'a str) -> Result<Section<'a>, StudyError> {
    let table = text.parse::<Table>().map_err(|error| StudyError::Toml {
        file: file.to_owned(),
        reason: error.to_string().trim_end().to_owned(),
    })?;
    Section::new(file, TOP, table, ALL)
}

/// Takes the place of a default where there is a value.
pub(super) fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

fn corpus(
    section: &mut Section<'_>,
    corpus: &mut CorpusSource,
    folder: &Path,
) -> Result<(), StudyError> {
    corpus.groups = section.take::<PathBuf>("groups")?.map(|path| folder.join(path));
    set(&mut corpus.languages, section.spellings("languages")?);
    corpus.documents = section.positive("documents")?;
    set(&mut corpus.shard_bytes, section.positive("shard_bytes")?);
    Ok(())
}

fn calibration(
    top: &mut Section<'_>,
    folder: &Path,
) -> Result<Option<CalibrationSource>, StudyError> {
    if !top.has(CALIBRATION.name) {
        return Ok(None);
    }
    let mut section = top.section(CALIBRATION, ALL)?;
    let path: Option<String> = section.take("path")?;
    let path =
        path.ok_or_else(|| section.missing("path", "a path such as held-out/{language}.txt"))?;
    let bytes = section.positive("bytes")?.unwrap_or(CALIBRATION_BYTES);
    if bytes > calibration::BYTES_MAX {
        let reason = format!("a set has at most {} bytes", calibration::BYTES_MAX);
        return Err(section.wrong("bytes", &bytes, reason));
    }
    Ok(Some(CalibrationSource {
        path: folder.join(path).to_string_lossy().into_owned(),
        languages: section.spellings("languages")?.unwrap_or_else(|| vec![SetChoice::Mix]),
        bytes,
    }))
}

fn windows(section: &mut Section<'_>) -> Result<WindowsChoice, StudyError> {
    let (tokens, stride) = (section.positive("tokens")?, section.positive("stride")?);
    if tokens == Some(1) {
        return Err(section.wrong("tokens", &1, "a window of one token scores nothing"));
    }
    match (tokens, stride) {
        (Some(tokens), Some(stride)) if stride >= tokens => {
            Err(StudyError::Stride { stride, tokens })
        }
        (tokens, stride) => Ok(WindowsChoice { tokens, stride }),
    }
}

fn batch(section: &mut Section<'_>, default: Batch) -> Result<Batch, StudyError> {
    Ok(Batch {
        tokens: section.positive("tokens")?.unwrap_or(default.tokens),
        head_rows: section.positive("head_rows")?.unwrap_or(default.head_rows),
        head_columns: section.positive("head_columns")?.unwrap_or(default.head_columns),
    })
}

/// NLL and top-1 are always measured; naming them is allowed, so that a study file can say what it gets.
fn metrics(top: &mut Section<'_>) -> Result<Option<Metrics>, StudyError> {
    let Some(names) = top.take::<Vec<String>>("metrics")? else { return Ok(None) };
    match names.iter().find(|name| !["nll", "top1", "kl"].contains(&name.as_str())) {
        Some(name) => Err(top.wrong("metrics", name, "known are nll, top1 and kl")),
        None => Ok(Some(Metrics { kl: names.iter().any(|name| name == "kl") })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::{ModelSource, Place};

    const MINIMAL: &str = "models = ['m']\ncorpus.path = 'c/{language}.txt'\n";

    fn parse(text: &str) -> Result<Study, String> {
        Study::parse(text, "s.toml", Path::new("/base")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_minimal_study_is_the_sensible_one() {
        let study = parse(MINIMAL).unwrap();
        let models = vec![ModelSource::named("m", Path::new("/base")).unwrap()];
        assert_eq!(study, Study::sensible(models, "/base/c/{language}.txt".to_owned()).unwrap());
    }

    #[test]
    fn a_study_round_trips_through_its_own_text() {
        let full = "name = 'n'\nmodels = [{ name = 'a', path = '/m' }, 'o/k', { model = 'EleutherAI/pythia', \
             revision = 'step1', prefix = 'none', protocol = 'causal' }, { model = 'gpt2', prefix = 0 }, \
             { model = 'google/mt5-small', draws = 2, protocol = 'span_corruption' }]\ndtype = 'bf16'\n\
             components = ['mlp', 'attn.q+attn.k']\nscopes = ['all', 'each', 'all-but(each)', 'only(0..3)', 'prefix(2)', \
             'all-but(random(2,1..9))', 'combinations(2)']\n\
             configs = ['none', 'int4-asym-group128', 'gptq-int4-channel', 'awq-int4-channel@mix', 'checkpoint:q4']\n\
             checkpoints.q4 = { path = 'k.Q4_0.gguf', model = 'k' }\nmetrics = ['nll']\nseed = 7\n\
             [corpus]\npath = 'c/{language}.jsonl'\ngroups = 'g.tsv'\nlanguages = ['en', 'zho_Hant']\n\
             documents = 10\nshard_bytes = 1000\n[windows]\ntokens = 64\nstride = 16\n\
             [calibration]\npath = 'h/{language}.txt'\nlanguages = ['en', 'each', 'mix']\n\
             bytes = 999\n[batch]\ntokens = 128\n[analysis]\nconfidence = 0.9\nmargin = 0.01\npredictors = ['fertility']\n\
             resource = 'mine'\n[analysis.covariates.xho]\nscript = 'Latn'\nvolumes.mine = 3.5\n\
             [[hypothesis]]\nid = 'b'\nclaim = 'partial(fertility, kl | latin) > 0.1'\nalpha = 0.01\n\
             correction = 'bh'\neffect = 0.3\nmodel = 'a'\nscope = 'prefix(2)'\ncomponents = 'mlp'\n\
             config = 'int4-asym-group128'\n[[hypothesis]]\nid = 'a'\n\
             claim = 'pearson(weighted_kurtosis, delta_nll) < 0'\n";
        for text in [MINIMAL, full] {
            let study = parse(text).unwrap();
            assert_eq!(parse(&study.to_toml()).unwrap(), study, "{}", study.to_toml());
        }
    }

    #[test]
    fn one_model_has_its_keys_at_the_top_level() {
        let study =
            parse("model = 'o/m'\nrevision = 'r'\nprefix = 3\ncorpus.path = 'c/{language}.txt'")
                .unwrap();
        let listed = parse(
            "models = [{ model = 'o/m', revision = 'r', prefix = 3 }]\ncorpus.path = 'c/{language}.txt'",
        );
        assert_eq!(study, listed.unwrap());
        let Place::Hub(repository) = &study.models[0].place else { panic!() };
        assert_eq!((repository.name.as_str(), repository.revision.as_str()), ("o/m", "r"));
    }

    #[test]
    fn every_mistake_names_file_key_and_value() {
        for (text, parts) in [
            ("models = [", &["s.toml", "line 1"][..]),
            ("corpus.path = 'x'", &["`model` is missing", "owner/name"]),
            ("models = ['m']", &["`corpus.path` is missing"]),
            ("models = []\n", &["models = []", "expected a model", "a list"]),
            ("model = 'm'\nmodels = ['m']", &["model = \"m\"", "keep one of them"]),
            ("model = './m'", &["model = ./m", "no directory /base/./m", "no repository"]),
            ("models = ['/m']", &["models = /m", "no directory /m", "no repository"]),
            ("models = ['m']\nrevision = 'x'", &["revision = \"x\"", "into the model's entry"]),
            ("models = [{ path = 'm', revision = 'x' }]", &["models.revision = x", "a directory"]),
            ("models = [{ path = 'm', model = 'm' }]", &["models.path = m", "keep one"]),
            ("models = [{ name = 'm' }]", &["`models.model` is missing"]),
            ("model = 'm'\nprefix = -1", &["prefix = -1", "\"none\""]),
            ("model = 'm'\nprotocol = 'x'", &["protocol = x", "span_corruption"]),
            ("model = 'm'\ndraws = 0", &["draws = 0", "at least 1"]),
            ("models = [{ pth = 'm' }]", &["`pth` in [models]", "did you mean `path`?"]),
            ("models = ['a/m', 'b/m']", &["two models are called m"]),
            (
                "MINIMAL stride = 3",
                &["unknown key `stride` in the top level", "belongs to [windows]"],
            ),
            ("MINIMAL congifs = ['int4-channel']", &["`congifs`", "did you mean `configs`?"]),
            ("MINIMAL zzz = 1", &["`zzz`", "known are name, model"]),
            ("MINIMAL windows.strid = 3", &["`strid` in [windows]", "did you mean `stride`?"]),
            (
                "MINIMAL windows.stride = 30\nwindows.tokens = 30",
                &["windows.stride = 30", "of 30 tokens"],
            ),
            ("MINIMAL windows.tokens = 1", &["windows.tokens = 1", "scores nothing"]),
            ("MINIMAL windows.tokens = 'x'", &["windows.tokens = \"x\"", "u32"]),
            ("MINIMAL windows = 3", &["windows = 3", "expected a section"]),
            ("MINIMAL batch.tokens = 0", &["batch.tokens = 0", "at least 1"]),
            ("MINIMAL configs = ['int9-channel']", &["configs = int9-channel", "B 2 to 8"]),
            ("MINIMAL scopes = 'some'", &["scopes = some", "all, only(SET)"]),
            ("MINIMAL scopes = []", &["scopes = []", "at least one"]),
            ("MINIMAL dtype = 'f8'", &["dtype = \"f8\"", "f32"]),
            ("MINIMAL metrics = ['acc']", &["metrics = acc", "nll, top1 and kl"]),
            (
                "MINIMAL corpus.languages = ['english']",
                &["corpus.languages = english", "ISO 639-3"],
            ),
            (
                "MINIMAL analysis.predictors = ['x']",
                &["analysis.predictors", "unknown variant `x`"],
            ),
            ("MINIMAL analysis.confidence = 95", &["analysis.confidence = 95", "between 0 and 1"]),
            ("MINIMAL analysis.covariates = 3", &["analysis.covariates = 3"]),
            ("MINIMAL analysis.covariates = 'no.csv'", &["cannot read /base/no.csv"]),
            ("MINIMAL analysis.resource = 'x'", &["analysis.resource = x", "roots_bytes"]),
            ("MINIMAL analysis.margin = 0", &["analysis.margin = 0", "between 0 and 1"]),
        ] {
            check(text, parts);
        }
    }

    #[test]
    fn every_mistake_about_calibration_names_its_key() {
        for (text, parts) in [
            ("MINIMAL calibration.bytes = 9", &["`calibration.path` is missing"][..]),
            (
                "MINIMAL calibration = { path = 'x', bytes = 9999999 }",
                &["calibration.bytes = 9999999", "at most 1048576"],
            ),
            (
                "MINIMAL calibration = { path = 'x', languages = ['every'] }",
                &["calibration.languages = every"],
            ),
        ] {
            check(text, parts);
        }
    }

    #[track_caller]
    fn check(text: &str, parts: &[&str]) {
        let error = parse(&text.replace("MINIMAL ", MINIMAL)).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
