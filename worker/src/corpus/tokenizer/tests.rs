//! Tokenizers over small vocabularies written out here. Those of the families are compared with `transformers` in `tests/`.

use std::fs;

use serde_json::{Value, json};

use super::byte_level::byte;
use super::{LineBreaks, Tokenizer, Tokens};
use crate::corpus::CorpusError;

/// A tokenizer whose tokens are the 256 bytes, `th`, `he` and the two first bytes of U+0905.
pub(in crate::corpus) fn byte_tokenizer() -> Tokenizer {
    open(&byte_json())
}

fn byte_json() -> Value {
    let mut vocabulary: Vec<(String, u32)> = Vec::new();
    for code in (0..=0xFF_u32).chain(0x100..0x144).filter_map(char::from_u32) {
        if byte(code).is_some() {
            vocabulary.push((code.to_string(), vocabulary.len() as u32));
        }
    }
    let letters = |text: &str| -> Vec<String> {
        let spelled =
            |&byte_: &u8| vocabulary.iter().find(|(token, _)| byte_of(token) == Some(byte_));
        text.as_bytes().iter().filter_map(spelled).map(|(token, _)| token.clone()).collect()
    };
    let hindi = letters("अ");
    let merges = [["t".to_owned(), "h".to_owned()], [hindi[0].clone(), hindi[1].clone()]];
    for [left, right] in &merges {
        vocabulary.push((format!("{left}{right}"), vocabulary.len() as u32));
    }
    let vocabulary: serde_json::Map<String, Value> =
        vocabulary.into_iter().map(|(token, id)| (token, id.into())).collect();
    serde_json::json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": null,
        "added_tokens": [{"id": 258, "content": "<é>", "special": true, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false}],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
    })
}

fn open(json: &Value) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    Tokenizer::open(folder.path()).unwrap()
}

fn byte_of(token: &str) -> Option<u8> {
    byte(token.chars().next()?)
}

#[test]
fn a_character_counts_where_its_first_byte_is() {
    let tokens = byte_tokenizer().encode("thअ", "d").unwrap();
    assert_eq!(counts(&tokens), [(2, 2), (2, 1), (1, 0)]);
    assert_eq!(tokens.extent_from(1), (3, 1));
    assert_eq!(tokens.extent_from(9), (0, 0));
}

#[test]
fn texts_are_covered_whole() {
    let tokenizer = byte_tokenizer();
    for text in ["", "a", "the that", "ß 日本語\u{0} é🙂", "<é>", "x<é>y", "\u{FEFF}\r\n"]
    {
        let tokens = tokenizer.encode(text, "d").unwrap();
        assert_eq!(tokens.extent_from(0), (text.len() as u64, text.chars().count() as u64));
        assert_eq!(tokens.ids.len(), tokens.extents.len());
    }
    assert_eq!(tokenizer.encode("<é>", "d").unwrap().ids, [258]);
}

fn counts(tokens: &Tokens) -> Vec<(u32, u32)> {
    tokens.extents.iter().map(|extent| (extent.bytes, extent.chars)).collect()
}

#[test]
fn a_normaliser_leaves_the_count_of_bytes_where_it_changes_nothing() {
    let mut json = byte_json();
    json["normalizer"] = json!({"type": "NFC"});
    let tokenizer = open(&json);
    assert_eq!(counts(&tokenizer.encode("aé", "d").unwrap()), [(1, 1), (1, 1), (1, 0)]);
    // The offsets of a composed letter end at its base: its mark goes to the token after.
    let changed = tokenizer.encode("ae\u{301}b", "d").unwrap();
    assert_eq!(changed.ids.len(), 4);
    assert_eq!(counts(&changed), [(1, 1), (1, 1), (0, 0), (3, 2)]);
}

#[test]
fn a_space_that_the_tokenizer_adds_is_no_text() {
    let mut json = byte_json();
    json["pre_tokenizer"]["add_prefix_space"] = true.into();
    let tokens = open(&json).encode("a b", "d").unwrap();
    assert_eq!(tokens.ids.len(), 4);
    assert_eq!(tokens.extent_from(0), (3, 3));
}

#[test]
fn line_breaks_become_a_token() {
    let tokenizer = byte_tokenizer();
    let encode = |text| tokenizer.encode_lines(text, LineBreaks::Token(7), "d").unwrap();
    assert_eq!(counts(&encode("th\n\r\na\r")), [(2, 2), (1, 1), (2, 2), (1, 1), (1, 1)]);
    assert_eq!(encode("\n\n").ids, [7, 7]);
    assert!(encode("").ids.is_empty());
    assert_eq!(encode("the").ids, tokenizer.encode("the", "d").unwrap().ids);
    assert_eq!(tokenizer.encode("\n", "d").unwrap().ids.len(), 1);
}

#[test]
fn an_id_beyond_any_vocabulary_takes_no_memory() {
    let mut json = byte_json();
    json["model"]["vocab"]["zz"] = u32::MAX.into();
    let tokenizer = open(&json);
    assert!(tokenizer.bytes.is_none());
    assert_eq!(tokenizer.encode("the", "d").unwrap().extent_from(0), (3, 3));
}

#[test]
fn a_folder_without_a_tokenizer_and_broken_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Tokenizer::open(folder.path()).unwrap_err();
    let missing = open().to_string();
    assert!(missing.ends_with("has no tokenizer.json, spiece.model or sentencepiece.bpe.model"));
    let files = ["sentencepiece.bpe.model", "spiece.model", "tokenizer.json"];
    for name in files {
        fs::write(folder.path().join(name), "").unwrap();
        assert!(open().to_string().ends_with(name), "the later file goes before the earlier");
    }
    for text in ["{\"version\":", "{\"decoder\":{\"type\":\"Fuse\"", "{}", "[1]"] {
        fs::write(folder.path().join("tokenizer.json"), text).unwrap();
        assert!(matches!(open(), CorpusError::Read { .. }), "{text}");
    }
}
