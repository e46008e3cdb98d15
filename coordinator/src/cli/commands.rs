//! The commands: from flags to library calls, results to stdout. No flag is defined here.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use babelquant_proto::{CoordinatorFile, exit};
use serde::Serialize;
use sysinfo::System;
use tokio::net::TcpListener;

use super::models;
use super::stop::Stop;
use super::termination::termination;
use super::{
    Command, Demo, Inside, Plan, Report, Reused, Run, Serve, What, certs, correlate, operator,
    recipe, replay, weights,
};
use crate::access::Access;
use crate::events::Events;
use crate::local::{self, LocalWorker};
use crate::owner::{Options, Outcome};
use crate::progress;
use crate::serve::{NetworkTrust, Service, check_exposure, serve, watchers};
use crate::store::{Earlier, Output};
use crate::study::hypothesis::prospects;
use crate::study::plan;
use crate::study::{Analysis, Families, Hypothesis, Registration, Resolved, Study, StudyError};
use crate::{analyse, demo};

/// A run on this machine does not wait long for its full disk: whoever started it is there to see it.
const LOCAL_PATIENCE: Duration = Duration::from_secs(15);

/// Executes a command; the result is the exit code.
pub(super) async fn execute(command: Command) -> Result<u8, Stop> {
    match command {
        Command::Demo(demo) => run_demo(demo).await,
        Command::Run(Run { what, out, reused, inside }) => {
            let earlier = reused.earlier().await?;
            run_local(what.study()?, &out, earlier, inside).await
        }
        Command::Plan(plan) => print_plan(plan).await,
        Command::Weights(weights) => weights::execute(weights).await,
        Command::Correlate(flags) => correlate::execute(flags).await,
        Command::Serve(serve) => run_service(serve).await,
        Command::Report(report) => rebuild_report(report).await,
        Command::Recipe(recipe) => recipe::execute(recipe).await,
        Command::Status(status) => operator::status(status).await,
        Command::Drain(drain) => operator::drain(drain).await,
        Command::Replay(flags) => replay::execute(&flags),
        Command::Certs(flags) => certs::execute(flags),
    }
}

impl What {
    /// The study that the flags name.
    fn study(&self) -> Result<Study, Stop> {
        if let Some(path) = &self.study {
            return Ok(Study::read(path)?);
        }
        let models = models::named(&self.model, self.revision.as_deref())?;
        let corpus = self.corpus.clone().unwrap_or_default();
        Study::sensible(models, corpus).map_err(|error| Stop::new(exit::BUG, error))
    }
}

async fn run_demo(Demo { out, quantizers, inside }: Demo) -> Result<u8, Stop> {
    // Beside the results, so that the study can be run and verified again from them.
    let folder = Path::new(&out).join("input");
    let temporary = tempfile::tempdir()?;
    let folder = if is_url(&out) { temporary.path() } else { &folder };
    demo::unpack(folder)?;
    let study = if quantizers { demo::QUANTIZERS } else { demo::STUDY };
    let study = Study::parse(study, "the demo's study", folder)?;
    run_local(study, &out, None, inside).await
}

async fn run_local(
    study: Study,
    out: &str,
    earlier: Option<Earlier>,
    inside: Inside,
) -> Result<u8, Stop> {
    let resolved = models::resolve(&study).await?;
    let (outcome, output) = measure(&study, (resolved, earlier), out, inside).await?;
    conclude(outcome, &output, study.analysis).await
}

impl Reused {
    /// The run whose results are taken over.
    async fn earlier(&self) -> Result<Option<Earlier>, Stop> {
        let Some(out) = &self.reuse else { return Ok(None) };
        Ok(Some(Earlier::open(&open_existing(out).await?).await?))
    }
}

/// Runs a study on this machine, with what an earlier run says of it.
pub(super) async fn measure(
    study: &Study,
    (resolved, earlier): (Resolved, Option<Earlier>),
    out: &str,
    inside: Inside,
) -> Result<(Outcome, Output), Stop> {
    let http = bind_http(inside.http, &Access::everyone(), NetworkTrust::Untrusted).await?;
    let output = prepare(study, &resolved, out).await?;
    let worker = LocalWorker {
        models: resolved.places(),
        device: inside.device,
        memory_bytes: inside.memory.map(|gib| (gib * f64::from(1 << 30)) as u64),
        cache: inside.cache.unwrap_or_else(models::cache_folder),
        cache_bytes: u64::from(inside.cache_gib) << 30,
        slots: inside.slots.into(),
    };
    // Its only worker dies with it.
    let returning = Duration::ZERO;
    let usual = Options::default();
    let patience = if is_url(out) { usual.patience } else { LOCAL_PATIENCE };
    let options = Options { patience, returning, ..usual };
    let service = Service::new(study.name.clone(), resolved, output.clone(), options);
    let service = shown(service.reusing(earlier), http)?;
    let progress = progress::show(service.watch());
    let run = local::run(service, worker, termination());
    let (outcome, ()) = tokio::join!(run, progress);
    Ok((outcome?, output))
}

