//! A coordinator in a process of its own, and the handle that starts and kills it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use babelquant_coordinator::access::Access;
use babelquant_coordinator::store::Output;
use babelquant_coordinator::study::{Registration, Resolved};
use babelquant_coordinator::{Options, Service, serve as serve_calls};
use tokio::net::TcpListener;

use super::made_up;
use super::study::{self, Size};

/// Stragglers are another matter than the loss of a worker.
const NEVER: Duration = Duration::from_secs(3600);

/// How a coordinator is started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    /// The output: a folder.
    pub(super) out: &'a Path,
    /// Its address; port 0 for any.
    pub(super) listen: &'a str,
    /// The folder of certificates.
    pub(super) tls: Option<&'a Path>,
    /// The study.
    pub(super) size: Size,
}

impl<'a> Setting<'a> {
    /// A coordinator that anyone may call.
    pub(super) fn on_any_port(out: &'a Path, size: Size) -> Self {
        Self { out, listen: "127.0.0.1:0", tls: None, size }
    }
}

/// A coordinator that is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Coordinator {
    child: Child,
    /// Its URL.
    pub(super) url: String,
}

impl Coordinator {
    /// Starts it and waits until it listens.
    pub(super) fn start(setting: Setting<'_>) -> Result<Self> {
        let Setting { out, listen, tls, size } = setting;
        let tls = tls.map_or("-".to_owned(), |folder| folder.display().to_string());
        let mut child = Command::new(std::env::current_exe()?)
            .arg("coordinator")
            .arg(out)
            .args([listen, &tls, &size.shards.to_string(), &size.cells.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let url = lines.next().context("the coordinator did not start")??;
        Ok(Self { child, url })
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as the kernel does.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process: serves until it is killed or the study is complete.
pub(super) async fn serve(words: &[String]) -> Result<()> {
    let [out, listen, tls, shards, cells] = words else { anyhow::bail!("five words") };
    let spec = study::spec(Size { shards: shards.parse()?, cells: cells.parse()? })?;
    let access = match tls.as_str() {
        "-" => Access::everyone(),
        folder => Access::read(Some(Path::new(folder)), None)?,
    };
    let scheme = if access.is_encrypted() { "https" } else { "http" };
    let listener = TcpListener::bind(listen).await?;
    writeln!(std::io::stdout(), "{scheme}://{}", listener.local_addr()?)?;
    let resolved = Resolved {
        texts: made_up::texts(&spec),
        spec,
        directories: Vec::new(),
        others: Vec::new(),
        registration: Registration::default(),
    };
    let options = Options { straggling: NEVER, ..Options::default() };
    let output = Output::open(out, &[])?;
    let service = Service::new("bench".to_owned(), resolved, output, options);
    serve_calls(listener, service.for_callers(access), std::future::pending()).await?;
    Ok(())
}
