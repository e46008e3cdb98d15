//! An output as anyone may read it: the run it belongs to, its rows, its manifest; and the replaceable analysis beside them.

use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::rows::Row;
use babelquant_proto::{Digest, EngineClass, Spec};
use bytes::Bytes;
use object_store::ObjectStore;
use serde::Serialize;
use tokio::sync::mpsc;

use super::error::StoreError;
use super::manifest::Manifest;
use super::objects::Objects;
use super::parquet;
use super::run_file::RunFile;
use crate::study::Registration;

/// The study as it was run, for people and for `report`.
const STUDY: &str = "study.toml";

/// Decoded rows that may wait to be visited, some thousands each.
const AHEAD: usize = 2;

/// A place for results: a local directory or a bucket.
#[derive(Debug, Clone)]
pub struct Output {
    pub(super) objects: Objects,
}

/// A file of `analysis/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalysisFile {
    /// Its name in the folder.
    pub name: String,
    /// Its content.
    pub content: Bytes,
}

/// A file of `analysis/` in its manifest.
#[derive(Serialize)]
struct Listed {
    path: String,
    blake3: Digest,
}

impl AnalysisFile {
    /// The Parquet file of a table's rows.
    ///
    /// # Errors
    /// A number is not finite.
    pub fn table<R: Row>(rows: &[R]) -> Result<Self, StoreError> {
        Self::noted(rows, &[])
    }

    /// The same with a note of where its numbers come from.
    ///
    /// # Errors
    /// A number is not finite.
    pub fn sourced<R: Row>(rows: &[R], sources: &str) -> Result<Self, StoreError> {
        Self::noted(rows, &[(parquet::SOURCES, sources)])
    }

    fn noted<R: Row>(rows: &[R], notes: &[(&str, &str)]) -> Result<Self, StoreError> {
        let name = format!("{}.parquet", R::TABLE.name);
        let content = parquet::write(&format!("analysis/{name}"), rows, notes)?;
        Ok(Self { name, content })
    }

    /// A text file.
    pub fn text(name: &str, text: String) -> Self {
        Self { name: name.to_owned(), content: text.into() }
    }
}

/// Decodes a file until nobody wants more.
fn decode_all<R: Row>(
    path: &str,
    content: Bytes,
    sender: &mpsc::Sender<Result<Vec<R>, StoreError>>,
) {
    match parquet::some_rows(path, content) {
        Ok(mut rows) => while rows.next().is_some_and(|rows| sender.blocking_send(rows).is_ok()) {},
        // Whoever has gone does not want to know.
        Err(error) => drop(sender.blocking_send(Err(error))),
    }
}

impl Output {
    /// The output at `location`, a directory (made if absent) or a URL; `options` are the keys of a bucket, such as
    /// `aws_region`.
    ///
    /// # Errors
    /// The location cannot be used.
    pub fn open(location: &str, options: &[(String, String)]) -> Result<Self, StoreError> {
        Objects::open(location, options).map(|objects| Self { objects })
    }

    /// Asks a bucket whether it is there and may be used, with the same options; a directory is.
    ///
    /// # Errors
    /// It is not.
    pub async fn reach(&self, options: &[(String, String)]) -> Result<(), StoreError> {
        self.objects.reach(options).await
    }

    /// The output in a given store.
    pub fn of(store: Arc<dyn ObjectStore>) -> Self {
        Self { objects: Objects::of(store) }
    }

    /// For how long the storage has left a request unanswered.
    pub(crate) fn unanswered(&self) -> Duration {
        self.objects.unanswered()
    }

    /// The error of a storage that has not answered for so long.
    pub(crate) fn silent(&self, time: Duration) -> StoreError {
        self.objects.silent(time)
    }

    /// Where it is, as it was given.
    pub fn location(&self) -> &str {
        self.objects.location()
    }

    /// The run that it belongs to, if a worker has ever registered.
    ///
    /// # Errors
    /// `run.json` cannot be read.
    pub async fn run(&self) -> Result<Option<RunFile>, StoreError> {
        let content = self.objects.get(RunFile::PATH).await?;
        content.map(|content| RunFile::parse(&content)).transpose()
    }

    /// Refuses a spec or hypotheses other than those of the run that is there.
    ///
    /// # Errors
    /// Another spec, other hypotheses, or `run.json` cannot be read.
    pub async fn check(
        &self,
        spec: &Spec,
        registration: &Registration,
    ) -> Result<Option<RunFile>, StoreError> {
        let run = self.run().await?;
        if let Some(run) = &run {
            run.check(spec)?;
            run.check_registration(registration)?;
        }
        Ok(run)
    }

