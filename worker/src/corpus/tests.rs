//! The corpus against the golden cases: what another implementation tokenizes, cuts and counts.

use std::path::{Path, PathBuf};

use babelquant_proto::{Batch, Document, Marks, Protocol, Windows};
use serde_json::{Value, json};

use super::{CorpusShape, TokenizedShard, Tokenizer, windows};

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

/// Documents d0, d1, … of these texts.
pub(super) fn documents(texts: &[&str]) -> Vec<Document> {
    let document = |(index, text): (usize, &&str)| Document {
        index: index as u32,
        id: format!("d{index}"),
        group: String::new(),
        text: (*text).to_owned(),
    };
    texts.iter().enumerate().map(document).collect()
}

/// A golden byte-level tokenizer with so many sentinels after its tokens, as mT5 numbers them, and its vocabulary's length.
pub(super) fn sentinel_tokenizer(sentinels: u32) -> (Tokenizer, u32) {
    let mut tokenizer = read(&cases()[0].join("tokenizer.json"));
    let ids = tokenizer["model"]["vocab"].as_object().unwrap().values();
    let end = ids.map(|id| id.as_u64().unwrap() as u32 + 1).max().unwrap() + sentinels;
    let added = tokenizer["added_tokens"].as_array_mut().unwrap();
    for number in (0..sentinels).rev() {
        added.push(json!({
            "id": end - 1 - number, "content": format!("<extra_id_{number}>"), "special": true, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false,
        }));
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    (Tokenizer::open(folder.path()).unwrap(), end)
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
        let texts: Vec<&str> = goldens.iter().map(|d| d["text"].as_str().unwrap()).collect();
        let shape = CorpusShape {
            protocol: Protocol::Causal { prefix: None, newline: None },
            windows: Windows {
                tokens: number(&expected["window"]),
                stride: number(&expected["stride"]),
            },
            batch: Batch { tokens: 100, head_rows: 64, head_columns: 64 },
            vocabulary: number(&config["vocab_size"]),
            seed: 0,
        };
        let tokenizer = Tokenizer::open(&case).unwrap();
        let shard = TokenizedShard::new(&documents(&texts), &tokenizer, shape).unwrap();
        for (ours, golden) in shard.documents.iter().zip(goldens) {
            let ids: Vec<u32> =
                golden["token_ids"].as_array().unwrap().iter().map(number).collect();
            assert_eq!(ours.tokens.ids, ids);
            let cut =
                |window: &Value| ["start", "end", "score_from"].map(|key| number(&window[key]));
            let golden_windows: Vec<[u32; 3]> =
                golden["windows"].as_array().unwrap().iter().map(cut).collect();
            let ours_cut = windows(ids.len() as u32, shape.windows);
            assert_eq!(
                ours_cut.iter().map(|w| [w.start, w.end, w.score_from]).collect::<Vec<_>>(),
                golden_windows
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

/// Rows of a document without padding, in the order of the batches: what encoder and decoder read, and the targets.
fn rows_of(shard: &TokenizedShard, document: usize) -> Vec<[Vec<u32>; 3]> {
    let mut found = Vec::new();
    for batch in &shard.batches {
        let source = batch.source.as_ref().unwrap();
        let rows = batch.examples.iter().zip(&source.lengths).enumerate();
        for (at, (row, &length)) in rows.filter(|(_, (row, _))| row.document == document) {
            let read = &source.ids[at * source.length..][..length as usize];
            let start = at * batch.length;
            let here = start as u32..(start + batch.length) as u32;
            let targets = batch.scored.iter().filter(|scored| here.contains(&scored.index));
            found.push([
                read.to_vec(),
                batch.ids[start..][..row.length as usize].to_vec(),
                targets.map(|scored| scored.target).collect(),
            ]);
        }
    }
    found
}

fn texts() -> Vec<String> {
    let mut texts = vec![String::new(), "a".to_owned(), "日本語".to_owned()];
    for words in [1, 2, 3, 9, 40, 100, 300] {
        let word =
            |index: u32| ["the ", "नमस्ते ", "that? ", "été "][(index * index % 7 % 4) as usize];
        texts.push((0..words).map(word).collect());
    }
    texts
}

fn restored(protocol: Protocol, documents: &[Document], seed: u64) -> TokenizedShard {
    let (tokenizer, vocabulary) = sentinel_tokenizer(100);
    let windows = Windows { tokens: 64, stride: 32 };
    let batch = Batch { tokens: 300, head_rows: 1, head_columns: 1 };
    let shape = CorpusShape { protocol, windows, batch, vocabulary, seed };
    TokenizedShard::new(documents, &tokenizer, shape).unwrap()
}

const MARKS: Marks = Marks { start: 3, end: 2 };
const MASKED: Protocol = Protocol::SpanCorruption { draws: 5, marks: MARKS };
const INFILL: Protocol = Protocol::PrefixInfill { marks: MARKS };

#[test]
fn sums_are_those_of_the_scored_tokens() {
    let texts = texts();
    let documents = documents(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    for protocol in [MASKED, INFILL] {
        let shard = restored(protocol, &documents, 0);
        let mut positions = vec![0; documents.len()];
        for scored in shard.batches.iter().flat_map(|batch| &batch.scored) {
            positions[scored.document] += 1;
        }
        for (document, &scored) in shard.documents.iter().zip(&positions) {
            let (bytes, chars) = document.tokens.extent_from(0);
            assert_eq!(document.scored_tokens, scored);
            assert_eq!(document.scored_tokens == 0, document.tokens.ids.len() < 2);
            let most = if protocol == MASKED { 5 } else { 1 };
            assert!(document.scored_bytes <= most * bytes && document.scored_chars <= most * chars);
        }
        assert!(positions.iter().sum::<u64>() > 500);
    }
}

#[test]
fn infilled_halves_are_the_document() {
    let texts = texts();
    let documents = documents(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let shard = restored(INFILL, &documents, 0);
    for (index, (document, text)) in shard.documents.iter().zip(&texts).enumerate() {
        let rows = rows_of(&shard, index);
        let read = rows.iter().flat_map(|[source, _, targets]| {
            source[..source.len() - 2].iter().chain(targets).copied().collect::<Vec<_>>()
        });
        let left_out = usize::from(document.tokens.ids.len() % 125 == 1);
        let (read, ids) = (read.collect::<Vec<_>>(), &document.tokens.ids);
        assert_eq!(read, ids[..ids.len() - left_out], "{text}");
        if rows.len() == 1 {
            let second = document.tokens.extent_from(ids.len() / 2);
            assert_eq!((document.scored_bytes, document.scored_chars), second);
        }
    }
}

#[test]
fn masks_do_not_depend_on_the_shard() {
    let texts = texts();
    let all = documents(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let shard = restored(MASKED, &all, 3);
    assert_eq!(shard, restored(MASKED, &all, 3));
    let mut reversed = all.clone();
    reversed.reverse();
    let backwards = restored(MASKED, &reversed, 3);
    let other_seed = restored(MASKED, &all, 4);
    for (index, document) in all.iter().enumerate() {
        let rows = rows_of(&shard, index);
        let moved = Document { index: 99, group: "g".to_owned(), ..document.clone() };
        assert_eq!(rows, rows_of(&restored(MASKED, &[moved], 3), 0));
        assert_eq!(rows, rows_of(&backwards, all.len() - 1 - index));
        // Up to 30 tokens there is one span, and it is always at the end.
        if shard.documents[index].tokens.ids.len() > 40 {
            assert_ne!(rows, rows_of(&other_seed, index));
            let renamed = Document { id: "another".to_owned(), ..document.clone() };
            assert_ne!(rows, rows_of(&restored(MASKED, &[renamed], 3), 0));
        }
    }
}
