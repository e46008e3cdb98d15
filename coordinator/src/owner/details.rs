//! What was said last of units that broke, for people who ask why one is given up. Nothing is decided by it, and a restart forgets it.

use std::collections::BTreeMap;

use babelquant_proto::UnitIndex;

/// Units of which something is kept.
const UNITS_MAX: usize = 1000;
/// Characters that are kept of a text.
const CHARACTERS_MAX: usize = 200;

/// The texts.
#[derive(Debug, Default)]
pub(super) struct Details(BTreeMap<UnitIndex, String>);

impl Details {
    /// Keeps what a worker said, in place of what was said before.
    pub(super) fn keep(&mut self, unit: UnitIndex, worker: &str, said: &str) {
        if self.0.len() < UNITS_MAX || self.0.contains_key(&unit) {
            let text = format!("{worker}: {said}");
            self.0.insert(unit, text.chars().take(CHARACTERS_MAX).collect());
        }
    }

    /// What was said; empty where nothing was.
    pub(super) fn of(&self, unit: UnitIndex) -> String {
        self.0.get(&unit).cloned().unwrap_or_default()
    }

    /// Forgets a unit that is done after all.
    pub(super) fn forget(&mut self, unit: UnitIndex) {
        self.0.remove(&unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_nobody_can_fill_the_memory() {
        let mut details = Details::default();
        let unit = UnitIndex(3);
        details.keep(unit, "a", "first");
        details.keep(unit, "b", &"é".repeat(10_000));
        assert!(details.of(unit).starts_with("b: éé"));
        assert_eq!(details.of(unit).chars().count(), CHARACTERS_MAX);
        (10..5000).for_each(|unit| details.keep(UnitIndex(unit), "a", "broke"));
        assert_eq!((details.0.len(), details.of(UnitIndex(4999))), (UNITS_MAX, String::new()));
        details.forget(unit);
        assert_eq!(details.of(unit), "");
    }
}
