//! Results of workers against their unit: as they come, or as edits of a valid one. They are hashed here, so that what stands behind the
//! digest is reached.

use std::sync::LazyLock;

use babelquant_coordinator::verify::{self, Engines, Rejection};
use babelquant_proto::rows::{
    ActivationRow, DocumentRow, QuantizationRow, Row, TokenRow, WeightRow, decode, decode_batch,
    decode_both, decode_both_batches, encode, encode_both,
};
use babelquant_proto::{Digest, Spec, Unit, UnitIndex};

use super::made_up;
use super::script::Script;

static SPEC: LazyLock<Spec> = LazyLock::new(|| made_up::spec(1));
/// Whose results are taken.
static ENGINES: LazyLock<Engines> =
    LazyLock::new(|| Engines::Only(made_up::ENGINE.parse().expect("a class of engines")));

/// A valid result of every unit.
static VALID: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let units = (0..SPEC.units()).map(UnitIndex);
    units.map(|unit| made_up::payload(&SPEC, unit).to_vec()).collect()
});

/// What a number may become: infinite, not a number, or more than fits.
const EXTREMES: [u64; 8] = [
    0x7ff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfff0_0000_0000_0000,
    u64::MAX,
    i64::MAX as u64,
    1 << 40,
    1 << 31,
    0,
];

/// The first byte chooses the unit and the second one whether the others are its result or edits of a valid one.
///
/// # Panics
/// Other bytes than those that were hashed are accepted, or a result is accepted that cannot be written or is not read as it was.
pub fn result(data: &[u8]) {
    let Some((&[unit, way], rest)) = data.split_first_chunk() else { return };
    let index = usize::from(unit) % VALID.len();
    let ipc = match way % 2 {
        0 => rest.to_vec(),
        _ => edited(VALID[index].clone(), &mut Script::new(rest)),
    };
    let unit = SPEC.unit(UnitIndex(index as u64)).expect("there are as many results as units");
    let lied = verify::result((&SPEC, &ENGINES), unit, Digest::of(b"other bytes"), &ipc);
    assert!(matches!(lied, Err(Rejection::Digest { .. })), "a wrong digest: {lied:?}");
    match verify::result((&SPEC, &ENGINES), unit, Digest::of(&ipc), &ipc) {
        Ok(_) => check_accepted(unit, &ipc),
        Err(rejection) => {
            assert!(!matches!(rejection, Rejection::Digest { .. }), "{rejection}");
        }
    }
}

/// The bytes after the edits that the script says.
fn edited(mut bytes: Vec<u8>, script: &mut Script<'_>) -> Vec<u8> {
    while !script.has_ended() && !bytes.is_empty() {
        let kind = script.byte();
        let at = usize::from(script.pair()) % bytes.len();
        let value = script.byte();
        match kind % 6 {
            0 => bytes[at] = value,
            1 => bytes[at] ^= value,
            2 => {
                let extreme = EXTREMES[usize::from(value) % EXTREMES.len()].to_le_bytes();
                let at = at / 8 * 8;
                let end = bytes.len().min(at + 8);
                bytes[at..end].copy_from_slice(&extreme[..end - at]);
            }
            3 => drop(bytes.drain(at..bytes.len().min(at + usize::from(value)))),
            4 => {
                let end = bytes.len().min(at + usize::from(value));
                bytes.splice(at..at, bytes[at..end].to_vec());
            }
            _ => {
                bytes.splice(at..at, VALID[usize::from(value) % VALID.len()].clone()).for_each(drop)
            }
        }
    }
    bytes
}

fn check_accepted(unit: Unit<'_>, ipc: &[u8]) {
    match unit {
        Unit::Weights { .. } => check_rows::<WeightRow>(ipc),
        Unit::Quantization { .. } => check_rows::<QuantizationRow>(ipc),
        Unit::Baseline { .. } => check_rows::<ActivationRow>(ipc),
        Unit::Cell { .. } => {
            let both = decode_both::<DocumentRow, TokenRow>(ipc);
            let (documents, tokens) = both.expect("it was accepted");
            let batches = decode_both_batches::<DocumentRow, TokenRow>(ipc);
            let (of_documents, of_tokens) = batches.expect("what is accepted becomes a part");
            assert_eq!(of_documents, DocumentRow::to_batch(&documents).expect("it is finite"));
            assert_eq!(of_tokens, TokenRow::to_batch(&tokens).expect("it is finite"));
            let again = encode_both(&documents, &tokens).expect("what is accepted can be written");
            let read = decode_both(&again).expect("what is written can be read");
            assert_eq!((documents, tokens), read);
        }
    }
}

fn check_rows<R: Row + PartialEq + std::fmt::Debug>(ipc: &[u8]) {
    let rows = decode::<R>(ipc).expect("it was accepted");
    let batch = decode_batch::<R>(ipc).expect("what is accepted becomes a part");
    assert_eq!(batch, R::to_batch(&rows).expect("it is finite"));
    let again = encode(&rows).expect("what is accepted can be written");
    assert_eq!(decode::<R>(&again).expect("what is written can be read"), rows);
}
