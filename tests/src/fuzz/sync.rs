//! Messages of workers and operators, from the wire to the scheduler of a small study that also commits, waits and is killed. What a worker
//! says may be a lie; the promises hold all the same. Not the owner's turns and not the store: a commit is a step of the script.

mod cluster;
mod messages;

use babelquant_proto::message::{Drain, Hello, SyncRequest};
use babelquant_proto::wire;
use prost::Message;

use super::script::Script;
use cluster::Cluster;

/// Longest message that is taken from a script as it stands.
const RAW_BYTES_MAX: usize = 255;
/// Most steps of a script: each is held against a copy of the scheduler.
const STEPS_MAX: usize = 256;

/// Plays the script.
///
/// # Panics
/// A message is not read as it was written, the scheduler breaks a promise, its trace does not replay, or what is left of the study cannot be
/// done.
pub fn sync(data: &[u8]) {
    let mut script = Script::new(data);
    let mut cluster = Cluster::new();
    for _ in 0..STEPS_MAX {
        if script.has_ended() {
            break;
        }
        step(&mut cluster, &mut script);
    }
    cluster.check_trace();
    cluster.finish();
}

fn step(cluster: &mut Cluster, script: &mut Script<'_>) {
    match script.byte() % 12 {
        0 => {
            raw::<wire::Hello, Hello>(script).into_iter().for_each(|hello| cluster.register(hello))
        }
        1 => raw::<wire::SyncRequest, SyncRequest>(script)
            .into_iter()
            .for_each(|request| cluster.sync(request)),
        2 => raw::<wire::DrainRequest, Drain>(script)
            .into_iter()
            .for_each(|drain| cluster.drain(drain)),
        3 => cluster.register(messages::hello(script)),
        4..=7 => {
            let request = messages::request(script, cluster);
            cluster.sync(request);
        }
        8 => cluster.wait(script),
        9 => cluster.commit(usize::from(script.byte())),
        10 => cluster.drain(messages::drain(script)),
        _ => cluster.restart(script.byte().is_multiple_of(2)),
    }
}

/// A message in the bytes that follow, as they are.
fn raw<W: Message + Default, D: TryFrom<W>>(script: &mut Script<'_>) -> Option<D> {
    let length = usize::from(script.byte()).min(RAW_BYTES_MAX);
    D::try_from(W::decode(script.bytes(length)).ok()?).ok()
}
