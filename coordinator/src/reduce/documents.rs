//! Rows of `documents`, kept compactly: a few numbers per document and cell, names once. Computes no statistic.
//!
//! Invariant: a document's group, tokens, bytes and characters are the same in every cell of its model, because baseline and quantized model
//! are scored on the same tokens. They are therefore kept once per (model, language).

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Sum;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::{DocumentRow, unsupported_cause};
use babelquant_proto::{Drift, Layers};

use super::engines::{Baselines, Pair};
use super::groups::{self, Groups};
use super::held::{Held, HeldLayers};
use super::layers::Weights;
use super::names::{ByLanguage, Names};
use super::reasons::Reasons;
use super::spelled::Spelled;
use crate::statistics::ratio;

/// All scores, as pushed.
#[derive(Debug, Default)]
pub(super) struct Documents {
    names: Names,
    held: Held,
    /// By model and language.
    languages: BTreeMap<[u32; 2], Pushed>,
}

#[derive(Debug, Default)]
struct Pushed {
    slots: BTreeMap<u32, usize>,
    documents: Vec<Document>,
    baselines: Baselines,
    /// By scope, components and config.
    cells: BTreeMap<[u32; 3], PushedCell>,
}

#[derive(Debug, Default)]
struct PushedCell {
    scores: Vec<Score>,
    /// Why the config does not fit; of several reasons the first by letters.
    unsupported: Option<String>,
}

impl PushedCell {
    /// Room for as many scores as there are documents: doubling would cost up to twice the memory of millions of rows. The first cell meets
    /// its documents one by one and does double.
    fn make_room(&mut self, documents: usize) {
        let missing = documents.saturating_sub(self.scores.len());
        if self.scores.len() == self.scores.capacity() && missing > 1 {
            self.scores.reserve_exact(missing);
        }
    }
}

/// What is the same for a document in every cell.
#[derive(Debug)]
pub(super) struct Document {
    /// Its number in the language.
    pub(super) number: u32,
    /// Label of its group.
    pub(super) group: String,
    /// How much of it is scored.
    pub(super) size: Size,
}

/// An amount of scored text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    /// Scored tokens.
    pub(super) tokens: u64,
    /// UTF-8 bytes of the scored tokens.
    pub(super) bytes: u64,
    /// Unicode scalars of the scored tokens.
    pub(super) chars: u64,
    /// Words that begin in the scored tokens.
    pub(super) words: u64,
}

impl<'a> Sum<&'a Size> for Size {
    fn sum<I: Iterator<Item = &'a Size>>(sizes: I) -> Self {
        sizes.fold(Self::default(), |sum, size| Self {
            tokens: sum.tokens + size.tokens,
            bytes: sum.bytes + size.bytes,
            chars: sum.chars + size.chars,
            words: sum.words + size.words,
        })
    }
}

/// One document in one cell; NLL and KL are sums over its tokens in nat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Score {
    /// Position of the document in `LanguageScores::documents`.
    pub(super) slot: usize,
    /// NLL of the baseline.
    pub(super) base_nll: f64,
    /// NLL of the quantized model; `None` where it is not finite.
    pub(super) nll: Option<f64>,
    /// KL(base ‖ quantized); `None` where it was not measured or is not finite.
    pub(super) kl: Option<f64>,
    /// Tokens that both models rank first; `None` where there is no quantized model.
    pub(super) top1: Option<u64>,
    /// Hidden states after the first quantized layer; `None` where not finite or there is no quantized model.
    pub(super) next: Option<Drift>,
    /// Hidden states after the last layer.
    pub(super) last: Option<Drift>,
}

impl Score {
    /// NLL − baseline NLL, nat; `None` where it is undefined.
    pub(super) fn delta(&self) -> Option<f64> {
        self.nll.map(|nll| nll - self.base_nll)
    }
}

/// The scores of one (model, language).
#[derive(Debug)]
pub(super) struct LanguageScores {
    /// The documents of all cells, in no particular order: `Score::slot` points here.
    pub(super) documents: Vec<Document>,
    /// Their groups. A cell that lacks documents, because a unit of it is quarantined, is resampled over all of them.
    pub(super) groups: Groups,
    /// The cells, by scope, components and config.
    pub(super) cells: Vec<Cell>,
    /// The cells of the config `f32`, which quantizes nothing.
    references: Vec<Cell>,
    /// Every two engine classes that made numbers of the model.
    pub(super) engines: Vec<Pair>,
}

