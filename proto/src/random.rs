//! Random numbers that a seed and a purpose give, the same on every machine. Not what they decide.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The key of a sequence of draws: a hash of what it is for, the seed and the names of the items drawn.
pub fn key<'a>(purpose: &str, seed: u64, labels: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(purpose.as_bytes());
    hasher.update(&seed.to_le_bytes());
    for label in labels {
        hasher.update(&(label.len() as u64).to_le_bytes());
        hasher.update(label);
    }
    hasher.finalize().into()
}

/// The generator of one draw of a sequence: each has a stream of its own, so that draws can be made in any order.
pub fn stream(key: [u8; 32], draw: usize) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(draw as u64);
    random
}

/// A number below `bound`, uniform up to bound/2⁶⁴ (Lemire 2019, without the rejection step).
pub fn below(bound: usize, random: &mut impl Rng) -> usize {
    ((u128::from(random.next_u64()) * bound as u128) >> 64) as usize
}
