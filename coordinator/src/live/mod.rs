//! What a run shows while it goes on: numbers for machines (`metrics`) and the first results for people (`grid`). The owner tells it at
//! its turns, `http` reads it; no decision is taken by it, and nothing of it outlives the process.

mod grid;
mod loss;
mod metrics;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use babelquant_proto::{Spec, UnitIndex};
use tokio::time::Instant;

pub(crate) use grid::{Grid, Heading, Square};
pub use loss::Loss;
pub(crate) use metrics::Metrics;

/// A run as it is seen from outside.
#[derive(Debug)]
pub(crate) struct Live {
    /// Counters and histograms.
    pub(crate) metrics: Metrics,
    /// The first results, where somebody may look at them.
    grid: Option<Mutex<Grid>>,
    started: Instant,
    /// Milliseconds after the start at which the owner last began a turn.
    turned: AtomicU64,
}

impl Live {
    /// Numbers alone.
    pub(crate) fn unseen() -> Self {
        let (started, turned) = (Instant::now(), AtomicU64::new(0));
        Self { metrics: Metrics::default(), grid: None, started, turned }
    }

    /// Numbers and a grid over the cells of `spec`.
    pub(crate) fn of(spec: &Spec) -> Self {
        Self { grid: Some(Mutex::new(Grid::of(spec))), ..Self::unseen() }
    }

    /// The grid, locked: it is read and written in moments, never across an await.
    pub(crate) fn grid(&self) -> Option<MutexGuard<'_, Grid>> {
        // Sums and counts are whole at any time.
        self.grid.as_ref().map(|grid| grid.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A unit is durable, with what it says of the model.
    pub(crate) fn measured(&self, unit: UnitIndex, loss: Option<Loss>) {
        if let Some(mut grid) = self.grid() {
            grid.measured(unit, loss);
        }
    }

    /// A unit is given up.
    pub(crate) fn lost(&self, unit: UnitIndex) {
        if let Some(mut grid) = self.grid() {
            grid.lost(unit);
        }
    }

    /// The owner begins a turn.
    pub(crate) fn turn(&self) {
        self.turned.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Since when the owner has begun no turn.
    pub(crate) fn silent(&self) -> Duration {
        let turned = Duration::from_millis(self.turned.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(turned)
    }
}
