//! From the rows of an output to its analysis: reduce, render, write `analysis/`. Needs no model, no corpus and no worker.

use thiserror::Error;

use crate::reduce::{Effects, Reducer, Sourced, Summary};
use crate::report::{self, Provenance};
use crate::store::{AnalysisFile, Output, QuarantinedUnit, StoreError};
use crate::study::{Analysis, Families, Registration, StudyError};

/// Why there is no analysis.
#[derive(Debug, Error)]
pub enum AnalyseError {
    /// The output is at fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registered hypotheses are about something that the run does not measure.
    #[error("run.json is damaged")]
    Hypotheses(#[from] StudyError),
    /// The summary cannot be written.
    #[error("the summary cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Reduces the rows of `output`, writes `analysis/` and returns the report for the terminal.
///
/// # Errors
/// The output holds no run, is damaged, or cannot be written.
pub async fn analyse(output: &Output, analysis: Analysis) -> Result<String, AnalyseError> {
    let run = output.run().await?;
    let run = run.ok_or_else(|| StoreError::NoRun { location: output.location().to_owned() })?;
    let outlier_layers = analysis.outlier_layers;
    let hypotheses = run.registration.hypotheses.clone();
    run.check_registration(&Registration { hypotheses, outlier_layers })?;
    let claimed = Families::of(&run.registration.hypotheses, &run.spec)?;
    let mut reducer = reducer(output, analysis).await?.judging(claimed);
    output.read(|rows| reducer.push_activations(rows)).await?;
    output.read(|rows| reducer.push_tokens(rows)).await?;
    let manifest = output.manifest().await?;
    if let Some(manifest) = &manifest {
        output.check_registered(manifest).await?;
    }
    let given_up = manifest.map(|manifest| manifest.quarantined);
    let in_words = |unit: QuarantinedUnit| format!("{} ({})", unit.description, unit.fault);
    let provenance = Provenance {
        study: run.study,
        spec_digest: run.spec_digest,
        engines: reducer.engines(),
        reused: run.reused,
        quarantined: given_up.unwrap_or_default().into_iter().map(in_words).collect(),
    };
    let derived = tokio::task::spawn_blocking(move || derive(reducer, &provenance)).await;
    let (files, text) = derived.map_err(StoreError::from)??;
    output.put_analysis(&files).await?;
    Ok(text)
}

/// The effects of the cells of `output`.
///
/// # Errors
/// The output is damaged or cannot be read.
pub(crate) async fn effects(output: &Output, analysis: Analysis) -> Result<Effects, AnalyseError> {
    let reducer = reducer(output, analysis).await?;
    let effects = tokio::task::spawn_blocking(move || reducer.effects()).await;
    Ok(effects.map_err(StoreError::from)?)
}

/// A reducer with the rows of everything but activations and single tokens.
async fn reducer(output: &Output, analysis: Analysis) -> Result<Reducer, AnalyseError> {
    let mut reducer = Reducer::new(analysis);
    output.read(|rows| reducer.push_weights(rows)).await?;
    output.read(|rows| reducer.push_quantization(rows)).await?;
    output.read(|rows| reducer.push_documents(rows)).await?;
    Ok(reducer)
}

fn derive(
    reducer: Reducer,
    provenance: &Provenance,
) -> Result<(Vec<AnalysisFile>, String), AnalyseError> {
    let summary = reducer.finish();
    let mut files = files(&summary, provenance)?;
    let others = report::harness(&summary, provenance)?;
    let others = others.into_iter().chain(report::llama_cpp(&summary));
    files.extend(others.map(|(name, text)| AnalysisFile::text(&name, text)));
    Ok((files, report::terminal(&summary, Some(provenance))))
}

/// The file of a table, with the sources of its numbers.
fn table<R: Sourced>(summary: &Summary, rows: &[R]) -> Result<AnalysisFile, StoreError> {
    AnalysisFile::sourced(rows, &summary.sources_in_words::<R>())
}

fn files(summary: &Summary, provenance: &Provenance) -> Result<Vec<AnalysisFile>, AnalyseError> {
    Ok(vec![
        table(summary, &summary.hypotheses)?,
        table(summary, &summary.models)?,
        table(summary, &summary.layers)?,
        table(summary, &summary.languages)?,
        table(summary, &summary.activation_shares)?,
        table(summary, &summary.matrices)?,
        table(summary, &summary.limits)?,
        table(summary, &summary.configs)?,
        table(summary, &summary.sensitivity)?,
        table(summary, &summary.divergence)?,
        table(summary, &summary.disparity)?,
        table(summary, &summary.trends)?,
        table(summary, &summary.leanings)?,
        table(summary, &summary.depth)?,
        table(summary, &summary.additivity)?,
        table(summary, &summary.protection)?,
        table(summary, &summary.floor)?,
        table(summary, &summary.correlations)?,
        table(summary, &summary.adjusted)?,
        table(summary, &summary.replication)?,
        table(summary, &summary.regressions)?,
        AnalysisFile::text("summary.json", report::json(summary, provenance)?),
        AnalysisFile::text("report.md", report::markdown(summary, provenance)),
        AnalysisFile::text("report.html", report::html(summary, provenance)),
    ])
}
