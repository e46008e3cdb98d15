//! The section on clipping rules: where each ends the grid of a layer's MLP and what it costs, width by width; then what that comes to.

use super::block::{Block, Table};
use super::columns::{Column, tables};
use super::number::{UNDEFINED, fixed, or_undefined, p, significant};
use super::{Medium, layer_label};
use crate::reduce::{Clipped, Comparison, LayerComparison, Spread};

/// Rules beside which the best is set.
const BESIDE: [&str; 3] = ["sigma3.5", "sigma5", "absmax"];
/// The width that recommendations are made at, where it was measured.
const BITS: u32 = 4;

/// The blocks; empty without comparisons.
pub(super) fn blocks(comparisons: &[Comparison], medium: Medium) -> Vec<Block> {
    let mut blocks: Vec<Block> =
        comparisons.iter().flat_map(|comparison| width(comparison, medium)).collect();
    let at = comparisons.iter().find(|comparison| comparison.bits == BITS);
    blocks.extend(at.or(comparisons.first()).into_iter().flat_map(recommendation));
    blocks
}

/// The rules at one width, a layer a row.
fn width(comparison: &Comparison, medium: Medium) -> Vec<Block> {
    let exponent = exponent(comparison);
    let heading = format!(
        "Clipping at {} bits per {}: α*/σ, and MSE in {} of the MLP of each layer",
        comparison.bits,
        comparison.granularity,
        unit(exponent)
    );
    let labels = Column::new("layer", comparison.layers.iter().map(label));
    let column = |rule: &String| {
        let cells: Vec<Option<Clipped>> =
            comparison.layers.iter().map(|layer| layer.by_rule.get(rule).copied()).collect();
        Column::new(head(rule), cells_of(&cells, exponent))
    };
    let columns: Vec<Column> = comparison.rules.iter().map(column).collect();
    let mut blocks = vec![Block::Heading(heading)];
    blocks.extend(tables(&labels, &columns, medium));
    blocks
}

fn label(layer: &LayerComparison) -> String {
    layer_label(layer.layer.stack.name(), layer.layer.index)
}

/// A rule's name in two short lines.
fn head(rule: &str) -> String {
    match (rule.strip_prefix("percentile"), rule.split_once('-')) {
        (Some(share), _) => format!("percent.\n{share}"),
        (None, Some((family, density))) => format!("{family}\n{density}"),
        (None, None) => rule.to_owned(),
    }
}

/// The power of ten of the smallest error.
fn exponent(comparison: &Comparison) -> i32 {
    let errors = comparison.layers.iter().flat_map(|layer| layer.by_rule.values());
    let errors = errors.map(|clipped| clipped.mse_over_variance).filter(|&error| error > 0.0);
    errors.min_by(f64::total_cmp).map_or(0, |least| least.log10().floor() as i32)
}

/// `10⁻² σ²`.
fn unit(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    if exponent == 0 {
        return "σ²".to_owned();
    }
    let sign = if exponent < 0 { "⁻" } else { "" };
    let digits = exponent.unsigned_abs().to_string();
    let digits: String = digits.bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect();
    format!("10{sign}{digits} σ²")
}

/// Both numbers of each cell, the second ones right under each other.
fn cells_of(cells: &[Option<Clipped>], exponent: i32) -> Vec<String> {
    let error = |clipped: &Clipped| {
        let scaled = clipped.mse_over_variance * 10_f64.powi(-exponent);
        fixed(scaled, if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) })
    };
    let widest =
        cells.iter().flatten().map(|clipped| error(clipped).chars().count()).max().unwrap_or(0);
    let write = |clipped: &Clipped| {
        let alpha = clipped.alpha_over_sigma;
        let alpha = fixed(alpha, if alpha < 99.995 { 2 } else { 1 });
        format!("{alpha} {:>widest$}", error(clipped))
    };
    cells.iter().map(|cell| cell.as_ref().map_or(UNDEFINED.to_owned(), write)).collect()
}

