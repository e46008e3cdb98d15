//! Samples → findings: every statistic of each predictor, and what about it should give pause. The statistics stand in `statistics`.

use super::caution::cautions;
use super::findings::{
    Alone, Claimed, Clustered, Comparison, Controlled, Correlation, Finding, LeaveOut, Left,
    Method, PartialFinding, Permutation, SampleFindings,
};
use super::question::Question;
use super::sample::Sample;
use crate::statistics::{
    AIM, Bootstrap, Clusters, Pairs, Resamples, Shuffles, Triple, Undefined, bonett_wright,
    bootstrap, jackknife, kendall, line, orders, partial, pearson, spearman,
};

/// A sample under examination.
#[derive(Debug)]
pub(super) struct Examined<'a> {
    question: &'a Question,
    sample: &'a Sample,
    /// Clusters of rows; a row without one stands alone.
    clusters: Option<Clusters>,
}

impl<'a> Examined<'a> {
    /// A sample and what is asked of it.
    pub(super) fn new(question: &'a Question, sample: &'a Sample) -> Self {
        let clusters = sample.clusters.as_ref();
        let clusters = clusters.map(|labels| Clusters::partly_labelled(labels, &sample.labels));
        Self { question, sample, clusters }
    }

    /// Everything about the sample but what needs the other samples.
    pub(super) fn findings(&self) -> SampleFindings {
        SampleFindings {
            group: self.sample.group.clone(),
            n: self.sample.count(),
            dropped: self.sample.dropped.clone(),
            predictors: (0..self.question.x.len())
                .map(|predictor| self.finding(predictor))
                .collect(),
            comparisons: self.comparisons(),
        }
    }

    /// The predictor and the outcome in pairs, or why they have no correlation.
    pub(super) fn pairs(&self, predictor: usize) -> Result<Pairs, Undefined> {
        let pairs = self.sample.x[predictor].iter().copied().zip(self.sample.y.iter().copied());
        Pairs::new(&pairs.collect::<Vec<_>>())
    }

    fn finding(&self, predictor: usize) -> Finding {
        let (x, n) = (self.question.x[predictor].clone(), self.sample.count());
        let pairs = self.pairs(predictor);
        let mut finding = Finding {
            x,
            undefined: pairs.as_ref().err().map(|why| self.undefined(predictor, *why)),
            correlation: None,
            partials: Vec::new(),
            detectable_r: AIM.detectable_r(n),
            rows_needed: None,
            warnings: Vec::new(),
        };
        let Ok(pairs) = pairs else { return finding };
        let correlation = self.correlation(&pairs);
        finding.rows_needed = AIM.pairs_needed(correlation.pearson_r);
        finding.correlation = Some(correlation);
        finding.partials = self.partials(predictor);
        finding.warnings = cautions(self.sample, self.question, &finding);
        finding
    }

    /// Why there is no correlation, and what to do.
    fn undefined(&self, predictor: usize, why: Undefined) -> String {
        let constant = |column: &String| {
            format!(
                "{column} is the same in every row: name a column that varies, or add rows in which it does"
            )
        };
        match why {
            Undefined::TooFew(rows) => {
                format!("a correlation needs 3 rows, here are {rows}: add rows, or split by less")
            }
            Undefined::ConstantX => constant(&self.question.x[predictor]),
            Undefined::ConstantY => constant(&self.question.y),
        }
    }

