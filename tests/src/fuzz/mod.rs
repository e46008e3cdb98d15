//! What the fuzzers check: one function for each kind of input that others write, which takes bytes and panics where a promise is broken. Not
//! how inputs are found (`tests/fuzz`); the test `fuzz` holds every function to the inputs that were found once.

mod checkpoint;
mod events;
mod gguf;
#[path = "../../../coordinator/src/testing/made_up.rs"]
#[expect(clippy::unwrap_used, reason = "tests share it, and fail where it unwraps")]
#[allow(dead_code, reason = "tests use more of it")]
mod made_up;
mod result;
mod script;
mod spelling;
mod study;
mod sync;

pub use checkpoint::checkpoint;
pub use events::events;
pub use gguf::gguf;
pub use result::result;
pub use spelling::spelling;
pub use study::study;
pub use sync::sync;

/// Takes bytes, and panics where a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by its name, which its corpus and its fuzzer have too.
pub const TARGETS: [(&str, Target); 7] = [
    ("checkpoint", checkpoint),
    ("events", events),
    ("gguf", gguf),
    ("result", result),
    ("spelling", spelling),
    ("study", study),
    ("sync", sync),
];
