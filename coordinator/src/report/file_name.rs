//! Names of files that stand for a cell of a study.

use babelquant_proto::Digest;

/// Characters of a file name's readable part.
const NAME_LENGTH_MAX: usize = 120;
/// Characters of the digest that tells apart names alike in their readable part.
const DIGEST_LENGTH: usize = 8;

/// A name for any file system: its words with a dash for whatever is no letter, digit, dot or plus, cut, and a digest of the words, so that
/// no two lists of words share a name.
pub(super) fn file_name(words: &[String]) -> String {
    let digest = Digest::of(words.join("\n").as_bytes()).to_string();
    let safe = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '+' | '_' => c,
        _ => '-',
    };
    let readable: String = words.join("_").chars().map(safe).take(NAME_LENGTH_MAX).collect();
    format!("{readable}_{}", &digest[..DIGEST_LENGTH])
}
