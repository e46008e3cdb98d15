//! The claim of a hypothesis and its spelling: `pearson(weighted_kurtosis, delta_nll) < 0`. Not what becomes of it (`reduce`).
//!
//! Invariant: `Display` and `FromStr` are each other's inverse, and one claim has one spelling.

use std::fmt;
use std::str::FromStr;

use babelquant_proto::serde_by_spelling;
use thiserror::Error;

use crate::correlate::Covariate;
use crate::statistics::{Bound, POWER, Scale, Side, pairs_from};
use crate::study::section::nearest;
use crate::study::{Outcome, Predictor};

/// A correlation over languages that is said to lie on one side of a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Which correlation.
    pub statistic: Statistic,
    /// Its first column.
    pub predictor: Predictor,
    /// Its second column.
    pub outcome: Outcome,
    /// What is held fixed: of `partial` alone.
    pub(crate) covariates: Vec<Covariate>,
    /// Where it is said to lie.
    pub bound: Bound,
}

/// A correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Pearson's r.
    Pearson,
    /// Spearman's ρ.
    Spearman,
    /// Kendall's τ-b.
    Kendall,
    /// Pearson's r with covariates held fixed.
    Partial,
}

impl Statistic {
    const ALL: [Self; 4] = [Self::Pearson, Self::Spearman, Self::Kendall, Self::Partial];

    /// Its only spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
            Self::Kendall => "kendall",
            Self::Partial => "partial",
        }
    }
}

impl Claim {
    /// The probability with which a test at `level` finds a correlation of size `effect`, on the scale of the claim's own statistic, in
    /// so many languages; `None` where they are too few for one.
    pub fn power(&self, effect: f64, languages: f64, level: f64) -> Option<f64> {
        let left = languages - self.covariates.len() as f64;
        match self.statistic {
            Statistic::Kendall => self.bound.fisher_power(effect, Scale::kendall(left), level),
            Statistic::Pearson | Statistic::Spearman | Statistic::Partial => {
                self.bound.power(effect, left, level)
            }
        }
    }

    /// The number of languages, a real one, from which on that probability is 80 %; `None` where no number up to 10⁹ is enough.
    pub fn languages_needed(&self, effect: f64, level: f64) -> Option<f64> {
        pairs_from(|n| self.power(effect, n, level).is_some_and(|power| power >= POWER))
    }
}

/// Why a text is no claim.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "at character {at}, {found}: {expected}; a claim is such as pearson(weighted_kurtosis, delta_nll) < 0"
)]
pub struct ClaimError {
    /// The first character of what is wrong, counted from 1.
    pub at: usize,
    /// What stands there.
    pub found: String,
    /// What should.
    pub expected: String,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}, {}", self.statistic.name(), self.predictor, self.outcome)?;
        for (index, covariate) in self.covariates.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { " | " } else { ", " }, covariate.name())?;
        }
        write!(f, ") {} {}", relation(self.bound.side), self.bound.number)
    }
}

fn relation(side: Side) -> &'static str {
    match side {
        Side::Below => "<",
        Side::Above => ">",
        Side::Apart => "!=",
    }
}

serde_by_spelling!(Claim);

impl FromStr for Claim {
    type Err = ClaimError;

    fn from_str(text: &str) -> Result<Self, ClaimError> {
        let mut words = Words { text, at: 0 };
        let statistic = words.known("a statistic", &Statistic::ALL.map(|s| (s.name(), s)))?;
        words.sign("(")?;
        let predictor = words.predictor()?;
        words.sign(",")?;
        let outcome = words.known("an outcome", &Outcome::ALL.map(|o| (o.name(), o)))?;
        let covariates = match statistic {
            Statistic::Partial => words.covariates()?,
            Statistic::Pearson | Statistic::Spearman | Statistic::Kendall => Vec::new(),
        };
        words.sign(")")?;
        let bound = words.bound()?;
        words.end()?;
        Ok(Self { statistic, predictor, outcome, covariates, bound })
    }
}

