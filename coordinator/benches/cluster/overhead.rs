//! What coordinator and wire cost beside units of 50 ms: two workers that sleep for each unit, with 16 slots, as the real ones have.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use super::machine::cpu;
use super::report;
use super::server::{Coordinator, Setting};
use super::session::{Session, client, durable};
use super::study::{Results, Size};

const WORKERS: usize = 2;
const SLOTS: usize = 16;
/// How long a unit takes.
const UNIT: Duration = Duration::from_millis(50);
/// Units of each worker.
const UNITS: usize = 1200;
const SIZE: Size = Size { shards: 4, cells: 100 };

pub(super) async fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let setting = Setting::on_any_port(folder.path(), SIZE);
    let coordinator = Coordinator::start(setting)?;
    let before = cpu(coordinator.process())?;
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        let session = Session::join(client(&coordinator.url, None)?, &format!("w{number}")).await?;
        workers.spawn(work(session));
    }
    let mut waited = Duration::ZERO;
    while let Some(done) = workers.join_next().await {
        waited = waited.max(done??);
    }
    let used = cpu(coordinator.process())? - before;
    let share = |time: Duration, of: Duration| 100.0 * time.as_secs_f64() / of.as_secs_f64();
    let alone = UNIT * UNITS as u32;
    report(&format!(
        "beside units of {} ms, {WORKERS} workers with {SLOTS} slots: workers wait {:.2} % of the time for the coordinator, which uses {:.2} % of the \
         units' time on its own processor",
        UNIT.as_millis(),
        share(waited, alone),
        share(used, WORKERS as u32 * alone)
    ))
}

/// Works off so many units: a Sync goes on beside the work whenever half of the slots are free. Returns the time without work.
async fn work(mut session: Session) -> Result<Duration> {
    let (mut results, mut done, mut waited) = (Results::default(), 0, Duration::ZERO);
    let mut ready = Vec::new();
    while done < UNITS {
        let held = session.request.holding.len() - session.request.results.len();
        session.request.want = (SLOTS - held.min(SLOTS)) as u32;
        // What is computed while the Sync is under way: up to half of the slots.
        let computing: Vec<_> = session
            .request
            .holding
            .iter()
            .skip(session.request.results.len())
            .take(SLOTS / 2)
            .copied()
            .collect();
        let beside = async {
            tokio::time::sleep(UNIT * computing.len() as u32).await;
            Instant::now()
        };
        let start = Instant::now();
        let (reply, finished) = tokio::join!(session.sync(), beside);
        waited += finished.max(start).elapsed();
        done += durable(&reply?);
        ready.extend(computing);
        for unit in ready.drain(..) {
            session.request.results.push(results.of(&session.spec, unit)?);
        }
    }
    Ok(waited)
}
