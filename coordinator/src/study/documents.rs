//! The documents of one corpus file, `.txt` or `.jsonl`. Not which file (`pattern`), not how they are cut (`shards`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use babelquant_proto::Document;
use serde::Deserialize;

use super::error::CorpusError;
use super::groups::Groups;

/// Longest document: it must fit in one message to a worker with room to spare.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// How a corpus file holds its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `.txt`: a document per line; an empty line is a unit that is missing in this language.
    Lines,
    /// `.jsonl`: an object per line with `text` and optionally `id` and `group`; other members are ignored.
    JsonLines,
}

/// What is wanted of every file of a corpus.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) format: Format,
    pub(super) groups: Option<Groups>,
    /// The first so many lines of each file; missing units count, so that parallel files keep the same units.
    pub(super) lines_max: Option<usize>,
}

/// One line of a `.jsonl` file.
#[derive(Deserialize)]
struct JsonLine {
    text: String,
    id: Option<Name>,
    group: Option<Name>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(i64),
}

impl Name {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

impl Reading {
    /// The documents of the file at `path`. A document's id is its line number, or its own `id`.
    pub(super) fn documents(&self, path: &Path) -> Result<Vec<Document>, CorpusError> {
        let bytes =
            fs::read(path).map_err(|source| CorpusError::Read { path: path.to_owned(), source })?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut documents = Vec::new();
        let mut lines_by_id = BTreeMap::new();
        let lines = bytes.split(|&byte| byte == b'\n').take(self.lines_max.unwrap_or(usize::MAX));
        for (number, line) in (1..).zip(lines) {
            let error = |reason| CorpusError::Line { path: path.to_owned(), line: number, reason };
            let line = std::str::from_utf8(line).map_err(|e| error(format!("no UTF-8: {e}")))?;
            let line = line.strip_suffix('\r').unwrap_or(line);
            let parsed = self.parse(number, line).map_err(error)?;
            let Some((id, group, text)) = parsed else { continue };
            if let Some(first) = lines_by_id.insert(id.clone(), number) {
                return Err(error(format!("id {id:?} is that of line {first}")));
            }
            let group = match (group, &self.groups) {
                (Some(group), _) => group,
                (None, Some(groups)) => groups.of(path, number)?.to_owned(),
                (None, None) => id.clone(),
            };
            let index = u32::try_from(documents.len());
            let index = index.map_err(|_| error("too many documents".to_owned()))?;
            documents.push(Document { index, id, group, text });
        }
        match documents.is_empty() {
            true => Err(CorpusError::Empty { path: path.to_owned() }),
            false => Ok(documents),
        }
    }

    /// Id, own group and text of a line; `None` where the unit is missing.
    fn parse(
        &self,
        number: usize,
        line: &str,
    ) -> Result<Option<(String, Option<String>, String)>, String> {
        if line.trim().is_empty() {
            return Ok(None);
        }
        if line.len() > DOCUMENT_BYTES_MAX {
            let length = line.len();
            return Err(format!(
                "a document of {length} bytes exceeds {DOCUMENT_BYTES_MAX}: split it"
            ));
        }
        match self.format {
            Format::Lines => Ok(Some((number.to_string(), None, line.to_owned()))),
            Format::JsonLines => {
                let line: JsonLine = serde_json::from_str(line).map_err(|e| e.to_string())?;
                let id = line.id.map_or_else(|| number.to_string(), Name::into_text);
                let missing = line.text.trim().is_empty();
                Ok((!missing).then(|| (id, line.group.map(Name::into_text), line.text)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, text: &[u8]) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let reading = Reading { format, groups: None, lines_max: Some(4) };
        let documents = reading.documents(file.path()).map_err(|error| error.to_string())?;
        let spell = |d: Document| format!("{}:{}:{}:{}", d.index, d.id, d.group, d.text);
        Ok(documents.into_iter().map(spell).collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn documents_keep_the_number_of_their_line() {
        for (format, text, expected) in [
            (Format::Lines, &b"\xef\xbb\xbfa b\r\n\r\n c \nd\ne\n"[..], "0:1:1:a b|1:3:3: c |2:4:4:d"),
            (
                Format::JsonLines,
                b"{\"text\":\"a\"}\n\n{\"text\":\"b\",\"id\":7,\"group\":\"g\",\"more\":1}\n{\"text\":\" \"}",
                "0:1:1:a|1:7:g:b",
            ),
        ] {
            assert_eq!(read(format, text).unwrap(), expected);
        }
    }

    #[test]
    fn mistakes_name_the_line() {
        for (format, text, part) in [
            (Format::Lines, &b"a\n\xff\n"[..], "line 2: no UTF-8"),
            (Format::Lines, b"\n\n", "no document"),
            (Format::Lines, b"", "no document"),
            (Format::JsonLines, b"{\"text\":\"a\"}\n{}", "line 2: missing field `text`"),
            (
                Format::JsonLines,
                b"{\"text\":\"a\",\"id\":1}\n{\"text\":\"b\",\"id\":\"1\"}",
                "line 2: id",
            ),
        ] {
            let error = read(format, text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
