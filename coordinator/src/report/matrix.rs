//! Matrices of numbers, rows × languages: one unit for all, aligned, cut into parts where the medium is narrow.

use std::collections::{BTreeMap, BTreeSet};

use super::Medium;
use super::block::Block;
use super::columns::{Column, tables};
use super::number::{UNDEFINED, fixed};

/// Rows by language; `None` is an undefined number, a language without an entry was not measured.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    /// Head of the column of labels.
    pub(super) corner: String,
    /// Label and numbers by language of each row.
    pub(super) rows: Vec<(String, BTreeMap<String, Entry>)>,
}

/// A number of a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    /// The number.
    pub(super) value: Option<f64>,
    /// What stands behind it.
    pub(super) mark: &'static str,
}

/// How the numbers of one matrix are written: times 10^−exponent, with so many decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    exponent: i32,
    decimals: usize,
}

impl Scale {
    /// The scale that gives the largest |number| one to three digits before the point and four significant ones in all: 1, 10⁻³ or 10⁻⁶.
    pub(super) fn of(matrix: &Matrix) -> Self {
        let entries = matrix.rows.iter().flat_map(|(_, entries)| entries.values());
        let largest = entries.filter_map(|entry| entry.value).fold(0.0, |a: f64, b| a.max(b.abs()));
        let exponent = match largest {
            0.0 => 0,
            tiny if tiny < 1e-3 => -6,
            small if small < 1.0 => -3,
            _ => 0,
        };
        let decimals = match largest * 10_f64.powi(-exponent) {
            huge if huge >= 1e3 => 0,
            hundreds if hundreds >= 1e2 => 1,
            tens if tens >= 1e1 => 2,
            _ => 3,
        };
        Self { exponent, decimals }
    }

    /// Percent of a share, with so many decimals.
    pub(super) fn percent(decimals: usize) -> Self {
        Self { exponent: -2, decimals }
    }

    /// Numbers as they are, with so many decimals.
    pub(super) fn plain(decimals: usize) -> Self {
        Self { exponent: 0, decimals }
    }

    /// `unit` in words: `10⁻³ nat`, or `nat`.
    pub(super) fn unit(self, unit: &str) -> String {
        match self.exponent {
            -3 => format!("10⁻³ {unit}"),
            -6 => format!("10⁻⁶ {unit}"),
            _ => unit.to_owned(),
        }
    }

    fn write(self, entry: &Entry) -> String {
        let Some(value) = entry.value else { return UNDEFINED.to_owned() };
        let mark = entry.mark;
        format!("{}{mark}", fixed(value * 10_f64.powi(-self.exponent), self.decimals))
    }
}

impl Matrix {
    /// The tables of the matrix.
    pub(super) fn blocks(&self, scale: Scale, medium: Medium) -> Vec<Block> {
        let languages: BTreeSet<&String> =
            self.rows.iter().flat_map(|(_, entries)| entries.keys()).collect();
        let number =
            |entry: Option<&Entry>| entry.map_or(String::new(), |entry| scale.write(entry));
        let column = |language: &String| {
            Column::new(
                language,
                self.rows.iter().map(|(_, entries)| number(entries.get(language))),
            )
        };
        let columns: Vec<Column> = languages.into_iter().map(column).collect();
        let labels = Column::new(&self.corner, self.rows.iter().map(|(label, _)| label.clone()));
        tables(&labels, &columns, medium)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(values: &[f64]) -> Matrix {
        let entry =
            |value: f64| Entry { value: Some(value), mark: if value > 0.0 { "*" } else { "" } };
        let entries =
            values.iter().enumerate().map(|(i, value)| (format!("l{i:02}"), entry(*value)));
        Matrix { corner: "layer".to_owned(), rows: vec![("0".to_owned(), entries.collect())] }
    }

    #[test]
    fn scales_keep_four_digits_of_the_largest() {
        let check = |largest, unit: &str, text: &str| {
            let matrix = matrix(&[largest]);
            let scale = Scale::of(&matrix);
            assert_eq!(
                (scale.unit("nat").as_str(), scale.write(&matrix.rows[0].1["l00"]).as_str()),
                (unit, text)
            );
        };
        check(0.052_134, "10⁻³ nat", "52.13*");
        check(-0.000_52, "10⁻⁶ nat", "−520.0");
        check(7.123_456, "nat", "7.123*");
        check(0.0, "nat", "0.000");
        check(12_345.6, "nat", "12346*");
    }

    #[test]
    fn wide_matrices_are_cut_for_the_terminal_only() {
        let matrix = matrix(&[-0.123_456; 30]);
        let blocks = |medium| matrix.blocks(Scale::of(&matrix), medium).len();
        assert_eq!((blocks(Medium::Terminal), blocks(Medium::Markdown)), (2, 1));
    }
}
