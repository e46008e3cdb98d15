//! The section on protection: whether layers left as they are were chosen better than by chance.

use super::block::{Block, Table};
use super::number::{UNDEFINED, fixed, or_undefined, p};
use super::sensitivity::label;
use super::{Medium, View, reasons};
use crate::reduce::{EVERY_SET, ProtectionRow};

const HEADER: [&str; 7] = [
    "left as they are",
    "config",
    "language",
    "ΔNLL",
    "ΔNLL of controls: mean [least, most]",
    "rank",
    "p",
];

/// The section; empty where no named set of layers was left out. The terminal has means over languages alone.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let shown = |row: &&ProtectionRow| match view.medium {
        Medium::Terminal => row.language.is_none(),
        Medium::Markdown | Medium::Html => true,
    };
    let rows = || view.summary.protection.iter().filter(|row| row.model == view.model);
    let mut table = Table::new(&HEADER);
    table.rows = rows().filter(shown).map(texts).collect();
    if table.rows.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![
        Block::Heading(HEADING.to_owned()),
        Block::Table(table),
        Block::Text(WORDS.to_owned()),
    ];
    blocks.extend(reasons(rows().map(|row| &row.reason)));
    blocks
}

const HEADING: &str = "Protection: sets of layers left as they are against others of their size, in 10⁻³ nat per token";
const WORDS: &str = "rank: 1 where no control has a smaller ΔNLL. p: of being no better than a set taken at random, one-sided; (1 + controls \
     at least as good) / (1 + controls), or among every set of the size the share that is at least as good. Nothing is corrected for \
     the number of sets, configs and languages looked at.";

fn texts(row: &ProtectionRow) -> Vec<String> {
    let set = row.scope.strip_prefix("all-but(").and_then(|set| set.strip_suffix(')'));
    let number = |number: Option<f64>| or_undefined(number, |number| fixed(1e3 * number, 2));
    let controls = match (&row.control, row.control_mean) {
        (Some(control), Some(_)) => format!(
            "{} [{}, {}] ({} {control})",
            number(row.control_mean),
            number(row.control_min),
            number(row.control_max),
            row.controls
        ),
        (Some(_), None) | (None, _) => UNDEFINED.to_owned(),
    };
    let rank = row.rank.map_or(UNDEFINED.to_owned(), |rank| format!("{rank} of {}", rank_of(row)));
    vec![
        set.unwrap_or(&row.scope).to_owned(),
        label(&row.components, &row.config),
        row.language.clone().unwrap_or_else(|| "mean".to_owned()),
        number(row.delta_nll),
        controls,
        rank,
        or_undefined(row.p, p),
    ]
}

/// How many sets are ranked: beside random controls the set itself.
fn rank_of(row: &ProtectionRow) -> u64 {
    match row.control.as_deref() {
        Some(EVERY_SET) => row.controls,
        Some(_) | None => row.controls + 1,
    }
}