async fn run_service(flags: Serve) -> Result<u8, Stop> {
    let (access, trust) = (flags.asked.access()?, flags.asked.trust());
    check_exposure(flags.listen, &access, trust)?;
    let http = bind_http(flags.http, &access, trust).await?;
    let earlier = flags.reused.earlier().await?;
    let study = flags.what.study()?;
    let resolved = models::resolve(&study).await?;
    let output = prepare(&study, &resolved, &flags.out).await?;
    let events = record(flags.events.as_deref(), flags.events_mib)?;
    let listener = TcpListener::bind(flags.listen).await?;
    let shutdown = termination();
    let scheme = if access.is_encrypted() { "https" } else { "http" };
    print(&format!("listening on {scheme}://{}\n", listener.local_addr()?));
    let lease = Duration::from_millis(flags.lease_ms.into());
    let options = Options {
        lease,
        returning: lease,
        sync: Duration::from_millis(flags.sync_ms.into()),
        mixed_engines: flags.mixed_engines,
        ..Options::default()
    };
    let announced = match &flags.coordinator_file {
        Some(path) => Some(announce(path, scheme, listener.local_addr()?, flags.host)?),
        None => None,
    };
    let service = Service::new(study.name.clone(), resolved, output.clone(), options);
    let service = service.for_callers(access).reusing(earlier).recorded_in(events);
    let service = shown(service, http)?;
    let progress = progress::show(service.watch());
    let (outcome, ()) = tokio::join!(serve(listener, service, shutdown), progress);
    if let Some((file, url)) = announced
        && let Err(error) = file.remove(&url)
    {
        tracing::warn!(%error, "the coordinator file stays, although nobody answers there");
    }
    conclude(outcome?, &output, study.analysis).await
}

/// The file that `--events` names.
fn record(path: Option<&Path>, mebibytes: u32) -> Result<Option<Events>, Stop> {
    let Some(path) = path else { return Ok(None) };
    let events = Events::append(path, u64::from(mebibytes) << 20).map_err(|source| {
        let cause = anyhow::Error::new(source);
        Stop::new(exit::USAGE, cause.context(format!("cannot write --events {}", path.display())))
    })?;
    Ok(Some(events))
}

/// Listens where `--http` says, before any work starts; with those who are let in there.
async fn bind_http(
    address: Option<SocketAddr>,
    access: &Access,
    trust: NetworkTrust,
) -> Result<Option<(TcpListener, Access)>, Stop> {
    let Some(address) = address else { return Ok(None) };
    let watchers = watchers(address, access, trust)?;
    let listener = TcpListener::bind(address).await.map_err(|source| {
        let cause = anyhow::Error::new(source);
        Stop::new(exit::UNFINISHED, cause.context(format!("cannot listen on --http {address}")))
    })?;
    Ok(Some((listener, watchers)))
}

/// The service, shown over HTTP where that is wanted, and a line that says where.
fn shown(service: Service, http: Option<(TcpListener, Access)>) -> Result<Service, Stop> {
    let Some((listener, watchers)) = http else { return Ok(service) };
    let scheme = if watchers.is_encrypted() { "https" } else { "http" };
    progress::watched(&format!("{scheme}://{}/", listener.local_addr()?));
    Ok(service.shown_on(listener, watchers))
}

/// Writes the coordinator file; returns it with the URL in it.
fn announce(
    path: &Path,
    scheme: &str,
    address: SocketAddr,
    host: Option<String>,
) -> Result<(CoordinatorFile, String), Stop> {
    let own = || System::host_name().filter(|_| address.ip().is_unspecified());
    let url = match host.or_else(own) {
        Some(host) => format!("{scheme}://{host}:{}", address.port()),
        None => format!("{scheme}://{address}"),
    };
    let file = CoordinatorFile::new(path);
    file.write(&url).map_err(|source| {
        let cause = anyhow::Error::new(source);
        let about = format!("cannot write the coordinator file {}", path.display());
        Stop::new(exit::USAGE, cause.context(about))
    })?;
    tracing::info!(file = %path.display(), url, "workers find this coordinator through the file");
    Ok((file, url))
}

