//! One predictor and the outcome: correlations, intervals and what each claims, what leaving rows out does, what to be careful of.

use super::super::block::Block;
use super::super::number::{UNDEFINED, count, fixed, or_undefined, significant};
use super::{advice, ends, p, partials, r};
use crate::correlate::{
    Claimed, Clustered, Correlation, Finding, Findings, LeaveOut, Left, Permutation, SampleFindings,
};
use crate::statistics::Interval;

/// The blocks, under a heading.
pub(super) fn blocks(
    findings: &Findings,
    sample: &SampleFindings,
    finding: &Finding,
) -> Vec<Block> {
    let heading =
        Block::Heading(format!("{} with {}, n = {}", finding.x, findings.question.y, sample.n));
    let Some(correlation) = &finding.correlation else {
        let reason = finding.undefined.as_deref().unwrap_or(UNDEFINED);
        return vec![heading, Block::Text(format!("Undefined: {reason}."))];
    };
    let mut lines = main_lines(sample.n, correlation);
    lines.extend([line(findings, finding, correlation), power(finding)]);
    let all = correlation.pearson_r;
    let mut paragraphs = vec![lines, intervals(findings, correlation)];
    paragraphs.push(left_out("row", all, &correlation.leave_one_out));
    paragraphs.extend(correlation.clusters.as_ref().map(|found| clusters(all, found)));
    let warning = |warning| Block::Text(format!("⚠ {}.", advice::words(warning)));
    let mut blocks = vec![heading];
    blocks.extend(paragraphs.into_iter().map(Block::Lines));
    blocks.extend(partials::blocks(&finding.partials));
    blocks.extend(finding.warnings.iter().map(warning));
    blocks
}

/// The least-squares line, in the columns' names.
fn line(findings: &Findings, finding: &Finding, found: &Correlation) -> String {
    format!(
        "line      {} = {} {} {}·{} (standard error of the slope {})",
        findings.question.y,
        significant(found.intercept, 4),
        if found.slope < 0.0 { "−" } else { "+" },
        significant(found.slope.abs(), 4),
        finding.x,
        significant(found.slope_error, 3),
    )
}

/// The three correlations with their p.
fn main_lines(n: usize, found: &Correlation) -> Vec<String> {
    let t = or_undefined(found.pearson_t, |t| fixed(t, 4));
    let mut lines = vec![
        format!(
            "pearson   r = {}, t({}) = {t}, p = {}",
            r(found.pearson_r),
            n - 2,
            p(found.pearson_p)
        ),
        format!("          {}", permutation(&found.permutation)),
    ];
    lines.extend(found.corrected.map(|corrected| {
        format!(
            "          corrected p: Holm {}, Benjamini–Hochberg {}, max-T {}",
            p(corrected.holm_p),
            p(corrected.benjamini_hochberg_p),
            p(corrected.max_t_p)
        )
    }));
    lines.push(format!("spearman  ρ = {}, p = {}", r(found.spearman_rho), p(found.spearman_p)));
    lines.push(format!("          {}", permutation(&found.spearman_permutation)));
    lines.push(format!("kendall   τ = {}, p = {}", r(found.kendall_tau), p(found.kendall_p)));
    lines
}

fn permutation(found: &Permutation) -> String {
    let (strong, all) = (count(found.as_strong), count(found.orders));
    match found.exact {
        true => {
            format!("permutation p = {}: {strong} of all {all} orders are as strong", p(found.p))
        }
        false => format!(
            "permutation p = {}: {strong} of {all} orders, all but the observed one random, are as strong",
            p(found.p)
        ),
    }
}

fn power(finding: &Finding) -> String {
    let needed = match finding.rows_needed {
        Some(rows) => format!("{} rows", count(rows.ceil() as u64)),
        None => "more rows than there can be".to_owned(),
    };
    format!(
        "power     |r| ≥ {} is visible in so many rows; the r observed needs {needed} (80 % power, two-sided 5 %)",
        or_undefined(finding.detectable_r, |r| fixed(r, 2)),
    )
}

/// The interval of ρ, which any increasing function of the columns leaves as it is.
const RANKS: (&str, &str) =
    ("Bonett–Wright, of ρ", "independent rows; skewed columns do not matter");

fn intervals(findings: &Findings, found: &Correlation) -> Vec<String> {
    let percent = (1000.0 * findings.question.confidence).round() / 10.0;
    let heading = format!("Intervals of r, {percent} %, and what each claims to hold for:");
    let of_r =
        |claimed: &Claimed| (claimed.method.name(), claimed.interval, claimed.method.claim());
    let mut rows: Vec<(&str, Interval, &str)> = found.intervals.iter().map(of_r).collect();
    rows.extend(found.spearman_interval.map(|interval| (RANKS.0, interval, RANKS.1)));
    let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    let line =
        |(name, interval, claim)| format!("    {name:width$}  {:24}  {claim}", ends(interval));
    [heading].into_iter().chain(rows.into_iter().map(line)).collect()
}

fn left_out(what: &str, all: f64, found: &LeaveOut) -> Vec<String> {
    let defined = || found.each.iter().filter_map(|left| Some((left.label.as_str(), left.r?)));
    let lowest = defined().min_by(|a, b| a.1.total_cmp(&b.1));
    let highest = defined().max_by(|a, b| a.1.total_cmp(&b.1));
    let (Some(lowest), Some(highest)) = (lowest, highest) else {
        return vec![format!("Without one {what}: r is undefined")];
    };
    let mut lines = vec![format!(
        "Without one {what}: r from {} (without {}) to {} (without {})",
        r(lowest.1),
        lowest.0,
        r(highest.1),
        highest.0
    )];
    let most = found.each.iter().find(|left| Some(&left.label) == found.most_influential.as_ref());
    lines.extend(most.map(|left| influential(all, left)));
    lines
}

fn influential(all: f64, Left { label, r: left, p: p_left }: &Left) -> String {
    match left {
        Some(left) => format!(
            "    most influential: {label}, which moves r by {}; without it p = {}",
            r(all - left),
            or_undefined(*p_left, p)
        ),
        None => format!("    most influential: {label}, without which there is no correlation"),
    }
}

fn clusters(all: f64, found: &Clustered) -> Vec<String> {
    let mut lines = vec![format!("By {}, {} of them:", found.cluster, found.clusters)];
    lines.push(match (&found.undefined, found.means_r) {
        (Some(reason), _) => format!("    {reason}"),
        (None, means_r) => format!(
            "    means of each: r = {}, p = {}",
            or_undefined(means_r, r),
            or_undefined(found.means_p, p)
        ),
    });
    lines.extend(
        found.other_sign.map(|share| {
            format!("    resampled: r has the other sign with probability {}", p(share))
        }),
    );
    lines.extend(
        left_out(&found.cluster, all, &found.leave_one_out)
            .into_iter()
            .map(|line| format!("    {line}")),
    );
    lines
}