/// The scores of one scope, components and config. Cells are ordered by those, scopes and configs by meaning.
#[derive(Debug)]
pub(super) struct Cell {
    /// Scope.
    pub(super) scope: Spelled<Layers>,
    /// The layers that it holds.
    pub(super) layers: HeldLayers,
    /// Components.
    pub(super) components: String,
    /// Config.
    pub(super) config: Spelled<QuantConfig>,
    /// The rows' reason where the config does not fit a matrix of the scope: then nothing of it was scored.
    pub(super) unsupported: Option<String>,
    /// The scores, by document number.
    pub(super) scores: Vec<Score>,
}

impl Cell {
    /// True for a config that is known to change nothing.
    pub(super) fn is_identity(&self) -> bool {
        self.config.value.as_ref().is_some_and(QuantConfig::is_identity)
    }

    /// True for a cell that quantizes every layer.
    pub(super) fn quantizes_all(&self) -> bool {
        self.scope.value == Some(Layers::All) && !self.is_identity()
    }
}

impl Documents {
    /// Takes a row.
    pub(super) fn push(&mut self, row: &DocumentRow) {
        let language = [&row.model, &row.language].map(|name| self.names.number(name));
        let cell = [&row.scope, &row.components, &row.config].map(|name| self.names.number(name));
        self.held.push(language[0], cell[0], self.names.number(&row.layers));
        let engine = self.names.number(&row.engine);
        let pushed = self.languages.entry(language).or_default();
        let slot = pushed.slot(row);
        pushed.baselines.push(slot, engine, row.base_nll_sum);
        let DocumentRow {
            base_nll_sum: base_nll, nll_sum: nll, kl_sum: kl, top1_count: top1, ..
        } = *row;
        let cell = pushed.cells.entry(cell).or_default();
        let next = Drift::of(row.next_error_sum, row.next_base_sum, row.next_product_sum);
        let last = Drift::of(row.last_error_sum, row.last_base_sum, row.last_product_sum);
        cell.make_room(pushed.documents.len());
        cell.scores.push(Score { slot, base_nll, nll, kl, top1, next, last });
        let reason = row.reason.as_deref().filter(|reason| unsupported_cause(reason).is_some());
        if let Some(reason) = reason
            && cell.unsupported.as_deref().is_none_or(|known| reason < known)
        {
            cell.unsupported = Some(reason.to_owned());
        }
    }

    /// The scores by model and language, everything in an order that does not depend on the order of pushes.
    pub(super) fn finish(self, weights: &Weights) -> ByLanguage<LanguageScores> {
        let Self { names, held, languages } = self;
        let mut engines: BTreeMap<u32, BTreeSet<(&str, u32)>> = BTreeMap::new();
        for ([model, _], pushed) in &languages {
            let numbers = pushed.baselines.numbers().into_iter();
            let of_model = engines.entry(*model).or_default();
            of_model.extend(numbers.map(|number| (names.text(number), number)));
        }
        let named = |([model, language], pushed): ([u32; 2], Pushed)| {
            let layers = |scope| held.of((model, scope), &names, weights);
            (names.pair(model, language), pushed.finish(&names, layers, &engines[&model]))
        };
        let mut scores: ByLanguage<LanguageScores> = languages.into_iter().map(named).collect();
        groups::pool(scores.values_mut().map(|scores| &mut scores.groups));
        scores
    }
}

impl Pushed {
    /// The position of the row's document, which is added where it is new.
    fn slot(&mut self, row: &DocumentRow) -> usize {
        *self.slots.entry(row.document).or_insert_with(|| {
            let DocumentRow { document: number, tokens, bytes, chars, words, .. } = *row;
            let size = Size { tokens, bytes, chars, words };
            self.documents.push(Document { number, group: row.group.clone(), size });
            self.documents.len() - 1
        })
    }

    fn finish(
        self,
        names: &Names,
        layers: impl Fn(u32) -> HeldLayers,
        engines: &BTreeSet<(&str, u32)>,
    ) -> LanguageScores {
        let Self { documents, cells, baselines, .. } = self;
        let engines = baselines.pairs(engines, |slot| documents[slot].number);
        let named = |([scope, components, config], pushed): ([u32; 3], PushedCell)| {
            let PushedCell { mut scores, unsupported } = pushed;
            scores.sort_by_key(|score| documents[score.slot].number);
            Cell {
                scope: Spelled::new(names.text(scope)),
                layers: layers(scope),
                components: names.text(components).to_owned(),
                config: Spelled::new(names.text(config)),
                unsupported,
                scores,
            }
        };
        let mut cells: Vec<Cell> = cells.into_iter().map(named).collect();
        cells.sort_by(|a, b| {
            (&a.scope, &a.components, &a.config).cmp(&(&b.scope, &b.components, &b.config))
        });
        let groups = Groups::new(
            documents.iter().map(|document| (document.number, document.group.as_str())),
        );
        let is_reference = |cell: &Cell| cell.config.value == Some(QuantConfig::F32);
        let (references, cells) = cells.into_iter().partition(is_reference);
        LanguageScores { documents, groups, cells, references, engines }
    }
}