    fn correlation(&self, pairs: &Pairs) -> Correlation {
        let confidence = self.question.confidence;
        let (pearson, spearman) = (pearson(pairs, confidence), spearman(pairs));
        let (kendall, line) = (kendall(pairs), line(pairs));
        let single = Clusters::single(&self.sample.labels);
        let clusters = self.clusters.as_ref().map(|clusters| self.clustered(pairs, clusters));
        let mut intervals: Vec<Claimed> = pearson
            .interval
            .map(|interval| Claimed { method: Method::Fisher, interval })
            .into_iter()
            .collect();
        intervals.extend(self.bootstrap(pairs, &single).iter().flat_map(of_rows));
        let (clusters, of_clusters) = clusters.unzip();
        intervals.extend(of_clusters.into_iter().flatten());
        Correlation {
            pearson_r: pearson.r,
            pearson_t: pearson.t,
            pearson_p: pearson.p,
            permutation: self.permutation(pairs),
            corrected: None,
            intervals,
            spearman_rho: spearman.rho,
            spearman_p: spearman.p,
            spearman_permutation: self.permutation(&pairs.ranks()),
            spearman_interval: bonett_wright(spearman.rho, pairs.count(), confidence),
            kendall_tau: kendall.tau,
            kendall_p: kendall.p,
            slope: line.slope,
            slope_error: line.slope_error,
            intercept: line.intercept,
            leave_one_out: self.leave_out(pairs, &single),
            clusters,
        }
    }

    fn bootstrap(&self, pairs: &Pairs, clusters: &Clusters) -> Option<Bootstrap> {
        let Question { confidence, seed, draws, .. } = *self.question;
        bootstrap(pairs, clusters, Resamples { confidence, seed, draws })
    }

    fn permutation(&self, pairs: &Pairs) -> Permutation {
        let Question { seed, draws, .. } = *self.question;
        let every = orders(pairs);
        let found = every.unwrap_or_else(|| Shuffles::new(seed, draws).orders(pairs));
        let (as_strong, orders) = (found.as_strong, found.total);
        Permutation { p: found.p(), exact: every.is_some(), as_strong, orders }
    }

    fn leave_out(&self, pairs: &Pairs, clusters: &Clusters) -> LeaveOut {
        let confidence = self.question.confidence;
        let left = |(label, rows): (&String, &Vec<usize>)| {
            let others = pairs.without(rows).ok().map(|pairs| pearson(&pairs, confidence));
            Left {
                label: label.clone(),
                r: others.map(|found| found.r),
                p: others.map(|found| found.p),
            }
        };
        let each: Vec<Left> = clusters.names().iter().zip(clusters.members()).map(left).collect();
        let r = pearson(pairs, confidence).r;
        let change = |left: &Left| left.r.map_or(f64::INFINITY, |left| (left - r).abs());
        let most = each.iter().max_by(|a, b| change(a).total_cmp(&change(b)));
        let summary = jackknife(pairs, clusters).summary;
        LeaveOut {
            most_influential: most.map(|left| left.label.clone()),
            bias: summary.map(|summary| summary.bias),
            error: summary.map(|summary| summary.error),
            each,
        }
    }

    /// What clusters say, and their intervals of r.
    fn clustered(&self, pairs: &Pairs, clusters: &Clusters) -> (Clustered, Vec<Claimed>) {
        let confidence = self.question.confidence;
        let resampled = self.bootstrap(pairs, clusters);
        let means = clusters.means(pairs).map(|means| pearson(&means, confidence));
        let of_means = means.as_ref().ok();
        let positive = pearson(pairs, confidence).r > 0.0;
        let other_sign = |found: Bootstrap| match positive {
            true => 1.0 - found.at_least_zero,
            false => found.at_least_zero,
        };
        let intervals = [
            (Method::ClusterPercentile, resampled.map(|found| found.percentile)),
            (Method::ClusterMeans, of_means.and_then(|means| means.interval)),
        ];
        let claimed = |(method, interval)| Some(Claimed { method, interval: interval? });
        let found = Clustered {
            cluster: self.question.cluster.clone().unwrap_or_default(),
            clusters: clusters.count(),
            other_sign: resampled.map(other_sign),
            means_r: of_means.map(|means| means.r),
            means_p: of_means.map(|means| means.p),
            undefined: means.err().map(in_means),
            leave_one_out: self.leave_out(pairs, clusters),
        };
        (found, intervals.into_iter().filter_map(claimed).collect())
    }