/// The words of a claim, from left to right.
#[derive(Debug)]
struct Words<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
}

impl<'a> Words<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        &self.text[self.at..]
    }

    /// The characters up to the first that `ends` a word; they are taken.
    fn until(&mut self, ends: fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// The error about what stands before the place that was read up to.
    fn wrong(&self, found: &str, expected: String) -> ClaimError {
        let before = &self.text[..self.at - found.len()];
        let found = match found {
            "" => "the end".to_owned(),
            word => format!("`{word}`"),
        };
        ClaimError { at: before.chars().count() + 1, found, expected }
    }

    fn sign(&mut self, sign: &str) -> Result<(), ClaimError> {
        match self.rest().starts_with(sign) {
            true => {
                self.at += sign.len();
                Ok(())
            }
            false => Err(self.unexpected(format!("expected `{sign}`"))),
        }
    }

    /// The error about the next word, or about a sign.
    fn unexpected(&mut self, expected: String) -> ClaimError {
        let mut found = self.until(|c| !is_letter(c));
        if found.is_empty() {
            let rest = self.rest();
            found = &rest[..rest.chars().next().map_or(0, char::len_utf8)];
            self.at += found.len();
        }
        self.wrong(found, expected)
    }

    /// One of the known words, for what it stands for.
    fn known<T: Copy>(&mut self, what: &str, known: &[(&str, T)]) -> Result<T, ClaimError> {
        let word = self.until(|c| !is_letter(c));
        if let Some((_, found)) = known.iter().find(|(name, _)| *name == word) {
            return Ok(*found);
        }
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let hint = match nearest(word, &names).filter(|_| !word.is_empty()) {
            Some(nearest) => format!("no such word; did you mean `{nearest}`?"),
            None => format!("expected {what}: {}", names.join(", ")),
        };
        if word.is_empty() { Err(self.unexpected(hint)) } else { Err(self.wrong(word, hint)) }
    }

    /// A predictor; one that is measured at several points means that at block_out where it names none, as the earlier study did.
    fn predictor(&mut self) -> Result<Predictor, ClaimError> {
        let points = Predictor::ALL.iter().filter_map(|predictor| {
            Some((predictor.name().strip_suffix("_block_out")?, *predictor))
        });
        let known: Vec<(&str, Predictor)> =
            Predictor::ALL.iter().map(|p| (p.name(), *p)).chain(points).collect();
        self.known("a predictor", &known)
    }

    fn covariates(&mut self) -> Result<Vec<Covariate>, ClaimError> {
        let known = Covariate::ALL.map(|covariate| (covariate.name(), covariate));
        self.sign("|")?;
        let mut covariates = Vec::new();
        loop {
            let covariate = self.known("a covariate", &known)?;
            if covariates.contains(&covariate) {
                return Err(self.wrong(covariate.name(), "it is held fixed already".to_owned()));
            }
            covariates.push(covariate);
            if !self.rest().starts_with(',') {
                return Ok(covariates);
            }
            self.at += 1;
        }
    }

    fn bound(&mut self) -> Result<Bound, ClaimError> {
        let word = self.until(|c| !matches!(c, '<' | '>' | '=' | '!'));
        let side = match word {
            "<" => Side::Below,
            ">" => Side::Above,
            "!=" => Side::Apart,
            "" => return Err(self.unexpected("expected <, > or !=".to_owned())),
            _ => return Err(self.wrong(word, "expected <, > or !=".to_owned())),
        };
        let word = self.until(char::is_whitespace);
        let number = word.parse::<f64>().ok().filter(|number| number.abs() < 1.0);
        let number = number
            .ok_or_else(|| self.wrong(word, "expected a number between -1 and 1".to_owned()))?;
        if side == Side::Apart && number != 0.0 {
            return Err(self.wrong(word, "!= is a claim about 0".to_owned()));
        }
        Ok(Bound { side, number: if number == 0.0 { 0.0 } else { number } })
    }

    fn end(&mut self) -> Result<(), ClaimError> {
        match self.rest() {
            "" => Ok(()),
            _ => Err(self.unexpected("expected nothing more".to_owned())),
        }
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_one_spelling() {
        let check = |text: &str, spelled: &str| {
            let claim: Claim = text.parse().unwrap();
            assert_eq!(claim.to_string(), spelled);
            assert_eq!(spelled.parse::<Claim>().unwrap(), claim);
            let json = serde_json::to_string(&claim).unwrap();
            assert_eq!(serde_json::from_str::<Claim>(&json).unwrap(), claim);
        };
        check(
            "pearson(weighted_kurtosis, delta_nll) < 0",
            "pearson(weighted_kurtosis_block_out, delta_nll) < 0",
        );
        check(" spearman ( fertility,kl )>-0.0 ", "spearman(fertility, kl) > 0");
        check(
            "kendall(outlier_share_mlp_out,top1_agreement) != 0e3",
            "kendall(outlier_share_mlp_out, top1_agreement) != 0",
        );
        check(
            "partial(bytes_per_token, relative_perplexity|latin,log_mc4) > .25",
            "partial(bytes_per_token, relative_perplexity | latin, log_mc4) > 0.25",
        );
        let of = |statistic| if statistic == Statistic::Partial { " | latin" } else { "" };
        for statistic in Statistic::ALL {
            let (name, of) = (statistic.name(), of(statistic));
            for predictor in Predictor::ALL {
                for outcome in Outcome::ALL {
                    let text = format!("{name}({predictor}, {outcome}{of}) < -0.125");
                    check(&text, &text);
                }
            }
        }
    }

    #[test]
    fn a_mistake_is_pointed_at() {
        let check = |text: &str, at: usize, parts: &[&str]| {
            let error = text.parse::<Claim>().unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
            for part in parts {
                assert!(error.to_string().contains(part), "{text}: {error}");
            }
        };
        check("", 1, &["the end", "pearson, spearman, kendall, partial"]);
        check("persaon(fertility, kl) < 0", 1, &["`persaon`", "did you mean `pearson`?"]);
        check("mean(delta_nll) < 0.01", 1, &["`mean`", "expected a statistic: pearson"]);
        check("pearson fertility, kl) < 0", 9, &["`fertility`", "expected `(`"]);
        check("pearson(fertilty, kl) < 0", 9, &["`fertilty`", "did you mean `fertility`?"]);
        check("pearson(, kl) < 0", 9, &["`,`", "expected a predictor"]);
        check("pearson(fertility kl) < 0", 19, &["`kl`", "expected `,`"]);
        check("pearson(fertility, delta_nl) < 0", 20, &["did you mean `delta_nll`?"]);
        check("pearson(fertility, kl | latin) < 0", 23, &["`|`", "expected `)`"]);
        check("partial(fertility, kl) < 0", 22, &["`)`", "expected `|`"]);
        check("partial(fertility, kl | latn) < 0", 25, &["did you mean `latin`?"]);
        check("partial(fertility, kl | latin, latin) < 0", 32, &["held fixed already"]);
        check("pearson(fertility, kl) <= 0", 24, &["`<=`", "expected <, > or !="]);
        check("pearson(fertility, kl)", 23, &["the end", "expected <"]);
        check("pearson(fertility, kl) < one", 26, &["`one`", "between -1 and 1"]);
        check("pearson(fertility, kl) < 1", 26, &["`1`", "between -1 and 1"]);
        check("pearson(fertility, kl) < NaN", 26, &["between -1 and 1"]);
        check("pearson(fertility, kl) != 0.3", 27, &["a claim about 0"]);
        check("pearson(fertility, kl) < 0 0", 28, &["`0`", "nothing more"]);
        check("pearson(fertility, kl) < é", 26, &["`é`"]);
    }
}
