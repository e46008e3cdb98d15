//! A worker for several devices of one machine: real processes, one for each device, and one to whoever started them.

use std::process::Command;

use crate::cluster::{Study, bytes, computed, same, undisturbed, worker};
use crate::golden::folder;
use crate::process::{Process, babelquant};

/// A worker on the CPU twice.
fn pair(address: &str, device: &str) -> Process {
    pair_with(address, device, &[])
}

fn pair_with(address: &str, device: &str, flags: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker-under-test"));
    command.args(["--coordinator", address, "--device", device, "--name", "pair", "--slots", "4"]);
    command.arg("--models").arg(folder().join("bloom"));
    Process::start("pair", command.args(flags))
}

/// Waits until the worker has registered for both devices.
fn both_registered(pair: &Process) {
    pair.wait_for_more("registered", 1);
}

#[test]
fn each_device_has_a_process_with_a_name_and_together_they_give_the_same_bytes() {
    let study = Study::new();
    let expected = undisturbed(&study);
    let (coordinator, address) = study.serve("devices", "0");
    let pair = pair(&address, "cpu,cpu");
    both_registered(&pair);
    for name in ["pair-0-cpu", "pair-1-cpu"] {
        coordinator.wait_for(name);
    }
    pair.expect(0);
    coordinator.expect(0);
    same(&bytes(&study.path("devices")), &expected);
}

#[test]
fn told_to_leave_all_of_them_leave() {
    let study = Study::new();
    let (coordinator, address) = study.serve("devices-leave", "0");
    let pair = pair(&address, "cpu,cpu");
    both_registered(&pair);
    pair.signal("TERM");
    let said = pair.expect(75);
    assert_eq!(said.matches("giving back").count(), 2, "{said}");
    worker(&address, "staying", "16").expect(0);
    let output = coordinator.expect(0);
    assert!(!output.contains("a unit is charged"), "{output}");
}

#[test]
fn told_to_leave_with_grace_all_of_them_finish_what_they_have_begun() {
    let study = Study::new();
    let (coordinator, address) = study.serve("devices-grace", "0");
    let pair = pair_with(&address, "cpu,cpu", &["--grace", "60"]);
    both_registered(&pair);
    pair.wait_for_more("computing", 1);
    pair.signal("TERM");
    let said = pair.expect(75);
    assert_eq!(said.matches("told to leave: finishing").count(), 2, "{said}");
    assert_eq!(said.matches("finished unit=").count(), computed(&said), "{said}");
    worker(&address, "staying", "16").expect(0);
    let output = coordinator.expect(0);
    assert!(!output.contains("a unit is charged"), "{output}");
}

#[test]
fn where_one_dies_the_others_leave_so_that_all_are_started_again() {
    let study = Study::new();
    let (coordinator, address) = study.serve("devices-die", "0");
    let pair = pair(&address, "cpu,cpu");
    both_registered(&pair);
    let victim = pair.children()[0];
    assert!(Command::new("kill").args(["-KILL", &victim.to_string()]).status().unwrap().success());
    let said = pair.expect(75);
    assert!(said.contains("the process of a device has ended"), "{said}");
    assert_eq!(said.matches("giving back").count(), 1, "{said}");
    babelquant(&["drain", &address]).expect(0);
    coordinator.expect(75);
}

#[test]
fn devices_that_are_not_there_are_refused_by_name() {
    let said = pair("http://127.0.0.1:1", "cuda:all").expect(2);
    assert!(said.contains("cuda") && said.contains("--features cuda"), "{said}");
    let said = pair("http://127.0.0.1:1", "cpu,gpu").expect(2);
    assert!(said.contains("\"gpu\" is no device"), "{said}");
}
