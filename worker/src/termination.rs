//! When a worker is to leave: the two moments of it, and the signals that mean them. Not what it does then (`agent`).

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use babelquant_proto::signals::first_of;
use tokio::signal::unix::SignalKind;
use tokio::time::sleep;

/// Signals that follow the first one so soon are the same news: a launcher tells a whole group of processes, and each of them the others.
const ECHO: Duration = Duration::from_secs(1);

/// When a worker is to leave. The later moment may come without the earlier one.
#[derive(Debug)]
pub struct Termination<F, L> {
    /// Ends when it should take no more, and finish what it computes.
    pub finish: F,
    /// Ends when it must leave at once.
    pub leave: L,
}

impl<L: Future<Output = ()>> Termination<std::future::Pending<()>, L> {
    /// At once when this ends.
    pub fn at_once(leave: L) -> Self {
        Self { finish: pending(), leave }
    }
}

/// What signals say after this call. The first SIGTERM, SIGUSR1 or Ctrl-C is what a launcher sends before it takes the machine away, `grace`
/// later; another one more than a second after it ends the grace, and without grace the first one does.
pub fn termination(
    grace: Duration,
) -> Termination<impl Future<Output = ()> + Send + 'static, impl Future<Output = ()> + Send + 'static>
{
    let (finish, first) = (any_signal(), any_signal());
    let leave = async move {
        first.await;
        if grace.is_zero() {
            return;
        }
        let mut end = pin!(sleep(grace));
        let again = async {
            sleep(ECHO).await;
            any_signal().await;
        };
        tokio::select! {
            () = &mut end => {}
            () = again => {}
        }
    };
    Termination { finish, leave }
}

/// Ends with the first of them after this call.
fn any_signal() -> impl Future<Output = ()> + Send + 'static {
    first_of([SignalKind::terminate(), SignalKind::user_defined1(), SignalKind::interrupt()])
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn a_signal_begins_the_grace_and_a_later_one_ends_it() {
        let signal = || kill_process(getpid(), Signal::USR1).unwrap();
        let Termination { finish, leave } = termination(Duration::from_secs(3600));
        let Termination { leave: without_grace, .. } = termination(Duration::ZERO);
        let mut leave = pin!(leave);
        signal();
        finish.await;
        without_grace.await;
        let again = async {
            loop {
                signal();
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = &mut leave => {}
            never = again => match never {},
        }
    }
}
