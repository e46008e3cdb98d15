//! Tokenizers of every published kind against what `transformers` makes of the same files and texts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use babelquant_worker::corpus::{LineBreaks, Tokenizer, Tokens};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::golden::{folder, json};

/// The kinds and the folders of their tokenizer files; BLOOM's is the demo's.
fn kinds() -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(folder().join("tokenizers")).unwrap().map(|entry| entry.unwrap());
    let kinds: BTreeMap<String, PathBuf> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .map(|(kind, path)| match kind.as_str() {
            "bloom" => (kind, demo().join("model")),
            _ => (kind, path),
        })
        .collect();
    assert!(kinds.len() >= 13, "{kinds:?}");
    kinds
}

fn demo() -> PathBuf {
    folder().join("../../coordinator/demo")
}

fn golden(kind: &str) -> Value {
    json(&folder().join("tokenizers").join(kind).join("expected.json"))
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    text.split('\n').filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn encode(tokenizer: &Tokenizer, text: &str) -> Tokens {
    let tokens = tokenizer.encode(text, "text").unwrap();
    assert_covered(&tokens, text);
    tokens
}

#[track_caller]
fn assert_covered(tokens: &Tokens, text: &str) {
    assert_eq!(tokens.ids.len(), tokens.extents.len());
    if !tokens.ids.is_empty() {
        let whole = (text.len() as u64, text.chars().count() as u64);
        assert_eq!(tokens.extent_from(0), whole, "{text:?}");
    }
}

/// All bytes of the tokens, then all characters.
fn extents(tokens: &Tokens) -> Vec<u32> {
    let bytes = tokens.extents.iter().map(|extent| extent.bytes);
    bytes.chain(tokens.extents.iter().map(|extent| extent.chars)).collect()
}

/// The first letters of the SHA-256 over little-endian u32.
fn digest(numbers: &[u32], letters: usize) -> String {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..letters].to_owned()
}

fn integers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as u32).collect()
}

/// Compares with `{"ids": …, "bytes": …, "chars": …}`, the last two absent where the reference knows no extents.
#[track_caller]
fn check(tokens: &Tokens, expected: &Value, what: &str) {
    assert_eq!(tokens.ids, integers(&expected["ids"]), "ids of {what}");
    if expected.get("bytes").is_some() {
        let mut numbers = integers(&expected["bytes"]);
        numbers.extend(integers(&expected["chars"]));
        assert_eq!(extents(tokens), numbers, "extents of {what}, ids {:?}", tokens.ids);
    }
}

