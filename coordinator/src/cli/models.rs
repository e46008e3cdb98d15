//! The commands' models: by flag or by name, and from where. The only place that reads the environment of hub and caches.

use std::path::{Path, PathBuf};

use babelquant_proto::exit;
use babelquant_proto::hub::{self, Hub};

use super::stop::Stop;
use crate::local::{self, LocalError};
use crate::progress::{self, Wanted};
use crate::study::{ModelSource, OtherPlace, Resolved, Study};

/// The models that flags name; a revision goes with one model of a hub.
pub(super) fn named(texts: &[String], revision: Option<&str>) -> Result<Vec<ModelSource>, Stop> {
    if let (Some(revision), [_, _, ..]) = (revision, texts) {
        let text = "goes with one model; write a study file with { model = …, revision = … } for each of several";
        return Err(Stop::new(exit::USAGE, anyhow::anyhow!("--revision {revision} {text}")));
    }
    let wrong = |flag: &str, value: &str, reason: String| {
        Stop::new(exit::USAGE, anyhow::anyhow!("{flag} {value:?}: {reason}"))
    };
    let model = |text: &String| {
        let source = ModelSource::named(text, Path::new(""));
        let source = source.map_err(|reason| wrong("model", text, reason))?;
        match revision {
            None => Ok(source),
            Some(revision) => {
                source.at_revision(revision).map_err(|reason| wrong("--revision", revision, reason))
            }
        }
    };
    texts.iter().map(model).collect()
}

/// Reads all that a study needs. Downloading and hashing models and reading corpora takes its time: not on the runtime's threads.
pub(super) async fn resolve(study: &Study) -> Result<Resolved, Stop> {
    let (study, hub) = (study.clone(), hub());
    let resolved = tokio::task::spawn_blocking(move || {
        study.resolve(&mut |repository| progress::fetch(&hub, repository, Wanted::Model))
    });
    Ok(resolved.await.map_err(|error| Stop::new(exit::BUG, error))??)
}

/// Refuses models that no worker could load, and other checkpoints that are not theirs; warns of those that are only in part.
/// Opening checkpoints and tokenizers takes its time too.
pub(super) async fn check(resolved: &Resolved) -> Result<(), Stop> {
    let (directories, others) = (resolved.directories.clone(), resolved.others.clone());
    let checked = tokio::task::spawn_blocking(move || {
        directories.iter().try_for_each(|directory| local::check(directory))?;
        others.iter().try_for_each(|OtherPlace { name, directory, path }| {
            if let Some(remainder) = local::check_checkpoint(directory, path)? {
                tracing::warn!(checkpoint = %name, "{remainder}");
            }
            Ok::<_, LocalError>(())
        })
    });
    Ok(checked.await.map_err(|error| Stop::new(exit::BUG, error))??)
}

/// The directory of a model, with what is wanted of it.
pub(super) async fn locate(source: &ModelSource, wanted: Wanted) -> Result<PathBuf, Stop> {
    let (source, hub) = (source.clone(), hub());
    let located = tokio::task::spawn_blocking(move || {
        source.locate(&mut |repository| progress::fetch(&hub, repository, wanted))
    });
    let (directory, _) = located.await.map_err(|error| Stop::new(exit::BUG, error))??;
    Ok(directory)
}

/// The hub and the cache that the environment describes, with the variables of Python's `huggingface_hub`.
fn hub() -> Hub {
    Hub::from_variables(variable)
}

/// Where the in-process worker keeps what is dear to compute, unless a flag says otherwise.
pub(super) fn cache_folder() -> PathBuf {
    hub::cache_folder(variable)
}

/// A variable of the environment, where it is text.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_goes_with_one_model_of_a_hub() {
        let texts =
            |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let check = |models: &[&str], revision, part: &str| {
            let stop = named(&texts(models), revision).unwrap_err();
            assert_eq!(stop.code, exit::USAGE);
            assert!(stop.error.to_string().contains(part), "{}", stop.error);
        };
        assert_eq!(named(&texts(&["a/b", "c/d"]), None).unwrap().len(), 2);
        assert_eq!(named(&texts(&["a/b"]), Some("step1")).unwrap().len(), 1);
        check(&["a/b", "c/d"], Some("step1"), "--revision step1 goes with one model");
        check(&["/"], Some("step1"), "a directory");
        check(&["./nowhere"], None, "no directory ./nowhere");
    }
}
