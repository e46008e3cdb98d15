//! Some languages against others: who stands on which side, and how far the means of the sides are apart. Not of which number (`disparity`,
//! `leanings`).

use super::reasons::Reasons;
use super::tables::BY_RESOURCE;
use crate::statistics::{Estimate, Interval, quantile, ratio};
use crate::study::Analysis;

/// A number with its value in each draw of groups.
#[derive(Debug, Clone, Default)]
pub(super) struct Drawn {
    /// On all documents.
    pub(super) value: Option<f64>,
    /// In each draw.
    pub(super) draws: Vec<Option<f64>>,
}

impl Drawn {
    /// The number with the percentile interval of its draws.
    pub(super) fn estimate(&self, confidence: f64) -> Estimate {
        let draws = || self.draws.iter().copied();
        let interval = self.value.and_then(|_| Interval::percentile(draws(), confidence));
        Estimate { value: self.value, interval }
    }
}

/// Some languages against others, by their positions among the languages of the question.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Contrast {
    /// What the tables call it.
    pub(super) name: &'static str,
    /// Those before the minus.
    pub(super) first: Vec<usize>,
    /// Those behind it.
    pub(super) second: Vec<usize>,
    /// How many stand on neither side.
    pub(super) left_out: usize,
    /// Whether the column of volumes tells them apart.
    pub(super) by_volume: bool,
}

/// The contrasts that what is known of languages gives: by training volume, where some have none by that too, and by script.
pub(super) fn known(languages: &[&str], analysis: &Analysis) -> Vec<Contrast> {
    let Analysis { covariates, resource, .. } = analysis;
    let volume = |language: &str| covariates.volume(language, resource);
    let mut volumes: Vec<f64> = languages.iter().filter_map(|language| volume(language)).collect();
    volumes.sort_by(f64::total_cmp);
    let median = quantile(&volumes, 0.5).unwrap_or_default();
    let few = Contrast::split(BY_RESOURCE, languages, |l| volume(l).map(|volume| volume <= median));
    let mut contrasts = vec![Contrast { by_volume: true, ..few }];
    if volumes.first() == Some(&0.0) {
        let unseen = Contrast::split("unseen - seen", languages, |l| volume(l).map(|v| v == 0.0));
        contrasts.push(Contrast { by_volume: true, ..unseen });
    }
    contrasts.push(Contrast::split("other scripts - Latin", languages, |language| {
        covariates.is_latin(language).map(|latin| !latin)
    }));
    contrasts
}

impl Contrast {
    /// The languages for which `is_first` holds against those for which it does not.
    fn split(
        name: &'static str,
        languages: &[&str],
        is_first: impl Fn(&str) -> Option<bool>,
    ) -> Self {
        let mut contrast = Self { name, ..Self::default() };
        for (at, language) in languages.iter().enumerate() {
            match is_first(language) {
                Some(true) => contrast.first.push(at),
                Some(false) => contrast.second.push(at),
                None => contrast.left_out += 1,
            }
        }
        contrast
    }

    /// The codes of both sides, apart by commas.
    pub(super) fn codes(&self, languages: &[&str]) -> [String; 2] {
        [&self.first, &self.second].map(|side| {
            let codes: Vec<&str> = side.iter().map(|&at| languages[at]).collect();
            codes.join(",")
        })
    }

    /// The column that told them apart, where one of volumes did.
    pub(super) fn resource(&self, analysis: &Analysis) -> Option<String> {
        self.by_volume.then(|| analysis.resource.clone())
    }

    /// The languages of both sides.
    pub(super) fn members(&self) -> impl Iterator<Item = usize> {
        self.first.iter().chain(&self.second).copied()
    }

    /// Why there is no difference: a side is empty, or both are the same language.
    pub(super) fn add_obstacles(&self, reasons: &mut Reasons) {
        let empty = self.first.is_empty() || self.second.is_empty();
        reasons.add_where(empty, || "no language on one side".to_owned());
        let alone = !empty && self.first == self.second;
        reasons.add_where(alone, || "one language alone".to_owned());
    }

    /// The mean over the first languages less that over the second, and the same in every draw.
    pub(super) fn difference<'a>(
        &self,
        number: impl Fn(usize) -> &'a Drawn,
        confidence: f64,
    ) -> Estimate {
        if self.first.is_empty() || self.second.is_empty() || self.first == self.second {
            return Estimate::default();
        }
        let mean = |side: &[usize], value: &dyn Fn(&Drawn) -> Option<f64>| {
            let sum: Option<f64> = side.iter().map(|&at| value(number(at))).sum();
            ratio(sum?, side.len() as f64)
        };
        let minus = |value: &dyn Fn(&Drawn) -> Option<f64>| {
            Some(mean(&self.first, value)? - mean(&self.second, value)?)
        };
        let draws = self.members().map(|at| number(at).draws.len()).min().unwrap_or(0);
        let drawn = (0..draws).map(|draw| minus(&|drawn: &Drawn| drawn.draws[draw]));
        let value = minus(&|drawn: &Drawn| drawn.value);
        Drawn { value, draws: drawn.collect() }.estimate(confidence)
    }
}
