//! The verdicts on registered hypotheses, above everything that was looked at afterwards. Not the judgement (`reduce`).

use maud::{Markup, html};

use super::super::hypotheses::{WORDS, because, place, test_in_words};
use super::super::number::{fixed, or_undefined, p};
use crate::reduce::{HypothesisRow, Summary};

/// The panel; empty where nothing was claimed.
pub(super) fn markup(summary: &Summary) -> Markup {
    let hypotheses: Vec<&[HypothesisRow]> =
        summary.hypotheses.chunk_by(|a, b| a.id == b.id).collect();
    html! {
        @if !hypotheses.is_empty() {
            section #hypotheses {
                h2 { "Hypotheses" }
                @for rows in &hypotheses { (one(rows)) }
                p.note { (WORDS) }
            }
        }
    }
}

/// A hypothesis and its tests.
fn one(rows: &[HypothesisRow]) -> Markup {
    html! {
        h3 { (rows[0].id) }
        p.words { code { (rows[0].claim) } " · " (test_in_words(rows)) }
        div.scroll {
            table {
                thead { tr {
                    th { "where" } th { "verdict" } th { "estimate" } th { "n" } th { "p" } th { "corrected" } th { "power" }
                } }
                tbody { @for row in rows { (tested(row)) } }
            }
        }
        @if let Some(because) = because(rows) { p.note { (because) } }
    }
}

fn tested(row: &HypothesisRow) -> Markup {
    let two = |value| or_undefined(value, |value| fixed(value, 2));
    html! {
        tr {
            th { bdi { (place(row)) } }
            td { strong { (row.verdict) } }
            td {
                (two(row.estimate))
                @if let Some((low, high)) = row.low.zip(row.high) { " [" (fixed(low, 2)) ", " (fixed(high, 2)) "]" }
            }
            td { (row.n) }
            td { (or_undefined(row.p, p)) }
            td { (or_undefined(row.p_corrected, p)) }
            td { (two(row.power)) }
        }
    }
}
