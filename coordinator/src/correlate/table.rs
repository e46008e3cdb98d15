//! A table as it is read: the columns that were asked for, numbers or texts, with the place of each row in its file. Knows no question.

use std::fs::File;
use std::path::Path;

use super::error::CorrelateError;
use super::{columnar, delimited};

/// Rows of a file: what a row is about is counted in languages, models and configs, not in tokens.
pub(super) const FILE_ROWS_MAX: usize = 1_000_000;
/// Largest number that a column may hold: sums of them stay within f64.
const LARGEST: f64 = 1e300;

/// Columns of equal length.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// The file, as the user named it.
    pub(super) path: String,
    /// What a row is called: `line` or `row`.
    pub(super) unit: &'static str,
    /// The line or number of each row.
    pub(super) places: Vec<u64>,
    /// Names of all columns of the file.
    pub(super) header: Vec<String>,
    /// Name and cells of those that were asked for.
    pub(super) columns: Vec<(String, Cells)>,
}

/// The cells of a column; an absent one is `None`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cells {
    /// Numbers, as Parquet stores them.
    Numbers(Vec<Option<f64>>),
    /// Texts; those of a CSV file may be numbers.
    Texts(Vec<Option<String>>),
    /// Neither: what it holds.
    Other(String),
}

impl Cells {
    /// The cells at these rows, absent where there is no row.
    pub(super) fn at(&self, rows: &[Option<usize>]) -> Self {
        fn pick<T: Clone>(cells: &[Option<T>], rows: &[Option<usize>]) -> Vec<Option<T>> {
            rows.iter().map(|row| row.and_then(|row| cells[row].clone())).collect()
        }
        match self {
            Self::Numbers(cells) => Self::Numbers(pick(cells, rows)),
            Self::Texts(cells) => Self::Texts(pick(cells, rows)),
            Self::Other(found) => Self::Other(found.clone()),
        }
    }
}

/// Texts that stand for a number that is not there.
const ABSENT: [&str; 6] = ["", "NA", "N/A", "NaN", "nan", "null"];

