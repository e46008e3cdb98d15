//! How far a study's number of languages reaches: which correlations over them can be seen. The power itself stands in `statistics`.

use crate::statistics::AIM;

/// What correlations over so many languages can see, by the test of the reports: two-sided at 5 %, found with 80 % probability.
pub(super) fn in_words(languages: u64) -> String {
    let seen = match AIM.detectable_r(languages as usize) {
        Some(r) => format!("{languages} languages see a correlation of |r| ≥ {r:.2}"),
        None => "a correlation needs at least 4 languages".to_owned(),
    };
    let needed = [0.5, 0.7].map(|r| AIM.pairs_needed(r).map_or(0, |pairs| pairs.ceil() as u64));
    let [half, strong] = needed;
    format!(
        "{seen}; languages needed: {half} for |r| = 0.5, {strong} for |r| = 0.7 (5 %, power 80 %)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Powers of pwr and pingouin: 14 languages see 0.676, and 28.25 and 12.82 are needed.
    #[test]
    fn the_plan_says_how_many_languages_a_correlation_needs() {
        let words = in_words(14);
        assert!(words.starts_with("14 languages see a correlation of |r| ≥ 0.68;"), "{words}");
        assert!(words.contains("29 for |r| = 0.5, 13 for |r| = 0.7"), "{words}");
        assert!(in_words(2).starts_with("a correlation needs at least 4 languages;"));
    }
}
