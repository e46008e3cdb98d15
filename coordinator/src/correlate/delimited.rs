//! CSV and TSV files → a table of texts. What the texts mean is the table's to say.

use std::io::Read;

use csv::{ErrorKind, Position, ReaderBuilder, StringRecord};

use super::error::CorrelateError;
use super::table::{Cells, FILE_ROWS_MAX, Table, positions};

/// Reads some columns of a file with a header; every row has as many cells as it.
pub(super) fn read(
    path: &str,
    content: impl Read,
    delimiter: u8,
    wanted: &[&str],
) -> Result<Table, CorrelateError> {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(content);
    let header = reader.headers().map_err(|error| in_words(path, error))?;
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    if header.is_empty() {
        let reason =
            "the file is empty: a table has a header and a row for each language".to_owned();
        return Err(CorrelateError::Malformed { path: path.to_owned(), reason });
    }
    let read = positions(path, &header, wanted)?;
    let (mut places, mut columns) = (Vec::new(), vec![Vec::new(); read.len()]);
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| in_words(path, error))? {
        if places.len() == FILE_ROWS_MAX {
            return Err(CorrelateError::TooLong { what: path.to_owned(), rows_max: FILE_ROWS_MAX });
        }
        places.push(record.position().map_or(0, Position::line));
        let cell = |at: usize| Some(&record[at]).filter(|text| !text.is_empty()).map(str::to_owned);
        columns.iter_mut().zip(&read).for_each(|(column, &at)| column.push(cell(at)));
    }
    let names = read.iter().map(|&at| header[at].clone());
    let columns = names.zip(columns.into_iter().map(Cells::Texts)).collect();
    Ok(Table { path: path.to_owned(), unit: "line", places, header, columns })
}

/// What the reader says, with the line and what to do.
fn in_words(path: &str, error: csv::Error) -> CorrelateError {
    let path = path.to_owned();
    let line = |position: &Option<Position>| position.as_ref().map_or(1, Position::line);
    let reason = match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => format!(
            "line {} has {len} cells and the header {expected_len}: quote what holds a comma",
            line(pos)
        ),
        ErrorKind::Utf8 { pos, .. } => {
            format!("line {} is not UTF-8: save the file in that encoding", line(pos))
        }
        _ => match error.into_kind() {
            ErrorKind::Io(source) => return CorrelateError::Read { path, source },
            other => format!("{other:?}"),
        },
    };
    CorrelateError::Malformed { path, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Table, String> {
        read("t.csv", text, b',', &["name", "x"]).map_err(|error| error.to_string())
    }

    #[test]
    fn quotes_marks_and_lines() {
        let text = "\u{feff}name, x ,other\n\"a\nb\",1,\n\"c,d\",,\"\"\n";
        let table = parse(text.as_bytes()).unwrap();
        assert_eq!((table.columns.len(), table.columns[1].0.as_str()), (2, "x"));
        assert_eq!(table.texts("name").unwrap(), [Some("a\nb".to_owned()), Some("c,d".to_owned())]);
        assert_eq!((table.place(0), table.place(1)), ("line 2".to_owned(), "line 4".to_owned()));
        assert_eq!(parse(b"a,b\n").unwrap().count(), 0);
    }

    #[test]
    fn broken_files_name_the_line() {
        let check = |text: &[u8], part: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("t.csv: {part}")), "{error}");
        };
        check(b"a,b\n1,2\n3\n", "line 3 has 1 cells and the header 2: ");
        check(b"a,b,a\n", "two columns are called `a`: ");
        check(b"a,b\n1,\xff\n", "line 2 is not UTF-8: ");
        check(b"\xff\xfea,b\n", "line 1 is not UTF-8: ");
        check(b"", "the file is empty: ");
    }
}
