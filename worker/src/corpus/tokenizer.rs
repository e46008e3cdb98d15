//! The tokenizer of a model: ids, and how much of the text each stands for. Byte-level vocabularies only: there a token is a
//! run of bytes, which need not be whole characters, so bytes and characters are counted exactly.

use std::path::Path;

use super::CorpusError;

/// A `tokenizer.json` with the bytes behind every token.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// By token id; ids without a token have none.
    extents: Vec<Extent>,
}

/// How much text a token stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// UTF-8 bytes.
    pub bytes: u32,
    /// Unicode scalars whose first byte is in the token.
    pub chars: u32,
}

/// A text as tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Token ids in order.
    pub ids: Vec<u32>,
    /// The extent of each; their bytes are side by side in the text and cover it.
    pub extents: Vec<Extent>,
}

impl Tokenizer {
    /// Reads `path`. Truncation and padding that the file asks for are switched off: a document is scored whole.
    ///
    /// # Errors
    /// The file is unreadable or no tokenizer, or its vocabulary is not byte-level.
    pub fn read(path: &Path) -> Result<Self, CorpusError> {
        let failed = |source| CorpusError::Read { path: path.to_owned(), source };
        let mut inner = tokenizers::Tokenizer::from_file(path).map_err(failed)?;
        inner.with_truncation(None).map_err(failed)?;
        inner.with_padding(None);
        let extents = extents(&inner)
            .map_err(|token| CorpusError::NotByteLevel { path: path.to_owned(), token })?;
        Ok(Self { inner, extents })
    }

    /// The tokens of `text`, without the special tokens that the tokenizer would add. `document` is named in errors.
    ///
    /// # Errors
    /// The tokenizer fails, or its tokens do not stand for the whole text.
    pub fn encode(&self, text: &str, document: &str) -> Result<Tokens, CorpusError> {
        let failed = |source| CorpusError::Tokenize { document: document.to_owned(), source };
        let encoding = self.inner.encode_fast(text, false).map_err(failed)?;
        let ids = encoding.get_ids().to_vec();
        let extent = |&id: &u32| self.extents.get(id as usize).copied().unwrap_or_default();
        let tokens = Tokens { extents: ids.iter().map(extent).collect(), ids };
        let covered = tokens.extent_from(0);
        if covered != (text.len() as u64, text.chars().count() as u64) {
            let (document, bytes) = (document.to_owned(), text.len() as u64);
            return Err(CorpusError::Uncovered { document, covered: covered.0, bytes });
        }
        Ok(tokens)
    }
}

impl Tokens {
    /// UTF-8 bytes of the tokens from `first` on, and the Unicode scalars whose first byte lies in them.
    pub fn extent_from(&self, first: usize) -> (u64, u64) {
        let rest = self.extents.iter().skip(first);
        rest.fold((0, 0), |(bytes, chars), token| {
            (bytes + u64::from(token.bytes), chars + u64::from(token.chars))
        })
    }
}

/// The extents of the vocabulary, or a token that is neither an added one nor written in the byte alphabet.
fn extents(inner: &tokenizers::Tokenizer) -> Result<Vec<Extent>, String> {
    let added = inner.get_added_tokens_decoder();
    let vocabulary = inner.get_vocab(true);
    let length = vocabulary.values().max().map_or(0, |&id| id as usize + 1);
    let mut extents = vec![Extent::default(); length];
    for (token, id) in vocabulary {
        let bytes = match added.get(&id) {
            Some(added) => added.content.as_bytes().to_vec(),
            None => token.chars().map(byte).collect::<Option<Vec<u8>>>().ok_or(token)?,
        };
        extents[id as usize] = Extent::of(&bytes);
    }
    Ok(extents)
}

impl Extent {
    fn of(bytes: &[u8]) -> Self {
        let continuation = |byte: &u8| byte & 0xC0 == 0x80;
        let chars = bytes.iter().filter(|byte| !continuation(byte)).count();
        Self { bytes: bytes.len() as u32, chars: chars as u32 }
    }
}

/// The byte that a character of a byte-level vocabulary stands for: GPT-2's alphabet writes the printable characters of
/// Latin-1 as themselves and the other 68 bytes, in order, as U+0100 onwards.
fn byte(character: char) -> Option<u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    match u32::from(character) {
        code @ 0..=0xFF => u8::try_from(code).ok().filter(|&byte| printable(byte)),
        code => (0..=u8::MAX).filter(|&byte| !printable(byte)).nth(code as usize - 0x100),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    use super::*;

    /// A tokenizer whose tokens are the 256 bytes, `th`, `he` and the two first bytes of U+0905.
    pub(in crate::corpus) fn byte_tokenizer() -> Tokenizer {
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
        let vocabulary: serde_json::Map<String, serde_json::Value> =
            vocabulary.into_iter().map(|(token, id)| (token, id.into())).collect();
        let json = serde_json::json!({
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
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, json.to_string()).unwrap();
        Tokenizer::read(&path).unwrap()
    }

    fn byte_of(token: &str) -> Option<u8> {
        byte(token.chars().next()?)
    }

    #[test]
    fn the_alphabet_is_the_library_s() {
        let ours: BTreeSet<char> =
            ('\0'..='\u{200}').filter(|&code| byte(code).is_some()).collect();
        let theirs: BTreeSet<char> = ByteLevel::alphabet().into_iter().collect();
        assert_eq!(ours, theirs);
        assert_eq!(ours.iter().filter_map(|&code| byte(code)).collect::<BTreeSet<_>>().len(), 256);
        assert_eq!(byte('Ġ'), Some(b' '));
    }

    #[test]
    fn a_character_counts_where_its_first_byte_is() {
        let tokens = byte_tokenizer().encode("thअ", "d").unwrap();
        let extents: Vec<(u32, u32)> = tokens.extents.iter().map(|e| (e.bytes, e.chars)).collect();
        assert_eq!(extents, [(2, 2), (2, 1), (1, 0)]);
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
}
