//! The command line of `babelquant-worker`. Flags and environment are read here and nowhere else.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use babelquant_proto::CoordinatorFile;
use babelquant_proto::credentials::{Caller, Credentials, Dial, install_provider};
use babelquant_proto::hub::{Hub, cache_folder};
use babelquant_proto::logs::Logs;
use clap::Parser;
use sysinfo::System;
use tracing_subscriber::EnvFilter;

use crate::cache::Cache;
use crate::engine::{Device, Devices};
use crate::error::Error;
use crate::eval::Places;
use crate::fleet;
use crate::options::{Address, Options};
use crate::outcome::Outcome;
use crate::termination::termination;

/// The program: flags, logs, signals, exit code.
pub async fn main() -> ExitCode {
    install_provider();
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = Logs { program: "babelquant-worker", filter, json: cli.log_json, variable };
    let _logging = logs.start();
    match work(&cli).await {
        Ok(code) => code.into(),
        Err(error) => {
            let code = error.exit_code();
            tracing::error!("{:#}", anyhow::Error::from(error));
            code.into()
        }
    }
}

/// A variable of the environment, where it is text.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// The exit code of a worker for each device.
async fn work(cli: &Cli) -> Result<u8, Error> {
    let termination = termination(Duration::from_secs(cli.grace));
    match cli.device.list()?[..] {
        [device] => {
            let worked = crate::run(cli.options(device)?, termination).await;
            worked.map(Outcome::exit_code)
        }
        ref devices => {
            let own = (std::env::current_exe()?, std::env::args_os().skip(1).collect());
            Ok(fleet::run(own, devices, cli.name.as_deref(), termination).await?)
        }
    }
}

/// Computes units for a babelquant coordinator. Start as many as you like; each may join and leave at any time.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// Address of the coordinator
    #[arg(
        long,
        value_name = "URL",
        required_unless_present = "coordinator_file",
        conflicts_with = "coordinator_file"
    )]
    coordinator: Option<String>,
    /// Take the address from this file, which `babelquant serve --coordinator-file` writes: wait for it, and read it again
    /// whenever the coordinator is out of reach
    #[arg(long, value_name = "PATH")]
    coordinator_file: Option<PathBuf>,
    /// Folder with ca.pem, worker.pem and worker-key.pem from `babelquant certs`, for an https:// address
    #[arg(long, value_name = "DIR")]
    tls: Option<PathBuf>,
    /// File with the token to show
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Model directory, or a folder of model directories; may be given several times. A model that is in none of them is taken
    /// from the hub's cache or from the hub
    #[arg(long = "models", value_name = "DIR", default_value = ".")]
    models: Vec<PathBuf>,
    /// What to compute on: cpu or cuda:N; for several with commas, or cuda:all, a process is started for each
    #[arg(long, value_name = "DEVICE", default_value = "cpu", overrides_with = "device")]
    device: Devices,
    /// Refuse units that would need more memory than this, in GiB
    #[arg(long, value_name = "GIB")]
    memory: Option<f64>,
    /// Folder for what calibration computes, shared with other workers of this machine; by default babelquant in the user's
    /// folder of caches
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Size of that folder at most, in GiB; 0 keeps nothing
    #[arg(long, value_name = "N", default_value_t = 16)]
    cache_gib: u32,
    /// Units held at a time; more of one shard share the baseline's logits
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    slots: u16,
    /// Name for the coordinator, its logs and `babelquant drain --worker`; by default the machine's and the device's, such as
    /// node3-cpu. Workers of one name count as one where it matters how many a unit has broken
    #[arg(long, value_name = "NAME", overrides_with = "name")]
    name: Option<String>,
    /// Give a unit up, and leave (75), when the engine has been silent for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 14_400, value_parser = clap::value_parser!(u64).range(1..))]
    unit_timeout: u64,
    /// Leave when the coordinator has been out of reach for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    give_up: u64,
    /// Told to leave by a signal, finish what is begun for so many seconds at most: somewhat less than the launcher grants
    #[arg(long, value_name = "SECONDS", default_value_t = 0, overrides_with = "grace")]
    grace: u64,
    /// Log lines as JSON
    #[arg(long)]
    log_json: bool,
}

/// The machine and the device.
fn default_name(device: Device) -> String {
    let machine = System::host_name().unwrap_or_else(|| "worker".to_owned());
    format!("{machine}-{device}")
}

const EXAMPLES: &str = "Examples:
  babelquant-worker --coordinator http://10.0.0.5:7070 --models /data/models
  babelquant-worker --coordinator https://head:7070 --tls certs/ --models /data/models --device cuda:0
  babelquant-worker --coordinator https://head:7070 --tls certs/ --models /data/models --device cuda:all
  babelquant-worker --coordinator https://head:7070 --tls certs/ --token-file token --models /data/models
  babelquant-worker --coordinator-file /shared/run.url --models /data/models

SIGTERM, SIGUSR1 and Ctrl-C give back at once what is not finished (75), or with --grace what is not finished by then; a second one
ends the grace. `babelquant drain --worker NAME` lets the worker finish what it computes first (0).

Exit codes: 0 the run is complete, or the operator drained this worker, 3 complete with quarantined units, 75 unfinished (start me again),
77 not authorised, 78 version, engine or model mismatch (retrying cannot help), 2 usage, 70 bug.
RUST_LOG sets the log level (default info). HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean
to Python's huggingface_hub; XDG_CACHE_HOME is the user's folder of caches (default ~/.cache). OTEL_EXPORTER_OTLP_ENDPOINT names
a collector for spans, where the feature otel is built in.";

impl Cli {
    /// The options that the flags say.
    fn options(&self, device: Device) -> Result<Options, Error> {
        let coordinator = match &self.coordinator_file {
            Some(path) => Address::File(CoordinatorFile::new(path)),
            None => Address::Url(self.coordinator.clone().unwrap_or_default()),
        };
        let cache = self.cache.clone().unwrap_or_else(|| cache_folder(variable));
        let credentials =
            Credentials::read(self.tls.as_deref(), self.token_file.as_deref(), &[Caller::Worker])?;
        Ok(Options {
            coordinator,
            dial: Dial::tcp(),
            credentials,
            places: Places {
                directories: self.models.clone(),
                hub: Some(Hub::from_variables(variable)),
            },
            device,
            memory_bytes: self.memory.map(|gib| (gib * f64::from(1 << 30)) as u64),
            cache: (self.cache_gib > 0).then(|| Cache::new(cache, u64::from(self.cache_gib) << 30)),
            slots: self.slots.into(),
            name: self.name.clone().unwrap_or_else(|| default_name(device)),
            jitter: RandomState::new().hash_one(std::process::id()),
            unit_timeout: Duration::from_secs(self.unit_timeout),
            give_up: Duration::from_secs(self.give_up),
        })
    }
}
