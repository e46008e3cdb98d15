//! How soon the unit of a worker that is killed is lent to another: a hundred processes with one unit each, killed at random moments, and one
//! worker that holds everything else and asks for more.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use babelquant_proto::UnitIndex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::report;
use super::samples::Samples;
use super::server::{Coordinator, Setting};
use super::session::{Session, client};
use super::study::Size;

/// Workers that are killed.
const VICTIMS: usize = 100;
/// How often a worker speaks.
const INTERVAL: Duration = Duration::from_secs(5);
/// When the last one is killed.
const SPAN: Duration = Duration::from_secs(10);
/// Nobody waits longer: the lease of 15 s and then some.
const PATIENCE: Duration = Duration::from_secs(40);
/// 14 × 17 units and a few: a little more than there are victims.
const SIZE: Size = Size { shards: 1, cells: 16 };

/// The process of a worker that takes one unit, says which and holds it.
pub(super) async fn victim(words: &[String]) -> Result<()> {
    let [url, name] = words else { anyhow::bail!("two words") };
    let mut session = Session::join(client(url, None)?, name).await?;
    session.request.want = 1;
    while session.request.holding.is_empty() {
        session.sync().await?;
    }
    session.request.want = 0;
    writeln!(std::io::stdout(), "{}", session.request.holding[0])?;
    loop {
        tokio::time::sleep(INTERVAL).await;
        session.sync().await?;
    }
}

/// A victim and what it holds.
struct Victim {
    child: Child,
    unit: UnitIndex,
}

impl Victim {
    fn start(url: &str, number: usize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["victim", url, &format!("victim{number}")])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let unit = lines.next().context("the victim did not start")??.parse()?;
        Ok(Self { child, unit: UnitIndex(unit) })
    }
}

pub(super) async fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let setting = Setting::on_any_port(folder.path(), SIZE);
    let coordinator = Coordinator::start(setting)?;
    let url = coordinator.url.clone();
    let start = |number| Victim::start(&url, number);
    let victims =
        tokio::task::block_in_place(|| (0..VICTIMS).map(start).collect::<Result<Vec<_>>>())?;
    let mut watcher = Session::join(client(&coordinator.url, None)?, "watcher").await?;
    watcher.request.want = 64;
    let others = watcher.spec.units() as usize - VICTIMS;
    while watcher.request.holding.len() < others {
        watcher.sync().await?;
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut due: Vec<(Instant, Victim)> = Vec::new();
    for victim in victims {
        due.push((Instant::now() + SPAN.mul_f64(random.random()), victim));
    }
    let (mut dead, mut samples) = (BTreeMap::new(), Samples::default());
    let begun = Instant::now();
    while samples.len() < VICTIMS {
        ensure!(
            begun.elapsed() < SPAN + PATIENCE,
            "{} units never came back",
            VICTIMS - samples.len()
        );
        while let Some(at) = due.iter().position(|(at, _)| *at <= Instant::now()) {
            let (_, mut victim) = due.swap_remove(at);
            victim.child.kill()?;
            dead.insert(victim.unit, Instant::now());
            victim.child.wait()?;
        }
        for grant in watcher.sync().await?.grants {
            let killed = dead.remove(&grant.unit).context("a unit whose holder lives")?;
            samples.push(killed.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    report(&format!(
        "kill -9 of a worker to its unit lent again, lease 15 s: {}",
        samples.in_words()
    ))
}
