//! A thousand sessions over encrypted connections: how long a Sync takes while all are there, and how long until all are back after the
//! coordinator was killed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use babelquant_coordinator::certificates;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::task::JoinSet;

use super::machine::{cpu, peak_mib};
use super::report;
use super::samples::Samples;
use super::server::{Coordinator, Setting};
use super::session::{Session, client};
use super::study::Size;

const SESSIONS: usize = 1000;
/// How often each speaks.
const INTERVAL: Duration = Duration::from_secs(5);
/// Syncs of each.
const SYNCS: u32 = 12;
/// Coordinators killed.
const RUNS: usize = 5;
/// Pause between attempts of one that cannot reach it; real workers wait longer after the first.
const PAUSE: Duration = Duration::from_millis(50);
const SIZE: Size = Size { shards: 4, cells: 100 };

fn certificates() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    certificates::issue(folder.path(), &[], 1, OffsetDateTime::now_utc())?;
    Ok(folder)
}

/// A thousand sessions, each with a unit that it holds and never finishes: nobody waits for work.
async fn all(url: &str, tls: &Path) -> Result<Vec<Session>> {
    let mut joining = JoinSet::new();
    for number in 0..SESSIONS {
        let client = client(url, Some(tls))?;
        joining.spawn(async move {
            let mut session = Session::join(client, &format!("w{number}")).await?;
            session.request.want = 1;
            session.sync().await?;
            session.request.want = 0;
            anyhow::Ok(session)
        });
    }
    let mut sessions = Vec::new();
    while let Some(session) = joining.join_next().await {
        sessions.push(session??);
    }
    Ok(sessions)
}

pub(super) async fn measure() -> Result<()> {
    let (folder, tls) = (tempfile::tempdir()?, certificates()?);
    let setting = Setting { tls: Some(tls.path()), ..Setting::on_any_port(folder.path(), SIZE) };
    let coordinator = Coordinator::start(setting)?;
    let sessions = all(&coordinator.url, tls.path()).await?;
    let (start, before) = (Instant::now(), cpu(coordinator.process())?);
    let mut speaking = JoinSet::new();
    for (number, session) in sessions.into_iter().enumerate() {
        let first = INTERVAL.mul_f64(number as f64 / SESSIONS as f64);
        speaking.spawn(speak(session, start, first));
    }
    let mut samples = Samples::default();
    while let Some(one) = speaking.join_next().await {
        samples.extend(one??);
    }
    let used = cpu(coordinator.process())? - before;
    report(&format!(
        "{SESSIONS} sessions over mTLS, a Sync each {} s: {}; coordinator {} MiB at most, {:.1} % of a core",
        INTERVAL.as_secs(),
        samples.in_words(),
        peak_mib(coordinator.process())?,
        100.0 * used.as_secs_f64() / start.elapsed().as_secs_f64()
    ))
}

async fn speak(mut session: Session, start: Instant, first: Duration) -> Result<Samples> {
    let mut samples = Samples::default();
    for number in 0..SYNCS {
        tokio::time::sleep_until((start + first + number * INTERVAL).into()).await;
        let asked = Instant::now();
        session.sync().await?;
        samples.push(asked.elapsed());
    }
    Ok(samples)
}

pub(super) async fn reconnect() -> Result<()> {
    let (folder, tls) = (tempfile::tempdir()?, certificates()?);
    let setting = Setting { tls: Some(tls.path()), ..Setting::on_any_port(folder.path(), SIZE) };
    let mut coordinator = Coordinator::start(setting)?;
    let listen = coordinator.url.trim_start_matches("https://").to_owned();
    let mut sessions = all(&coordinator.url, tls.path()).await?;
    let (mut since_killed, mut since_listening) = (Samples::default(), Samples::default());
    for _ in 0..RUNS {
        let killed = Instant::now();
        coordinator.kill()?;
        let mut returning = JoinSet::new();
        for session in sessions {
            returning.spawn(come_back(session));
        }
        coordinator = Coordinator::start(Setting { listen: &listen, ..setting })?;
        let listening = Instant::now();
        sessions = Vec::new();
        while let Some(session) = returning.join_next().await {
            sessions.push(session??);
        }
        since_killed.push(killed.elapsed());
        since_listening.push(listening.elapsed());
    }
    report(&format!(
        "{SESSIONS} workers back over mTLS, each registered and answered: since kill -9 {}; since it listens again {}",
        since_killed.in_words(),
        since_listening.in_words()
    ))
}

async fn come_back(mut session: Session) -> Result<Session> {
    loop {
        if session.rejoin().await.is_ok() && session.sync().await.is_ok() {
            return Ok(session);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
