//! Units a second: lent and given back, so that nothing is kept; and lent, sent back with rows and acknowledged once they are durable.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use super::report;
use super::server::{Coordinator, Setting};
use super::session::{Session, client, durable};
use super::study::{Results, Size};

/// Who asks for units, and for how long.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// Connections, each with one call at a time.
    connections: usize,
    /// Units of a call.
    units: u32,
    time: Duration,
}

const FEW: Load = Load { connections: 32, units: 64, time: Duration::from_secs(8) };
/// Each works on a shard of its own for most of the time, so that their results together are more than the coordinator keeps in memory
/// until a shard's file can be written.
const MANY: Load = Load { connections: 400, units: 8, time: Duration::from_secs(60) };
const RUNS: usize = 5;
/// 14 × 400 × 1,001 = 5,605,600 units and a few: more than are done in any of these times.
const SIZE: Size = Size { shards: 400, cells: 1000 };

/// Where results are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Units are given back: there are none.
    Nowhere,
    OnDisk,
    InMemory,
}

pub(super) async fn measure() -> Result<()> {
    let Load { connections, units, .. } = FEW;
    report(&format!("dispatch: {connections} connections, {units} units a call, {RUNS} runs"))?;
    let mut rates = Vec::new();
    for _ in 0..RUNS {
        rates.push(run(Kept::Nowhere, FEW).await?.0);
    }
    report(&format!("  lent and given back: {} units/s", spread(&mut rates)))?;
    for (kept, place) in [(Kept::OnDisk, "on this disk"), (Kept::InMemory, "in memory (/dev/shm)")]
    {
        let (mut rates, mut sizes) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (rate, bytes) = run(kept, FEW).await?;
            rates.push(rate);
            sizes.push(bytes);
        }
        let bytes = sizes.iter().sum::<f64>() / sizes.len() as f64;
        report(&format!(
            "  results of cells acknowledged once durable {place}: {} units/s, {:.1} KiB each",
            spread(&mut rates),
            bytes / 1024.0
        ))?;
    }
    let (rate, _) = run(Kept::OnDisk, MANY).await?;
    let Load { connections, units, time } = MANY;
    report(&format!(
        "  the same from {connections} workers with {units} units each, over {} s: {rate:.0} units/s",
        time.as_secs()
    ))?;
    Ok(())
}

/// Units a second, and bytes of a result.
async fn run(kept: Kept, load: Load) -> Result<(f64, f64)> {
    let folder = match kept {
        Kept::InMemory => tempfile::tempdir_in("/dev/shm")?,
        Kept::OnDisk | Kept::Nowhere => tempfile::tempdir()?,
    };
    let setting = Setting::on_any_port(folder.path(), SIZE);
    let coordinator = Coordinator::start(setting)?;
    let mut workers = JoinSet::new();
    for number in 0..load.connections {
        let session = Session::join(client(&coordinator.url, None)?, &format!("w{number}")).await?;
        match kept {
            Kept::Nowhere => workers.spawn(give_back(session, load)),
            Kept::OnDisk | Kept::InMemory => workers.spawn(compute(session, load)),
        };
    }
    let (mut units, mut bytes, start) = (0, 0, Instant::now());
    while let Some(done) = workers.join_next().await {
        let (more, size) = done??;
        units += more;
        bytes += size;
    }
    anyhow::ensure!(folder.path().join("run.json").exists(), "the output holds no run");
    Ok((units as f64 / start.elapsed().as_secs_f64(), bytes as f64 / units.max(1) as f64))
}

async fn give_back(mut session: Session, load: Load) -> Result<(usize, usize)> {
    let start = Instant::now();
    let mut units = 0;
    while start.elapsed() < load.time {
        session.request.want = load.units;
        let reply = session.sync().await?;
        units += reply.grants.len();
        session.request.released = std::mem::take(&mut session.request.holding);
    }
    Ok((units, 0))
}

async fn compute(mut session: Session, load: Load) -> Result<(usize, usize)> {
    let mut results = Results::default();
    let start = Instant::now();
    let (mut units, mut bytes) = (0, 0);
    while start.elapsed() < load.time {
        session.request.want = load.units;
        let sent: usize = session.request.results.iter().map(|result| result.ipc.len()).sum();
        let reply = session.sync().await?;
        anyhow::ensure!(reply.verdicts.len() == durable(&reply), "{:?}", reply.verdicts);
        anyhow::ensure!(!reply.state.is_complete(), "the study was over before the time");
        units += durable(&reply);
        bytes += sent;
        let held: BTreeSet<_> = session.request.results.iter().map(|result| result.unit).collect();
        for unit in session.request.holding.clone() {
            if !held.contains(&unit) {
                session.request.results.push(results.of(&session.spec, unit)?);
            }
        }
    }
    Ok((units, bytes))
}

/// `min 1, median 2, max 3` in whole units.
fn spread(rates: &mut [f64]) -> String {
    rates.sort_by(f64::total_cmp);
    let [min, median, max] =
        [0, rates.len() / 2, rates.len() - 1].map(|at| format!("{:.0}", rates[at]));
    format!("min {min}, median {median}, max {max}")
}
