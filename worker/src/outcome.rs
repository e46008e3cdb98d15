//! How a worker's part in a run ends well. The other ways are errors.

use babelquant_proto::exit;

/// Why there is nothing more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The run is complete.
    Complete,
    /// The run is complete but for quarantined units.
    CompleteWithQuarantine,
    /// The operator has sent this worker away.
    Drained,
}

impl Outcome {
    /// The exit code that tells a launcher what to do: nothing, in each case.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Complete | Self::Drained => exit::COMPLETE,
            Self::CompleteWithQuarantine => exit::QUARANTINED,
        }
    }
}
