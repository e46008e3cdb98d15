//! What a study's hypotheses can come to with the languages that it has, said before anything is measured.

use babelquant_proto::Spec;

use super::{Correction, Families, Hypothesis};
use crate::statistics::POWER;

/// A few lines for each hypothesis: its claim, its tests, and the power at so many languages; empty without hypotheses.
pub fn prospects(hypotheses: &[Hypothesis], families: &Families, spec: &Spec) -> String {
    let languages = spec.corpus.len();
    hypotheses.iter().map(|hypothesis| prospect(hypothesis, families, languages)).collect()
}

fn prospect(hypothesis: &Hypothesis, families: &Families, languages: usize) -> String {
    let Hypothesis { id, claim, alpha, correction, effect, .. } = hypothesis;
    let tests = families.0.iter().filter(|test| test.hypothesis.id == *id).count();
    let family = families.size(hypothesis);
    let level = correction.level(*alpha, family);
    let power = claim.power(*effect, languages as f64, level);
    let power = power.map_or("no power".to_owned(), |power| format!("power {power:.2}"));
    let needed = claim.languages_needed(*effect, level);
    let needed = needed.map_or("no number of".to_owned(), |needed| format!("{:.0}", needed.ceil()));
    let words = if tests == 1 { "1 test".to_owned() } else { format!("{tests} tests") };
    let level = correction.level_in_words(*alpha, family);
    let family = match correction {
        Correction::None => "not corrected".to_owned(),
        Correction::Holm | Correction::Bh => format!("in a family of {family} ({correction})"),
    };
    format!(
        "hypothesis  {id}: {claim}\n\
         {EMPTY:12}{words}, {family}: supported alone by p ≤ {level}\n\
         {EMPTY:12}{languages} languages: {power} to see |r| = {effect}; {needed} languages for power {POWER}\n"
    )
}

/// What stands below the name of a row.
const EMPTY: &str = "";
