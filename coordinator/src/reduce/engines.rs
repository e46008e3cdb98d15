//! What the baseline scored on engines of several classes, document by document: what the floor between them is made of. A run of one class
//! keeps one number for each document. Computes no statistic.
//!
//! An engine scores a document's baseline the same in every cell; of one that does not the lowest score counts, whatever the order of rows.

use std::collections::{BTreeMap, BTreeSet};

/// The baseline's NLL, nat, of documents by their slot and the number of the engine's name.
#[derive(Debug, Default)]
pub(super) struct Baselines {
    /// By slot: an engine that scored it.
    first: Vec<(u32, f64)>,
    /// By slot and engine: the others that scored it.
    others: BTreeMap<(usize, u32), f64>,
}

/// Two engine classes, and what the baseline scored on both.
#[derive(Debug)]
pub(super) struct Pair {
    /// The classes, the first by letters first.
    pub(super) engines: [String; 2],
    /// The slots of the documents that both scored, with the baseline's NLL on either, nat.
    pub(super) documents: Vec<(usize, [f64; 2])>,
}

impl Baselines {
    /// Takes what an engine scored; slots come in order.
    pub(super) fn push(&mut self, slot: usize, engine: u32, base_nll: f64) {
        let lowest = |known: &mut f64| {
            if base_nll.total_cmp(known).is_lt() {
                *known = base_nll;
            }
        };
        match self.first.get_mut(slot) {
            None => self.first.push((engine, base_nll)),
            Some((first, known)) if *first == engine => lowest(known),
            Some(_) => {
                self.others.entry((slot, engine)).and_modify(lowest).or_insert(base_nll);
            }
        }
    }

    /// The engines, by number.
    pub(super) fn numbers(&self) -> BTreeSet<u32> {
        let first = self.first.iter().map(|(engine, _)| *engine);
        first.chain(self.others.keys().map(|(_, engine)| *engine)).collect()
    }

    /// Every two of these engines, by name and number, with the documents that both scored, in the order of a key of their slots.
    pub(super) fn pairs(
        &self,
        engines: &BTreeSet<(&str, u32)>,
        order: impl Fn(usize) -> u32,
    ) -> Vec<Pair> {
        let engines: Vec<(&str, u32)> = engines.iter().copied().collect();
        let mut pairs = Vec::new();
        for (index, &(first, a)) in engines.iter().enumerate() {
            for &(second, b) in &engines[index + 1..] {
                let mut documents = self.shared([a, b]);
                documents.sort_by_key(|(slot, _)| order(*slot));
                pairs.push(Pair { engines: [first, second].map(str::to_owned), documents });
            }
        }
        pairs
    }

    /// The documents that both of two engines scored.
    fn shared(&self, engines: [u32; 2]) -> Vec<(usize, [f64; 2])> {
        let mut slots: Vec<usize> = self.others.keys().map(|(slot, _)| *slot).collect();
        slots.dedup();
        let both = |slot| {
            let [a, b] = engines.map(|engine| self.score(slot, engine));
            Some((slot, [a?, b?]))
        };
        slots.into_iter().filter_map(both).collect()
    }

    fn score(&self, slot: usize, engine: u32) -> Option<f64> {
        let first = self.first.get(slot).filter(|(first, _)| *first == engine);
        first.map(|(_, score)| *score).or_else(|| self.others.get(&(slot, engine)).copied())
    }
}
