//! Is this a result of this unit? Checks bytes, table, keys and completeness before anything is accepted. Judges no number.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::{
    ActivationRow, DocumentRow, Measured, QuantizationRow, Row, RowError, TokenRow, WeightRow,
    decode, decode_both,
};
use babelquant_proto::{
    Components, Digest, EngineClass, Histogram, Layer, LayerSet, Layers, Scope, Shape, Shard,
    ShardId, Spec, Unit,
};
use thiserror::Error;

pub use crate::live::Loss;

/// Whose rows are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engines {
    /// Those of one engine class.
    Only(EngineClass),
    /// Those of any.
    Any,
}

impl Engines {
    fn admit(&self, engine: &str) -> bool {
        match self {
            Self::Only(class) => class.as_str() == engine,
            Self::Any => engine.parse::<EngineClass>().is_ok(),
        }
    }
}

/// Why a result is refused.
#[derive(Debug, Error)]
pub enum Rejection {
    /// The bytes are not those that were hashed.
    #[error("the bytes have digest {found}, not {claimed}")]
    Digest {
        /// Of the bytes.
        found: Digest,
        /// As sent.
        claimed: Digest,
    },
    /// The bytes are no batch of the unit's table.
    #[error("the bytes are no batch of table {table}: {source}")]
    Rows {
        /// The table.
        table: &'static str,
        /// The cause.
        source: RowError,
    },
    /// A row has the keys of another unit.
    #[error("row {row} of table {table} belongs to another unit")]
    Foreign {
        /// The table.
        table: &'static str,
        /// The row.
        row: usize,
    },
    /// A row is of an engine class that the run does not take.
    #[error("row {row} of table {table} was made by engine class {engine:?}")]
    Engine {
        /// The table.
        table: &'static str,
        /// The row.
        row: usize,
        /// As it says.
        engine: String,
    },
    /// There is no row.
    #[error("table {table} has no row")]
    Empty {
        /// The table.
        table: &'static str,
    },
    /// The rows of a matrix are not one for each config that the study applies to it, in order.
    #[error(
        "the rows of {tensor} are not one for each config that the study applies to it, in order"
    )]
    Configs {
        /// The matrix.
        tensor: String,
    },
    /// The rows are not one for each document of the shard, in order.
    #[error("the rows are not one for each of the documents {first} to {last}, in order")]
    Documents {
        /// First document of the shard.
        first: u32,
        /// Last document of the shard.
        last: u32,
    },
    /// The rows on single tokens are not one that counts the tokens of the documents.
    #[error(
        "table tokens has no row, more than one, or one that does not count the {tokens} tokens of the documents"
    )]
    Tokens {
        /// Scored tokens of the documents.
        tokens: u64,
    },
}

/// Refuses bytes that are no complete result of `unit`; of a cell, what its rows say while they are at hand.
///
/// # Errors
/// What is wrong with them.
pub fn result(
    (spec, engines): (&Spec, &Engines),
    unit: Unit<'_>,
    claimed: Digest,
    ipc: &[u8],
) -> Result<Option<Loss>, Rejection> {
    let found = Digest::of(ipc);
    if found != claimed {
        return Err(Rejection::Digest { found, claimed });
    }
    match unit {
        Unit::Weights { .. } => rows(ipc, engines, |row| weights(spec, unit, row)).map(|_| None),
        Unit::Quantization { model, layer } => {
            let rows = decode_own(ipc, engines, |row| quantization(spec, unit, row))?;
            every_config(spec, (model, layer), &rows).map(|()| None)
        }
        Unit::Baseline { model, shard } => {
            let (place, shard) = (Place::of(spec, (model, shard)), self::shard(spec, shard));
            rows(ipc, engines, |row| activations(&place, shard, row)).map(|_| None)
        }
        Unit::Cell { model, shard, scope, config } => {
            let table = DocumentRow::TABLE.name;
            let both = decode_both::<DocumentRow, TokenRow>(ipc);
            let (of_documents, of_tokens) =
                both.map_err(|source| Rejection::Rows { table, source })?;
            let keys = Keys::of(spec, (model, shard), scope, config);
            let rows = some(own(of_documents, engines, |row| keys.are_of_document(row))?)?;
            // All rows have it in common.
            if !holds(&spec.models[model].model.shape, &scope.layers, &rows[0].layers) {
                return Err(Rejection::Foreign { table, row: 0 });
            }
            complete(self::shard(spec, shard), &rows)?;
            counted(&rows, &own(of_tokens, engines, |row| keys.are_of_tokens(row))?)?;
            Ok(Some(Loss::of(&rows)))
        }
    }
}

