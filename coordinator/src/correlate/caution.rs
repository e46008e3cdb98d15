//! Which warnings a finding deserves. Their words stand in `report`.

use super::findings::{Controlled, Correlation, Finding, LeaveOut, Method};
use super::question::Question;
use super::sample::Sample;
use super::warning::{ROWS_PER_COVARIATE, Warning};
use crate::statistics::{LEVEL, decisive};

/// Rows below which the power is spoken of.
const FEW: usize = 30;
/// Variance inflation above which a column's share cannot be told.
const INFLATED: f64 = 5.0;

/// The warnings, the gravest first: what undoes the correlation, then what weakens it.
pub(super) fn cautions(sample: &Sample, question: &Question, finding: &Finding) -> Vec<Warning> {
    let Some(correlation) = &finding.correlation else { return Vec::new() };
    let mut warnings = Vec::new();
    warnings.extend(removed(finding));
    warnings.extend(carried(correlation.pearson_p, &correlation.leave_one_out));
    let clusters = correlation.clusters.as_ref();
    warnings
        .extend(clusters.and_then(|found| carried(correlation.pearson_p, &found.leave_one_out)));
    warnings.extend(related(correlation, sample.count()));
    warnings.extend(inflated(finding));
    let (covariates, n) = (question.covariates.len(), sample.count());
    if covariates * ROWS_PER_COVARIATE > n {
        warnings.push(Warning::ManyCovariates { covariates, n });
    }
    if let Some(detectable_r) = finding.detectable_r.filter(|_| n < FEW) {
        warnings.push(Warning::FewPoints { n, detectable_r, needed: finding.rows_needed });
    }
    warnings.extend(unclustered(sample, question));
    warnings
}

/// The covariates that take a significant correlation away: all together, or else the first alone. Of the same rows: what goes away with
/// rows whose covariate is unknown was not the covariate's.
fn removed(finding: &Finding) -> Option<Warning> {
    let removes = |controlled: &Controlled| {
        let (partial, alone) = (controlled.partial.as_ref()?, controlled.alone?);
        (alone.p <= LEVEL && partial.p > LEVEL).then(|| Warning::CovariateRemoves {
            controls: controlled.controls.clone(),
            n: controlled.n,
            r: partial.r,
            p: partial.p,
        })
    };
    let (all, each) = finding.partials.split_last()?;
    [all].into_iter().chain(each).find_map(removes)
}

/// The row or cluster whose absence changes the verdict; of several the one that changes p most. Where the others have no correlation, the
/// row is all of it.
fn carried(p: f64, leave_out: &LeaveOut) -> Option<Warning> {
    let left = &leave_out.each[decisive(p, leave_out.each.iter().map(|left| left.p))?];
    let label = left.label.clone();
    Some(Warning::OneCarries { label, p, r_without: left.r, p_without: left.p })
}

/// Clusters that leave no significant correlation of a significant one.
fn related(correlation: &Correlation, n: usize) -> Option<Warning> {
    let found = correlation.clusters.as_ref()?;
    let includes_zero = |method: Method| {
        let claimed = correlation.intervals.iter().find(|claimed| claimed.method == method);
        claimed.is_some_and(|claimed| claimed.interval.low <= 0.0 && claimed.interval.high >= 0.0)
    };
    let lost = includes_zero(Method::ClusterPercentile) || found.means_p.is_some_and(|p| p > LEVEL);
    let warning = Warning::Related { cluster: found.cluster.clone(), clusters: found.clusters, n };
    (correlation.pearson_p <= LEVEL && lost && found.clusters < n).then_some(warning)
}

/// The column that the others inflate most, with all covariates held fixed.
fn inflated(finding: &Finding) -> Option<Warning> {
    let all = finding.partials.last()?;
    let columns: Vec<&String> = [&finding.x].into_iter().chain(&all.controls).collect();
    let inflation = all.partial.as_ref()?.inflation.iter().copied();
    let (at, inflation) = inflation.enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let others = columns.iter().enumerate().filter(|(other, _)| *other != at);
    let others = others.map(|(_, column)| (*column).clone()).collect();
    let column = columns[at].clone();
    (inflation > INFLATED).then_some(Warning::Inflated { column, inflation, others })
}

fn unclustered(sample: &Sample, question: &Question) -> Option<Warning> {
    let clusters = sample.clusters.as_ref()?.iter().zip(&sample.labels);
    let labels: Vec<String> =
        clusters.filter(|(cluster, _)| cluster.is_none()).map(|(_, label)| label.clone()).collect();
    let cluster = question.cluster.clone().unwrap_or_default();
    (!labels.is_empty()).then_some(Warning::Unclustered { cluster, labels })
}
