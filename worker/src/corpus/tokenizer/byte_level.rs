//! Vocabularies whose every token is a run of bytes, which need not be whole characters. Not the splitting of a text.

/// Largest id that the table makes room for: a file with a larger one is broken, and counted by offsets.
const ID_MAX: u32 = 1 << 24;

/// The bytes behind every token.
#[derive(Debug)]
pub(super) struct ByteVocabulary {
    /// All tokens side by side, by id.
    bytes: Vec<u8>,
    /// Where each token ends in `bytes`; ids without a token are empty.
    ends: Vec<usize>,
}

impl ByteVocabulary {
    /// The tokenizer's vocabulary, if every token but the added ones is written in the byte alphabet.
    pub(super) fn of(inner: &tokenizers::Tokenizer) -> Option<Self> {
        let added = inner.get_added_tokens_decoder();
        let mut vocabulary: Vec<(String, u32)> = inner.get_vocab(true).into_iter().collect();
        vocabulary.sort_by_key(|&(_, id)| id);
        let mut this = Self { bytes: Vec::new(), ends: Vec::new() };
        if vocabulary.last().is_some_and(|&(_, id)| id > ID_MAX) {
            return None;
        }
        for (token, id) in vocabulary {
            // An added token may take over the id of one of the model's.
            if this.ends.len() > id as usize {
                continue;
            }
            this.ends.resize(id as usize, this.bytes.len());
            match added.get(&id) {
                Some(added) => this.bytes.extend(added.content.as_bytes()),
                None => this.bytes.extend(token.chars().map(byte).collect::<Option<Vec<u8>>>()?),
            }
            this.ends.push(this.bytes.len());
        }
        Some(this)
    }

    /// The bytes of a token, none if the id has no token.
    pub(super) fn of_token(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends.get(id - 1).copied().unwrap_or(0) };
        self.ends.get(id).map_or(&[], |&end| &self.bytes[start..end])
    }

    /// Whether the tokens' bytes, side by side, are the text: not so where a normaliser has changed it.
    pub(super) fn spells(&self, ids: &[u32], text: &str) -> bool {
        let mut rest = text.as_bytes();
        for &id in ids {
            match rest.strip_prefix(self.of_token(id)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }
}

/// The byte that a character of a byte-level vocabulary stands for: GPT-2's alphabet writes the printable characters of
/// Latin-1 as themselves and the other 68 bytes, in order, as U+0100 onwards.
pub(super) fn byte(character: char) -> Option<u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    match u32::from(character) {
        code @ 0..=0xFF => u8::try_from(code).ok().filter(|&byte| printable(byte)),
        code => (0..=u8::MAX).filter(|&byte| !printable(byte)).nth(code as usize - 0x100),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    use super::*;

    #[test]
    fn the_alphabet_is_the_library_s() {
        let ours: BTreeSet<char> =
            ('\0'..='\u{200}').filter(|&code| byte(code).is_some()).collect();
        let theirs: BTreeSet<char> = ByteLevel::alphabet().into_iter().collect();
        assert_eq!(ours, theirs);
        assert_eq!(ours.iter().filter_map(|&code| byte(code)).collect::<BTreeSet<_>>().len(), 256);
        assert_eq!(byte('Ġ'), Some(b' '));
    }
}
