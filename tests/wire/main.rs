//! The wire in a simulated network: the real coordinator, with its gRPC services, owner, scheduler and store, and real workers, with their
//! clients and agents, talk over connections that are cut, held and slow, and die again and again. Whatever happens, every unit is
//! committed exactly once, nothing is acknowledged that is not durable, and the output has the bytes of an undisturbed run. A seed
//! gives the same run, message by message.
//!
//! ```text
//! BABELQUANT_WIRE_SEEDS=1000 cargo test --release -p babelquant-tests --test wire -- --nocapture
//! ```
//! plays a thousand seeds, and `17..18` one again. Real: everything above the connections. Simulated: time, the connections, the storage
//! (memory that takes time), the engine. Not simulated: TLS and tokens, threads (what blocks runs on the one that there is), signals.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod cluster;
mod disk;
mod engine;
mod history;
mod hosts;
#[path = "../../coordinator/src/testing/made_up.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod made_up;
mod plan;
mod recorder;
mod study;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use babelquant_proto::Digest;
use cluster::{Played, play};
use history::{Tally, What};
use plan::{Cut, Plan};
use study::Study;

/// Runs that every change must stand.
const SEEDS: Range<u64> = 0..100;

fn study() -> Arc<Study> {
    static STUDY: OnceLock<Arc<Study>> = OnceLock::new();
    Arc::clone(STUDY.get_or_init(|| Arc::new(Study::new())))
}

/// The output of an undisturbed run.
fn undisturbed() -> &'static BTreeMap<String, Digest> {
    static OUTPUT: OnceLock<BTreeMap<String, Digest>> = OnceLock::new();
    OUTPUT.get_or_init(|| {
        let plan = Plan::undisturbed(0);
        let Played { output, heard, .. } = play(&plan, &study()).unwrap();
        assert_eq!(heard, plan.workers as u64, "not every worker heard that the run is complete");
        assert!(output.contains_key("_SUCCESS.json") && output.len() > 20, "{output:?}");
        output
    })
}

/// Plays a plan twice: both runs are the same, and their output is that of an undisturbed run.
///
/// # Errors
/// What is wrong, with the plan.
fn twice(plan: &Plan) -> Result<Played, String> {
    let failed = |error: String| format!("seed {}: {error}\n{plan:?}", plan.seed);
    let first = play(plan, &study()).map_err(failed)?;
    let second = play(plan, &study()).map_err(failed)?;
    let mut lines = first.lines.iter().zip(&second.lines).enumerate();
    if let Some((at, (one, other))) = lines.find(|(_, (one, other))| one != other) {
        return Err(failed(format!("event {at} of two runs differs:\n{one}\n{other}")));
    }
    if first != second {
        return Err(failed(
            "two runs have the same events but for one's last, or traces that differ".to_owned(),
        ));
    }
    match first.output == *undisturbed() {
        true => Ok(first),
        false => Err(failed("the output is not that of an undisturbed run".to_owned())),
    }
}

/// The seeds that the environment asks for: so many, or a range.
fn seeds() -> Range<u64> {
    let Some(text) = std::env::var_os("BABELQUANT_WIRE_SEEDS") else { return SEEDS };
    let text = text.into_string().unwrap();
    let number =
        |text: &str| text.parse().expect("BABELQUANT_WIRE_SEEDS is a number, or two as in 17..18");
    match text.split_once("..") {
        Some((start, end)) => number(start)..number(end),
        None => 0..number(&text),
    }
}

/// Plays the plans of all seeds twice.
fn all(seeds: Range<u64>, plan: impl Fn(u64) -> Plan) -> Vec<Played> {
    let runs: Vec<Result<Played, String>> = seeds.map(|seed| twice(&plan(seed))).collect();
    let failures: Vec<&str> =
        runs.iter().filter_map(|run| Some(run.as_ref().err()?.as_str())).collect();
    assert!(failures.is_empty(), "{} runs failed:\n{}", failures.len(), failures.join("\n\n"));
    runs.into_iter().map(Result::unwrap).collect()
}

#[expect(clippy::print_stdout, reason = "runs that nobody sees have shown little")]
fn print(what: &str, played: &[Played]) -> Tally {
    let mut total = Tally::default();
    played.iter().for_each(|run| total.add(&run.tally));
    let seconds = played.iter().map(|run| run.simulated).sum::<u64>() / 1000;
    println!("{what}: {} runs, each twice, {seconds} simulated s\n{total}", played.len());
    total
}

#[test]
fn every_unit_is_committed_once_whatever_breaks() {
    let played = all(seeds(), Plan::disturbed);
    print("everything breaks and is mended", &played).assert_that_every_fault_fired();
}

#[test]
fn a_worker_that_is_cut_off_for_ever_does_not_keep_the_others_from_finishing() {
    for cut in Cut::ALL {
        let played = all(0..10, |seed| Plan::cut_off(seed, cut));
        let total = print(&format!("{cut:?} for ever"), &played);
        assert!(total.of(What::from(cut)) == 10, "nothing was cut off in some run");
        for run in &played {
            assert!(run.heard > 0, "nobody heard that the run is complete");
        }
    }
}
