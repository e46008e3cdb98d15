//! Correlations at scope `all` → the table `adjusted`: the same with covariates of the languages held fixed, and over means of families. The
//! correlations themselves stand in `correlations`.

use babelquant_proto::Layers;

use super::questions::Tested;
use super::tables::{ADJUSTMENTS, AdjustedRow, CorrelationRow};
use crate::statistics::{Clusters, Interval, Pairs, Undefined, partial, pearson};
use crate::study::Analysis;

/// The table: every adjustment of each correlation at scope `all`; `tested` stands beside the rows.
pub(super) fn rows(
    (correlations, tested): (&[CorrelationRow], &[Tested<'_>]),
    analysis: &Analysis,
) -> Vec<AdjustedRow> {
    let all = Layers::All.to_string();
    let of_all = correlations.iter().zip(tested).filter(|(row, _)| row.scope == all);
    let rows = of_all.flat_map(|(row, tested)| {
        Adjustment::ALL.map(|adjustment| adjustment.row(row, tested, analysis))
    });
    rows.collect()
}

/// What is taken into account, in the order of `ADJUSTMENTS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adjustment {
    Volume,
    Script,
    VolumeAndScript,
    Families,
}

/// r so adjusted: itself, its p and its interval.
#[derive(Debug)]
struct Adjusted {
    n: usize,
    /// r and p of the same languages with nothing taken into account.
    plain: Option<(f64, f64)>,
    found: Result<(f64, f64, Option<Interval>), String>,
}

impl Adjustment {
    const ALL: [Self; 4] = [Self::Volume, Self::Script, Self::VolumeAndScript, Self::Families];

    fn row(
        self,
        correlation: &CorrelationRow,
        tested: &Tested<'_>,
        analysis: &Analysis,
    ) -> AdjustedRow {
        let adjusted = match &tested.pairs {
            Some(pairs) => self.adjusted(&tested.languages, pairs, analysis),
            None => Adjusted {
                n: tested.languages.len(),
                plain: None,
                found: Err(correlation.reason.clone().unwrap_or_default()),
            },
        };
        let found = adjusted.found.as_ref().ok();
        let interval = found.and_then(|(.., interval)| *interval);
        AdjustedRow {
            model: correlation.model.clone(),
            predictor: correlation.predictor.clone(),
            outcome: correlation.outcome.clone(),
            components: correlation.components.clone(),
            config: correlation.config.clone(),
            adjustment: ADJUSTMENTS[self as usize].to_owned(),
            n: adjusted.n as u64,
            plain_r: adjusted.plain.map(|(r, _)| r),
            plain_p: adjusted.plain.map(|(_, p)| p),
            pearson_r: found.map(|(r, ..)| *r),
            pearson_p: found.map(|(_, p, _)| *p),
            pearson_low: interval.map(|interval| interval.low),
            pearson_high: interval.map(|interval| interval.high),
            reason: match (adjusted.found.as_ref(), interval) {
                (Err(why), _) => Some(why.clone()),
                (Ok(_), None) => Some("too few languages for Fisher's interval".to_owned()),
                (Ok(_), Some(_)) => None,
            },
        }
    }

    fn adjusted(self, languages: &[&str], pairs: &Pairs, analysis: &Analysis) -> Adjusted {
        let covariates: &[(&str, Covariate)] = match self {
            Self::Volume => &[VOLUME],
            Self::Script => &[SCRIPT],
            Self::VolumeAndScript => &[VOLUME, SCRIPT],
            Self::Families => return over_families(languages, pairs, analysis),
        };
        let of = |language: &&str| -> Option<Vec<f64>> {
            covariates.iter().map(|(_, covariate)| covariate(language, analysis)).collect()
        };
        let known: Vec<Option<Vec<f64>>> = languages.iter().map(of).collect();
        let points = pairs.x().iter().copied().zip(pairs.y().iter().copied());
        let kept: Vec<((f64, f64), &Vec<f64>)> = points
            .zip(&known)
            .filter_map(|(point, covariates)| Some((point, covariates.as_ref()?)))
            .collect();
        let n = kept.len();
        let column = |at: usize| kept.iter().map(|(_, known)| known[at]).collect();
        let columns: Vec<Vec<f64>> = (0..covariates.len()).map(column).collect();
        let names: Vec<String> = covariates.iter().map(|(name, _)| (*name).to_owned()).collect();
        let pairs = Pairs::new(&kept.iter().map(|(point, _)| *point).collect::<Vec<_>>());
        let plain = pairs.as_ref().ok().map(|pairs| unadjusted(pairs, analysis));
        let found = pairs.map_err(|why| why.to_string()).and_then(|pairs| {
            let found = partial(&pairs, &columns, analysis.confidence);
            let found = found.map_err(|why| why.about(&names))?;
            Ok((found.r, found.p, found.interval))
        });
        Adjusted { n, plain, found }
    }
}

/// r and its p with nothing taken into account.
fn unadjusted(pairs: &Pairs, analysis: &Analysis) -> (f64, f64) {
    let found = pearson(pairs, analysis.confidence);
    (found.r, found.p)
}

/// What is known of a language.
type Covariate = fn(&str, &Analysis) -> Option<f64>;

const VOLUME: (&str, Covariate) = ("log_volume", log_volume);
const SCRIPT: (&str, Covariate) = ("latin", latin);

/// log10 of a language's training text.
fn log_volume(language: &str, analysis: &Analysis) -> Option<f64> {
    analysis.covariates.log_volume(language, &analysis.resource)
}

/// 1 for Latin script, else 0.
fn latin(language: &str, analysis: &Analysis) -> Option<f64> {
    analysis.covariates.is_latin(language).map(|latin| f64::from(u8::from(latin)))
}

/// r of the means over families; a language of no known family is one by itself.
fn over_families(languages: &[&str], pairs: &Pairs, analysis: &Analysis) -> Adjusted {
    let family = |language: &&str| analysis.covariates.family(language).map(str::to_owned);
    let families: Vec<Option<String>> = languages.iter().map(family).collect();
    let names: Vec<String> = languages.iter().map(|&language| language.to_owned()).collect();
    let clusters = Clusters::partly_labelled(&families, &names);
    let found = clusters.means(pairs).map(|means| pearson(&means, analysis.confidence));
    let reason = |why| match why {
        Undefined::TooFew(n) => format!("{n} families: a correlation needs 3"),
        other => other.to_string(),
    };
    Adjusted {
        n: clusters.count(),
        plain: Some(unadjusted(pairs, analysis)),
        found: found.map(|found| (found.r, found.p, found.interval)).map_err(reason),
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::rows::Row;

    use super::super::example::{LANGUAGES, Rows, summary};
    use super::*;

    fn reduce(languages: &[&str]) -> Vec<AdjustedRow> {
        let analysis = Analysis { bootstrap_draws: 50, ..Analysis::default() };
        Rows::new(languages).reduce(analysis).adjusted
    }

    #[test]
    fn every_adjustment_of_every_correlation_of_the_whole_model() {
        let summary = summary();
        let all = summary.correlations.iter().filter(|row| row.scope == "all").count();
        let rows = summary.adjusted;
        assert!(all > 0);
        assert_eq!(rows.len(), 4 * all);
        assert_eq!(AdjustedRow::from_batch(&AdjustedRow::to_batch(&rows).unwrap()).unwrap(), rows);
        for row in rows.iter().filter(|row| row.pearson_r.is_some()) {
            let families = row.adjustment == "family means";
            assert_eq!(row.n, if families { 9 } else { 14 }, "{row:?}");
            assert!(row.pearson_low < row.pearson_r && row.pearson_r < row.pearson_high);
        }
    }

    /// The earlier study's table; numpy's least squares gave these r, with the bundled volumes, scripts and families.
    #[test]
    fn the_earlier_study_does_not_survive_its_covariates() {
        let table = include_str!("../../../tests/golden/phase1.csv");
        let rows: Vec<Vec<&str>> =
            table.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let number = |text: &str| text.parse::<f64>().unwrap();
        let points: Vec<(f64, f64)> =
            rows.iter().map(|row| (number(row[1]), number(row[2]))).collect();
        let languages: Vec<&str> = rows.iter().map(|row| row[0]).collect();
        let pairs = Pairs::new(&points).unwrap();
        for (adjustment, n, r) in [
            (Adjustment::Volume, 14, -0.505_420_947_542_532_1),
            (Adjustment::Script, 14, -0.591_183_826_165_939_3),
            (Adjustment::VolumeAndScript, 14, -0.308_688_706_101_663_2),
            (Adjustment::Families, 9, -0.524_987_152_648_254),
        ] {
            let adjusted = adjustment.adjusted(&languages, &pairs, &Analysis::default());
            let (found, ..) = adjusted.found.unwrap();
            assert_eq!(adjusted.n, n);
            assert!((found - r).abs() < 1e-12, "{adjustment:?}: {found} instead of {r}");
        }
    }

    #[test]
    fn what_cannot_be_adjusted_says_why() {
        let rows = reduce(&LANGUAGES[..4]);
        let reason = |adjustment: &str| {
            let mut rows = rows.iter().filter(|row| row.adjustment == adjustment);
            rows.next().unwrap().reason.clone().unwrap_or_default()
        };
        assert!(reason("log_volume+latin").contains("too few to hold 2"), "{rows:?}");
        let rows = reduce(&["eng", "deu", "fra", "rus", "hin"]);
        let means = rows.iter().find(|row| row.adjustment == "family means").unwrap();
        assert_eq!(means.reason.as_deref(), Some("1 families: a correlation needs 3"));
    }
}
