//! Moments in the worker's cache: under which key, and as which bytes. Not the cache (`cache`).

use std::collections::BTreeMap;

use babelquant_proto::{
    Batch, Digest, Dtype, EngineClass, Layer, ModelFile, Protocol, Spec, Windows,
};
use serde::Serialize;

use crate::cache::Cache;
use crate::model::Input;
use crate::quant::InputMoments;

/// Raised whenever the same key would stand for other moments.
const VERSION: u32 = 1;

/// Where moments are kept between units; nowhere without a cache.
#[derive(Debug, Clone, Default)]
pub(in crate::eval) struct MomentStore {
    place: Option<(Cache, EngineClass)>,
}

/// All that the bits of moments depend on.
#[derive(Serialize)]
struct MomentKey<'a> {
    version: u32,
    engine: &'a EngineClass,
    files: &'a BTreeMap<String, ModelFile>,
    protocol: Protocol,
    texts: &'a [String],
    windows: Windows,
    batch: Batch,
    dtype: Dtype,
    seed: u64,
    layer: Layer,
    input: &'a str,
}

impl MomentStore {
    /// The cache of workers whose numbers are those of `class`.
    pub(in crate::eval) fn in_cache(cache: Cache, class: EngineClass) -> Self {
        Self { place: Some((cache, class)) }
    }

    /// The moments of what matrices of a layer read over `texts`, if they are there.
    pub(super) fn get(
        &mut self,
        of: (&Spec, usize, &[String]),
        at: (Layer, Input),
    ) -> Option<InputMoments> {
        let (cache, class) = self.place.as_mut()?;
        decoded(&cache.get(key(class, of, at)?)?)
    }

    /// Keeps moments.
    pub(super) fn put(
        &mut self,
        of: (&Spec, usize, &[String]),
        at: (Layer, Input),
        moments: &InputMoments,
    ) {
        let Some((cache, class)) = &mut self.place else { return };
        if let Some(key) = key(class, of, at) {
            cache.put(key, &encoded(moments));
        }
    }
}

/// The key; `None` where JSON cannot hold it, which no part of it asks for.
fn key(
    engine: &EngineClass,
    (spec, model, texts): (&Spec, usize, &[String]),
    (layer, input): (Layer, Input),
) -> Option<Digest> {
    let model = &spec.models[model].model;
    let key = MomentKey {
        version: VERSION,
        engine,
        files: &model.files,
        protocol: model.protocol,
        texts,
        windows: spec.windows,
        batch: spec.batch,
        dtype: spec.dtype,
        seed: spec.seed,
        layer,
        input: &input.to_string(),
    };
    serde_json::to_vec(&key).ok().map(|json| Digest::of(&json))
}

/// Tokens and width in eight bytes each, then in f32 the lower triangle of the second moments, the mean and the largest
/// magnitudes; all little-endian.
fn encoded(moments: &InputMoments) -> Vec<u8> {
    let width = moments.mean_abs.len();
    let rows = moments.second.chunks(width.max(1)).enumerate();
    let triangle = rows.flat_map(|(row, values)| &values[..=row]);
    let values = triangle.chain(&moments.mean_abs).chain(&moments.max_abs);
    let mut bytes = Vec::with_capacity(16 + 4 * (width * (width + 1) / 2 + 2 * width));
    bytes.extend_from_slice(&moments.tokens.to_le_bytes());
    bytes.extend_from_slice(&(width as u64).to_le_bytes());
    values.for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    bytes
}

/// What `encoded` wrote.
fn decoded(bytes: &[u8]) -> Option<InputMoments> {
    let (tokens, rest) = bytes.split_first_chunk()?;
    let (width, rest) = rest.split_first_chunk()?;
    let width = usize::try_from(u64::from_le_bytes(*width)).ok()?;
    let triangle = width.checked_mul(width + 1)? / 2;
    let (values, []) = rest.as_chunks::<4>() else { return None };
    if values.len() != triangle + 2 * width {
        return None;
    }
    let values: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let (triangle, magnitudes) = values.split_at(triangle);
    let (mean_abs, max_abs) = magnitudes.split_at(width);
    let mut second = vec![0.0; width * width];
    let mut rest = triangle;
    for row in 0..width {
        let (values, below) = rest.split_at(row + 1);
        rest = below;
        for (column, &value) in values.iter().enumerate() {
            second[row * width + column] = value;
            second[column * width + row] = value;
        }
    }
    Some(InputMoments {
        tokens: u64::from_le_bytes(*tokens),
        second,
        mean_abs: mean_abs.to_vec(),
        max_abs: max_abs.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::InputSums;

    #[test]
    fn bytes_round_trip_and_damage_is_seen() {
        let mut sums = InputSums::new(5);
        sums.push(&(0..35).map(|i| (i * 7 % 11) as f32 - 4.5).collect::<Vec<_>>());
        let moments = sums.finish().unwrap();
        let bytes = encoded(&moments);
        assert_eq!(decoded(&bytes), Some(moments));
        for length in [0, 8, 15, 16, bytes.len() - 4, bytes.len() - 1] {
            assert_eq!(decoded(&bytes[..length]), None, "{length}");
        }
    }
}
