//! The command line of `babelquant`: flags, environment, logs and exit codes. The work is in `commands` and the library.

mod access;
mod certs;
mod commands;
mod correlate;
mod models;
mod operator;
mod recipe;
mod replay;
mod stop;
mod termination;
mod weights;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use babelquant_proto::credentials::install_provider;
use babelquant_proto::logs::Logs;
use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Runs the program: flags, logs, one command, exit code.
pub async fn main() -> ExitCode {
    install_provider();
    let cli = Cli::parse();
    let default = match cli.command {
        Command::Serve(_) => "info",
        _ => "warn,babelquant_coordinator::progress=info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let log_json = cli.log_json;
    let logs = Logs { program: "babelquant", filter, json: log_json, variable: models::variable };
    let _logging = logs.start();
    match commands::execute(cli.command).await {
        Ok(code) => code.into(),
        Err(stop) => {
            let message = stop.message();
            if log_json {
                tracing::error!("{message}");
            } else {
                let _ = writeln!(std::io::stderr(), "error: {message}");
            }
            stop.code.into()
        }
    }
}

/// Measures how quantization changes a multilingual language model: per language, per layer, per config.
#[derive(Debug, Parser)]
#[command(name = "babelquant", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Log lines as JSON (on stderr)
    #[arg(long, global = true)]
    log_json: bool,
}

const EXIT_CODES: &str = "Exit codes: 0 complete, 2 usage, 3 complete with quarantined units, 70 bug, \
75 unfinished (run the same command again, it goes on where it stopped; also: the disk is full), \
76 another coordinator goes on with this output (leave it to that one), 77 not authorised, 78 config, version or model mismatch (retrying cannot help).
RUST_LOG sets the log level, XDG_CACHE_HOME the user's folder of caches (default ~/.cache). Results go to stdout, everything else to stderr.
OTEL_EXPORTER_OTLP_ENDPOINT names a collector for spans, where the feature otel is built in.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bundled demo: a small model, 14 languages, every layer, three configs
    #[command(after_help = "Example:\n  babelquant demo")]
    Demo(Demo),
    /// Run a study on this machine and print its report
    #[command(after_help = "Examples:
  babelquant run study.toml --out results/
  babelquant run study.toml --http 127.0.0.1:8080     (watch it at http://127.0.0.1:8080/)
  babelquant run larger-study.toml --out larger/ --reuse results/     (compute only what results/ does not have)
  babelquant run --model facebook/xglm-564M --corpus 'ntrex/{language}.txt'
  babelquant run --model EleutherAI/pythia-160m --revision step143000 --corpus 'ntrex/{language}.txt'
  babelquant run --model models/bloom-560m --corpus 'ntrex/{language}.txt'     (a directory)

Models of a hub are kept in the cache of Python's huggingface_hub: HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE.")]
    Run(Run),
    /// Say how much work a study is; compute nothing
    #[command(after_help = "Example:\n  babelquant plan study.toml --gflops 200")]
    Plan(Plan),
    /// Print the weight statistics of a model and where clipping rules end grids over them; needs no corpus
    #[command(after_help = weights::HELP)]
    Weights(weights::Weights),
    /// Correlate columns of any table: the statistics alone
    #[command(after_help = correlate::HELP)]
    Correlate(correlate::Correlate),
    /// Serve a study to workers on other machines
    #[command(after_help = "Examples:
  babelquant serve study.toml --out results/ --listen 0.0.0.0:7070 --tls certs/     (see babelquant certs --help)
  babelquant-worker --coordinator https://head:7070 --tls certs/ --models /data/models     (on each machine)
  babelquant serve study.toml --out results/ --listen 0.0.0.0:7070 --tls certs/ --token-file tokens
  babelquant serve study.toml --out results/ --listen 0.0.0.0:7070 --insecure     (a network that you trust)
  babelquant serve study.toml --listen 0.0.0.0:0 --tls certs/ --coordinator-file /shared/run.url
  babelquant-worker --coordinator-file /shared/run.url --tls certs/ --models /data/models     (follows it when it moves)")]
    Serve(Serve),
    /// Rebuild analysis and report from the result files; needs neither model nor corpus
    #[command(after_help = "Examples:
  babelquant report results/
  babelquant report results/ --study other-analysis.toml")]
    Report(Report),
    /// Choose a config for each layer so that a model of a given size loses little; evaluate it, write it for other tools
    #[command(after_help = recipe::HELP)]
    Recipe(recipe::Flags),
    /// Ask a coordinator how its run is: progress, time left, workers, what is slow, what is given up
    #[command(after_help = operator::STATUS_HELP)]
    Status(operator::Status),
    /// Send workers away, or stop the whole run
    #[command(after_help = operator::DRAIN_HELP)]
    Drain(operator::Drain),
    /// Replay the scheduler's events that a coordinator recorded: do the same inputs have the same effects?
    #[command(after_help = replay::HELP)]
    Replay(replay::Flags),
    /// Make the certificates by which a coordinator and its callers know each other
    #[command(after_help = certs::HELP)]
    Certs(certs::Certs),
}

