//! The tables of `analysis/`: one row struct per table. Not how they are computed.

mod correlations;
mod languages;
mod layers;
mod models;
mod sensitivity;
mod shares;

pub use correlations::CorrelationRow;
pub use languages::LanguageRow;
pub use layers::LayerRow;
pub use models::ModelRow;
pub use sensitivity::SensitivityRow;
pub use shares::ShareRow;