/// Refuses what no worker could load, and keeps the study in the output once it is known to be the output's.
async fn prepare(study: &Study, resolved: &Resolved, out: &str) -> Result<Output, Stop> {
    models::check(resolved).await?;
    let output = open(out).await?;
    output.check(&resolved.spec, &resolved.registration).await?;
    output.put_study(study.to_toml()).await?;
    Ok(output)
}

/// The report of a complete run, and its exit code.
async fn conclude(outcome: Outcome, output: &Output, analysis: Analysis) -> Result<u8, Stop> {
    match &outcome {
        Outcome::Complete { quarantined } => {
            print_report(output, analysis).await?;
            if *quarantined > 0 {
                tracing::error!(quarantined, "units were given up: _SUCCESS.json names them");
            }
        }
        Outcome::Unfinished { reason } => {
            tracing::warn!("{reason}; run the same command again to go on");
        }
    }
    Ok(outcome.exit_code())
}

/// Analyses an output, prints the report, and says where the rest of it is.
async fn print_report(output: &Output, analysis: Analysis) -> Result<(), Stop> {
    print(&analyse::analyse(output, analysis).await?);
    progress::written(output.location());
    Ok(())
}

async fn print_plan(Plan { what, gflops }: Plan) -> Result<u8, Stop> {
    let Resolved { spec, registration, .. } = models::resolve(&what.study()?).await?;
    let families = Families::of(&registration.hypotheses, &spec)?;
    let prospects = prospects(&registration.hypotheses, &families, &spec);
    print(&format!("{}{prospects}", plan::Plan::of(&spec, gflops)));
    Ok(exit::COMPLETE)
}

/// Writes a file that a flag names.
pub(super) fn write_file(path: &Path, content: &[u8]) -> Result<(), Stop> {
    std::fs::write(path, content).map_err(|source| {
        let cause = anyhow::Error::new(source);
        Stop::new(exit::UNFINISHED, cause.context(format!("cannot write {}", path.display())))
    })
}

async fn rebuild_report(Report { out, study }: Report) -> Result<u8, Stop> {
    let output = open_existing(&out).await?;
    let (analysis, hypotheses) = match study {
        Some(path) => read_analysis(&path)?,
        None => match output.study().await? {
            Some(text) => {
                Study::parse_analysis(&text, &format!("{out}/study.toml"), Path::new(&out))?
            }
            None => Default::default(),
        },
    };
    if !hypotheses.is_empty()
        && let Some(run) = output.run().await?
    {
        let outlier_layers = analysis.outlier_layers;
        run.check_registration(&Registration { hypotheses, outlier_layers })?;
    }
    print_report(&output, analysis).await?;
    Ok(exit::COMPLETE)
}

fn read_analysis(path: &PathBuf) -> Result<(Analysis, Vec<Hypothesis>), StudyError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| StudyError::Read { path: path.clone(), source })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Study::parse_analysis(&text, &path.display().to_string(), folder)
}

/// The output at a location; a bucket's keys come from the environment, as its own tools take them.
async fn open(out: &str) -> Result<Output, Stop> {
    let keys = std::env::vars().filter(|(key, _)| key.starts_with("AWS_"));
    let options: Vec<_> = keys.map(|(key, value)| (key.to_lowercase(), value)).collect();
    let output = Output::open(out, &options)?;
    output.reach(&options).await?;
    Ok(output)
}

/// As `open`, but makes no directory.
pub(super) async fn open_existing(out: &str) -> Result<Output, Stop> {
    if !is_url(out) && !Path::new(out).is_dir() {
        return Err(Stop::new(exit::USAGE, anyhow::anyhow!("there is no directory {out}")));
    }
    open(out).await
}

pub(super) fn is_url(location: &str) -> bool {
    location.contains("://")
}

/// Writes a result to stdout. A reader that has gone away, as in `| head`, is no error.
pub(super) fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    drop(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// A result as JSON for stdout.
pub(super) fn pretty(result: &impl Serialize) -> Result<String, Stop> {
    let text = serde_json::to_string_pretty(result);
    text.map(|text| text + "\n").map_err(|error| Stop::new(exit::BUG, error))
}
