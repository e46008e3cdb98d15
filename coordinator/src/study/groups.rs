//! The group file: which documents belong together, by line. Groups are what bootstrap intervals resample.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::CorpusError;

/// A group for each line of the corpus files.
///
/// Two shapes are read: one group per line (NTREX's `document_ids.tsv`: line n is the group of document n), and
/// `line<TAB>group` with lines from 1 and an optional header of these two words.
#[derive(Debug)]
pub(super) struct Groups {
    path: PathBuf,
    by_line: BTreeMap<usize, String>,
}

impl Groups {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Self, CorpusError> {
        let bytes =
            fs::read(path).map_err(|source| CorpusError::Read { path: path.to_owned(), source })?;
        let error = |line, reason: &str| CorpusError::Line {
            path: path.to_owned(),
            line,
            reason: reason.to_owned(),
        };
        let mut by_line = BTreeMap::new();
        for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            let line = std::str::from_utf8(line).map_err(|_| error(number, "it is no UTF-8"))?;
            let line = line.trim_end_matches('\r');
            if line.is_empty() || line == "line\tgroup" {
                continue;
            }
            let (line_number, group) = match line.split_once('\t') {
                None => (number, line),
                Some((line_number, group)) => {
                    let line_number = line_number.parse().ok().filter(|&number| number > 0);
                    let expected = "expected `group` or `line<TAB>group` with a line from 1";
                    (line_number.ok_or_else(|| error(number, expected))?, group)
                }
            };
            if by_line.insert(line_number, group.to_owned()).is_some() {
                return Err(error(number, "its line has a group already"));
            }
        }
        Ok(Self { path: path.to_owned(), by_line })
    }

    /// The group of line `line` of the file `corpus`.
    pub(super) fn of(&self, corpus: &Path, line: usize) -> Result<&str, CorpusError> {
        self.by_line.get(&line).map(String::as_str).ok_or_else(|| CorpusError::Line {
            path: corpus.to_owned(),
            line,
            reason: format!("{} has no group for it", self.path.display()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Groups, CorpusError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Groups::read(file.path())
    }

    #[test]
    fn both_shapes_are_read() {
        for text in ["a\na\nb\n", "1\ta\n2\ta\n3\tb\n", "line\tgroup\r\n3\tb\r\n1\ta\r\n2\ta\r\n"] {
            let groups = read(text).unwrap();
            let of = |line| groups.of(Path::new("x.txt"), line).map(str::to_owned).ok();
            let expected = [Some("a".to_owned()), Some("a".to_owned()), Some("b".to_owned()), None];
            assert_eq!([of(1), of(2), of(3), of(4)], expected, "{text:?}");
        }
    }

    #[test]
    fn mistakes_name_the_line() {
        for text in ["a\nx\tb\n", "1\ta\n1\tb\n", "a\n0\tb\n"] {
            assert!(read(text).unwrap_err().to_string().contains("line 2"), "{text:?}");
        }
    }
}
