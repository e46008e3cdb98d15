//! How soon a coordinator that is killed in the middle of a study of ten million units lends again, what it forgets of what it acknowledged, and
//! what it lends although a live worker holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use babelquant_proto::message::VerdictKind;
use babelquant_proto::{Digest, UnitIndex};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::report;
use super::samples::Samples;
use super::server::{Coordinator, Setting};
use super::session::{Session, client};
use super::study::{Results, Size};

/// Times that it is killed.
const KILLS: usize = 20;
const WORKERS: usize = 4;
const UNITS: u32 = 64;
/// 14 × 150 × 4,762 = 10,000,200 units and a few.
const SIZE: Size = Size { shards: 150, cells: 4761 };
const PAUSE: Duration = Duration::from_millis(20);
/// Acknowledged results that are offered again at the end.
const OFFERED: usize = 1000;

/// What went wrong, counted.
#[derive(Debug, Default)]
struct Faults {
    forgotten: usize,
    /// Results that the coordinator knows with other bytes.
    different: usize,
    recomputed: usize,
}

pub(super) async fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let setting = Setting::on_any_port(folder.path(), SIZE);
    let mut coordinator = Coordinator::start(setting)?;
    let listen = coordinator.url.trim_start_matches("http://").to_owned();
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let client = client(&coordinator.url, None)?;
        workers.push((Session::join(client, &format!("w{number}")).await?, Results::default()));
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut samples, mut faults) = (Samples::default(), Faults::default());
    let mut acknowledged: BTreeMap<UnitIndex, Digest> = BTreeMap::new();
    for _ in 0..KILLS {
        let until = Instant::now() + Duration::from_millis(random.random_range(500..2_500));
        while Instant::now() < until {
            work(&mut workers, &mut acknowledged, &mut faults).await?;
        }
        let killed = Instant::now();
        coordinator.kill()?;
        coordinator = Coordinator::start(Setting { listen: &listen, ..setting })?;
        samples.push(first_grant(&mut workers, killed, &mut faults).await?);
    }
    offer_again(&mut workers[0], &acknowledged, &mut faults).await?;
    report(&format!(
        "kill -9 of the coordinator to its first grant, {} units, {} results acknowledged: {}; of {OFFERED} of these {} forgotten and {} others, {} \
         units lent although a live worker held them",
        workers[0].0.spec.units(),
        acknowledged.len(),
        samples.in_words(),
        faults.forgotten,
        faults.different,
        faults.recomputed
    ))
}

/// A round of Syncs: everyone sends results of what it holds and asks for more.
async fn work(
    workers: &mut [(Session, Results)],
    acknowledged: &mut BTreeMap<UnitIndex, Digest>,
    faults: &mut Faults,
) -> Result<()> {
    for at in 0..workers.len() {
        let (session, results) = &mut workers[at];
        let computed: BTreeSet<UnitIndex> =
            session.request.results.iter().map(|result| result.unit).collect();
        // Half of what it holds is still being computed when the coordinator dies.
        let held: Vec<UnitIndex> = session.request.holding.clone();
        for unit in held.iter().take(held.len() / 2).filter(|unit| !computed.contains(unit)) {
            session.request.results.push(results.of(&session.spec, *unit)?);
        }
        session.request.want = UNITS / 2;
        let sent: BTreeMap<UnitIndex, Digest> =
            session.request.results.iter().map(|result| (result.unit, result.blake3)).collect();
        let reply = session.sync().await?;
        for verdict in &reply.verdicts {
            ensure!(
                matches!(verdict.kind, VerdictKind::Durable | VerdictKind::DuplicateSame),
                "{verdict:?}"
            );
            acknowledged.extend(sent.get(&verdict.unit).map(|digest| (verdict.unit, *digest)));
        }
        let granted: Vec<UnitIndex> = reply.grants.iter().map(|grant| grant.unit).collect();
        faults.recomputed += held_by_others(workers, at, &granted);
    }
    Ok(())
}

/// Everyone registers again, the first one's first grant ends the wait.
async fn first_grant(
    workers: &mut [(Session, Results)],
    killed: Instant,
    faults: &mut Faults,
) -> Result<Duration> {
    let mut waited = None;
    for at in 0..workers.len() {
        let session = &mut workers[at].0;
        let granted = loop {
            session.request.want = 1;
            match session.rejoin().await {
                Ok(()) => match session.sync().await {
                    Ok(reply) if !reply.grants.is_empty() => break reply.grants,
                    Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
                },
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        waited.get_or_insert_with(|| killed.elapsed());
        let granted: Vec<UnitIndex> = granted.iter().map(|grant| grant.unit).collect();
        faults.recomputed += held_by_others(workers, at, &granted);
    }
    Ok(waited.unwrap_or_default())
}

/// Of granted units those that another worker holds.
fn held_by_others(workers: &[(Session, Results)], own: usize, granted: &[UnitIndex]) -> usize {
    let others = workers.iter().enumerate().filter(|(at, _)| *at != own);
    let held: BTreeSet<&UnitIndex> =
        others.flat_map(|(_, (session, _))| &session.request.holding).collect();
    granted.iter().filter(|unit| held.contains(unit)).count()
}

/// Offers some of what was acknowledged again, from the first to the last: what is taken anew was forgotten.
async fn offer_again(
    (session, results): &mut (Session, Results),
    acknowledged: &BTreeMap<UnitIndex, Digest>,
    faults: &mut Faults,
) -> Result<()> {
    let every = acknowledged.len().div_ceil(OFFERED).max(1);
    let units: Vec<UnitIndex> = acknowledged.keys().step_by(every).copied().collect();
    session.request.want = 0;
    session.request.results.clear();
    for units in units.chunks(UNITS as usize) {
        for &unit in units {
            session.request.results.push(results.of(&session.spec, unit)?);
        }
        while !session.request.results.is_empty() {
            for verdict in session.sync().await?.verdicts {
                match verdict.kind {
                    VerdictKind::DuplicateSame => {}
                    VerdictKind::Durable => faults.forgotten += 1,
                    _ => faults.different += 1,
                }
            }
        }
    }
    Ok(())
}