    /// Each covariate alone, then all together where there are several.
    fn partials(&self, predictor: usize) -> Vec<Controlled> {
        let all: Vec<usize> = (0..self.question.covariates.len()).collect();
        let mut sets: Vec<Vec<usize>> = all.iter().map(|&covariate| vec![covariate]).collect();
        if all.len() > 1 {
            sets.push(all);
        }
        sets.iter().map(|set| self.controlled(predictor, set)).collect()
    }

    /// The partial correlation in the rows that have all covariates of a set.
    fn controlled(&self, predictor: usize, set: &[usize]) -> Controlled {
        let sample = self.sample;
        let row = |row: usize| {
            let fixed = set.iter().map(|&covariate| sample.covariates[covariate][row]);
            let fixed = fixed.collect::<Option<Vec<f64>>>()?;
            Some(((sample.x[predictor][row], sample.y[row]), fixed))
        };
        let rows: Vec<_> = (0..sample.count()).filter_map(row).collect();
        let (pairs, fixed): (Vec<(f64, f64)>, Vec<Vec<f64>>) = rows.into_iter().unzip();
        let columns: Vec<Vec<f64>> =
            (0..set.len()).map(|column| fixed.iter().map(|row| row[column]).collect()).collect();
        let controls: Vec<String> =
            set.iter().map(|&covariate| self.question.covariates[covariate].clone()).collect();
        let n = pairs.len();
        let pairs = Pairs::new(&pairs).map_err(|why| why.to_string());
        let alone = pairs.as_ref().ok().map(|pairs| {
            let found = pearson(pairs, self.question.confidence);
            Alone { r: found.r, p: found.p }
        });
        let found = pairs.and_then(|pairs| {
            partial(&pairs, &columns, self.question.confidence).map_err(|why| why.about(&controls))
        });
        let undefined = found.as_ref().err().cloned();
        let partial = found.ok().map(|found| PartialFinding {
            r: found.r,
            degrees: found.degrees,
            p: found.p,
            interval: found.interval,
            semi_r: found.semi_r,
            semi_p: found.semi_p,
            inflation: found.inflation,
        });
        Controlled { controls, n, alone, undefined, partial }
    }

    fn comparisons(&self) -> Vec<Comparison> {
        let count = self.question.x.len();
        let pairs =
            (0..count).flat_map(|first| (first + 1..count).map(move |second| (first, second)));
        pairs.filter_map(|(first, second)| self.comparison(first, second)).collect()
    }

    fn comparison(&self, first: usize, second: usize) -> Option<Comparison> {
        let r = |predictor| Some(pearson(&self.pairs(predictor).ok()?, self.question.confidence).r);
        let between =
            self.sample.x[first].iter().copied().zip(self.sample.x[second].iter().copied());
        let between = Pairs::new(&between.collect::<Vec<_>>()).ok()?;
        let (r12, r13) = (r(first)?, r(second)?);
        let r23 = pearson(&between, self.question.confidence).r;
        let triple = Triple { r12, r13, r23, n: between.count() };
        Some(Comparison {
            first: self.question.x[first].clone(),
            second: self.question.x[second].clone(),
            first_r: r12,
            second_r: r13,
            between_r: r23,
            williams: triple.williams(),
            steiger: triple.steiger(),
            meng: triple.meng(),
        })
    }
}

/// The intervals of a bootstrap of rows.
fn of_rows(found: &Bootstrap) -> Vec<Claimed> {
    let (percentile, bca) = match found.exact {
        true => (Method::PercentileExact, Method::BcaExact),
        false => (Method::PercentileSampled, Method::BcaSampled),
    };
    let moved = found.bca.map(|found| Claimed { method: bca, interval: found.interval });
    [Claimed { method: percentile, interval: found.percentile }].into_iter().chain(moved).collect()
}

/// Why the clusters' means have no correlation.
fn in_means(why: Undefined) -> String {
    match why {
        Undefined::TooFew(clusters) => {
            format!("{clusters} clusters: a correlation of their means needs 3")
        }
        Undefined::ConstantX => {
            "the means of the predictor are the same in every cluster".to_owned()
        }
        Undefined::ConstantY => "the means of the outcome are the same in every cluster".to_owned(),
    }
}
