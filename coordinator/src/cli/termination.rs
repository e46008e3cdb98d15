//! The signals that end a command which serves. Not how it ends.

use tokio::signal::unix::{SignalKind, signal};

/// Ends with the first Ctrl-C or SIGTERM after this call.
pub(super) fn termination() -> impl Future<Output = ()> {
    let wait = |kind| {
        // Listened for at once, not when somebody first waits.
        let signal = signal(kind);
        async move {
            match signal {
                Ok(mut signal) => drop(signal.recv().await),
                Err(error) => {
                    tracing::warn!(%error, "cannot listen for a signal");
                    std::future::pending::<()>().await;
                }
            }
        }
    };
    let [terminate, interrupt] = [SignalKind::terminate(), SignalKind::interrupt()].map(wait);
    async move {
        tokio::select! {
            () = terminate => {}
            () = interrupt => {}
        }
        tracing::warn!("stopping: what is done is kept");
    }
}
