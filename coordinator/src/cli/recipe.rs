//! The command `recipe`: from what a run measured layer by layer to a config for each layer, evaluated and written for other tools. The
//! choice is `recipe`'s, the tables are `report`'s.

use std::path::{Path, PathBuf};

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Components, Layers, Spec, exit};
use clap::Args;

use super::Inside;
use super::commands::{measure, open_existing, print, write_file};
use super::models;
use super::stop::Stop;
use crate::analyse;
use crate::owner::Outcome;
use crate::recipe::{
    Budget, Losses, Objective, Question, Recipe, Subject, document, exports, measured,
};
use crate::report;
use crate::store::{Output, StoreError};
use crate::study::{ScopePattern, Study};

pub(super) const HELP: &str = "Needs a finished run that quantized each layer alone (scopes = [\"only(each)\"]) with the configs to choose from.

Examples:
  babelquant recipe results/ --budget 4.5bpw
  babelquant recipe results/ --budget 3.5bpw --objective mean --out smaller/
  babelquant recipe results/ --budget 4.5bpw --config candle-q4k --config candle-q6k    (types that llama.cpp has)
  babelquant recipe results/ --budget 4bpw --no-verify

Writes to --out: recipe.json, study-keys.toml, llama.cpp.sh, gptqmodel.json, llm-compressor.yaml, and the run verification/.";

#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The output of a finished run: a directory or a URL
    #[arg(value_name = "RESULTS")]
    results: String,
    /// Bits per weight of the quantized components at most, scales included
    #[arg(long, value_name = "BITS")]
    budget: Budget,
    /// Whose predicted ΔNLL is made small: worst-language or mean
    #[arg(long, value_name = "WHOSE", default_value = "worst-language")]
    objective: Objective,
    /// The model, where the run has several
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The components, where the run has several sets
    #[arg(long, value_name = "SET")]
    components: Option<Components>,
    /// A config to choose from; may be given several times; all that were measured by default
    #[arg(long = "config", value_name = "CONFIG")]
    configs: Vec<QuantConfig>,
    /// Where the recipe goes: a directory
    #[arg(long, value_name = "DIR", default_value = "recipe/")]
    out: PathBuf,
    /// Leave out the evaluation
    #[arg(long)]
    no_verify: bool,
    #[command(flatten)]
    inside: Inside,
}

/// Finds, evaluates and writes a recipe.
pub(super) async fn execute(flags: Flags) -> Result<u8, Stop> {
    let Flags { results, budget, objective, model, components, configs, out, no_verify, inside } =
        flags;
    let output = open_existing(&results).await?;
    let (study, spec) = measured_study(&output).await?;
    let effects = analyse::effects(&output, study.analysis.clone()).await?;
    let subject = Subject::choose(&effects, model.as_deref(), components.as_ref());
    let subject = subject.map_err(|error| Stop::new(exit::USAGE, error))?;
    let question = Question { subject, configs, budget, objective };
    let found = tokio::task::spawn_blocking(move || Recipe::find(&effects, question));
    let found = found.await.map_err(|error| Stop::new(exit::BUG, error))?;
    let mut recipe = found.map_err(|error| Stop::new(exit::USAGE, error))?;
    print(&report::recipe(&recipe));
    write(&recipe, None, &out)?;
    if no_verify {
        print(&report::recipe_losses(&recipe, None));
        print(&format!("Written to {}; not evaluated.\n", out.display()));
        return Ok(exit::COMPLETE);
    }
    let verification = Verification { study, spec, folder: out.join("verification"), inside };
    let (code, losses) = verification.run(&mut recipe).await?;
    if let Some(losses) = &losses {
        print(&report::recipe_losses(&recipe, Some(losses)));
        write(&recipe, Some(losses), &out)?;
        print(&format!("Written to {}; evaluated in its folder verification.\n", out.display()));
    }
    Ok(code)
}

