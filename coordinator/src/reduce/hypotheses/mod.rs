//! Registered hypotheses, languages and cells → the table `hypotheses`: each claim judged as it was registered. What is claimed of what stands
//! in `study`; nothing of the analysis but the width of the intervals reaches a verdict here.

use std::collections::BTreeMap;

use super::reasons::Reasons;
use super::tables::{HypothesisRow, LanguageRow, SensitivityRow};
use crate::correlate::{Covariate, number};
use crate::statistics::{
    Interval, Kendall, POWER, Pairs, Scale, Shuffles, Side, benjamini_hochberg, holm, kendall,
    orders, partial, pearson, spearman,
};
use crate::study::hypothesis::{Claim, Correction, Statistic, Tested};
use crate::study::{Analysis, Families, Hypothesis};

/// Languages of which every order is counted: beyond, a family of tests would take hours.
const EVERY_ORDER_MAX: usize = 14;
/// Random orders beyond, and their seed: neither is a choice that could be made after the results are known.
const ORDERS: u32 = 99_999;
const SEED: u64 = 1;

/// The table, in the order of the tests.
pub(super) fn rows(
    families: &Families,
    (languages, cells): (&[LanguageRow], &[SensitivityRow]),
    analysis: &Analysis,
) -> Vec<HypothesisRow> {
    if families.0.is_empty() {
        return Vec::new();
    }
    let measured = Measured::of(languages, cells);
    let mut rows = Vec::new();
    for tests in families.0.chunk_by(|a, b| a.hypothesis.id == b.hypothesis.id) {
        let family = Family::of(families, &tests[0].hypothesis);
        rows.extend(tests.iter().map(|test| row(test, &family, &measured, analysis.confidence)));
    }
    for members in families.members() {
        correct(families.0[members[0]].hypothesis.correction, &members, &mut rows);
    }
    for (test, row) in families.0.iter().zip(&mut rows) {
        judge(&test.hypothesis, row);
    }
    rows
}

/// The tests that a hypothesis is corrected with.
#[derive(Debug)]
struct Family {
    ids: String,
    tests: usize,
}

impl Family {
    fn of(families: &Families, hypothesis: &Hypothesis) -> Self {
        Self { ids: families.ids(hypothesis).join(" "), tests: families.size(hypothesis) }
    }
}

/// What was measured, by model and language, and by model, scope, components and config.
#[derive(Debug)]
struct Measured<'a> {
    languages: BTreeMap<[&'a str; 2], &'a LanguageRow>,
    cells: BTreeMap<[String; 4], Vec<&'a SensitivityRow>>,
}

impl<'a> Measured<'a> {
    fn of(languages: &'a [LanguageRow], cells: &'a [SensitivityRow]) -> Self {
        let mut known: BTreeMap<_, Vec<&SensitivityRow>> = BTreeMap::new();
        for cell in cells {
            let key = [&cell.model, &cell.scope, &cell.components, &cell.config].map(String::clone);
            known.entry(key).or_default().push(cell);
        }
        let languages =
            languages.iter().map(|row| ([row.model.as_str(), row.language.as_str()], row));
        Self { languages: languages.collect(), cells: known }
    }

    fn cells(&self, test: &Tested) -> &[&'a SensitivityRow] {
        let Tested { model, scope, config, .. } = test;
        let key = [
            model.clone(),
            scope.layers.to_string(),
            scope.components.to_string(),
            config.to_string(),
        ];
        self.cells.get(&key).map_or(&[][..], Vec::as_slice)
    }

