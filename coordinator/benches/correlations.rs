//! Permutation tests and bootstrap intervals of many correlations, timed beside the loop that scipy makes of them, and the exact counts of 14
//! rows. Every figure is the least of several runs, because other programs share the machine.
//!
//! ```text
//! cargo bench -p babelquant-coordinator --bench correlations -- [PYTHON]
//! ```
//!
//! `PYTHON` has numpy and scipy (`tests/reference/requirements.txt`); it is timed on fewer pairs, and its p values are held against ours.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use babelquant_coordinator::statistics::{
    Bootstrap, Clusters, Pairs, Resamples, Shuffled, Shuffles, bootstrap, bootstraps, orders,
};

/// Correlations.
const PAIRS: usize = 1000;
/// Rows of each.
const ROWS: usize = 100;
/// Random orders and random resamples of each.
const DRAWS: u32 = 10_000;
/// Correlations that scipy is timed on.
const PEER_PAIRS: usize = 20;
/// Runs of each measurement.
const RUNS: usize = 5;

const RESAMPLES: Resamples = Resamples { confidence: 0.95, seed: 1, draws: DRAWS };

fn main() -> Result<()> {
    let python = std::env::args().skip(1).find(|word| word != "--bench");
    let tests = tests(PAIRS, ROWS)?;
    let (seconds, (shuffled, resampled)) = least(|| both(&tests));
    report(&format!(
        "{PAIRS} pairs of {ROWS} rows, {DRAWS} orders and {DRAWS} resamples each: {seconds:.2} s"
    ));
    let (seconds, _) = least(|| Shuffles::new(1, DRAWS).family(&tests));
    report(&format!("  of these, the orders: {seconds:.2} s"));
    let fourteen = &self::tests(1, 14)?[0];
    let (seconds, _) = least(|| orders(fourteen));
    report(&format!("all 14! orders: {seconds:.3} s"));
    let single = Clusters::single(&vec![String::new(); 14]);
    let (seconds, _) = least(|| bootstrap(fourteen, &single, RESAMPLES));
    report(&format!("all C(27, 13) resamples: {seconds:.3} s"));
    let Some(python) = python else {
        report("SKIPPED: scipy; give PYTHON");
        return Ok(());
    };
    let peer = Peer::run(&python, &tests[..PEER_PAIRS])?;
    peer.check(&shuffled, &resampled)?;
    let (ours, _) = least(|| both(&tests));
    let pairs = (PAIRS / PEER_PAIRS) as f64;
    for (what, seconds) in
        [("scipy's pearsonr", peer.seconds), ("vectorised by hand", peer.seconds_by_hand)]
    {
        let theirs = seconds * pairs;
        report(&format!(
            "{what}, from {PEER_PAIRS} of the pairs: {theirs:.0} s for {PAIRS}; ours {ours:.2} s: {:.0} times faster",
            theirs / ours
        ));
    }
    Ok(())
}

/// What is timed: p by permutation and the intervals of every correlation.
fn both(tests: &[Pairs]) -> (Vec<Shuffled>, Vec<Option<Bootstrap>>) {
    let rows = Clusters::single(&vec![String::new(); tests[0].count()]);
    (Shuffles::new(1, DRAWS).family(tests), bootstraps(tests, &rows, RESAMPLES))
}

/// Pairs with a correlation of about 0.2, from a generator that any language can rebuild.
fn tests(count: usize, rows: usize) -> Result<Vec<Pairs>> {
    let mut state: u64 = 20;
    let mut uniform = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let mut pair = |_| {
        let (x, noise) = (uniform() + uniform(), uniform() + uniform());
        (x, 0.2 * x + noise)
    };
    let mut test = |_| Pairs::new(&(0..rows).map(&mut pair).collect::<Vec<_>>());
    (0..count).map(|at| test(at).map_err(|why| anyhow::anyhow!("{why}"))).collect()
}

/// What scipy makes of some pairs.
#[derive(Debug, serde::Deserialize)]
struct Peer {
    seconds: f64,
    seconds_by_hand: f64,
    p: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Peer {
    fn run(python: &str, tests: &[Pairs]) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/time_scipy.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {python}"))?;
        let pairs: Vec<[&[f64]; 2]> = tests.iter().map(|test| [test.x(), test.y()]).collect();
        let input = serde_json::to_vec(&pairs)?;
        child.stdin.take().context("stdin is piped")?.write_all(&input)?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{python} failed");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Random draws of both agree as far as random draws can.
    fn check(&self, shuffled: &[Shuffled], resampled: &[Option<Bootstrap>]) -> Result<()> {
        for (at, (shuffled, resampled)) in
            shuffled.iter().zip(resampled).take(self.p.len()).enumerate()
        {
            let found = resampled.context("a bootstrap is undefined")?.percentile;
            let far =
                [(shuffled.p, self.p[at]), (found.low, self.low[at]), (found.high, self.high[at])]
                    .into_iter()
                    .any(|(ours, theirs)| (ours - theirs).abs() > 0.03);
            ensure!(!far, "pair {at}: {shuffled:?} {found:?} beside scipy's {self:?}");
        }
        Ok(())
    }
}

/// The shortest of several runs, and the last result.
fn least<T>(mut run: impl FnMut() -> T) -> (f64, T) {
    let mut time = || {
        let start = Instant::now();
        let result = run();
        (start.elapsed().as_secs_f64(), result)
    };
    let first = time();
    (1..RUNS).fold(first, |(least, _), _| {
        let (seconds, result) = time();
        (seconds.min(least), result)
    })
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(line: &str) {
    println!("{line}");
}