#[test]
fn every_line_of_the_demo_has_the_ids_and_extents_of_transformers() {
    let mut compared = 0;
    for (kind, path) in kinds() {
        let tokenizer = Tokenizer::open(&path).unwrap();
        for (language, expected) in golden(&kind)["demo"].as_object().unwrap() {
            let lines = lines(&demo().join(format!("corpus/{language}.txt")));
            let letters =
                |key: &str| expected.get(key).map(|text| text.as_str().unwrap().split(' '));
            let ids: Vec<&str> = letters("ids").unwrap().collect();
            assert_eq!(ids.len(), lines.len());
            let spans: Option<Vec<&str>> = letters("extents").map(Iterator::collect);
            for (n, line) in lines.iter().enumerate() {
                let tokens = encode(&tokenizer, line);
                let what = format!("{kind}, {language} line {n}: {line:?} is {tokens:?}");
                assert_eq!(digest(&tokens.ids, 8), ids[n], "ids of {what}");
                if let Some(spans) = &spans {
                    assert_eq!(digest(&extents(&tokens), 8), spans[n], "extents of {what}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared >= 13 * 14 * 70, "{compared}");
}

#[test]
fn odd_texts_have_the_ids_and_extents_of_transformers() {
    let texts = json(&folder().join("tokenizers/texts.json"));
    for (kind, path) in kinds() {
        let tokenizer = Tokenizer::open(&path).unwrap();
        let golden = golden(&kind);
        let expected = golden["texts"].as_array().unwrap();
        let texts = texts.as_array().unwrap();
        assert_eq!(expected.len(), texts.len());
        for (text, expected) in texts.iter().zip(expected) {
            let tokens = encode(&tokenizer, text.as_str().unwrap());
            if !expected.is_null() {
                check(&tokens, expected, &format!("{text} under {kind}"));
            }
        }
    }
}

#[test]
fn a_line_break_becomes_the_token_that_ended_lines_in_training() {
    let expected = &golden("xglm")["lines"];
    let tokenizer = Tokenizer::open(&kinds()["xglm"]).unwrap();
    let newline = LineBreaks::Token(expected["newline"].as_u64().unwrap() as u32);
    assert_eq!(newline, LineBreaks::Token(tokenizer.id("</s>").unwrap()));
    let text = expected["text"].as_str().unwrap();
    let tokens = tokenizer.encode_lines(text, newline, "text").unwrap();
    check(&tokens, expected, "lines");
    let windows = text.replace('\n', "\r\n");
    let carriage = tokenizer.encode_lines(&windows, newline, "text").unwrap();
    assert_eq!(carriage.ids, tokens.ids);
    assert_covered(&carriage, &windows);
}

#[test]
fn every_text_is_covered_where_line_breaks_are_tokens() {
    let texts = json(&folder().join("tokenizers/texts.json"));
    for path in kinds().values() {
        let tokenizer = Tokenizer::open(path).unwrap();
        for text in texts.as_array().unwrap() {
            let text = format!("{0}\n{0}\r\n \n\n{0}", text.as_str().unwrap());
            let tokens = tokenizer.encode_lines(&text, LineBreaks::Token(2), "text").unwrap();
            assert_covered(&tokens, &text);
        }
    }
}

#[test]
fn sentinels_count_down_from_the_end_of_the_vocabulary() {
    for (kind, last) in [("mt5", 1499), ("t5", 699)] {
        let tokenizer = Tokenizer::open(&kinds()[kind]).unwrap();
        let ids: Vec<Option<u32>> = (0..101).map(|n| tokenizer.sentinel(n)).collect();
        let expected: Vec<Option<u32>> = (0..100).map(|n| Some(last - n)).chain([None]).collect();
        assert_eq!(ids, expected, "{kind}");
    }
    let xglm = Tokenizer::open(&kinds()["xglm"]).unwrap();
    assert_eq!(xglm.sentinel(0), None);
    let special = ["<s>", "<pad>", "</s>", "<unk>", "<madeupword0>", "<madeupword6>"];
    let ids = [0, 1, 2, 3, 1501, 1507].map(Some);
    assert_eq!(special.map(|token| xglm.id(token)), ids);
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn every_line_of_the_udhr_has_the_ids_and_extents_of_transformers() {
    let Some(texts) = std::env::var_os("BABELQUANT_UDHR").map(PathBuf::from) else {
        eprintln!("SKIPPED: set BABELQUANT_UDHR to a folder of UDHR texts, <language>.txt");
        return;
    };
    let golden = json(&folder().join("tokenizers/udhr.json"));
    let mut languages = 0;
    for (kind, path) in kinds() {
        let tokenizer = Tokenizer::open(&path).unwrap();
        for (language, expected) in golden[&kind].as_object().unwrap() {
            let (mut ids, mut spans) = (Vec::new(), Vec::new());
            for line in lines(&texts.join(format!("{language}.txt"))) {
                let tokens = encode(&tokenizer, &line);
                ids.extend(tokens.ids.iter().chain([&u32::MAX]));
                spans.extend(extents(&tokens).iter().chain([&u32::MAX]));
            }
            assert_eq!(digest(&ids, 16), expected["ids"], "ids of {language} under {kind}");
            if let Some(expected) = expected.get("extents") {
                assert_eq!(digest(&spans, 16), *expected, "extents of {language} under {kind}");
            }
            languages += 1;
        }
    }
    assert_eq!(languages, 13 * 21);
}
