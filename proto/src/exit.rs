//! Exit codes of both programs: what a launcher may do next. Nothing else decides an exit.

/// Everything that was asked for is done.
pub const COMPLETE: u8 = 0;
/// The command line or an input is wrong; nothing was computed.
pub const USAGE: u8 = 2;
/// Complete but for quarantined units.
pub const QUARANTINED: u8 = 3;
/// A bug: please report it.
pub const BUG: u8 = 70;
/// Unfinished; running the same command again goes on (also: the disk is full).
pub const UNFINISHED: u8 = 75;
/// Another coordinator goes on with the run: this one must not be started again, or they take the output from each other in turn.
pub const SUPERSEDED: u8 = 76;
/// Not authorised.
pub const DENIED: u8 = 77;
/// Configuration, version or model mismatch; retrying cannot help.
pub const MISMATCH: u8 = 78;