    /// Makes the output this run's, with the engine class of its first worker. Returns what `run.json` says then.
    ///
    /// # Errors
    /// It is another run's by now, or the storage refuses.
    pub async fn claim(&self, run: RunFile) -> Result<RunFile, StoreError> {
        let content = serde_json::to_vec(&run).expect("a spec is JSON: its digest was made of it");
        match self.objects.put_new(RunFile::PATH, content.into()).await {
            Ok(()) => Ok(run),
            Err(StoreError::Conflict { .. }) => {
                let there = self.check(&run.spec, &run.registration).await?;
                let Some(there) = there.filter(|there| *there != run) else { return Ok(run) };
                if there.reused != run.reused {
                    return Err(StoreError::Unusable {
                        location: self.location().to_owned(),
                        reason: "it was begun with other results taken over".to_owned(),
                    });
                }
                check_engine(&there, &run.engine_class).map(|()| there)
            }
            Err(error) => Err(error),
        }
    }

    /// The manifest of a finished run.
    ///
    /// # Errors
    /// It is damaged, or the storage refuses.
    pub async fn manifest(&self) -> Result<Option<Manifest>, StoreError> {
        let Some(content) = self.objects.get(Manifest::PATH).await? else { return Ok(None) };
        let manifest = serde_json::from_slice(&content);
        Ok(Some(manifest.map_err(|error| StoreError::damaged(Manifest::PATH, &error))?))
    }

    /// Refuses hypotheses other than those that a run was finished with.
    ///
    /// # Errors
    /// `run.json` was changed afterwards, or the storage refuses.
    pub async fn check_registered(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let content = self.objects.get(RunFile::PATH).await?.unwrap_or_default();
        match manifest.registration {
            Some(then) if RunFile::registered(&content)? != then => {
                let difference = "run.json was changed after the run was finished".to_owned();
                Err(StoreError::OtherHypotheses { difference })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Visits the rows of a table file by file, in the order of the files' names, some at a time while the next ones are decoded; finished
    /// parts only. Returns the count.
    ///
    /// # Errors
    /// A file is damaged, or the storage refuses.
    pub async fn read<R: Row + 'static>(
        &self,
        mut visit: impl FnMut(&[R]),
    ) -> Result<u64, StoreError> {
        let table = R::TABLE.name;
        let single = format!("data/{table}.parquet");
        let folder = format!("data/{table}");
        let mut count = 0;
        for path in std::iter::once(single).chain(self.objects.list(&folder).await?) {
            let Some(content) = self.objects.get(&path).await? else { continue };
            let (sender, mut decoded) = mpsc::channel(AHEAD);
            let decode = move || decode_all::<R>(&path, content, &sender);
            let decoding = tokio::task::spawn_blocking(decode);
            while let Some(rows) = decoded.recv().await {
                let rows = rows?;
                count += rows.len() as u64;
                visit(&rows);
            }
            decoding.await?;
        }
        Ok(count)
    }

    /// Keeps the study as TOML.
    ///
    /// # Errors
    /// The storage refuses.
    pub async fn put_study(&self, text: String) -> Result<(), StoreError> {
        self.objects.put_over(STUDY, text.into()).await
    }

    /// The study as it was run.
    ///
    /// # Errors
    /// The storage refuses, or the file is no text.
    pub async fn study(&self) -> Result<Option<String>, StoreError> {
        let Some(content) = self.objects.get(STUDY).await? else { return Ok(None) };
        let text = String::from_utf8(content.to_vec()).map_err(|error| StoreError::Damaged {
            path: STUDY.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Some(text))
    }

    /// A file of the analysis.
    ///
    /// # Errors
    /// The storage refuses.
    pub async fn analysis(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.objects.get(&format!("analysis/{name}")).await
    }

    /// Replaces the analysis: the files, then their manifest.
    ///
    /// # Errors
    /// The storage refuses.
    pub async fn put_analysis(&self, files: &[AnalysisFile]) -> Result<(), StoreError> {
        let mut listed = Vec::new();
        for file in files {
            let path = format!("analysis/{}", file.name);
            self.objects.put_over(&path, file.content.clone()).await?;
            listed.push(Listed { path, blake3: Digest::of(&file.content) });
        }
        let manifest = serde_json::to_vec_pretty(&listed).expect("paths and digests are texts");
        self.objects.put_over("analysis/manifest.json", manifest.into()).await
    }
}

/// Refuses a worker whose engine class is not the run's, unless it takes any.
pub(crate) fn check_engine(run: &RunFile, worker: &EngineClass) -> Result<(), StoreError> {
    match run.mixed_engines || run.engine_class == *worker {
        true => Ok(()),
        false => Err(StoreError::OtherEngine {
            run: run.engine_class.to_string(),
            worker: worker.to_string(),
        }),
    }
}