/// What is measured: a study file, or a model and a corpus.
#[derive(Debug, Args)]
struct What {
    /// Study file (TOML)
    #[arg(value_name = "STUDY", required_unless_present_all = ["model", "corpus"], conflicts_with_all = ["model", "corpus", "revision"])]
    study: Option<PathBuf>,
    /// Model, instead of a study file: a directory, or owner/name on a hub; may be given several times
    #[arg(long, value_name = "MODEL", requires = "corpus")]
    model: Vec<String>,
    /// Branch, tag or commit of the model on its hub
    #[arg(long, value_name = "REVISION", requires = "model")]
    revision: Option<String>,
    /// Corpus path with {language} in it, ending in .txt or .jsonl
    #[arg(long, value_name = "PATTERN", requires = "model")]
    corpus: Option<String>,
}

/// The worker inside this process.
#[derive(Debug, Args)]
struct Inside {
    /// What to compute on: cpu or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// Refuse units that would need more memory than this, in GiB
    #[arg(long, value_name = "GIB")]
    memory: Option<f64>,
    /// Folder for what calibration computes, kept between runs; by default babelquant in the user's folder of caches
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Size of that folder at most, in GiB; 0 keeps nothing
    #[arg(long, value_name = "N", default_value_t = 16)]
    cache_gib: u32,
    /// Units held at a time; more of one shard share the baseline's logits
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    slots: u16,
    /// Show the run in a browser at this address of this machine; also /metrics, /healthz, /readyz
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<SocketAddr>,
}

#[derive(Debug, Args)]
struct Demo {
    /// Where results go: a directory or a URL
    #[arg(long, value_name = "OUT", default_value = "demo-results/")]
    out: String,
    /// Measure forty quantization configs instead of three
    #[arg(long)]
    quantizers: bool,
    #[command(flatten)]
    inside: Inside,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    what: What,
    /// Where results go: a directory, or a URL such as s3://bucket/prefix
    #[arg(long, value_name = "OUT", default_value = "results/")]
    out: String,
    #[command(flatten)]
    reused: Reused,
    #[command(flatten)]
    inside: Inside,
}

/// Results that are there already.
#[derive(Debug, Args)]
struct Reused {
    /// Take over what a finished run of another study says of the same models, texts, scopes and configs: its output
    #[arg(long, value_name = "OLD_OUT")]
    reuse: Option<String>,
}

#[derive(Debug, Args)]
struct Plan {
    #[command(flatten)]
    what: What,
    /// What all workers together are assumed to reach, in GFLOP/s
    #[arg(long, value_name = "GFLOPS", default_value_t = 100.0)]
    gflops: f64,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    what: What,
    /// Where results go: a directory, or a URL such as s3://bucket/prefix
    #[arg(long, value_name = "OUT", default_value = "results/")]
    out: String,
    #[command(flatten)]
    reused: Reused,
    /// Let workers of several engine classes in, such as CPUs beside GPUs: every row names its engine, the report says how far the same
    /// baseline lies apart on them, and two runs need not give the same bytes. For the whole of a run: the first start decides
    #[arg(long)]
    mixed_engines: bool,
    /// Address to listen on; port 0 picks a free one, which is printed
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    #[command(flatten)]
    asked: access::Asked,
    /// Show the run in a browser at this address, read-only; also /metrics, /healthz, /readyz; port 0 picks a free one. Beyond
    /// loopback with the same --tls and --token-file (a browser takes a token as the password); probes are answered whoever asks
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<SocketAddr>,
    /// Write the address to this file, on storage that all machines share, while the coordinator runs
    #[arg(long, value_name = "PATH")]
    coordinator_file: Option<PathBuf>,
    /// Name or address of this machine in that file; by default the address listened on, or the machine's name for 0.0.0.0
    #[arg(long, value_name = "HOST", requires = "coordinator_file")]
    host: Option<String>,
    /// Append every input of the scheduler and its effects to this file, for babelquant replay; nothing of the results is in it
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Size of that file at most, in MiB; then recording stops and the run goes on
    #[arg(long, value_name = "N", default_value_t = 1024, requires = "events")]
    events_mib: u32,
    /// A worker that is silent for so many milliseconds loses its units
    #[arg(long, value_name = "MS", default_value_t = 15_000, hide = true)]
    lease_ms: u32,
    /// How often workers report, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5_000, hide = true)]
    sync_ms: u32,
}

