//! A set of unit numbers as a bit per unit: ten million units are 1.25 MB. Not a general bit library.

use std::ops::Range;

/// A set of numbers below a fixed bound.
#[derive(Debug, Clone)]
pub(super) struct Bits {
    words: Vec<u64>,
    absent: u64,
}

impl Bits {
    /// The empty set of numbers below `bound`.
    pub(super) fn new(bound: u64) -> Self {
        Self { words: vec![0; bound.div_ceil(64) as usize], absent: bound }
    }

    /// How many numbers are absent.
    pub(super) fn absent(&self) -> u64 {
        self.absent
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.words[(number / 64) as usize] & (1 << (number % 64)) != 0
    }

    /// Adds the number.
    pub(super) fn insert(&mut self, number: u64) {
        self.absent -= u64::from(!self.contains(number));
        self.words[(number / 64) as usize] |= 1 << (number % 64);
    }

    /// Adds the numbers of the range.
    pub(super) fn insert_range(&mut self, range: Range<u64>) {
        self.absent -= self.count_absent(range.clone());
        spans(range).for_each(|(word, mask)| self.words[word as usize] |= mask);
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.absent += u64::from(self.contains(number));
        self.words[(number / 64) as usize] &= !(1 << (number % 64));
    }

    /// The smallest number of the range that is absent.
    pub(super) fn first_absent(&self, range: Range<u64>) -> Option<u64> {
        let mut words = spans(range).filter_map(|(word, mask)| self.absent_of(word, mask));
        words.next().map(|(word, bits)| word * 64 + u64::from(bits.trailing_zeros()))
    }

    /// The largest number of the range that is absent.
    pub(super) fn last_absent(&self, range: Range<u64>) -> Option<u64> {
        let mut words = spans(range).rev().filter_map(|(word, mask)| self.absent_of(word, mask));
        words.next().map(|(word, bits)| word * 64 + 63 - u64::from(bits.leading_zeros()))
    }

    /// How many numbers of the range are absent.
    pub(super) fn count_absent(&self, range: Range<u64>) -> u64 {
        let words = spans(range).filter_map(|(word, mask)| self.absent_of(word, mask));
        words.map(|(_, bits)| u64::from(bits.count_ones())).sum()
    }

    fn absent_of(&self, word: u64, mask: u64) -> Option<(u64, u64)> {
        let bits = !self.words[word as usize] & mask;
        (bits != 0).then_some((word, bits))
    }
}

/// The words that a range touches, each with a mask of its bits in the range.
fn spans(range: Range<u64>) -> impl DoubleEndedIterator<Item = (u64, u64)> {
    let words = if range.is_empty() { 0..0 } else { range.start / 64..(range.end - 1) / 64 + 1 };
    words.map(move |word| {
        let low = range.start.saturating_sub(word * 64);
        let high = (range.end - word * 64).min(64);
        (word, (u64::MAX << low) & (u64::MAX >> (64 - high)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_agree_with_a_plain_search() {
        let mut bits = Bits::new(300);
        (0..300).filter(|n| n % 7 < 5 || (64..200).contains(n)).for_each(|n| {
            bits.insert(n);
        });
        assert_eq!(bits.absent(), (0..300).filter(|&n| !bits.contains(n)).count() as u64);
        for start in [0, 1, 5, 63, 64, 65, 127, 128, 200, 299] {
            for end in [0, 1, 6, 64, 65, 128, 130, 201, 255, 300] {
                let absent = || (start..end).filter(|&n| !bits.contains(n));
                let range = start..end;
                assert_eq!(bits.first_absent(range.clone()), absent().next(), "{range:?}");
                assert_eq!(bits.last_absent(range.clone()), absent().next_back(), "{range:?}");
                let count = absent().count() as u64;
                assert_eq!(bits.count_absent(range.clone()), count, "{range:?}");
                let mut filled = bits.clone();
                filled.insert_range(range.clone());
                assert_eq!(filled.absent(), bits.absent() - count, "{range:?}");
                let expected = (0..300).filter(|n| range.contains(n) || bits.contains(*n));
                assert!((0..300).filter(|&n| filled.contains(n)).eq(expected), "{range:?}");
            }
        }
    }
}
