//! Warnings in words: what is the matter, and what to do about it. When one is due is not decided here.

use super::super::number::{count, fixed, or_undefined, p};
use crate::correlate::{ROWS_PER_COVARIATE, Warning};

/// The warning as a sentence without its full stop.
pub(super) fn words(warning: &Warning) -> String {
    match warning {
        Warning::FewPoints { n, detectable_r, needed } => {
            let needed = needed.map(|needed| needed.ceil()).filter(|needed| *needed > *n as f64);
            let advice = match needed {
                Some(needed) => format!(
                    "if r is what was observed, {} are needed: add languages",
                    count(needed as u64)
                ),
                None => "add languages before a smaller correlation is called absent".to_owned(),
            };
            format!(
                "few points: {n} see |r| ≥ {} in four cases of five, smaller ones less often, and what they see looks larger \
                 than it is; {advice}",
                fixed(*detectable_r, 2)
            )
        }
        Warning::OneCarries { label, p: all, r_without, p_without } => format!(
            "{label} carries it: p is {} with it, {} without it (r = {}); check its numbers, and report both",
            p(*all),
            or_undefined(*p_without, p),
            or_undefined(*r_without, |r| fixed(r, 2))
        ),
        Warning::CovariateRemoves { controls, n, r, p: left } => format!(
            "with {} held fixed r of the same {n} rows is {} (p = {}), no longer significant: the correlation may be theirs; add rows \
             that differ in the predictor but not in them, or claim less",
            controls.join(", "),
            fixed(*r, 2),
            p(*left)
        ),
        Warning::Inflated { column, inflation, others } => format!(
            "{column} follows nearly from {} (variance inflated {} times): their shares cannot be told apart here; drop one, or \
             add rows where they part",
            others.join(", "),
            fixed(*inflation, 1)
        ),
        Warning::ManyCovariates { covariates, n } => format!(
            "{covariates} covariates are many for {n} rows: hold at most {} fixed at a time",
            (n / ROWS_PER_COVARIATE).max(1)
        ),
        Warning::Related { cluster, clusters, n } => format!(
            "the {n} rows are {clusters} by {cluster}, and related rows are no independent ones: counted by {cluster} the \
             correlation is not significant; add rows of other ones, and claim no more than the means show"
        ),
        Warning::Unclustered { cluster, labels } => format!(
            "no {cluster} is known of {}: each counts as one of its own; add a column with it and name that with --cluster",
            labels.join(", ")
        ),
    }
}
