//! Cells at scope `all` → the table `disparity`: what a config does to some languages beside what it does to others. What it does to each
//! stands in `sensitivity`, to the mean and the worst of them in `configs`.

use std::collections::BTreeMap;
use std::f64::consts::LN_2;

use babelquant_proto::quant::QuantConfig;

use super::documents::{Cell, LanguageScores};
use super::draws;
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::{DisparityRow, EXTREMES};
use crate::statistics::{Estimate, Interval, quantile, ratio};
use crate::study::Analysis;

/// The table: for each model, components and config its contrasts.
pub(super) fn rows(
    languages: &ByLanguage<LanguageScores>,
    analysis: &Analysis,
) -> Vec<DisparityRow> {
    let mut rows = Vec::new();
    for (key, damages) in damages(languages, analysis) {
        let question = Question { key, damages: &damages, analysis };
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

/// A number with its value in each draw of groups.
#[derive(Debug)]
struct Drawn {
    value: Option<f64>,
    draws: Vec<Option<f64>>,
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

/// Some languages against others, by their positions among the damages.
#[derive(Debug, Default, PartialEq)]
struct Contrast {
    name: &'static str,
    first: Vec<usize>,
    second: Vec<usize>,
    left_out: usize,
    /// Whether the column of volumes tells them apart.
    by_volume: bool,
}

/// What the rows of one (model, components, config) share.
#[derive(Debug)]
struct Question<'a> {
    key: Key<'a>,
    damages: &'a [Damage<'a>],
    analysis: &'a Analysis,
}

impl Question<'_> {
    fn contrasts(&self) -> Vec<Contrast> {
        let Analysis { covariates, resource, .. } = self.analysis;
        let scripts = self.split("other scripts - Latin", |language| {
            covariates.script(language).map(|script| script != "Latn")
        });
        let volume = |language: &str| covariates.volume(language, resource);
        let mut volumes: Vec<f64> =
            self.damages.iter().filter_map(|damage| volume(damage.language)).collect();
        volumes.sort_by(f64::total_cmp);
        let median = quantile(&volumes, 0.5).unwrap_or_default();
        let few = self.split("low - high resource", |l| volume(l).map(|volume| volume <= median));
        let mut contrasts = vec![self.extremes(), Contrast { by_volume: true, ..few }];
        if volumes.first() == Some(&0.0) {
            let unseen = self.split("unseen - seen", |l| volume(l).map(|volume| volume == 0.0));
            contrasts.push(Contrast { by_volume: true, ..unseen });
        }
        contrasts.push(scripts);
        contrasts
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

    /// The languages for which `is_first` holds against those for which it does not.
    fn split(&self, name: &'static str, is_first: impl Fn(&str) -> Option<bool>) -> Contrast {
        let mut contrast = Contrast { name, ..Contrast::default() };
        for (at, damage) in self.damages.iter().enumerate() {
            match is_first(damage.language) {
                Some(true) => contrast.first.push(at),
                Some(false) => contrast.second.push(at),
                None => contrast.left_out += 1,
            }
        }
        contrast
    }

    fn row(&self, contrast: &Contrast) -> DisparityRow {
        let (model, components, config) = self.key;
        let mut reasons = Reasons::default();
        match self.damages.iter().find_map(|damage| damage.unsupported) {
            Some(reason) => reasons.add(reason),
            None => self.add_reasons(contrast, &mut reasons),
        }
        let per_token = self.difference(contrast, |damage| &damage.per_token);
        let per_byte = self.difference(contrast, |damage| &damage.per_byte);
        DisparityRow {
            model: model.to_owned(),
            components: components.to_owned(),
            config: config.text.clone(),
            contrast: contrast.name.to_owned(),
            resource: contrast.by_volume.then(|| self.analysis.resource.clone()),
            first: self.codes(&contrast.first),
            second: self.codes(&contrast.second),
            left_out: contrast.left_out as u64,
            delta_nll_difference: per_token.value,
            delta_nll_difference_low: per_token.low(),
            delta_nll_difference_high: per_token.high(),
            delta_bits_per_byte_difference: per_byte.value,
            delta_bits_per_byte_difference_low: per_byte.low(),
            delta_bits_per_byte_difference_high: per_byte.high(),
            reason: reasons.column(),
        }
    }

    fn codes(&self, positions: &[usize]) -> String {
        let codes: Vec<&str> = positions.iter().map(|&at| self.damages[at].language).collect();
        codes.join(",")
    }

    fn add_reasons(&self, contrast: &Contrast, reasons: &mut Reasons) {
        let members = || contrast.first.iter().chain(&contrast.second).map(|&at| &self.damages[at]);
        let undefined = self.damages.iter().any(|damage| damage.per_token.value.is_none());
        reasons.add_where(undefined, || "ΔNLL of a language is undefined".to_owned());
        let empty = contrast.first.is_empty() || contrast.second.is_empty();
        reasons.add_where(empty && !undefined, || "no language on one side".to_owned());
        let alone = !empty && contrast.first == contrast.second;
        reasons.add_where(alone, || "one language alone".to_owned());
        members().filter_map(|damage| damage.obstacle).for_each(|obstacle| reasons.add(obstacle));
    }

    /// The mean over the first languages less that over the second, and the same in every draw.
    fn difference<'b>(
        &'b self,
        Contrast { first, second, .. }: &Contrast,
        number: impl Fn(&'b Damage<'b>) -> &'b Drawn,
    ) -> Estimate {
        if first.is_empty() || second.is_empty() || first == second {
            return Estimate::default();
        }
        let of = |positions: &[usize], value: &dyn Fn(&Drawn) -> Option<f64>| {
            let sum: Option<f64> =
                positions.iter().map(|&at| value(number(&self.damages[at]))).sum();
            ratio(sum?, positions.len() as f64)
        };
        let minus =
            |value: &dyn Fn(&Drawn) -> Option<f64>| Some(of(first, value)? - of(second, value)?);
        let draws = first.iter().chain(second).map(|&at| number(&self.damages[at]).draws.len());
        let drawn =
            (0..draws.min().unwrap_or(0)).map(|draw| minus(&|drawn: &Drawn| drawn.draws[draw]));
        let value = minus(&|drawn: &Drawn| drawn.value);
        let interval = value.and_then(|_| Interval::percentile(drawn, self.analysis.confidence));
        Estimate { value, interval }
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