/// True where a row of weight statistics has the keys of `unit`.
fn weights(spec: &Spec, unit: Unit<'_>, row: &WeightRow) -> bool {
    let Unit::Weights { model, layer } = unit else { return false };
    is_layer(spec, (model, layer), (&row.model, row.stack.as_deref(), row.layer))
}

/// True where a row on a quantized matrix has the keys of `unit`.
fn quantization(spec: &Spec, unit: Unit<'_>, row: &QuantizationRow) -> bool {
    let Unit::Quantization { model, layer } = unit else { return false };
    is_layer(spec, (model, layer), (&row.model, row.stack.as_deref(), row.layer))
}

fn is_layer(
    spec: &Spec,
    (model, layer): (usize, Option<Layer>),
    (name, stack, number): (&str, Option<&str>, Option<u32>),
) -> bool {
    name == spec.models[model].model.name
        && stack == layer.map(|layer| layer.stack.name())
        && number == layer.map(|layer| layer.index)
}

/// The keys that every row of a cell has: spelled once for all of them.
struct Keys<'a> {
    place: Place<'a>,
    protocol: String,
    /// Scope, components and config.
    cell: [String; 3],
}

impl<'a> Keys<'a> {
    /// Those of a cell.
    fn of(
        spec: &'a Spec,
        (model, shard): (usize, ShardId),
        scope: &Scope,
        config: &QuantConfig,
    ) -> Self {
        let protocol = spec.models[model].model.protocol.to_string();
        let cell = [scope.layers.to_string(), scope.components.to_string(), config.to_string()];
        Self { place: Place::of(spec, (model, shard)), protocol, cell }
    }

    /// True where a row on single tokens has them.
    fn are_of_tokens(&self, row: &TokenRow) -> bool {
        self.are((&row.model, &row.language, row.shard), [&row.scope, &row.components, &row.config])
    }

    /// True where a document row has them, whatever its layers.
    fn are_of_document(&self, row: &DocumentRow) -> bool {
        let place = (&*row.model, &*row.language, row.shard);
        self.are(place, [&row.scope, &row.components, &row.config]) && row.protocol == self.protocol
    }

    fn are(&self, (model, language, shard): (&str, &str, u32), cell: [&String; 3]) -> bool {
        self.place.is(model, language, shard) && cell == self.cell.each_ref()
    }
}

/// The keys that every row of a shard on a model has.
struct Place<'a> {
    model: &'a str,
    language: String,
    shard: u32,
}

impl<'a> Place<'a> {
    fn of(spec: &'a Spec, (model, shard): (usize, ShardId)) -> Self {
        let language = spec.corpus[shard.language as usize].language.to_string();
        Self { model: &spec.models[model].model.name, language, shard: shard.shard }
    }

    /// True where a row has them.
    fn is(&self, model: &str, language: &str, shard: u32) -> bool {
        (self.model, &*self.language, self.shard) == (model, language, shard)
    }
}

/// True where `listed` spells the layers of a model of `shape` that a scope holds; where the weights decide, as many as it holds.
fn holds(shape: &Shape, scope: &Layers, listed: &str) -> bool {
    let Ok(LayerSet::Listed(layers)) = listed.parse::<LayerSet>() else { return false };
    let as_said = match scope.known(shape) {
        Some(known) => layers == known,
        None => layers.len() == scope.count(shape) && layers.iter().all(|layer| shape.has(*layer)),
    };
    as_said && LayerSet::from(layers).to_string() == listed
}

/// True where an activation row has the keys of a place, whose shard has its document.
fn activations(place: &Place<'_>, shard: &Shard, row: &ActivationRow) -> bool {
    let documents = shard.first_document..shard.first_document + shard.documents;
    place.is(&row.model, &row.language, row.shard)
        && row.document.is_none_or(|document| documents.contains(&document))
}