/// The study that a run measured, and what was made of it.
async fn measured_study(output: &Output) -> Result<(Study, Spec), Stop> {
    let location = output.location().to_owned();
    let absent = || StoreError::NoRun { location: location.clone() };
    let run = output.run().await?.ok_or_else(absent)?;
    let text = output.study().await?.ok_or_else(absent)?;
    let study = Study::parse(&text, &format!("{location}/study.toml"), Path::new(""))?;
    Ok((study, run.spec))
}

/// Writes the recipe for programs and for other tools, and says where they differ from it.
fn write(recipe: &Recipe, losses: Option<&Losses>, out: &Path) -> Result<(), Stop> {
    std::fs::create_dir_all(out).map_err(|source| {
        let cause = anyhow::Error::new(source);
        Stop::new(exit::UNFINISHED, cause.context(format!("cannot make {}", out.display())))
    })?;
    let text = document(recipe, losses).map_err(|error| Stop::new(exit::BUG, error))?;
    write_file(&out.join("recipe.json"), text.as_bytes())?;
    for export in exports(recipe) {
        write_file(&out.join(export.file), export.text.as_bytes())?;
        for remark in export.remarks.iter().filter(|_| losses.is_none()) {
            tracing::warn!(file = export.file, "{remark}");
        }
    }
    Ok(())
}

/// How a recipe is evaluated.
struct Verification {
    study: Study,
    /// What the run measured.
    spec: Spec,
    folder: PathBuf,
    inside: Inside,
}

impl Verification {
    /// Evaluates the recipe, and its neighbours where they were not; the exit code, and what was measured where the run is complete.
    async fn run(self, recipe: &mut Recipe) -> Result<(u8, Option<Losses>), Stop> {
        let Self { study, spec, folder, inside } = self;
        let config = recipe.config();
        let missing = recipe.neighbours.iter().filter(|neighbour| neighbour.measured.is_empty());
        let configs = [&config].into_iter().chain(missing.map(|neighbour| &neighbour.config));
        let study = study_of(study, &recipe.question.subject, configs)?;
        let resolved = models::resolve(&study).await?;
        check_same(&spec, &resolved.spec)?;
        let folder = folder.to_string_lossy();
        let (outcome, output) = measure(&study, (resolved, None), &folder, inside).await?;
        if let Outcome::Unfinished { reason } = &outcome {
            tracing::warn!("{reason}; run the same command again to go on");
            return Ok((outcome.exit_code(), None));
        }
        let effects = analyse::effects(&output, study.analysis).await?;
        let subject = &recipe.question.subject;
        for neighbour in &mut recipe.neighbours {
            if neighbour.measured.is_empty() {
                neighbour.measured = measured(&effects, subject, &neighbour.config);
            }
        }
        Ok((outcome.exit_code(), Some(measured(&effects, subject, &config))))
    }
}

/// Refuses to compare what was measured on other text or of another model.
fn check_same(there: &Spec, here: &Spec) -> Result<(), Stop> {
    let changed = here
        .models
        .iter()
        .map(|part| &part.model)
        .find(|model| !there.models.iter().any(|part| part.model == **model));
    let what = match changed {
        Some(model) => format!("the files of model {} are", model.name),
        None if there.corpus != here.corpus => "the corpus is".to_owned(),
        None => return Ok(()),
    };
    let text =
        "no longer what the run measured: restore them to evaluate the recipe, or give --no-verify";
    Err(Stop::new(exit::MISMATCH, anyhow::anyhow!("{what} {text}")))
}

/// The study that measures `configs` at every layer as `study` measured its own.
fn study_of<'a>(
    study: Study,
    subject: &Subject,
    configs: impl Iterator<Item = &'a QuantConfig>,
) -> Result<Study, Stop> {
    let patterns: Result<Vec<_>, _> = configs.map(|config| config.to_string().parse()).collect();
    let mut models = study.models;
    models.retain(|model| model.name == subject.model);
    Ok(Study {
        name: format!("{}-recipe", study.name),
        models,
        scopes: vec![ScopePattern::One(Layers::All)],
        components: vec![subject.components.clone()],
        configs: patterns.map_err(|error| Stop::new(exit::BUG, error))?,
        // They were about the run, whose report judges them.
        hypotheses: Vec::new(),
        ..study
    })
}
