//! Correlate: the statistics alone, on any table of numbers, or on the one that a finished output makes. A file and a question → findings. Not a
//! study's own analysis (`reduce`), which uses the same statistics, nor how findings are written (`report`).

mod caution;
mod columnar;
mod delimited;
mod error;
mod examine;
mod facts;
mod findings;
mod measured;
mod question;
mod sample;
mod table;
mod warning;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::CorrelateError;
pub use facts::Fact;
pub(crate) use facts::{Covariate, number};
pub use findings::{
    Claimed, Clustered, Comparison, Controlled, Corrected, Correlation, Finding, Findings,
    LeaveOut, Left, Method, PartialFinding, Permutation, SampleFindings,
};
pub(crate) use measured::MEASURED;
pub use question::Question;
pub use sample::Dropped;
pub(crate) use warning::ROWS_PER_COVARIATE;
pub use warning::Warning;

use examine::Examined;
use sample::Sample;
use table::Table;

use crate::statistics::{ORDERS_MAX, Shuffled, Shuffles, benjamini_hochberg, holm};

/// The column that names rows where the question does not say which.
const LABEL: &str = "language";

/// Rows from which on counting all orders takes so long that it is said beforehand.
const SLOW: usize = 16;

/// Reads a table, or of a folder the table that its analysis makes, and answers a question about it.
///
/// # Errors
/// The file cannot be read, lacks a column that the question names, or holds a value that its column cannot have.
pub fn correlate(path: &Path, mut question: Question) -> Result<Findings, CorrelateError> {
    question.check()?;
    if path.is_dir() && question.by.is_empty() {
        question.by = measured::BY.map(str::to_owned).to_vec();
    }
    let columns: Vec<&str> = question.columns().chain([LABEL]).collect();
    let table = match path.is_dir() {
        true => measured::read(path, &columns)?,
        false => Table::read(path, &columns)?,
    };
    question.label = question.label.or_else(|| table.has(LABEL).then(|| LABEL.to_owned()));
    let (samples, facts) = sample::samples(&table, &question)?;
    let slow = samples.iter().map(Sample::count).find(|rows| (SLOW..=ORDERS_MAX).contains(rows));
    if let Some(rows) = slow {
        tracing::warn!(rows, "all orders of so many rows are counted: that takes minutes");
    }
    let examined: Vec<Examined<'_>> =
        samples.iter().map(|sample| Examined::new(&question, sample)).collect();
    let mut found: Vec<SampleFindings> = examined.iter().map(Examined::findings).collect();
    let family = correct(&question, &examined, &mut found);
    Ok(Findings {
        version: findings::VERSION,
        table: table.path,
        question,
        facts,
        family,
        samples: found,
    })
}

/// Corrects the p values of all predictors in all samples for each other, and says what the family is; nothing for a single test.
fn correct(
    question: &Question,
    examined: &[Examined<'_>],
    found: &mut [SampleFindings],
) -> Option<String> {
    let correlations = found.iter().flat_map(|sample| &sample.predictors);
    let p: Vec<f64> =
        correlations.filter_map(|finding| Some(finding.correlation.as_ref()?.pearson_p)).collect();
    if p.len() < 2 {
        return None;
    }
    let (mut holm, mut hochberg) = (holm(&p).into_iter(), benjamini_hochberg(&p).into_iter());
    for (examined, sample) in examined.iter().zip(&mut *found) {
        let tests: Vec<_> =
            (0..question.x.len()).filter_map(|at| examined.pairs(at).ok()).collect();
        let mut shuffled = Shuffles::new(question.seed, question.draws).family(&tests).into_iter();
        let correlations =
            sample.predictors.iter_mut().filter_map(|finding| finding.correlation.as_mut());
        for correlation in correlations {
            correlation.corrected = corrected(&mut holm, &mut hochberg, shuffled.next()?);
        }
    }
    let samples =
        found.iter().filter(|sample| sample.predictors.iter().any(|x| x.correlation.is_some()));
    Some(format!(
        "{} tests: Pearson's r of {} with {} in {}",
        p.len(),
        question.x.join(", "),
        question.y,
        match samples.count() {
            1 => "one sample".to_owned(),
            count => format!("{count} samples by {}", question.by.join(", ")),
        }
    ))
}

fn corrected(
    holm: &mut impl Iterator<Item = f64>,
    hochberg: &mut impl Iterator<Item = f64>,
    shuffled: Shuffled,
) -> Option<Corrected> {
    Some(Corrected {
        holm_p: holm.next()?,
        benjamini_hochberg_p: hochberg.next()?,
        max_t_p: shuffled.family_p,
    })
}
