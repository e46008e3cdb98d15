//! Cells at scope `all` → the table `disparity`: what a config does to some languages beside what it does to others. What it does to each
//! stands in `sensitivity`, to the mean and the worst of them in `configs`.

use std::collections::BTreeMap;
use std::f64::consts::LN_2;

use babelquant_proto::quant::QuantConfig;

use super::contrasts::{Contrast, Drawn, known};
use super::documents::{Cell, LanguageScores};
use super::draws;
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::{DisparityRow, EXTREMES};
use crate::statistics::ratio;
use crate::study::Analysis;

/// The table: for each model, components and config its contrasts.
pub(super) fn rows(
    languages: &ByLanguage<LanguageScores>,
    analysis: &Analysis,
) -> Vec<DisparityRow> {
    let mut rows = Vec::new();
    for (key, damages) in damages(languages, analysis) {
        let measured = languages.keys().filter(|(model, _)| model == key.0).count();
        let absent = measured - damages.len();
        let question = Question { key, damages: &damages, absent, analysis };
        rows.extend(question.contrasts().iter().map(|contrast| question.row(contrast)));
    }
    rows
}

/// A config of a model: its components and itself.
type Key<'a> = (&'a str, &'a str, &'a Spelled<QuantConfig>);

/// What a config does to a language.
#[derive(Debug)]
struct Damage<'a> {
    language: &'a str,
    /// ΔNLL, nat per token.
    per_token: Drawn,
    /// Δ bits per byte.
    per_byte: Drawn,
    unsupported: Option<&'a str>,
    obstacle: Option<&'static str>,
}

fn damages<'a>(
    languages: &'a ByLanguage<LanguageScores>,
    analysis: &Analysis,
) -> BTreeMap<Key<'a>, Vec<Damage<'a>>> {
    let mut damages: BTreeMap<Key<'a>, Vec<Damage<'a>>> = BTreeMap::new();
    for ((model, language), scores) in languages {
        let resampling = scores.groups.resampling(analysis);
        let obstacle = scores.groups.obstacle(analysis);
        let cells = scores.cells.iter().filter(|cell| cell.quantizes_all());
        let columns = |cell: &&Cell| [scores.deltas(cell), scores.tokens(cell), scores.bytes(cell)];
        let draw = |columns: &[Vec<f64>]| resampling.totals(columns);
        draws::for_each(cells, columns, draw, |cell, _, draws| {
            let key = (model.as_str(), cell.components.as_str(), &cell.config);
            let damage = Damage::new((language, obstacle), (scores, cell), draws);
            damages.entry(key).or_default().push(damage);
        });
    }
    damages
}

impl<'a> Damage<'a> {
    fn new(
        (language, obstacle): (&'a str, Option<&'static str>),
        (scores, cell): (&LanguageScores, &'a Cell),
        [deltas, tokens, bytes]: &[Vec<f64>; 3],
    ) -> Self {
        let bytes_in_all = scores.size(cell).bytes as f64;
        let ratios = |sizes: &[f64], unit: f64| {
            deltas.iter().zip(sizes).map(|(&delta, &n)| ratio(delta, unit * n)).collect()
        };
        let per_byte = scores.delta(cell).and_then(|delta| ratio(delta, LN_2 * bytes_in_all));
        Self {
            language,
            per_token: Drawn { value: scores.delta_nll(cell), draws: ratios(tokens, 1.0) },
            per_byte: Drawn { value: per_byte, draws: ratios(bytes, LN_2) },
            unsupported: cell.unsupported.as_deref(),
            obstacle,
        }
    }
}

/// What the rows of one (model, components, config) share.
#[derive(Debug)]
struct Question<'a> {
    key: Key<'a>,
    damages: &'a [Damage<'a>],
    /// Languages without a row of it.
    absent: usize,
    analysis: &'a Analysis,
}

