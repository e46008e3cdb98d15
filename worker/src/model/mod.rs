//! The model: a checkpoint becomes a decoder that turns tokens into hidden states at every layer boundary, with a tap at every
//! named point. Knows nothing of quantization: whoever quantizes hands in other weights of the same shape.

mod architecture;
mod attention;
mod block;
mod checkpoint;
mod decoder;
mod error;
mod kernels;
mod linear;
mod norm;
mod tap;

pub use architecture::{Architecture, Layout, Matrix, Slot};
pub use checkpoint::{Checkpoint, StoredDtype, StoredTensor};
pub use decoder::{Decoder, ReplacedLayer, Replacement};
pub use error::ModelError;
pub(crate) use kernels::simd;
pub use tap::{NoTap, Tap};
