//! The command `correlate`: its flags, and the way from them to the library.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use babelquant_proto::exit;
use clap::Args;
use tempfile::TempDir;

use super::commands::{is_url, open_existing, print, write_file};
use super::stop::Stop;
use crate::correlate::{self, CorrelateError, Findings, Question};
use crate::report;

/// Examples, and what the answer holds.
pub(super) const HELP: &str = "Examples:
  babelquant correlate table.csv --x weighted_kurtosis --y degradation
  babelquant correlate table.csv --x weighted_kurtosis,outlier_share --y degradation --by model
  babelquant correlate table.csv --x weighted_kurtosis --y degradation --covariates latin,log_mc4 --cluster family
  babelquant correlate table.parquet --x fertility --y delta_nll --by model,scope,config --json -
  babelquant correlate results --x weighted_kurtosis_block_out --y delta_nll --cluster family

Of a finished output's folder the table is its analysis at scope all: every column of languages.parquet is a predictor, every
one of sensitivity.parquet an outcome, by model, components and config.

Several predictors are corrected for each other and compared with each other. Bundled for 39 languages, where the table has no
such column: latin, in_bloom, log_roots, in_xglm, log_xglm, log_cc100, log_mc4 (covariates); family, genus, script (clusters).
Up to 18 rows every order is counted for the permutation test (a second at 14 rows, many minutes at 18), and up to 14 rows or
clusters every resample; beyond, random ones are drawn.";

#[derive(Debug, Args)]
pub(super) struct Correlate {
    /// Table with a header: .csv, .tsv or .parquet; a row per language, and what else --by tells apart. Or an output: a folder, or a URL
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Predictors
    #[arg(long, value_name = "COLUMN,…", required = true, value_delimiter = ',')]
    x: Vec<String>,
    /// Outcome
    #[arg(long, value_name = "COLUMN")]
    y: String,
    /// Correlate the rows of each value of these columns apart [default: none; of an output model,components,config]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    by: Vec<String>,
    /// What to hold fixed: columns, or bundled facts about languages
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    covariates: Vec<String>,
    /// What rows belong together by: a column, or family, genus or script
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// What a row is about [default: the column language, where there is one]
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Coverage of intervals
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    confidence: f64,
    /// Random orders and resamples, where there are too many to count
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    draws: u32,
    /// Seed of the random ones
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Write the findings to this file as JSON as well; - prints them instead of the tables
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl From<CorrelateError> for Stop {
    fn from(error: CorrelateError) -> Self {
        Self::new(exit::USAGE, error)
    }
}

/// Answers the question and prints what was found. Counting takes its time: not on the runtime's threads.
pub(super) async fn execute(flags: Correlate) -> Result<u8, Stop> {
    let Correlate { table, x, y, by, covariates, cluster, label, confidence, draws, seed, json } =
        flags;
    let question = Question { x, y, by, covariates, cluster, label, confidence, draws, seed };
    let location = table.to_string_lossy().into_owned();
    let fetched = if is_url(&location) { Some(fetch(&location).await?) } else { None };
    let path = fetched.as_ref().map_or(table, |folder| folder.path().to_owned());
    let found = tokio::task::spawn_blocking(move || correlate::correlate(&path, question)).await;
    let mut found = found.map_err(|error| Stop::new(exit::BUG, error))??;
    if let Some(folder) = &fetched {
        let here = folder.path().to_string_lossy();
        found.table = found.table.replacen(&*here, location.trim_end_matches('/'), 1);
    }
    show(&found, json.as_deref())?;
    match found.undefined() {
        Some(reason) => Err(Stop::new(exit::USAGE, anyhow!("{}: {reason}", found.table))),
        None => Ok(exit::COMPLETE),
    }
}

/// The tables of the output at a URL, in a folder that is removed with the value.
async fn fetch(location: &str) -> Result<TempDir, Stop> {
    let output = open_existing(location).await?;
    let folder = tempfile::tempdir()?;
    let analysis = folder.path().join("analysis");
    std::fs::create_dir(&analysis)?;
    for table in correlate::MEASURED {
        let absent = || {
            let text = format!("{location} holds no analysis/{table}: babelquant report makes it");
            Stop::new(exit::USAGE, anyhow!(text))
        };
        let content = output.analysis(table).await?.ok_or_else(absent)?;
        write_file(&analysis.join(table), &content)?;
    }
    Ok(folder)
}

/// The tables on stdout and the JSON in a file, or the JSON alone on stdout.
fn show(found: &Findings, json: Option<&Path>) -> Result<(), Stop> {
    let text = || report::findings_json(found).map_err(|error| Stop::new(exit::BUG, error));
    match json {
        Some(path) if path == Path::new("-") => print(&text()?),
        Some(path) => {
            write_file(path, text()?.as_bytes())?;
            print(&report::findings(found));
        }
        None => print(&report::findings(found)),
    }
    Ok(())
}
