//! The bundled demo: a small BLOOM checkpoint, a parallel corpus in 14 languages, and the study over them. In the binary, so
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
"#;

/// Writes model and corpus below `folder`.
pub(crate) fn unpack(folder: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    Ok(())
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
}