    /// Predictor, outcome and covariates of the languages that have all of them; the rest have a reason.
    fn points(&self, test: &Tested, reasons: &mut Reasons) -> Vec<Point> {
        let claim = &test.hypothesis.claim;
        let mut points = Vec::new();
        for cell in self.cells(test) {
            let language = self.languages.get(&[cell.model.as_str(), cell.language.as_str()]);
            let x = language.and_then(|language| language.predictor(claim.predictor));
            let y = cell.outcome(claim.outcome);
            let Some(pair) = x.zip(y) else {
                reasons.add_where(cell.reason.is_none(), || {
                    "a language has no such number".to_owned()
                });
                cell.reason.iter().for_each(|reason| reasons.add(reason.clone()));
                continue;
            };
            match covariates(&cell.language, &claim.covariates) {
                Ok(covariates) => points.push(Point { pair, covariates }),
                Err(unknown) => reasons.add(format!("{unknown} of {} is unknown", cell.language)),
            }
        }
        points
    }
}

/// A language.
#[derive(Debug)]
struct Point {
    pair: (f64, f64),
    covariates: Vec<f64>,
}

/// The published numbers about a language: the bundled ones, which no study can change; the error names the first that is unknown.
fn covariates(language: &str, covariates: &[Covariate]) -> Result<Vec<f64>, &'static str> {
    covariates.iter().map(|&of| number(language, of).ok_or(of.name())).collect()
}

/// The row of a test, uncorrected and not judged.
fn row(test: &Tested, family: &Family, measured: &Measured<'_>, confidence: f64) -> HypothesisRow {
    let hypothesis = &test.hypothesis;
    let mut reasons = Reasons::default();
    let points = measured.points(test, &mut reasons);
    let found = found(&hypothesis.claim, &points, confidence);
    if let Err(reason) = &found {
        reasons.add(reason.clone());
    }
    let found = found.ok();
    let interval = found.as_ref().and_then(|found| found.interval);
    let level = hypothesis.correction.level(hypothesis.alpha, family.tests);
    HypothesisRow {
        id: hypothesis.id.clone(),
        model: test.model.clone(),
        scope: test.scope.layers.to_string(),
        components: test.scope.components.to_string(),
        config: test.config.to_string(),
        claim: hypothesis.claim.to_string(),
        registered: true,
        n: points.len() as u64,
        estimate: found.as_ref().map(|found| found.estimate),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        test: found.as_ref().map(|found| found.test.to_owned()),
        p: found.as_ref().map(|found| found.p),
        p_corrected: None,
        correction: hypothesis.correction.to_string(),
        family: family.ids.clone(),
        family_tests: family.tests as u64,
        alpha: hypothesis.alpha,
        effect: hypothesis.effect,
        power: hypothesis.claim.power(hypothesis.effect, points.len() as f64, level),
        verdict: String::new(),
        reason: reasons.column(),
    }
}

/// A claim's correlation and its p.
#[derive(Debug)]
struct Found {
    estimate: f64,
    interval: Option<Interval>,
    p: f64,
    test: &'static str,
}

/// What the points say of a claim; the error says why nothing.
fn found(claim: &Claim, points: &[Point], confidence: f64) -> Result<Found, String> {
    let pairs = Pairs::new(&points.iter().map(|point| point.pair).collect::<Vec<_>>());
    let pairs = pairs.map_err(|why| why.to_string())?;
    let n = pairs.count();
    let (estimate, scale, chance) = match claim.statistic {
        Statistic::Pearson => {
            let r = pearson(&pairs, confidence).r;
            (r, Scale::pearson(n as f64 - 3.0), Chance::Orders(pairs))
        }
        Statistic::Spearman => {
            let rho = spearman(&pairs).rho;
            (rho, Scale::spearman(rho, n), Chance::Orders(pairs.ranks()))
        }
        Statistic::Kendall => {
            let found = kendall(&pairs);
            (found.tau, Scale::kendall(n as f64), Chance::Kendall(found))
        }
        Statistic::Partial => {
            let (r, degrees) = held_fixed(&pairs, points, &claim.covariates, confidence)?;
            (r, Scale::pearson(degrees - 1.0), Chance::Student { r, degrees })
        }
    };
    let (p, test) = match claim.bound.number {
        0.0 => chance.p(claim.bound.side),
        _ => {
            let p = claim.bound.fisher_p(estimate, scale);
            (p.ok_or_else(|| format!("{n} languages are too few for Fisher's z"))?, "fisher z")
        }
    };
    Ok(Found { estimate, interval: scale.interval(estimate, confidence), p, test })
}

