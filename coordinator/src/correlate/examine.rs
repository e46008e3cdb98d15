//! Samples → findings: every statistic of each predictor, and what about it should give pause. The statistics stand in `statistics`.

use super::caution::cautions;
use super::findings::{
    Claimed, Clustered, Comparison, Controlled, Correlation, Finding, LeaveOut, Left, Method,
    PartialFinding, Permutation, SampleFindings,
};
use super::question::Question;
use super::sample::Sample;
use crate::statistics::{
    AIM, Bootstrap, Clusters, Jackknife, Pairs, Resamples, Shuffles, Triple, Undefined,
    bonett_wright, bootstrap, jackknife, kendall, line, orders, partial, pearson, spearman,
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
        let own = |(row, cluster): (usize, &Option<String>)| {
            cluster.clone().unwrap_or_else(|| format!("({})", sample.labels[row]))
        };
        let labels = sample.clusters.as_ref().map(|clusters| clusters.iter().enumerate().map(own));
        let clusters = labels.map(|labels| Clusters::labelled(&labels.collect::<Vec<_>>()));
        Self { question, sample, clusters }
    }

    /// Everything about the sample but what needs the other samples.
    pub(super) fn findings(&self) -> SampleFindings {
        SampleFindings {
            group: self.sample.group.clone(),
            n: self.sample.y.len(),
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
        let (x, n) = (self.question.x[predictor].clone(), self.sample.y.len());
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
        let Question { confidence, .. } = *self.question;
        let (pearson, spearman) = (pearson(pairs, confidence), spearman(pairs));
        let (kendall, line) = (kendall(pairs), line(pairs));
        let single = Clusters::single(&self.sample.labels);
        let clustered = self.clusters.as_ref();
        let clustered_bootstrap = clustered.and_then(|clusters| self.bootstrap(pairs, clusters));
        let mut intervals: Vec<Claimed> = pearson
            .interval
            .map(|interval| Claimed { method: Method::Fisher, interval })
            .into_iter()
            .collect();
        intervals.extend(self.bootstrap(pairs, &single).iter().flat_map(of_rows));
        intervals.extend(clustered_bootstrap.map(|found| Claimed {
            method: Method::ClusterPercentile,
            interval: found.percentile,
        }));
        let clusters =
            clustered.map(|clusters| self.clustered(pairs, clusters, clustered_bootstrap));
        intervals.extend(clustered.and_then(|clusters| {
            let interval = self::pearson(&clusters.means(pairs).ok()?, confidence).interval?;
            Some(Claimed { method: Method::ClusterMeans, interval })
        }));
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
        if let Some(found) = orders(pairs) {
            let (as_strong, orders) = (found.as_strong, found.total);
            return Permutation { p: found.p(), exact: true, as_strong, orders };
        }
        let Question { seed, draws, .. } = *self.question;
        let p = Shuffles::new(seed, draws).family(std::slice::from_ref(pairs))[0].p;
        let orders = u64::from(draws) + 1;
        Permutation { p, exact: false, as_strong: (p * orders as f64).round() as u64, orders }
    }

    fn leave_out(&self, pairs: &Pairs, clusters: &Clusters) -> LeaveOut {
        let Jackknife { left_out, summary } = jackknife(pairs, clusters);
        let r = pearson(pairs, self.question.confidence).r;
        let change = |r_left: &Option<f64>| r_left.map_or(0.0, |left| (left - r).abs());
        let most = (0..left_out.len())
            .max_by(|&a, &b| change(&left_out[a]).total_cmp(&change(&left_out[b])));
        let left = |(at, r): (usize, &Option<f64>)| {
            let without = pairs.without(&clusters.members()[at]).ok();
            let p = without.map(|pairs| pearson(&pairs, self.question.confidence).p);
            Left { label: clusters.names()[at].clone(), r: *r, p }
        };
        LeaveOut {
            most_influential: most.map(|at| clusters.names()[at].clone()),
            each: left_out.iter().enumerate().map(left).collect(),
            bias: summary.map(|summary| summary.bias),
            error: summary.map(|summary| summary.error),
        }
    }

    fn clustered(&self, pairs: &Pairs, clusters: &Clusters, found: Option<Bootstrap>) -> Clustered {
        let means = clusters.means(pairs);
        let of_means = means.as_ref().ok().map(|means| pearson(means, self.question.confidence));
        let positive = pearson(pairs, self.question.confidence).r > 0.0;
        let other_sign = |found: Bootstrap| match positive {
            true => 1.0 - found.at_least_zero,
            false => found.at_least_zero,
        };
        Clustered {
            cluster: self.question.cluster.clone().unwrap_or_default(),
            clusters: clusters.count(),
            other_sign: found.map(other_sign),
            means_r: of_means.map(|means| means.r),
            means_p: of_means.map(|means| means.p),
            undefined: means.err().map(in_means),
            leave_one_out: self.leave_out(pairs, clusters),
        }
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
        let rows: Vec<_> = (0..sample.y.len()).filter_map(row).collect();
        let (pairs, fixed): (Vec<(f64, f64)>, Vec<Vec<f64>>) = rows.into_iter().unzip();
        let columns: Vec<Vec<f64>> =
            (0..set.len()).map(|column| fixed.iter().map(|row| row[column]).collect()).collect();
        let controls: Vec<String> =
            set.iter().map(|&covariate| self.question.covariates[covariate].clone()).collect();
        let found = Pairs::new(&pairs).map_err(|why| why.to_string()).and_then(|pairs| {
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
        Controlled { controls, n: pairs.len(), undefined, partial }
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
