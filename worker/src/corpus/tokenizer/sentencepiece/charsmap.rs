//! The compiled rules of a SentencePiece normaliser: that no text can lead its reader out of the table. The reading itself is
//! the `tokenizers` crate's, which trusts the table.
//!
//! The format: u32 (bytes of the trie), a double-array trie over UTF-8 bytes (u32 units, little-endian), and the replacements,
//! each ended by a zero byte. A unit holds the byte that leads to it (bits 0–7), whether a key ends there (bit 8), and the
//! distance to its children (bits 10–30, times 256 if bit 9 is set); the unit of a key's end holds where its replacement starts.

use super::SentencePieceError;

/// Refuses a table in which some text would leave the trie or a replacement would not be text.
pub(super) fn check(table: &[u8]) -> Result<(), SentencePieceError> {
    let damaged = || SentencePieceError::Charsmap;
    let (size, rest) = table.split_first_chunk::<4>().ok_or_else(damaged)?;
    let size = u32::from_le_bytes(*size) as usize / 4 * 4;
    let (trie, replacements) = rest.split_at_checked(size).ok_or_else(damaged)?;
    let replacements = std::str::from_utf8(replacements).map_err(|_| damaged())?;
    let units: Vec<u32> = trie
        .chunks_exact(4)
        .map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]))
        .collect();
    walk(&units, replacements).ok_or_else(damaged)
}

/// Visits every unit that some text reaches; `None` where one lies outside.
fn walk(units: &[u32], replacements: &str) -> Option<()> {
    let mut seen = vec![false; units.len()];
    // Where the children of a visited unit are: at this position with the bits of the byte flipped.
    let mut bases = vec![distance(*units.first()?)];
    while let Some(base) = bases.pop() {
        if std::mem::replace(seen.get_mut(base)?, true) {
            continue;
        }
        for byte in 1..=u8::MAX {
            let at = base ^ usize::from(byte);
            let unit = *units.get(at)?;
            if unit & LABEL != u32::from(byte) {
                continue;
            }
            let child = at ^ distance(unit);
            if (unit >> 8) & 1 == 1 {
                let start = units.get(child)? & VALUE;
                replacements.get(start as usize..)?;
            }
            bases.push(child);
        }
    }
    Some(())
}

/// The byte that leads to a unit; the highest bit marks the end of a key, which no byte leads to.
const LABEL: u32 = (1 << 31) | 0xFF;
/// Where the replacement of a key starts.
const VALUE: u32 = (1 << 31) - 1;

fn distance(unit: u32) -> usize {
    ((unit >> 10) as usize) << ((unit & (1 << 9)) >> 6)
}
