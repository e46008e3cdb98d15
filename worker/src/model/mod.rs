//! The model: a checkpoint becomes a transformer that turns tokens into hidden states at every layer boundary, with a tap at
//! every named point. Knows nothing of quantization: whoever quantizes hands in other weights of the same shape, and says how
//! they read their inputs.

mod architecture;
mod attention;
mod block;
mod checkpoint;
mod config;
mod error;
mod expected;
mod families;
mod gguf;
mod input;
mod kernels;
mod linear;
mod loader;
mod matrix;
mod mlp;
mod norm;
mod open;
mod other_checkpoint;
mod positions;
mod table;
mod tap;
mod transformer;

pub use architecture::Architecture;
pub use block::{Block, Memory, Replacement};
pub use checkpoint::{Checkpoint, StoredDtype, StoredTensor};
pub use error::ModelError;
pub use expected::Expected;
pub use gguf::Gguf;
pub use input::Input;
pub(crate) use kernels::simd;
pub use linear::{Reading, Rounding};
pub use matrix::{Layout, Matrix, gather_rows};
pub use norm::NormPlace;
pub use open::open;
pub use other_checkpoint::{Lent, OtherCheckpoint};
pub use table::Tables;
pub use tap::{NoTap, Site, Tap};
pub use transformer::{Residence, Transformer};
