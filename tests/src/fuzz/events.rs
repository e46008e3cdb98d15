//! Traces of the scheduler (`--events`), as somebody edited them: a line is replayed, or refused with its number. That true traces replay
//! shows `sync`.

use babelquant_coordinator::scheduler::Replay;

/// Replays the lines.
///
/// # Panics
/// The counts of a trace that was replayed are none of a run.
pub fn events(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut replay = Replay::default();
    for line in text.lines() {
        if replay.line(line).is_err() {
            return;
        }
    }
    if let Ok(replayed) = replay.finish() {
        assert!(replayed.segments > 0, "{replayed:?}");
        assert!(replayed.done + replayed.quarantined <= replayed.units, "{replayed:?}");
        assert!(replayed.granted <= replayed.units, "{replayed:?}");
    }
}
