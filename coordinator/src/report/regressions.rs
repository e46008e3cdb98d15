//! The section on the model across cells: which of the predictors ΔNLL of single layers goes with, when all are in one model. What it says of
//! each config in words, then its terms.

use super::block::{Block, Table};
use super::configs::hidden;
use super::number::{estimates, fixed, or_undefined, p, thousandths};
use super::sensitivity::label;
use super::{View, reasons};
use crate::reduce::{INTERCEPT, RegressionRow};

const HEADER: [&str; 6] = ["config", "term", "10⁻³ nat/token", "t", "p", "wild p"];

/// The section; empty where no layer was quantized alone.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let hidden = hidden(view);
    let rows = view.summary.regressions.iter().filter(|row| row.model == view.model);
    let is_shown = |row: &&RegressionRow| {
        let config = (row.components.as_str(), row.config.as_str());
        row.unsupported().is_none() && !hidden.contains(&config)
    };
    let rows: Vec<&RegressionRow> = rows.filter(is_shown).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let groups: Vec<&[&RegressionRow]> = rows.chunk_by(|a, b| config(a) == config(b)).collect();
    let mut table = Table::new(&HEADER);
    table.rows = groups.iter().flat_map(|group| texts(group)).collect();
    let mut blocks = vec![
        Block::Heading(HEADING.to_owned()),
        Block::Lines(groups.iter().flat_map(|group| lines(group)).collect()),
        Block::Table(table),
        Block::Text(words(view, &rows)),
    ];
    blocks.extend(reasons(rows.iter().map(|row| &row.reason)));
    blocks
}

const HEADING: &str =
    "One model across cells: what does ΔNLL of a layer in a language go with, the rest held fixed?";

fn config(row: &RegressionRow) -> String {
    label(&row.components, &row.config)
}

/// `int4-channel: 42 cells of 14 languages and 3 layers, R² = 0.31`, then `ΔNLL rises with kurtosis and falls with log_volume`.
fn lines(group: &[&RegressionRow]) -> Vec<String> {
    let first = group[0];
    let Some(r_squared) = first.r_squared else {
        let reason = first.reason.as_deref().unwrap_or_default();
        return vec![format!("{}: no model", config(first)), format!("    because: {reason}")];
    };
    let predictors = || group.iter().filter(|row| row.term != INTERCEPT);
    let beyond = |excludes: fn(&RegressionRow) -> bool| -> Vec<&str> {
        predictors().filter(|row| excludes(row)).map(|row| row.term.as_str()).collect()
    };
    let rises = beyond(|row| row.coefficient_low.is_some_and(|low| low > 0.0));
    let falls = beyond(|row| row.coefficient_high.is_some_and(|high| high < 0.0));
    let parts = [("rises with", rises), ("falls with", falls)].into_iter();
    let parts: Vec<String> = parts
        .filter(|(_, terms)| !terms.is_empty())
        .map(|(verb, terms)| format!("{verb} {}", terms.join(", ")))
        .collect();
    let found = match parts.is_empty() {
        true => "goes clearly with none of the terms".to_owned(),
        false => parts.join(" and "),
    };
    let RegressionRow { n, languages, layers, .. } = first;
    let size = format!("{n} cells of {languages} languages and {layers} layers");
    let mut lines = vec![
        format!("{}: {size}, R² = {}", config(first), fixed(r_squared, 2)),
        format!("    ΔNLL {found}"),
    ];
    let unsure = beyond(|row| row.coefficient.is_some() && row.t.is_none());
    lines.extend(first.absent.iter().map(|absent| format!("    without: {absent}")));
    if !unsure.is_empty() {
        lines.push(format!("    without a standard error: {}", unsure.join(", ")));
    }
    lines
}