impl Table {
    /// Reads these columns of a file, as far as it has them; its name says how.
    pub(super) fn read(path: &Path, wanted: &[&str]) -> Result<Self, CorrelateError> {
        let name = path.display().to_string();
        let open = || {
            File::open(path).map_err(|source| CorrelateError::Read { path: name.clone(), source })
        };
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => delimited::read(&name, open()?, b',', wanted),
            Some("tsv") => delimited::read(&name, open()?, b'\t', wanted),
            Some("parquet") => columnar::read(&name, open()?, wanted),
            _ => Err(CorrelateError::Format { path: name }),
        }
    }

    /// How many rows.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    /// A row's place in the file: `line 4`.
    pub(super) fn place(&self, row: usize) -> String {
        format!("{} {}", self.unit, self.places[row])
    }

    /// True where the file has such a column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.header.iter().any(|name| name == column)
    }

    /// The column's numbers; absent ones are `None`, `true` is 1 and `false` 0.
    pub(super) fn numbers(&self, column: &str) -> Result<Vec<Option<f64>>, CorrelateError> {
        let numbers: Vec<Option<f64>> = match self.cells(column)? {
            Cells::Numbers(numbers) => numbers.clone(),
            Cells::Texts(texts) => {
                let number = |(row, text): (usize, &Option<String>)| match text {
                    Some(text) => self.number(column, row, text),
                    None => Ok(None),
                };
                texts.iter().enumerate().map(number).collect::<Result<_, _>>()?
            }
            Cells::Other(found) => return Err(self.neither(column, found)),
        };
        let beyond = |(row, number): (usize, &Option<f64>)| {
            number.filter(|number| number.abs() > LARGEST).map(|number| (row, number))
        };
        match numbers.iter().enumerate().find_map(beyond) {
            Some((row, number)) => {
                let reason = "beyond ±1e300: rescale the column, or leave the cell empty";
                Err(self.wrong(column, row, &format!("{number:e}"), reason))
            }
            None => Ok(numbers),
        }
    }

    /// The column's texts; absent ones are `None`.
    pub(super) fn texts(&self, column: &str) -> Result<Vec<Option<String>>, CorrelateError> {
        Ok(match self.cells(column)? {
            Cells::Texts(texts) => texts.clone(),
            Cells::Numbers(numbers) => {
                numbers.iter().map(|number| number.map(|number| number.to_string())).collect()
            }
            Cells::Other(found) => return Err(self.neither(column, found)),
        })
    }

    fn number(&self, column: &str, row: usize, text: &str) -> Result<Option<f64>, CorrelateError> {
        match text.trim() {
            absent if ABSENT.contains(&absent) => Ok(None),
            "true" | "True" | "TRUE" => Ok(Some(1.0)),
            "false" | "False" | "FALSE" => Ok(Some(0.0)),
            text => text.parse().map(Some).map_err(|_| {
                let reason = "no number such as 0.5 or 1e-3: correct it, or leave the cell empty";
                self.wrong(column, row, text, reason)
            }),
        }
    }

    fn cells(&self, column: &str) -> Result<&Cells, CorrelateError> {
        let found = self.columns.iter().find(|(name, _)| name == column);
        found.map(|(_, cells)| cells).ok_or_else(|| CorrelateError::Column {
            path: self.path.clone(),
            column: column.to_owned(),
            hint: hint(column, self.header.iter().map(String::as_str)),
        })
    }

    fn neither(&self, column: &str, found: &str) -> CorrelateError {
        let (path, column) = (self.path.clone(), column.to_owned());
        CorrelateError::Type { path, column, found: found.to_owned() }
    }

    fn wrong(&self, column: &str, row: usize, value: &str, reason: &str) -> CorrelateError {
        CorrelateError::Value {
            place: format!("{}, {}", self.path, self.place(row)),
            column: column.to_owned(),
            value: value.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// Positions in the header of the columns that were asked for, in its order.
///
/// # Errors
/// Two columns have one name.
pub(super) fn positions(
    path: &str,
    header: &[String],
    wanted: &[&str],
) -> Result<Vec<usize>, CorrelateError> {
    let twice = header.iter().enumerate().find(|(at, name)| header[..*at].contains(name));
    if let Some((_, name)) = twice {
        let reason = format!("two columns are called `{name}`: rename or remove one");
        return Err(CorrelateError::Malformed { path: path.to_owned(), reason });
    }
    Ok((0..header.len()).filter(|&at| wanted.contains(&header[at].as_str())).collect())
}

/// The nearest known name where it is near, or else all of them.
pub(super) fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let distance = |other: &&str| strsim::damerau_levenshtein(name, other);
    match known.clone().min_by_key(distance) {
        Some(nearest) if 3 * distance(&nearest) <= name.len() + 1 => {
            format!("did you mean `{nearest}`?")
        }
        _ => format!("it has {}", known.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        delimited::read("t.csv", text.as_bytes(), b',', &["a", "b", "kurtosis"]).unwrap()
    }

    #[test]
    fn numbers_absent_ones_and_truths() {
        let table = table("a,b\n1,x\n,true\nNA,false\n 2e-3 ,NaN\n");
        assert_eq!(table.numbers("a").unwrap(), [Some(1.0), None, None, Some(0.002)]);
        assert_eq!(table.texts("b").unwrap()[1].as_deref(), Some("true"));
        let error = table.numbers("b").unwrap_err().to_string();
        assert!(error.starts_with("t.csv, line 2, column `b`: \"x\" is no number"), "{error}");
    }

    #[test]
    fn mistakes_name_file_column_and_place() {
        let check = |text: &str, column: &str, expected: &str| {
            assert_eq!(table(text).numbers(column).unwrap_err().to_string(), expected);
        };
        check(
            "kurtosis,b\n1,2\n",
            "kurtosi",
            "t.csv has no column `kurtosi`: did you mean `kurtosis`?",
        );
        check("a,b\n1,2\n", "degradation", "t.csv has no column `degradation`: it has a, b");
        let reason = "beyond ±1e300: rescale the column, or leave the cell empty";
        check("a\n1\ninf\n", "a", &format!("t.csv, line 3, column `a`: \"inf\" is {reason}"));
        check("a\n-1e301\n", "a", &format!("t.csv, line 2, column `a`: \"-1e301\" is {reason}"));
        let error = Table::read(Path::new("t.xlsx"), &[]).unwrap_err().to_string();
        assert_eq!(
            error,
            "t.xlsx: the name of a table ends in .csv, .tsv or .parquet: export it as one of them"
        );
        let error = Table::read(Path::new("absent.csv"), &[]).unwrap_err().to_string();
        assert_eq!(error, "cannot read absent.csv");
    }
}