fn shard(spec: &Spec, id: ShardId) -> &Shard {
    &spec.corpus[id.language as usize].shards[id.shard as usize]
}

/// The rows, if there are some and each belongs to the unit.
fn rows<R: Measured>(
    ipc: &[u8],
    engines: &Engines,
    is_of_unit: impl Fn(&R) -> bool,
) -> Result<Vec<R>, Rejection> {
    some(decode_own(ipc, engines, is_of_unit)?)
}

fn some<R: Row>(rows: Vec<R>) -> Result<Vec<R>, Rejection> {
    match rows.is_empty() {
        true => Err(Rejection::Empty { table: R::TABLE.name }),
        false => Ok(rows),
    }
}

/// The rows, if each belongs to the unit and was made by an engine that is taken.
fn decode_own<R: Measured>(
    ipc: &[u8],
    engines: &Engines,
    is_of_unit: impl Fn(&R) -> bool,
) -> Result<Vec<R>, Rejection> {
    let table = R::TABLE.name;
    let rows = decode::<R>(ipc).map_err(|source| Rejection::Rows { table, source })?;
    own(rows, engines, is_of_unit)
}

fn own<R: Measured>(
    rows: Vec<R>,
    engines: &Engines,
    is_of_unit: impl Fn(&R) -> bool,
) -> Result<Vec<R>, Rejection> {
    let table = R::TABLE.name;
    if let Some(row) = rows.iter().position(|row| !engines.admit(row.engine())) {
        return Err(Rejection::Engine { table, row, engine: rows[row].engine().to_owned() });
    }
    match rows.iter().position(|row| !is_of_unit(row)) {
        Some(row) => Err(Rejection::Foreign { table, row }),
        None => Ok(rows),
    }
}

/// Matrix by matrix a row for each config; a layer that no config changes has none.
fn every_config(
    spec: &Spec,
    (model, layer): (usize, Option<Layer>),
    rows: &[QuantizationRow],
) -> Result<(), Rejection> {
    let mut expected = BTreeMap::new();
    for rows in rows.chunk_by(|a, b| a.tensor == b.tensor) {
        let components = &rows[0].components;
        let configs = expected.entry(components).or_insert_with(|| {
            let roles: Option<Components> = components.parse().ok();
            let configs = roles.map(|roles| spec.models[model].configs_of(layer, &roles));
            configs.unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>()
        });
        let same = rows.iter().all(|row| row.components == *components);
        if !same || !rows.iter().map(|row| &row.config).eq(&*configs) {
            return Err(Rejection::Configs { tensor: rows[0].tensor.clone() });
        }
    }
    Ok(())
}

fn complete(shard: &Shard, rows: &[DocumentRow]) -> Result<(), Rejection> {
    let (first, end) = (shard.first_document, shard.first_document + shard.documents);
    match rows.iter().map(|row| row.document).eq(first..end) {
        true => Ok(()),
        false => Err(Rejection::Documents { first, last: end - 1 }),
    }
}

/// One row on the tokens of these documents, whose counts are of all of them.
fn counted(documents: &[DocumentRow], rows: &[TokenRow]) -> Result<(), Rejection> {
    let tokens = documents.iter().fold(0_u64, |sum, row| sum.saturating_add(row.tokens));
    let [row] = rows else { return Err(Rejection::Tokens { tokens }) };
    let columns = [&row.kl_counts, &row.dp_fall_counts, &row.dp_rise_counts];
    let count = |counts: &Vec<u32>| -> u64 { counts.iter().map(|&count| u64::from(count)).sum() };
    let [kl, falls, rises] = columns.map(|counts| counts.as_ref().map(count));
    let few = |counts: &Vec<u32>| counts.len() <= Histogram::BUCKETS_MAX;
    let is_all = row.tokens == tokens
        && columns.into_iter().flatten().all(few)
        && kl.is_none_or(|count| count == tokens)
        && falls.zip(rises).is_none_or(|(falls, rises)| falls + rises == tokens);
    is_all.then_some(()).ok_or(Rejection::Tokens { tokens })
}

#[cfg(test)]
mod tests;
