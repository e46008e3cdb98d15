//! An engine that takes a unit and never says a word: the unit has failed, and the worker leaves so that it is started again.

use std::time::Duration;

use babelquant_proto::credentials::{Credentials, Dial};
use babelquant_worker::{Address, Device, Engine, Error, Event, Options, Places, run_with};
use tokio::sync::mpsc;

use crate::cluster::{Study, bytes, same, undisturbed, worker};

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
    let ended = runtime.block_on(run_with(options(&address), engine, std::future::pending()));
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
