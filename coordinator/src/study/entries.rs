//! The models of a study file: `model`, `models` and the entries of the list. Not the models themselves (`models`).

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::StudyError;
use super::models::{ModelSource, Prefix, ReadingChoice, check_names};
use super::section::{Known, Section};

const MODEL: Known = Known {
    name: "models",
    keys: &["name", "model", "path", "revision", "protocol", "prefix", "draws"],
};
/// The keys of an entry that the top level has too, for a study of one model.
const BESIDE_MODEL: [&str; 4] = ["revision", "protocol", "prefix", "draws"];
const EXPECTED: &str = "a model (a directory, or owner/name on a hub), or a list of models, or of { name = …, model = … }";

/// The models that the top level of `file` names; directories are relative to `folder`.
pub(super) fn models(
    top: &mut Section<'_>,
    file: &str,
    folder: &Path,
) -> Result<Vec<ModelSource>, StudyError> {
    let models = match (top.take::<Value>("model")?, top.take::<Value>("models")?) {
        (None, None) => return Err(top.missing("model", EXPECTED)),
        (Some(value), Some(_)) => {
            return Err(top.wrong("model", &value, "there is `models` too: keep one of them"));
        }
        (Some(Value::String(text)), None) | (None, Some(Value::String(text))) => {
            vec![read(top, ModelSource::named(&text, folder), ("model", &text))?]
        }
        (Some(Value::Table(table)), None) => vec![entry(file, folder, table)?],
        (None, Some(Value::Array(entries))) if !entries.is_empty() => {
            let entries = entries.into_iter();
            entries.map(|value| listed(top, value, file, folder)).collect::<Result<_, _>>()?
        }
        (Some(value), None) => return Err(wrong(top, "model", &value)),
        (None, Some(value)) => return Err(wrong(top, "models", &value)),
    };
    if let Some(key) = BESIDE_MODEL.into_iter().find(|key| top.has(key)) {
        let value = top.take::<Value>(key)?.unwrap_or(Value::Boolean(true));
        let reason = "at the top level it goes with `model = \"…\"`: put it into the model's entry, { model = \"…\", … }";
        return Err(top.wrong(key, &value, reason));
    }
    check_names(&models)?;
    Ok(models)
}

fn wrong(top: &Section<'_>, key: &str, value: &Value) -> StudyError {
    top.wrong(key, value, format!("expected {EXPECTED}"))
}

fn listed(
    top: &Section<'_>,
    value: Value,
    file: &str,
    folder: &Path,
) -> Result<ModelSource, StudyError> {
    match value {
        Value::String(text) => {
            ModelSource::named(&text, folder).map_err(|reason| top.wrong("models", &text, reason))
        }
        Value::Table(table) => entry(file, folder, table),
        value => Err(wrong(top, "models", &value)),
    }
}

fn entry(file: &str, folder: &Path, table: Table) -> Result<ModelSource, StudyError> {
    let mut entry = Section::new(file, MODEL, table, &[])?;
    let (path, model) = (entry.take::<PathBuf>("path")?, entry.take::<String>("model")?);
    let name = entry.take::<String>("name")?;
    let (found, key, text) = match (path, model) {
        (Some(path), None) => {
            let text = path.display().to_string();
            (Ok(ModelSource::at(&folder.join(path))), "path", text)
        }
        (None, Some(text)) => (ModelSource::named(&text, folder), "model", text),
        (Some(path), Some(_)) => {
            let reason = "there is `model` too: keep one of them";
            return Err(entry.wrong("path", &path.display(), reason));
        }
        (None, None) => {
            return Err(entry.missing("model", "a directory, or owner/name on a hub"));
        }
    };
    let source = read(&mut entry, found, (key, &text))?;
    Ok(ModelSource { name: name.unwrap_or(source.name), ..source })
}

/// The model with what the keys beside it say.
fn read(
    section: &mut Section<'_>,
    found: Result<ModelSource, String>,
    (key, text): (&str, &str),
) -> Result<ModelSource, StudyError> {
    let mut source = found.map_err(|reason| section.wrong(key, &text, reason))?;
    if let Some(revision) = section.take::<String>("revision")? {
        let moved = source.at_revision(&revision);
        source = moved.map_err(|reason| section.wrong("revision", &revision, reason))?;
    }
    let protocol = section.take::<String>("protocol")?.map(|name| {
        name.parse().map_err(|reason: String| section.wrong("protocol", &name, reason))
    });
    let prefix = section.take::<Value>("prefix")?.map(|value| {
        let reason = "expected \"none\", or the number of a token";
        prefix(&value).ok_or_else(|| section.wrong("prefix", &value, reason))
    });
    let (protocol, prefix) = (protocol.transpose()?, prefix.transpose()?);
    let reading = ReadingChoice { protocol, prefix, draws: section.positive("draws")? };
    Ok(ModelSource { reading, ..source })
}

fn prefix(value: &Value) -> Option<Prefix> {
    match value {
        Value::String(text) if text == "none" => Some(Prefix::Nothing),
        Value::Integer(token) => u32::try_from(*token).ok().map(Prefix::Token),
        _ => None,
    }
}
