//! Which files of a directory or of a repository are the model. Not their content.

use std::path::{Component, Path};

use super::{Model, ModelError, read_json};

/// What a model consists of: of each line the first file that is there.
const PARTS: [&[&str]; 3] =
    [&["config.json"], &["tokenizer.json", "spiece.model", "sentencepiece.bpe.model"], WEIGHTS];
const WEIGHTS: &[&str] = &[
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

impl Model {
    /// The files that make the model, relative to its directory: config, tokenizer and weights.
    ///
    /// # Errors
    /// One of the three is not there, or the index of a sharded model cannot be read or names a file elsewhere.
    pub fn file_names(directory: &Path) -> Result<Vec<String>, ModelError> {
        let [config, tokenizer, weights] =
            Self::choose_files(|name| directory.join(name).is_file())
                .map_err(|names| lacking(directory, names))?;
        let mut names = vec![config.to_owned(), tokenizer.to_owned(), weights.to_owned()];
        names.extend(Self::shards(directory, weights)?);
        Ok(names)
    }

    /// The weight files of the model, relative to its directory; the index of a sharded model comes first.
    ///
    /// # Errors
    /// There are no weights, or the index of a sharded model cannot be read or names a file elsewhere.
    pub fn weight_files(directory: &Path) -> Result<Vec<String>, ModelError> {
        let weights = first(WEIGHTS, &|name| directory.join(name).is_file())
            .map_err(|names| lacking(directory, names))?;
        let mut names = vec![weights.to_owned()];
        names.extend(Self::shards(directory, weights)?);
        Ok(names)
    }

    /// Config, tokenizer, and weights or their index, among the files that are `there`; else the names of which none is.
    pub(crate) fn choose_files(
        there: impl Fn(&str) -> bool,
    ) -> Result<[&'static str; 3], &'static [&'static str]> {
        let [config, tokenizer, weights] = PARTS.map(|names| first(names, &there));
        Ok([config?, tokenizer?, weights?])
    }

    /// The files that an index of `directory` names, sorted; none where `weights` is no index.
    pub(crate) fn shards(directory: &Path, weights: &str) -> Result<Vec<String>, ModelError> {
        if !weights.ends_with(".index.json") {
            return Ok(Vec::new());
        }
        let path = directory.join(weights);
        let index = read_json(&path)?;
        let map = index.get("weight_map").and_then(|map| map.as_object());
        let map = map.ok_or(ModelError::Missing { path: path.clone(), key: "weight_map" })?;
        let mut names = Vec::new();
        for (tensor, name) in map {
            let name = name.as_str().filter(|name| is_plain(name));
            names.push(name.map(str::to_owned).ok_or_else(|| ModelError::Config {
                path: path.clone(),
                reason: format!(
                    "weight_map puts {tensor:?} into {}; expected the plain name of a file beside the index",
                    map[tensor]
                ),
            })?);
        }
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Err(ModelError::Config { path, reason: "weight_map names no file".to_owned() });
        }
        Ok(names)
    }
}

fn first(
    names: &'static [&'static str],
    there: &impl Fn(&str) -> bool,
) -> Result<&'static str, &'static [&'static str]> {
    names.iter().copied().find(|name| there(name)).ok_or(names)
}

fn lacking(directory: &Path, names: &[&str]) -> ModelError {
    let path = directory.to_owned();
    if names == WEIGHTS {
        return ModelError::NoWeights { path };
    }
    let reason = match names {
        [name] => format!("holds no {name}"),
        _ => format!("holds none of {}", names.join(", ")),
    };
    ModelError::Config { path, reason }
}

/// True for the name of a file in the same folder, in characters that stand for themselves in an address.
fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(_)), None))
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !br"/\?#%".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(there: &[&str], expected: [&str; 3]) {
        assert_eq!(Model::choose_files(|name| there.contains(&name)), Ok(expected), "{there:?}");
    }

    #[test]
    fn safetensors_and_tokenizer_json_come_first_and_nothing_else_is_taken() {
        let all = [PARTS[0], PARTS[1], WEIGHTS].concat();
        check(&all, ["config.json", "tokenizer.json", "model.safetensors"]);
        let mt5 = ["config.json", "spiece.model", "tf_model.h5", "pytorch_model.bin"];
        check(&mt5, ["config.json", "spiece.model", "pytorch_model.bin"]);
        let xglm = ["config.json", "sentencepiece.bpe.model", "pytorch_model.bin.index.json"];
        check(&xglm, ["config.json", "sentencepiece.bpe.model", "pytorch_model.bin.index.json"]);
        let both = ["config.json", "tokenizer.json", "pytorch_model.bin", WEIGHTS[1]];
        check(&both, ["config.json", "tokenizer.json", "model.safetensors.index.json"]);
        let foreign =
            ["config.json", "tokenizer.json", "flax_model.msgpack", "consolidated.00.pth"];
        assert_eq!(Model::choose_files(|name| foreign.contains(&name)), Err(WEIGHTS));
        assert_eq!(Model::choose_files(|name| name == "config.json"), Err(PARTS[1]));
    }

    #[test]
    fn a_shard_lies_beside_its_index() {
        for name in ["model-00001-of-00002.safetensors", "a", "..a", "pytorch_model-1.bin"] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "/etc/passwd",
            "../a",
            "a/b",
            "a/",
            r"a\b",
            "a?b",
            "%2e%2e",
            "a b",
            "ä",
            "a\0",
        ] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