/// A row for every term that is in the model.
fn texts(group: &[&RegressionRow]) -> Vec<Vec<String>> {
    let terms: Vec<&&RegressionRow> =
        group.iter().filter(|row| row.coefficient.is_some()).collect();
    let coefficients: Vec<_> = terms.iter().map(|row| coefficient(row)).collect();
    let text = |(row, estimate): (&&&RegressionRow, String)| {
        let t = or_undefined(row.t, |t| fixed(t, 2));
        let [plain, wild] = [row.p, row.p_wild].map(|value| or_undefined(value, p));
        vec![config(row), row.term.clone(), estimate, t, plain, wild]
    };
    terms.iter().zip(estimates(&coefficients, 3)).map(text).collect()
}

/// Coefficient, low and high in thousandths.
pub(super) fn coefficient(row: &RegressionRow) -> [Option<f64>; 3] {
    thousandths([row.coefficient, row.coefficient_low, row.coefficient_high])
}

fn words(view: View<'_>, rows: &[&RegressionRow]) -> String {
    let weighted = rows.iter().find_map(|row| row.wild.as_deref());
    format!(
        "Least squares over the cells (language × layer) at only(layer). Per standard deviation of kurtosis (of the layer's MLP weights), \
         activation_share (of the layer in the language, at block_out) and log_volume (log10 of {} of the language); kurtosis and share each at the mean of the other, kurtosis_by_share the product of both; latin: Latin script against \
         others. In brackets: {} % interval, which allows errors to depend on each other within a language and within a layer; t has \
         min(languages, layers) − 1 degrees of freedom. Above, in words: the terms whose interval excludes 0. Nothing is corrected for the \
         number of terms and configs; with fewer than some 40 languages or layers such intervals tend to be too narrow. wild p: by the wild cluster \
         bootstrap over {}, which holds with few of them: trust it where the two differ.",
        view.summary.analysis.resource,
        fixed(100.0 * view.summary.analysis.confidence, 0),
        weighted.unwrap_or("fewer than 15 languages or layers")
    )
}

#[cfg(test)]
mod tests {
    use super::super::Medium;
    use super::*;
    use crate::reduce::example::summary;

    #[test]
    fn what_it_says_in_words() {
        let rows = summary().regressions;
        let check = |changed: &[(usize, f64)], expected: &str| {
            let mut rows = rows.clone();
            for row in &mut rows {
                (row.coefficient_low, row.coefficient_high) = (Some(-1.0), Some(1.0));
                row.t = Some(0.0);
                row.r_squared = Some(0.314);
            }
            for &(at, coefficient) in changed {
                let ends = (Some(coefficient - 0.1), Some(coefficient + 0.1));
                (rows[at].coefficient_low, rows[at].coefficient_high) = ends;
            }
            let found = lines(&rows.iter().collect::<Vec<_>>());
            let size = "int4-channel: 42 cells of 14 languages and 3 layers, R² = 0.31";
            assert_eq!(found[..2], [size.to_owned(), format!("    ΔNLL {expected}")]);
            assert_eq!(found.len(), 2);
        };
        check(&[(0, 9.0)], "goes clearly with none of the terms");
        check(
            &[(1, 0.5), (3, 2.0), (4, -0.2)],
            "rises with kurtosis, kurtosis_by_share and falls with log_volume",
        );
        check(&[(5, -0.2)], "falls with latin");
        let mut rows = rows.clone();
        (rows[2].coefficient, rows[2].t) = (Some(1.0), None);
        rows[1].t = Some(0.0);
        let found = lines(&rows.iter().collect::<Vec<_>>());
        assert!(
            found[2].starts_with("    without a standard error: activation_share"),
            "{found:?}"
        );
    }

    #[test]
    fn no_model_says_why() {
        let mut summary = summary();
        for row in &mut summary.regressions {
            (row.r_squared, row.coefficient) = (None, None);
            row.reason = Some("no errors are left".to_owned());
        }
        let view = View { summary: &summary, model: "toy", medium: Medium::Markdown };
        let blocks = blocks(view);
        let lines = ["int4-channel: no model", "    because: no errors are left"];
        assert_eq!(blocks[1], Block::Lines(lines.map(str::to_owned).to_vec()));
        summary.regressions.clear();
        let view = View { summary: &summary, model: "toy", medium: Medium::Markdown };
        assert!(super::blocks(view).is_empty());
    }
}
