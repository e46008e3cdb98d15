//! The tables of `analysis/`: one row struct per table. Not how they are computed.

mod additivity;
mod configs;
mod correlations;
mod depth;
mod disparity;
mod floor;
mod hypotheses;
mod languages;
mod layers;
mod matrices;
mod models;
mod protection;
mod regressions;
mod replication;
mod sensitivity;
mod shares;
mod trends;

pub use additivity::AdditivityRow;
pub use configs::ConfigRow;
pub use correlations::CorrelationRow;
pub use depth::DepthRow;
pub use disparity::{DisparityRow, EXTREMES};
pub use floor::FloorRow;
pub use hypotheses::HypothesisRow;
pub use languages::LanguageRow;
pub use layers::LayerRow;
pub use matrices::MatrixRow;
pub use models::ModelRow;
pub use protection::{EVERY_SET, ProtectionRow};
pub use regressions::{INTERCEPT, RegressionRow};
pub use replication::ReplicationRow;
pub use sensitivity::SensitivityRow;
pub use shares::ShareRow;
pub use trends::TrendRow;
