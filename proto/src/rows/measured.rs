//! Rows that a worker measured: each names the engine class that made its last bits. Not what such a class is (`engine_class`).

use super::{ActivationRow, DocumentRow, QuantizationRow, Row, TokenRow, WeightRow};
use crate::EngineClass;

/// A row of a table that workers fill.
pub trait Measured: Row {
    /// The engine class that made it.
    fn engine(&self) -> &str;

    /// The row, made by this engine class.
    #[must_use]
    fn made_by(self, engine: &EngineClass) -> Self;
}

macro_rules! measured {
    ($($row:ident),+) => {$(
        impl Measured for $row {
            fn engine(&self) -> &str {
                &self.engine
            }

            fn made_by(self, engine: &EngineClass) -> Self {
                Self { engine: engine.to_string(), ..self }
            }
        }
    )+};
}

/// The rows, made by this engine class: whoever computes them leaves it open.
pub fn made_by<R: Measured>(engine: &EngineClass, rows: Vec<R>) -> Vec<R> {
    rows.into_iter().map(|row| row.made_by(engine)).collect()
}

measured!(ActivationRow, DocumentRow, QuantizationRow, TokenRow, WeightRow);
