//! The corpus against the golden cases: what another implementation tokenizes, cuts and counts.

use std::path::{Path, PathBuf};

use babelquant_proto::{Batch, Document, Windows};
use serde_json::Value;

use super::{CorpusShape, TokenizedShard, Tokenizer};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/bloom"));
    let mut cases: Vec<PathBuf> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn document(index: usize, expected: &Value) -> Document {
    Document {
        index: index as u32,
        id: format!("document {index}"),
        group: String::new(),
        text: expected["text"].as_str().unwrap().to_owned(),
    }
}

#[test]
fn tokens_windows_and_extents_are_the_golden_ones() {
    let cases = cases();
    assert!(cases.len() >= 6);
    for case in cases {
        let (expected, config) =
            (read(&case.join("expected.json")), read(&case.join("config.json")));
        let number = |value: &Value| value.as_u64().unwrap() as u32;
        let goldens = expected["documents"].as_array().unwrap();
        let documents: Vec<Document> =
            goldens.iter().enumerate().map(|(i, d)| document(i, d)).collect();
        let shape = CorpusShape {
            windows: Windows {
                tokens: number(&expected["window"]),
                stride: number(&expected["stride"]),
            },
            batch: Batch { tokens: 100, head_rows: 64, head_columns: 64 },
            vocabulary: number(&config["vocab_size"]),
        };
        let tokenizer = Tokenizer::read(&case.join("tokenizer.json")).unwrap();
        let shard = TokenizedShard::new(&documents, &tokenizer, shape).unwrap();
        for (ours, golden) in shard.documents.iter().zip(goldens) {
            let ids: Vec<u32> =
                golden["token_ids"].as_array().unwrap().iter().map(number).collect();
            assert_eq!(ours.tokens.ids, ids);
            let cut =
                |window: &Value| ["start", "end", "score_from"].map(|key| number(&window[key]));
            let windows: Vec<[u32; 3]> =
                golden["windows"].as_array().unwrap().iter().map(cut).collect();
            assert_eq!(
                ours.windows.iter().map(|w| [w.start, w.end, w.score_from]).collect::<Vec<_>>(),
                windows
            );
            assert_eq!(ours.scored_tokens, golden["scored_tokens"].as_u64().unwrap());
            assert_eq!(ours.scored_bytes, golden["scored_bytes"].as_u64().unwrap());
            assert_eq!(ours.scored_chars, golden["scored_chars"].as_u64().unwrap());
        }
        let scored: u64 = shard.batches.iter().map(|batch| batch.scored.len() as u64).sum();
        assert_eq!(
            scored,
            shard.documents.iter().map(|document| document.scored_tokens).sum::<u64>()
        );
    }
}