#[derive(Debug, Args)]
struct Report {
    /// The output of a run: a directory or a URL
    #[arg(value_name = "OUT")]
    out: String,
    /// Take [analysis] from this study file instead of the one that was run; hypotheses stay those of the run
    #[arg(long, value_name = "FILE")]
    study: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_consistent_and_mistakes_are_refused() {
        Cli::command().debug_assert();
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        assert!(parse("babelquant run s.toml --out x"));
        assert!(parse("babelquant run --model m --corpus c/{language}.txt"));
        assert!(parse("babelquant plan --model m --model n --corpus c/{language}.txt --gflops 3"));
        assert!(parse("babelquant run --model o/m --revision step1 --corpus c/{language}.txt"));
        assert!(parse("babelquant weights o/m --revision step1 --shape-only"));
        assert!(!parse("babelquant weights o/m --shape-only --out w.parquet"));
        assert!(parse(
            "babelquant weights o/m --bits 3,4 --granularity group128 --clipping c.parquet"
        ));
        assert!(parse("babelquant weights o/m --no-clipping --out w.parquet"));
        assert!(!parse("babelquant weights o/m --no-clipping --bits 4"));
        assert!(!parse("babelquant weights o/m --bits 9"));
        assert!(!parse("babelquant weights o/m --shape-only --granularity channel"));
        assert!(parse("babelquant recipe r/ --budget 4.5bpw --objective mean --config nf4"));
        assert!(!parse("babelquant recipe r/"));
        assert!(!parse("babelquant recipe r/ --budget 0bpw"));
        assert!(!parse("babelquant recipe r/ --budget 4 --objective best"));
        assert!(parse("babelquant run s.toml --out x --reuse y"));
        assert!(parse("babelquant serve s.toml --out x --reuse s3://b/y"));
        assert!(parse("babelquant serve s.toml --mixed-engines"));
        assert!(!parse("babelquant run s.toml --revision step1"));
        assert!(!parse("babelquant run"));
        assert!(!parse("babelquant run s.toml --model m --corpus c"));
        assert!(!parse("babelquant run --model m"));
        assert!(!parse("babelquant serve s.toml --listen nowhere"));
        assert!(!parse("babelquant serve s.toml --host h"));
        assert!(parse("babelquant serve s.toml --http 127.0.0.1:0"));
        assert!(!parse("babelquant run s.toml --http 8080"));
        assert!(parse("babelquant serve s.toml --events e.jsonl --events-mib 5"));
        assert!(!parse("babelquant serve s.toml --events-mib 5"));
        assert!(parse("babelquant replay e.jsonl --json"));
        assert!(parse("babelquant status --coordinator-file f --watch --json"));
        assert!(!parse("babelquant status"));
        assert!(!parse("babelquant status http://h:1 --coordinator-file f"));
        assert!(!parse("babelquant drain http://h:1 --undo"));
        assert!(!parse("babelquant drain http://h:1 --worker a**b"));
        assert!(parse("babelquant serve s.toml --tls c/ --token-file t"));
        assert!(!parse("babelquant serve s.toml --tls c/ --insecure"));
        assert!(!parse("babelquant serve s.toml --token-file t --insecure"));
        assert!(parse("babelquant status https://h:1 --tls c/"));
        assert!(parse("babelquant certs c/ --host h --host 10.0.0.5 --days 30"));
        assert!(!parse("babelquant certs c/ --days 0"));
    }
}
