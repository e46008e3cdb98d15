//! The signals that end a command which serves. Not how it ends.

use babelquant_proto::signals::first_of;
use tokio::signal::unix::SignalKind;

/// Ends with the first Ctrl-C or SIGTERM after this call.
pub(super) fn termination() -> impl Future<Output = ()> {
    let signal = first_of([SignalKind::terminate(), SignalKind::interrupt()]);
    async {
        signal.await;
        tracing::warn!("stopping: what is done is kept");
    }
}
