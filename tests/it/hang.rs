//! An engine that takes a unit and never says a word: the unit has failed, and the worker leaves so that it is started again; one that is
//! told to leave waits for it no longer than it may.

use std::time::Duration;

use babelquant_proto::credentials::{Credentials, Dial};
use babelquant_worker::{
    Address, Device, Engine, Error, Event, Options, Places, Termination, run_with,
};
use tokio::sync::{Notify, mpsc};

use crate::cluster::{Study, bytes, same, undisturbed, worker};
use crate::process::babelquant;

fn options(address: &str) -> Options {
    Options {
        coordinator: Address::Url(address.to_owned()),
        dial: Dial::tcp(),
        credentials: Credentials::default(),
        places: Places { directories: Vec::new(), hub: None },
        device: Device::Cpu,
        memory_bytes: None,
        cache: None,
        slots: 8,
        name: "hanging".to_owned(),
        jitter: 0,
        unit_timeout: Duration::from_millis(300),
        give_up: Duration::from_secs(60),
    }
}

#[test]
fn a_hanging_engine_is_a_timeout_of_its_units_and_the_end_of_its_worker() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("hang", "0");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (jobs, mut taken) = mpsc::channel(1);
    let (events, heard) = mpsc::channel::<Event>(1);
    let engine = |_: &_| Engine::of(jobs, heard);
    let never = Termination::at_once(std::future::pending());
    let ended = runtime.block_on(run_with(options(&address), engine, never));
    assert!(matches!(ended, Err(Error::Hung { .. })), "{ended:?}");
    let job = taken.try_recv().expect("the engine was given something");
    coordinator.wait_for("kind=timeout");
    drop(events);
    worker(&address, "well", "16").expect(0);
    let said = coordinator.expect(0);
    assert_eq!(said.matches("a unit failed").count(), job.units.len(), "{said}");
    assert!(!said.contains("lease_lost"), "what it had not begun was given back:\n{said}");
    same(&bytes(&study.path("hang")), &expected);
}

#[test]
fn a_worker_that_finishes_what_it_has_begun_leaves_when_its_time_is_up() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("time-is-up", "0");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (jobs, mut taken) = mpsc::channel(1);
    let (_events, heard) = mpsc::channel::<Event>(1);
    let (finish, leave) = (Notify::new(), Notify::new());
    let termination = Termination { finish: finish.notified(), leave: leave.notified() };
    let options = Options { unit_timeout: Duration::MAX, ..options(&address) };
    let working = run_with(options, |_| Engine::of(jobs, heard), termination);
    let (ended, ()) = runtime.block_on(async {
        tokio::join!(working, async {
            let job = taken.recv().await.expect("the engine is given something");
            finish.notify_one();
            // It says so to the coordinator, and still holds what it computes.
            loop {
                let status = babelquant(&["status", &address, "--json"]).expect(0);
                let overview: serde_json::Value = serde_json::from_str(&status).unwrap();
                if overview["granted"] == job.units.len() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            leave.notify_one();
        })
    });
    assert!(matches!(ended, Err(Error::Stopped)), "{ended:?}");
    worker(&address, "well", "16").expect(0);
    let said = coordinator.expect(0);
    assert!(!said.contains("a unit is charged"), "what it gave back was charged:\n{said}");
    same(&bytes(&study.path("time-is-up")), &expected);
}
