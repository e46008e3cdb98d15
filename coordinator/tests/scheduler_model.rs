//! Every history of the scheduler with two workers, two units, one killed worker, one killed coordinator and one lost answer: a model checker
//! takes each step that is possible in each state, so that no order of them is left out. What it finds is printed as the steps that lead
//! there. Larger clusters are played at random (`scheduler_simulation`).

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod model;

use stateright::{Checker, Model, Property};

use model::{Cluster, Faults, Step};

/// All histories.
struct Histories;

impl Model for Histories {
    type State = Cluster;
    type Action = Step;

    fn init_states(&self) -> Vec<Cluster> {
        vec![Cluster::new()]
    }

    fn actions(&self, state: &Cluster, actions: &mut Vec<Step>) {
        actions.extend(state.steps());
    }

    fn next_state(&self, state: &Cluster, action: Step) -> Option<Cluster> {
        let mut next = state.clone();
        next.step(action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let unique = |_: &Self, state: &Cluster| {
            let mut done = state.done();
            done.sort_unstable();
            done.windows(2).all(|pair| pair[0] != pair[1])
        };
        vec![
            Property::always("grants are of open units that nobody holds", |_, state: &Cluster| {
                state.broken.is_none()
            }),
            Property::always("no unit becomes durable twice", unique),
            Property::always("what is acknowledged is durable", |_, state: &Cluster| {
                let done = state.done();
                state.acknowledged.iter().all(|unit| done.contains(unit))
            }),
            Property::always("one dead worker quarantines nothing", |_, state: &Cluster| {
                state.scheduler.quarantined().is_empty()
            }),
            Property::always("everything can still be done", |_, state: &Cluster| state.can_end()),
            Property::sometimes(
                "everything is done in spite of every fault",
                |_, state: &Cluster| {
                    let Faults { killed_workers, killed_coordinators, lost_answers } = state.faults;
                    state.scheduler.open() == 0
                        && killed_workers + killed_coordinators + lost_answers == 0
                },
            ),
        ]
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a search that nobody sees has shown little")]
fn no_history_breaks_a_promise() {
    let checker = Histories.checker().threads(2).spawn_bfs().join();
    println!(
        "{} states, {} of them different",
        checker.state_count(),
        checker.unique_state_count()
    );
    checker.assert_properties();
    assert!(checker.unique_state_count() > 1000);
}
