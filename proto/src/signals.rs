//! Waiting for signals of the operating system. Not what they mean.

use std::future::poll_fn;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ends with the first of these signals after this call: they are listened for at once, not when somebody first waits.
pub fn first_of<const N: usize>(
    kinds: [SignalKind; N],
) -> impl Future<Output = ()> + Send + 'static {
    let listen = |kind| match signal(kind) {
        Ok(signal) => Some(signal),
        Err(error) => {
            tracing::warn!(%error, "cannot listen for a signal");
            None
        }
    };
    let mut signals: Vec<Signal> = kinds.into_iter().filter_map(listen).collect();
    poll_fn(move |context| {
        let came = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if came { Poll::Ready(()) } else { Poll::Pending }
    })
}
