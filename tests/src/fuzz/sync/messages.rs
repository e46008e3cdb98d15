//! The messages of a script: mostly what a worker would say, with what it might say by mistake. Each goes over the wire and back.

use std::fmt::Debug;

use babelquant_proto::message::{Drain, Hello, SyncRequest, UnitFailure, UnitResult};
use babelquant_proto::{Digest, FailureKind, ShardId, UnitIndex, WIRE_MAJOR, wire};
use bytes::Bytes;
use prost::Message;

use super::super::script::Script;
use super::cluster::Cluster;

const NAMES: [&str; 4] = ["a-1", "a-2", "b-1", ""];
const GLOBS: [&str; 5] = ["a-*", "*", "b-1", "[", "?-1"];
const FAILURES: [FailureKind; 5] = [
    FailureKind::InvalidUnit,
    FailureKind::OutOfMemory,
    FailureKind::Crash,
    FailureKind::Timeout,
    FailureKind::ModelUnavailable,
];

/// The message after its way over the wire.
fn sent<W, D>(message: D) -> D
where
    W: Message + Default + From<D>,
    D: TryFrom<W, Error: Debug> + Clone + PartialEq + Debug,
{
    let bytes = W::from(message.clone()).encode_to_vec();
    let read = W::decode(bytes.as_slice()).expect("what is written can be read");
    let read = D::try_from(read).expect("what is written can be read");
    assert_eq!(read, message);
    read
}

pub(super) fn hello(script: &mut Script<'_>) -> Hello {
    let name = NAMES[usize::from(script.byte()) % NAMES.len()].to_owned();
    let engine_class = "cpu-avx2-candle0.11.1".parse().expect("a class of engines");
    let memory_bytes = Some(u64::from(script.byte() % 4)).filter(|bytes| *bytes > 0);
    sent::<wire::Hello, _>(Hello { wire_major: WIRE_MAJOR, name, engine_class, memory_bytes })
}

pub(super) fn drain(script: &mut Script<'_>) -> Drain {
    let (kind, glob) = (script.byte(), script.byte());
    let glob = GLOBS[usize::from(glob) % GLOBS.len()].to_owned();
    sent::<wire::DrainRequest, _>(match kind % 8 {
        0 => Drain::Run,
        1..=3 => Drain::Workers(glob),
        _ => Drain::Undo(glob),
    })
}

/// What a worker says: of the units that it holds it may have finished, broken, given back or forgotten some, and it may speak of others.
pub(super) fn request(script: &mut Script<'_>, cluster: &Cluster) -> SyncRequest {
    let session = cluster.session(script.byte());
    let mut request = SyncRequest::new(session, u32::from(script.byte() % 8));
    let flags = script.byte();
    request.draining = flags & 0x81 == 0x81;
    for unit in cluster.held(session) {
        fate(script.byte(), unit, &mut request);
    }
    if flags & 2 != 0 {
        for _ in 0..script.byte() % 4 {
            let unit = UnitIndex(u64::from(script.byte() % 24));
            fate(script.byte(), unit, &mut request);
        }
    }
    if flags & 4 != 0 {
        let language = u32::from(script.byte());
        request.shards.push(ShardId { language, shard: u32::from(script.byte()) });
    }
    sent::<wire::SyncRequest, _>(request)
}

/// Says one thing of a unit, or several that contradict each other.
fn fate(fate: u8, unit: UnitIndex, request: &mut SyncRequest) {
    if fate < 0x80 {
        // What an honest worker says.
        return match fate % 8 {
            0..=2 => request.holding.push(unit),
            3..=5 => request.results.push(result(unit, true)),
            6 => request.failures.push(failure(fate, unit)),
            _ => request.released.push(unit),
        };
    }
    if fate & 1 != 0 {
        request.holding.push(unit);
    }
    if fate & 2 != 0 {
        request.results.push(result(unit, fate & 4 == 0));
    }
    if fate & 8 != 0 {
        request.failures.push(failure(fate, unit));
    }
    if fate & 16 != 0 {
        request.released.push(unit);
    }
}

fn failure(choice: u8, unit: UnitIndex) -> UnitFailure {
    let kind = FAILURES[usize::from(choice / 8) % FAILURES.len()];
    UnitFailure { unit, kind, detail: "made up".to_owned() }
}

/// A result of each unit.
pub(super) fn results(units: &[UnitIndex]) -> Vec<UnitResult> {
    units.iter().map(|&unit| result(unit, true)).collect()
}

/// A result that is the unit's if its bytes are those that were hashed.
fn result(unit: UnitIndex, is_whole: bool) -> UnitResult {
    let ipc = Bytes::from_static(b"rows");
    let blake3 = if is_whole { Digest::of(&ipc) } else { Digest::of(b"other rows") };
    UnitResult { unit, blake3, ipc }
}