impl LanguageScores {
    /// Adds why cells cannot be set against each other.
    pub(super) fn add_obstacles<'a>(
        cells: impl Iterator<Item = &'a Cell> + Clone,
        reasons: &mut Reasons,
    ) {
        reasons.add_where(!Self::same_documents(cells.clone()), || {
            "the cells are not over the same documents".to_owned()
        });
        let undefined = |cell: &&Cell| cell.scores.iter().any(|score| score.nll.is_none());
        let count = cells.filter(undefined).count();
        reasons.add_where(count > 0, || format!("NLL of {count} cells is not defined"));
    }

    /// True where these cells are over the same documents.
    pub(super) fn same_documents<'a>(cells: impl Iterator<Item = &'a Cell>) -> bool {
        let slots =
            |cell: &Cell| -> Vec<usize> { cell.scores.iter().map(|score| score.slot).collect() };
        let mut cells = cells.map(slots);
        let Some(first) = cells.next() else { return true };
        cells.all(|other| other == first)
    }

    /// The size of a cell's documents.
    pub(super) fn size(&self, cell: &Cell) -> Size {
        cell.scores.iter().map(|score| &self.documents[score.slot].size).sum()
    }

    /// Sum over a cell's documents, in their order.
    pub(super) fn sum(&self, cell: &Cell, value: impl Fn(&Score, &Document) -> f64) -> f64 {
        cell.scores.iter().fold(0.0, |sum, score| sum + value(score, &self.documents[score.slot]))
    }

    /// Sums over a cell's documents by group.
    pub(super) fn column(&self, cell: &Cell, value: impl Fn(&Score, &Document) -> f64) -> Vec<f64> {
        let values = cell.scores.iter().filter_map(|score| {
            let document = &self.documents[score.slot];
            Some((self.groups.of(document.number)?, value(score, document)))
        });
        self.groups.column(values)
    }

    /// Sums over a cell's documents by group of NLL − baseline NLL; an undefined one counts as 0.
    pub(super) fn deltas(&self, cell: &Cell) -> Vec<f64> {
        self.column(cell, |score, _| score.delta().unwrap_or(0.0))
    }

    /// The same of scored tokens.
    pub(super) fn tokens(&self, cell: &Cell) -> Vec<f64> {
        self.column(cell, |_, document| document.size.tokens as f64)
    }

    /// The same of bytes of the scored tokens.
    pub(super) fn bytes(&self, cell: &Cell) -> Vec<f64> {
        self.column(cell, |_, document| document.size.bytes as f64)
    }

    /// NLL − baseline NLL of all of a cell's documents, nat; an undefined one counts as 0.
    pub(super) fn delta_sum(&self, cell: &Cell) -> f64 {
        self.sum(cell, |score, _| score.delta().unwrap_or(0.0))
    }

    /// The same; `None` where a document's NLL is undefined or nobody knows which layers were quantized.
    pub(super) fn delta(&self, cell: &Cell) -> Option<f64> {
        let defined = cell.layers.is_ok() && cell.scores.iter().all(|score| score.nll.is_some());
        defined.then(|| self.delta_sum(cell))
    }

    /// ΔNLL of a cell, nat per token; `None` where `delta` is, and where nothing was scored.
    pub(super) fn delta_nll(&self, cell: &Cell) -> Option<f64> {
        ratio(self.delta(cell)?, self.size(cell).tokens as f64)
    }

    /// The scores of the model computed in f32, where the study's dtype is another.
    pub(super) fn reference(&self) -> Option<&Cell> {
        self.references.first()
    }

    /// The documents by number, each with the baseline's NLL from the first cell that holds it.
    pub(super) fn baseline(&self) -> Vec<(&Document, f64)> {
        let mut baseline = BTreeMap::new();
        for score in self.cells.iter().chain(&self.references).flat_map(|cell| &cell.scores) {
            let document = &self.documents[score.slot];
            baseline.entry(document.number).or_insert((document, score.base_nll));
        }
        baseline.into_values().collect()
    }
}