impl Question<'_> {
    fn contrasts(&self) -> Vec<Contrast> {
        let contrasts = known(&self.languages(), self.analysis);
        [self.extremes()].into_iter().chain(contrasts).collect()
    }

    fn languages(&self) -> Vec<&str> {
        self.damages.iter().map(|damage| damage.language).collect()
    }

    /// The language of the largest ΔNLL against that of the smallest; of equals the first by its code.
    fn extremes(&self) -> Contrast {
        let values: Option<Vec<f64>> =
            self.damages.iter().map(|damage| damage.per_token.value).collect();
        let first = |better: fn(f64, f64) -> bool| {
            let values = values.as_ref()?;
            let best =
                |best: usize, at: usize| if better(values[at], values[best]) { at } else { best };
            (0..values.len()).reduce(best)
        };
        Contrast {
            name: EXTREMES,
            first: first(|a, b| a > b).into_iter().collect(),
            second: first(|a, b| a < b).into_iter().collect(),
            ..Contrast::default()
        }
    }

    fn row(&self, contrast: &Contrast) -> DisparityRow {
        let (model, components, config) = self.key;
        let mut reasons = Reasons::default();
        match self.damages.iter().find_map(|damage| damage.unsupported) {
            Some(reason) => reasons.add(reason),
            None => self.add_reasons(contrast, &mut reasons),
        }
        let confidence = self.analysis.confidence;
        let per_token = contrast.difference(|at| &self.damages[at].per_token, confidence);
        let per_byte = contrast.difference(|at| &self.damages[at].per_byte, confidence);
        let [first, second] = contrast.codes(&self.languages());
        DisparityRow {
            model: model.to_owned(),
            components: components.to_owned(),
            config: config.text.clone(),
            contrast: contrast.name.to_owned(),
            resource: contrast.resource(self.analysis),
            first,
            second,
            left_out: (contrast.left_out + self.absent) as u64,
            delta_nll_difference: per_token.value,
            delta_nll_difference_low: per_token.low(),
            delta_nll_difference_high: per_token.high(),
            delta_bits_per_byte_difference: per_byte.value,
            delta_bits_per_byte_difference_low: per_byte.low(),
            delta_bits_per_byte_difference_high: per_byte.high(),
            reason: reasons.column(),
        }
    }

    fn add_reasons(&self, contrast: &Contrast, reasons: &mut Reasons) {
        match self.damages.iter().any(|damage| damage.per_token.value.is_none()) {
            true => reasons.add("ΔNLL of a language is undefined"),
            false => contrast.add_obstacles(reasons),
        }
        let members = contrast.members().filter_map(|at| self.damages[at].obstacle);
        members.for_each(|obstacle| reasons.add(obstacle));
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::rows::{DocumentRow, Row};

    use super::super::example::{LANGUAGES, Rows, document_row};
    use super::*;

    fn rows(documents: Vec<DocumentRow>, resource: &str) -> Vec<DisparityRow> {
        let resource = resource.to_owned();
        let analysis = Analysis { bootstrap_draws: 60, resource, ..Analysis::default() };
        let rows = Rows { documents, ..Rows::new(&[]) }.reduce(analysis).disparity;
        assert_eq!(
            DisparityRow::from_batch(&DisparityRow::to_batch(&rows).unwrap()).unwrap(),
            rows
        );
        rows
    }

    /// Every document of a language does the same damage, its position among `LANGUAGES` in 10⁻³ nat per token.
    fn documents() -> Vec<DocumentRow> {
        let row = |language: &str, delta: u32, document| {
            let mut row = document_row(language, document, ("all", "int4-channel"));
            row.nll_sum = Some(row.base_nll_sum + 1e-3 * f64::from(delta) * row.tokens as f64);
            row
        };
        let languages = (0..).zip(LANGUAGES);
        languages.flat_map(|(delta, l)| (0..4).map(move |n| row(l, delta, n))).collect()
    }

    fn mean(languages: &str) -> f64 {
        let at = |code: &str| LANGUAGES.iter().position(|l| *l == code).unwrap() as f64;
        let values: Vec<f64> = languages.split(',').map(at).collect();
        1e-3 * values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn contrasts_by_hand() {
        let found = rows(documents(), "roots_bytes");
        let [extremes, resource, unseen, scripts] = &found[..] else { panic!("four contrasts") };
        assert_eq!((extremes.first.as_str(), extremes.second.as_str()), ("zho", "ara"));
        assert_eq!(scripts.second, "deu,eng,fin,fra,tur,vie");
        // Eight of the 14 are not in ROOTS: their median is 0.
        assert_eq!(
            (unseen.second.as_str(), &unseen.first),
            ("ara,eng,fra,hin,vie,zho", &resource.first)
        );
        assert_eq!(unseen.resource.as_deref(), Some("roots_bytes"));
        for row in &found {
            assert_eq!((row.left_out, row.reason.as_deref()), (0, None));
            let expected = mean(&row.first) - mean(&row.second);
            let ends = [row.delta_nll_difference_low, row.delta_nll_difference_high];
            for value in ends.into_iter().chain([row.delta_nll_difference]) {
                assert!((value.unwrap() - expected).abs() < 1e-12, "{row:?}");
            }
            assert!(
                row.delta_bits_per_byte_difference_low < row.delta_bits_per_byte_difference_high
            );
        }
        let found = rows(documents(), "mc4_billion_tokens");
        assert_eq!(found.len(), 3, "mC4 has all languages");
        assert_eq!(found[1].first, "ara,fin,heb,hin,kor,tha,zho");
    }

    #[test]
    fn what_has_no_difference_says_why() {
        let check = |change: fn(&mut Vec<DocumentRow>), contrast: usize, part: &str| {
            let mut documents = documents();
            change(&mut documents);
            let row = rows(documents, "mc4_billion_tokens").remove(contrast);
            assert!(row.delta_nll_difference_low.is_none(), "{row:?}");
            assert!(row.reason.as_deref().unwrap().contains(part), "{row:?}");
        };
        check(|rows| rows[0].nll_sum = None, 0, "ΔNLL of a language is undefined");
        check(|rows| rows.retain(|row| row.language == "eng"), 0, "one language alone");
        check(|rows| rows.retain(|row| row.language == "eng"), 2, "no language on one side");
        check(|rows| rows.retain(|row| row.document < 2), 1, "fewer than 2 groups");
    }
}
