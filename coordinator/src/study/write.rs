//! Writes a study as the TOML that reads back as the same study, with absolute paths. Not the spec, which names no path.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{
    Analysis, CalibrationSource, CheckpointSource, CorpusSource, ModelSource, Place, Prefix, Study,
    WindowsChoice,
};

impl Study {
    /// The study as TOML: what was asked and every default that was filled in.
    pub fn to_toml(&self) -> String {
        let models = self.models.iter().map(ModelSource::to_value);
        let checkpoints = self.checkpoints.iter();
        let checkpoints = checkpoints.map(|source| (source.name.to_string(), source.to_value()));
        let mut metrics = vec!["nll", "top1"];
        metrics.extend(self.metrics.kl.then_some("kl"));
        let mut top = keys([
            ("name", self.name.as_str().into()),
            ("models", models.collect::<Vec<_>>().into()),
            ("dtype", format!("{:?}", self.dtype).to_lowercase().into()),
            ("components", spell(&self.components)),
            ("scopes", spell(&self.scopes)),
            ("configs", spell(&self.configs)),
            ("checkpoints", Value::Table(checkpoints.collect())),
            ("metrics", metrics.into()),
            ("seed", number(self.seed)),
            ("corpus", self.corpus.to_value()),
            ("windows", self.windows.to_value()),
            (
                "batch",
                table([
                    ("tokens", self.batch.tokens.into()),
                    ("head_rows", self.batch.head_rows.into()),
                    ("head_columns", self.batch.head_columns.into()),
                ]),
            ),
            ("analysis", self.analysis.to_value()),
        ]);
        if !self.hypotheses.is_empty() {
            let hypotheses = Value::try_from(&self.hypotheses);
            let hypotheses = hypotheses.expect("their fields are numbers and spellings");
            top.insert("hypothesis".to_owned(), hypotheses);
        }
        if let Some(calibration) = &self.calibration {
            top.insert("calibration".to_owned(), calibration.to_value());
        }
        top.to_string()
    }
}

impl ModelSource {
    fn to_value(&self) -> Value {
        let mut values = vec![("name", self.name.as_str().into())];
        match &self.place {
            Place::Directory(path) => values.push(("path", absolute(path))),
            Place::Hub(repository) => values.extend([
                ("model", repository.name.as_str().into()),
                ("revision", repository.revision.as_str().into()),
            ]),
        }
        let reading = self.reading;
        values.extend(reading.protocol.map(|kind| ("protocol", kind.to_string().into())));
        values.extend(reading.prefix.map(|prefix| match prefix {
            Prefix::Nothing => ("prefix", prefix.to_string().into()),
            Prefix::Token(token) => ("prefix", token.into()),
        }));
        values.extend(reading.draws.map(|draws| ("draws", draws.into())));
        table(values)
    }
}

impl CheckpointSource {
    fn to_value(&self) -> Value {
        let model = self.model.as_deref().map(|model| ("model", model.into()));
        table(std::iter::once(("path", absolute(&self.path))).chain(model))
    }
}

impl WindowsChoice {
    fn to_value(self) -> Value {
        let tokens = self.tokens.map(|tokens| ("tokens", tokens.into()));
        table(tokens.into_iter().chain(self.stride.map(|stride| ("stride", stride.into()))))
    }
}

impl CorpusSource {
    fn to_value(&self) -> Value {
        let mut values = vec![
            ("path", absolute(Path::new(&self.path))),
            ("shard_bytes", number(self.shard_bytes)),
        ];
        values.extend(self.groups.as_deref().map(|groups| ("groups", absolute(groups))));
        values.extend(self.documents.map(|documents| ("documents", documents.into())));
        if !self.languages.is_empty() {
            let languages = self.languages.iter().map(|tag| tag.with_script().to_string());
            values.push(("languages", languages.collect::<Vec<_>>().into()));
        }
        table(values)
    }
}

impl CalibrationSource {
    fn to_value(&self) -> Value {
        table([
            ("path", absolute(Path::new(&self.path))),
            ("languages", spell(&self.languages)),
            ("bytes", number(self.bytes)),
        ])
    }
}

impl Analysis {
    fn to_value(&self) -> Value {
        Value::try_from(self).expect("its fields are numbers and names, which TOML has")
    }
}

fn table<'a>(values: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Table(keys(values))
}

fn keys<'a>(values: impl IntoIterator<Item = (&'a str, Value)>) -> Table {
    values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn spell<T: ToString>(items: &[T]) -> Value {
    items.iter().map(T::to_string).collect::<Vec<_>>().into()
}

/// TOML's integers are signed: larger seeds than `i64::MAX` cannot be read from a study file either.
fn number(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn absolute(path: &Path) -> Value {
    let path = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    path.to_string_lossy().into_owned().into()
}
