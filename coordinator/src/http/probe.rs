//! Is the run ready? What a load balancer or Kubernetes asks. Not whether the process is alive: that is known by its answering.

use std::time::Duration;

use babelquant_proto::message::RunState;
use babelquant_proto::overview::Overview;

/// An owner that has begun no turn for so long is stuck in one: a commit takes long.
const STUCK: Duration = Duration::from_secs(5);

/// That workers are served, or why not.
pub(super) fn readiness(overview: &Overview, silent: Duration) -> Result<&'static str, String> {
    match (overview.epoch, overview.state, &overview.degraded) {
        (0, ..) => Err("the output is being opened".to_owned()),
        (_, RunState::Degraded, Some(degraded)) => Err(degraded.reason.clone()),
        (_, RunState::Degraded, None) => Err("the output cannot be written".to_owned()),
        (_, RunState::Draining, _) => Err("the coordinator is leaving".to_owned()),
        (_, RunState::Running, _) if silent > STUCK => {
            Err(format!("the output has taken {} s to be written", silent.as_secs()))
        }
        (_, RunState::Running, _) => Ok("running"),
        (_, RunState::Complete | RunState::CompleteWithQuarantine, _) => Ok("complete"),
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::overview::Degraded;

    use super::*;

    #[test]
    fn only_a_coordinator_that_grants_or_is_done_is_ready() {
        let opening = Overview::unopened("s".to_owned(), 9);
        let opened = Overview { epoch: 1, ..opening.clone() };
        let degraded = Degraded { since: Duration::ZERO, reason: "full".to_owned() };
        let in_state = |state| Overview { state, ..opened.clone() };
        let full = Overview { degraded: Some(degraded), ..in_state(RunState::Degraded) };
        let ready = |overview: &Overview| readiness(overview, Duration::from_secs(1));
        assert_eq!(ready(&opened), Ok("running"));
        assert_eq!(ready(&in_state(RunState::Complete)), Ok("complete"));
        assert_eq!(ready(&full), Err("full".to_owned()));
        assert!(ready(&in_state(RunState::Draining)).is_err() && ready(&opening).is_err());
        assert!(readiness(&opened, Duration::from_secs(6)).is_err());
    }
}
