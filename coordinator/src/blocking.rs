//! Where work is done that takes long enough to keep messages waiting: on threads of the runtime, unless somebody says otherwise. Not
//! what the work is.

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

/// A piece of work.
pub type Work = Box<dyn FnOnce() + Send>;

/// Where work is done.
#[derive(Debug, Clone, Copy)]
pub struct Blocking(fn(Work) -> JoinHandle<()>);

impl Blocking {
    /// On threads of the runtime that are there for it.
    pub fn on_threads() -> Self {
        Self(|work| tokio::task::spawn_blocking(work))
    }

    /// Where `start` starts it; the handle ends with the work.
    pub fn by(start: fn(Work) -> JoinHandle<()>) -> Self {
        Self(start)
    }

    /// Does the work and waits for what it comes to.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let (sender, outcome) = oneshot::channel();
        (self.0)(Box::new(move || drop(sender.send(work())))).await?;
        Ok(outcome.await.expect("the work has ended without a panic: it has said what it came to"))
    }
}