/// For each layer the best rule and what others cost, and in words what all layers come to.
fn recommendation(comparison: &Comparison) -> Vec<Block> {
    let heading = format!(
        "Least error at {} bits per {}: the rule, its α*/σ and MSE/σ², and the MSE of others over it",
        comparison.bits, comparison.granularity
    );
    let beside: Vec<&str> = BESIDE
        .into_iter()
        .filter(|rule| comparison.rules.iter().any(|known| known == rule))
        .collect();
    let header = ["layer", "type", "kurtosis", "rule", "α*/σ", "MSE/σ²"];
    let header = header.map(str::to_owned).into_iter();
    let mut table = Table::new(
        &header.chain(beside.iter().map(|rule| format!("{rule} ×"))).collect::<Vec<_>>(),
    );
    table.rows = comparison.layers.iter().map(|layer| row(layer, &beside)).collect();
    vec![Block::Heading(heading), Block::Table(table), Block::Text(in_words(comparison, &beside))]
}

fn row(layer: &LayerComparison, beside: &[&str]) -> Vec<String> {
    let best = layer.best.as_ref();
    let number =
        |value: Option<f64>, digits| or_undefined(value, |value| significant(value, digits));
    let mut cells = vec![
        label(layer),
        layer.note().unwrap_or(UNDEFINED).to_owned(),
        or_undefined(layer.kurtosis, |value| fixed(value, 2)),
        best.map_or(UNDEFINED.to_owned(), |(rule, _)| rule.clone()),
        or_undefined(best.map(|(_, clipped)| clipped.alpha_over_sigma), |value| fixed(value, 3)),
        number(best.map(|(_, clipped)| clipped.mse_over_variance), 4),
    ];
    cells.extend(beside.iter().map(|rule| number(layer.cost(rule), 3)));
    cells
}

fn in_words(comparison: &Comparison, beside: &[&str]) -> String {
    let layers = comparison.layers.len();
    let winners: Vec<String> =
        comparison.winners().into_iter().map(|(rule, wins)| format!("{rule} in {wins}")).collect();
    let mut sentences =
        vec![format!("Of {layers} layers the least error is that of {}.", winners.join(", "))];
    if let Some(alphas) = comparison.best_alphas() {
        sentences.push(format!("Its α*/σ is {}.", spread(alphas)));
    }
    if let Some(found) = comparison.kurtosis_and_alpha() {
        sentences.push(format!(
            "Over the layers, kurtosis and that α*/σ have Spearman's ρ = {} (p = {}, n = {}).",
            fixed(found.rho, 2),
            p(found.p),
            found.n
        ));
    }
    let costs =
        beside.iter().filter_map(|rule| Some(format!("{rule} {}", spread(comparison.cost(rule)?))));
    let costs: Vec<String> = costs.collect();
    if !costs.is_empty() {
        sentences.push(format!("Times the least error: {}.", costs.join("; ")));
    }
    if let Some((rule, cost)) = comparison.safest() {
        sentences.push(format!(
            "The rule whose worst layer is best is {rule}: at most {} times the least error.",
            significant(cost, 3)
        ));
    }
    sentences.join(" ")
}

fn spread(Spread { low, median, high }: Spread) -> String {
    let [low, median, high] = [low, median, high].map(|value| significant(value, 3));
    format!("{median} in the median ({low} to {high})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::clipping_rows;
    use crate::report::{TERMINAL_WIDTH, clipping};

    #[test]
    fn the_tables_fit_and_the_words_are_those_of_the_rows() {
        let text = clipping(&clipping_rows());
        for part in [
            "Clipping at 4 bits per tensor: α*/σ, and MSE in 10⁻² σ² of the MLP of each layer",
            "2.50 1.00",
            "134.0  100",
            "Of 3 layers the least error is that of octav in 2, mse in 1.",
            "2.70 in the median (2.50 to 2.90)",
            "ρ = 1.00",
            "The rule whose worst layer is best is octav: at most 2.00 times the least error.",
        ] {
            assert!(text.replace('\n', " ").contains(part), "{part}\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= TERMINAL_WIDTH), "{text}");
        assert_eq!(clipping(&[]), "");
    }

    #[test]
    fn units_and_heads() {
        assert_eq!(
            (unit(0), unit(-12), unit(3)),
            ("σ²".to_owned(), "10⁻¹² σ²".to_owned(), "10³ σ²".to_owned())
        );
        assert_eq!(head("percentile99.9"), "percent.\n99.9");
        assert_eq!(
            (head("aciq-gauss"), head("octav")),
            ("aciq\ngauss".to_owned(), "octav".to_owned())
        );
    }
}
