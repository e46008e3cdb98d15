//! Table and question → samples: the rows of each group that have every number asked for, and what was left out and why. Computes nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::CorrelateError;
use super::facts::{self, Covariate, Fact, Grouping};
use super::question::Question;
use super::table::{Table, hint};

/// Rows that are correlated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// Value of each column that splits the rows.
    pub(super) group: Vec<String>,
    /// What each row is about.
    pub(super) labels: Vec<String>,
    /// The predictors, column by column.
    pub(super) x: Vec<Vec<f64>>,
    /// The outcome.
    pub(super) y: Vec<f64>,
    /// The covariates, column by column; a row may lack them.
    pub(super) covariates: Vec<Vec<Option<f64>>>,
    /// What each row belongs to, if that was asked.
    pub(super) clusters: Option<Vec<Option<String>>>,
    /// What was left out.
    pub(super) dropped: Vec<Dropped>,
}

impl Sample {
    /// How many rows.
    pub(super) fn count(&self) -> usize {
        self.y.len()
    }
}

/// A row that is not in a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// What it is about.
    pub label: String,
    /// Where it stands in the file.
    pub place: String,
    /// The column that has no number there.
    pub column: String,
}

/// Rows of a sample: more are no languages, and leaving each out in turn would take minutes.
const ROWS_MAX: usize = 10_000;

/// The samples, by group, and the bundled facts that they use.
pub(super) fn samples(
    table: &Table,
    question: &Question,
) -> Result<(Vec<Sample>, Vec<Fact>), CorrelateError> {
    let columns = Columns::of(table, question)?;
    let mut groups: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for row in 0..table.count() {
        let absent = || "(none)".to_owned();
        let group = columns.by.iter().map(|column| column[row].clone().unwrap_or_else(absent));
        groups.entry(group.collect()).or_default().push(row);
    }
    let sample = |(group, rows): (Vec<String>, Vec<usize>)| {
        let named = in_words(question, &group);
        if rows.len() > ROWS_MAX {
            let what = format!("{}{named}", table.path);
            return Err(CorrelateError::TooLong { what, rows_max: ROWS_MAX });
        }
        columns.distinct(table, question, named, &rows)?;
        Ok(columns.sample(table, question, group, &rows))
    };
    let samples = groups.into_iter().map(sample).collect::<Result<Vec<_>, CorrelateError>>()?;
    Ok((samples, columns.facts))
}

/// ` for model a, scope all`; empty where all rows are one group.
fn in_words(question: &Question, group: &[String]) -> String {
    let names = question.by.iter().zip(group).map(|(column, value)| format!("{column} {value}"));
    match names.collect::<Vec<_>>().join(", ") {
        names if names.is_empty() => names,
        names => format!(" for {names}"),
    }
}

/// The columns that a question names, over all rows.
#[derive(Debug)]
struct Columns {
    by: Vec<Vec<Option<String>>>,
    /// Label of each row: the column, or its place.
    labels: Vec<String>,
    x: Vec<Vec<Option<f64>>>,
    y: Vec<Option<f64>>,
    covariates: Vec<Vec<Option<f64>>>,
    clusters: Option<Vec<Option<String>>>,
    facts: Vec<Fact>,
}

impl Columns {
    fn of(table: &Table, question: &Question) -> Result<Self, CorrelateError> {
        let mut facts = Vec::new();
        let named = match &question.label {
            Some(column) => Some(table.texts(column)?),
            None => None,
        };
        let label = |row: usize| match named.as_ref().and_then(|named| named[row].clone()) {
            Some(label) => label,
            None => table.place(row),
        };
        let labels: Vec<String> = (0..table.count()).map(label).collect();
        let bundle = Bundle { table, labels: &labels, labelled: named.is_some() };
        let covariates = question.covariates.iter().map(|name| bundle.numbers(name, &mut facts));
        let covariates = covariates.collect::<Result<_, _>>()?;
        let clusters = question.cluster.iter().map(|name| bundle.groups(name, &mut facts)).next();
        Ok(Self {
            by: question.by.iter().map(|name| table.texts(name)).collect::<Result<_, _>>()?,
            x: question.x.iter().map(|name| table.numbers(name)).collect::<Result<_, _>>()?,
            y: table.numbers(&question.y)?,
            covariates,
            clusters: clusters.transpose()?,
            labels,
            facts,
        })
    }