/// The partial correlation and its degrees of freedom.
fn held_fixed(
    pairs: &Pairs,
    points: &[Point],
    covariates: &[Covariate],
    confidence: f64,
) -> Result<(f64, f64), String> {
    let column = |at: usize| points.iter().map(|point| point.covariates[at]).collect();
    let columns: Vec<Vec<f64>> = (0..covariates.len()).map(column).collect();
    let names: Vec<String> =
        covariates.iter().map(|covariate| covariate.name().to_owned()).collect();
    let found = partial(pairs, &columns, confidence).map_err(|why| why.about(&names))?;
    Ok((found.r, found.degrees as f64))
}

/// What a correlation is held against where the claim is about 0.
#[derive(Debug)]
enum Chance {
    /// The orders of the second column.
    Orders(Pairs),
    /// The distribution of Kendall's τ.
    Kendall(Kendall),
    /// Student's t.
    Student { r: f64, degrees: f64 },
}

impl Chance {
    /// p on this side, and the test's name.
    fn p(self, side: Side) -> (f64, &'static str) {
        match self {
            Self::Orders(pairs) => {
                let few = pairs.count() <= EVERY_ORDER_MAX;
                match few.then(|| orders(&pairs)).flatten() {
                    Some(orders) => (side.p_of_orders(&orders), "every order"),
                    None => {
                        let orders = Shuffles::new(SEED, ORDERS).orders(&pairs);
                        (side.p_of_orders(&orders), "random orders")
                    }
                }
            }
            Self::Kendall(found) => (side.p_of_kendall(&found), "kendall"),
            Self::Student { r, degrees } => (side.p_of_student(r, degrees), "student"),
        }
    }
}

/// The corrected p of a family. A test without a p counts as one with p = 1, so that missing data make no family smaller.
fn correct(correction: Correction, members: &[usize], rows: &mut [HypothesisRow]) {
    let p: Vec<f64> = members.iter().map(|&at| rows[at].p.unwrap_or(1.0)).collect();
    let corrected = match correction {
        Correction::Holm => holm(&p),
        Correction::Bh => benjamini_hochberg(&p),
        Correction::None => p,
    };
    for (&at, corrected) in members.iter().zip(corrected) {
        rows[at].p_corrected = rows[at].p.map(|_| corrected);
    }
}

/// What is concluded of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Supported,
    NotSupported,
    InsufficientData,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Supported => "SUPPORTED",
            Self::NotSupported => "NOT SUPPORTED",
            Self::InsufficientData => "INSUFFICIENT DATA",
        }
    }
}

fn judge(hypothesis: &Hypothesis, row: &mut HypothesisRow) {
    let verdict = match (row.p_corrected, row.power) {
        (Some(p), _) if p <= row.alpha => Verdict::Supported,
        (Some(_), Some(power)) if power >= POWER => Verdict::NotSupported,
        _ => Verdict::InsufficientData,
    };
    row.verdict = verdict.name().to_owned();
    if verdict == Verdict::InsufficientData && row.p.is_some() {
        let mut reasons = Reasons::known(row.reason.take());
        let HypothesisRow { n, effect, alpha, family_tests, .. } = row;
        let level = hypothesis.correction.level_in_words(*alpha, *family_tests as usize);
        reasons.add(match row.power {
            Some(power) => {
                format!(
                    "{n} languages show |r| = {effect} with probability {power:.2} at p ≤ {level}"
                )
            }
            None => format!("{n} languages are too few for any power"),
        });
        row.reason = reasons.column();
    }
}

#[cfg(test)]
mod tests;
