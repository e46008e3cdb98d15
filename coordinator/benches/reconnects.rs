//! How long 1,000 workers need to be back after the coordinator was killed: each makes a new connection, shows its certificate
//! and has a call answered. Coordinator and workers are two processes on one machine.
//!
//! ```text
//! cargo bench -p babelquant-coordinator --bench reconnects
//! ```

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use babelquant_coordinator::certificates;
use babelquant_proto::credentials::{Caller, Credentials, Link};
use babelquant_proto::wire;
use babelquant_proto::wire::admin_client::AdminClient;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tonic::transport::Endpoint;

/// Workers.
const WORKERS: usize = 1000;
/// Runs of the measurement.
const RUNS: usize = 5;
/// Pause between two attempts of a worker; real ones wait longer after the first.
const PAUSE: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    certificates::issue(folder.path(), &[], 1, OffsetDateTime::now_utc())?;
    let mut coordinator = Coordinator::start(folder.path(), "127.0.0.1:0")?;
    let address = coordinator.address.clone();
    let links = (0..WORKERS).map(|_| link(folder.path(), &address)).collect::<Result<Vec<_>>>()?;
    all_answered(&links).await?;
    let mut seconds = Vec::new();
    for _ in 0..RUNS {
        drop(coordinator);
        let listen = address.trim_start_matches("https://");
        coordinator = Coordinator::start(folder.path(), listen)?;
        let start = Instant::now();
        all_answered(&links).await?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let text = format!(
        "{WORKERS} workers back after the coordinator listens again, {RUNS} runs: min {:.2} s, median {:.2} s, max {:.2} s\n",
        seconds[0],
        seconds[RUNS / 2],
        seconds[RUNS - 1]
    );
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn link(folder: &Path, address: &str) -> Result<Link> {
    let credentials = Credentials::read(Some(folder), None, &[Caller::Worker])?;
    let endpoint = Endpoint::from_shared(address.to_owned())?.timeout(Duration::from_secs(60));
    Ok(Link::new(endpoint, credentials)?)
}

/// Waits until every link has had an answer.
async fn all_answered(links: &[Link]) -> Result<()> {
    let mut waiting = JoinSet::new();
    for link in links {
        let mut client = AdminClient::new(link.channel());
        waiting.spawn(async move {
            while client.status(wire::StatusRequest {}).await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    while let Some(answered) = waiting.join_next().await {
        answered?;
    }
    Ok(())
}

/// A coordinator in its own process, killed when it is dropped.
struct Coordinator {
    child: Child,
    address: String,
}

impl Coordinator {
    fn start(folder: &Path, listen: &str) -> Result<Self> {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
        let mut child = Command::new(env!("CARGO_BIN_EXE_babelquant"))
            .args(["serve", "--listen", listen, "--tls"])
            .arg(folder)
            .arg("--out")
            .arg(folder.join("out"))
            .arg("--model")
            .arg(demo.join("model"))
            .arg("--corpus")
            .arg(demo.join("corpus/{language}.txt"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let said = lines.map_while(Result::ok).find(|line| line.starts_with("listening on "));
        let line = said.context("the coordinator did not start")?;
        Ok(Self { child, address: line.trim_start_matches("listening on ").to_owned() })
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