    /// Refuses a label that stands twice in a group, where the question names the labels.
    fn distinct(
        &self,
        table: &Table,
        question: &Question,
        group: String,
        rows: &[usize],
    ) -> Result<(), CorrelateError> {
        let Some(column) = &question.label else { return Ok(()) };
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for &row in rows {
            let Some(earlier) = first.insert(&self.labels[row], row) else { continue };
            return Err(CorrelateError::Twice {
                places: format!(
                    "{}, {} and {}",
                    table.path,
                    table.place(earlier),
                    table.place(row)
                ),
                column: column.clone(),
                value: self.labels[row].clone(),
                group,
            });
        }
        Ok(())
    }

    fn sample(
        &self,
        table: &Table,
        question: &Question,
        group: Vec<String>,
        rows: &[usize],
    ) -> Sample {
        let missing = |row: usize| {
            let predictors = question.x.iter().zip(&self.x);
            let mut columns = predictors.chain([(&question.y, &self.y)]);
            columns.find(|(_, numbers)| numbers[row].is_none()).map(|(name, _)| name.clone())
        };
        let dropped = |&row: &usize| {
            let (label, place) = (self.labels[row].clone(), table.place(row));
            Some(Dropped { label, place, column: missing(row)? })
        };
        let kept: Vec<usize> = rows.iter().copied().filter(|&row| missing(row).is_none()).collect();
        let numbers =
            |column: &Vec<Option<f64>>| kept.iter().filter_map(|&row| column[row]).collect();
        Sample {
            labels: kept.iter().map(|&row| self.labels[row].clone()).collect(),
            x: self.x.iter().map(numbers).collect(),
            y: numbers(&self.y),
            covariates: self
                .covariates
                .iter()
                .map(|column| kept.iter().map(|&row| column[row]).collect())
                .collect(),
            clusters: self
                .clusters
                .as_ref()
                .map(|column| kept.iter().map(|&row| column[row].clone()).collect()),
            dropped: rows.iter().filter_map(dropped).collect(),
            group,
        }
    }
}

/// Where a name that may be bundled is looked up: the table first.
#[derive(Debug)]
struct Bundle<'a> {
    table: &'a Table,
    labels: &'a [String],
    labelled: bool,
}

impl Bundle<'_> {
    fn numbers(
        &self,
        name: &str,
        facts: &mut Vec<Fact>,
    ) -> Result<Vec<Option<f64>>, CorrelateError> {
        if self.table.has(name) {
            return self.table.numbers(name);
        }
        let known = Covariate::ALL.into_iter().find(|covariate| covariate.name() == name);
        let known =
            known.ok_or_else(|| self.unknown(name, &Covariate::ALL.map(Covariate::name)))?;
        self.needs_labels(name)?;
        facts.push(known.fact());
        Ok(self.labels.iter().map(|label| facts::number(label, known)).collect())
    }

    fn groups(
        &self,
        name: &str,
        facts: &mut Vec<Fact>,
    ) -> Result<Vec<Option<String>>, CorrelateError> {
        if self.table.has(name) {
            return self.table.texts(name);
        }
        let known = Grouping::ALL.into_iter().find(|grouping| grouping.name() == name);
        let known = known.ok_or_else(|| self.unknown(name, &Grouping::ALL.map(Grouping::name)))?;
        self.needs_labels(name)?;
        facts.push(known.fact());
        let group = |label: &String| facts::group(label, known);
        Ok(self.labels.iter().map(group).collect())
    }

    fn needs_labels(&self, name: &str) -> Result<(), CorrelateError> {
        match self.labelled {
            true => Ok(()),
            false => Err(CorrelateError::Question(format!(
                "`{name}` is a bundled fact about languages: say which column names them with --label COLUMN"
            ))),
        }
    }

    fn unknown(&self, name: &str, bundled: &[&str]) -> CorrelateError {
        let columns = self.table.header.iter().map(String::as_str);
        CorrelateError::Column {
            path: self.table.path.clone(),
            column: name.to_owned(),
            hint: format!(
                "{}; bundled are {}",
                hint(name, columns.chain(bundled.iter().copied())),
                bundled.join(", ")
            ),
        }
    }
}
