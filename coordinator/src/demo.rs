//! The bundled demo: a small BLOOM checkpoint, a parallel corpus in 14 languages, and the studies over them. In the binary, so
//! that it runs from any folder without a network.

use std::fs;
use std::io;
use std::path::Path;

/// Names a bundled file and its content.
macro_rules! bundled {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!("../demo/", $name)).as_slice())),+]
    };
}

const FILES: [(&str, &[u8]); 18] = bundled![
    "model/config.json",
    "model/model.safetensors",
    "model/tokenizer.json",
    "corpus/groups.tsv",
    "corpus/ara.txt",
    "corpus/deu.txt",
    "corpus/eng.txt",
    "corpus/fin.txt",
    "corpus/fra.txt",
    "corpus/heb.txt",
    "corpus/hin.txt",
    "corpus/jpn.txt",
    "corpus/kor.txt",
    "corpus/rus.txt",
    "corpus/tha.txt",
    "corpus/tur.txt",
    "corpus/vie.txt",
    "corpus/zho.txt",
];

/// The whole model and each layer alone, under a mild, a harsh and a very harsh config.
pub(crate) const STUDY: &str = r#"name = "demo"
models = [{ name = "demo", path = "model" }]
scopes = ["all", "only(each)"]
configs = ["int4-channel", "int3-channel", "int2-group32"]
metrics = ["nll", "top1", "kl"]

[corpus]
path = "corpus/{language}.txt"
groups = "corpus/groups.tsv"

# What the earlier study found, and its rival: languages cut into more tokens suffer more.
[[hypothesis]]
id = "kurtosis-protects"
claim = "pearson(weighted_kurtosis, delta_nll) < 0"
scope = "all"

[[hypothesis]]
id = "fertility-harms"
claim = "spearman(fertility, delta_nll) > 0"
scope = "all"
"#;

/// Forty configs on the whole model.
pub(crate) const QUANTIZERS: &str = include_str!("../demo/quantizers.toml");

/// Lines of each language that `QUANTIZERS` evaluates: up to the end of a subject. Those behind them are for calibration.
const EVALUATED_LINES: usize = 48;

/// Writes model, corpus and calibration text below `folder`. What is there already stays untouched: somebody may be reading it.
pub(crate) fn unpack(folder: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        write(&folder.join(name), content)?;
        if let Some(language) = name.strip_prefix("corpus/").filter(|name| name.ends_with(".txt")) {
            let lines = content.split_inclusive(|&byte| byte == b'\n').skip(EVALUATED_LINES);
            let held_out = lines.collect::<Vec<_>>().concat();
            write(&folder.join("calibration").join(language), &held_out)?;
        }
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Study;

    #[test]
    fn the_demo_is_a_valid_study_of_14_languages() {
        let folder = tempfile::tempdir().unwrap();
        unpack(folder.path()).unwrap();
        let study = Study::parse(STUDY, "demo", folder.path()).unwrap();
        let spec = study.resolve(&mut crate::study::no_hub).unwrap().spec;
        assert_eq!(spec.corpus.len(), 14);
        let documents: Vec<u32> =
            spec.corpus.iter().map(|l| l.shards.iter().map(|s| s.documents).sum()).collect();
        assert!(documents.iter().all(|&documents| documents >= 64), "{documents:?}");
        assert_eq!(spec.models[0].cells.len(), 3 + 7 * 3);
    }

    #[test]
    fn forty_quantizers_are_a_valid_study_on_held_out_calibration_text() {
        let folder = tempfile::tempdir().unwrap();
        unpack(folder.path()).unwrap();
        let study = Study::parse(QUANTIZERS, "demo", folder.path()).unwrap();
        assert_eq!(study.configs.len(), 40);
        let spec = study.resolve(&mut crate::study::no_hub).unwrap().spec;
        assert_eq!(spec.models[0].cells.len(), 3 + 40);
        let documents = |corpus: &babelquant_proto::LanguageCorpus| -> u32 {
            corpus.shards.iter().map(|shard| shard.documents).sum()
        };
        assert!(spec.corpus.iter().all(|corpus| documents(corpus) as usize == EVALUATED_LINES));
        assert_eq!(spec.calibration.len(), 1);
        let bytes: usize = spec.calibration[0].texts.iter().map(String::len).sum();
        assert!(bytes > 19_000, "{bytes}");
    }
}
