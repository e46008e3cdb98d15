//! How much of a text each of its tokens stands for. Not how the tokens are found.

/// How much text a token stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// UTF-8 bytes.
    pub bytes: u32,
    /// Unicode scalars whose first byte is in the token.
    pub chars: u32,
    /// Words whose first byte is in the token.
    pub words: u32,
}

/// A text as tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Token ids in order.
    pub ids: Vec<u32>,
    /// The extent of each; their bytes are side by side in the text and cover it, unless there is no token at all.
    pub extents: Vec<Extent>,
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

/// The byte at which each word of a text begins: words are what white space, as Python's `\s` has it, leaves.
fn word_starts(text: &str) -> Vec<usize> {
    let is_space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let mut after_space = true;
    let mut starts = Vec::new();
    for (at, c) in text.char_indices() {
        let is_word = !is_space(c);
        if is_word && after_space {
            starts.push(at);
        }
        after_space = !is_word;
    }
    starts
}

/// Tokens laid over a text part by part. A token covers from where the one before it ended to its own end, so that what the
/// tokenizer dropped or collapsed belongs to the token after it; the last token of a part reaches the part's end.
#[derive(Debug)]
pub(super) struct Covering<'text> {
    text: &'text [u8],
    word_starts: Vec<usize>,
    tokens: Tokens,
    /// Start of the part in the text.
    part: usize,
    /// Tokens before the part.
    tokens_before: usize,
    /// Bytes of the text that the tokens cover so far.
    covered: usize,
}

impl<'text> Covering<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        Self {
            text: text.as_bytes(),
            word_starts: word_starts(text),
            tokens: Tokens::default(),
            part: 0,
            tokens_before: 0,
            covered: 0,
        }
    }

    /// Adds a token that ends at byte `end` of the part; an end before what is covered makes it empty.
    pub(super) fn push(&mut self, id: u32, end: usize) {
        self.tokens.ids.push(id);
        self.tokens.extents.push(Extent::default());
        self.reach(self.part + end);
    }

    /// Closes a part of this many bytes. A part without tokens is left to the token after it.
    pub(super) fn end_part(&mut self, bytes: usize) {
        let end = self.part + bytes;
        if self.tokens.ids.len() > self.tokens_before {
            self.reach(end);
        }
        self.part = end;
        self.tokens_before = self.tokens.ids.len();
    }

    /// The tokens, which cover the whole text if there are any.
    pub(super) fn finish(mut self) -> Tokens {
        self.reach(self.text.len());
        self.tokens
    }

    /// Lets the last token cover the text up to `end`.
    fn reach(&mut self, end: usize) {
        let end = end.clamp(self.covered, self.text.len());
        if let Some(last) = self.tokens.extents.last_mut() {
            let bytes = &self.text[self.covered..end];
            let is_first = |byte: &&u8| **byte & 0xC0 != 0x80;
            let words_before = |at: usize| self.word_starts.partition_point(|&start| start < at);
            last.bytes += bytes.len() as u32;
            last.chars += bytes.iter().filter(is_first).count() as u32;
            last.words += (words_before(end) - words_before(self.covered)) as u32;
            self.covered = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, ends: &[usize]) -> Vec<u32> {
        let mut covering = Covering::new(text);
        ends.iter().for_each(|&end| covering.push(0, end));
        covering.finish().extents.iter().map(|extent| extent.words).collect()
    }

    #[test]
    fn a_word_belongs_to_the_token_with_its_first_byte() {
        assert_eq!(words("two words", &[2, 4, 9]), [1, 0, 1]);
        assert_eq!(words("  two\u{a0}\u{3000}words\n", &[2, 3, 12]), [0, 1, 1]);
        assert_eq!(words("a\u{1f}b c", &[1, 5]), [1, 2]);
        assert_eq!(words("日本語", &[1, 2, 9]), [1, 0, 0]);
        assert_eq!(words(" ", &[1]), [0]);
        assert_eq!(words("", &[0]), [0]);
    }
}
