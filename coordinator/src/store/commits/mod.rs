//! The one writer of a run: claims an epoch, commits results to the journal, turns finished parts into Parquet files, and ends
//! with the manifest.
//!
//! Invariants: a result is acknowledged only after `commit` returned; a journal object is deleted only when every unit in it
//! stands in a file under `data/`; a file under `data/` is a function of the spec and the rows alone.

mod compaction;
mod epoch;
mod ledger;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use babelquant_proto::{Digest, Spec, UnitIndex};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};

use super::error::StoreError;
use super::journal::{self, Entry};
use super::manifest::{DataFile, Manifest, QuarantinedUnit};
use super::objects::Objects;
use super::output::Output;
use super::part::Part;
use super::reuse::Earlier;
use super::rows::digest_in_part;
use super::run_file::RunFile;
use crate::blocking::Blocking;
use crate::scheduler::Record;
pub(crate) use compaction::{Compacted, Compaction};
use ledger::{CommitName, Ledger};

/// Journal objects that are read or deleted at a time.
const REQUESTS_MAX: usize = 16;

/// The writer of a run.
#[derive(Debug)]
pub struct Store {
    objects: Objects,
    spec: Arc<Spec>,
    /// The next commit.
    next: CommitName,
    /// Entries of that commit that may be durable already: it was written, and nobody knows what became of it.
    in_doubt: usize,
    ledger: Ledger,
    blocking: Blocking,
}

impl Store {
    /// Opens the output for writing: claims an epoch and rebuilds what is done. The records are those of the journal; what
    /// stands under `data/` is in `done`.
    ///
    /// # Errors
    /// The storage refuses, or an object is damaged.
    pub async fn open(output: &Output, spec: Arc<Spec>) -> Result<(Self, Vec<Record>), StoreError> {
        let objects = output.objects.clone();
        objects.sweep();
        let epoch = epoch::claim(&objects).await?;
        loop {
            // In this order: whoever was here before writes a part first and then deletes its results.
            let journal = objects.list("journal").await?;
            let data = objects.list("data").await?;
            let Some(inherited) = epoch::inherited(&objects, &journal).await? else { continue };
            let mut ledger = Ledger::new(Arc::clone(&spec));
            for (part, first) in Part::all(&spec) {
                let is_there = |path: &String| data.binary_search(path).is_ok();
                if part.paths(&spec).last().is_some_and(is_there) {
                    ledger.found(part, first);
                }
            }
            let (next, blocking) = (CommitName { epoch, number: 0 }, Blocking::on_threads());
            let (objects, spec) = (objects.clone(), Arc::clone(&spec));
            let mut store = Self { objects, spec, next, in_doubt: 0, ledger, blocking };
            if let Some(records) = store.replay(&journal, &inherited).await? {
                epoch::inherit(&store.objects, epoch, &inherited).await?;
                return Ok((store, records));
            }
        }
    }

    /// The store, which encodes and decodes parts where `blocking` says.
    #[must_use]
    pub fn working(self, blocking: Blocking) -> Self {
        Self { blocking, ..self }
    }

    /// The store, which keeps so many bytes of results in memory until their part is written.
    #[cfg(test)]
    pub(super) fn keeping(mut self, bytes: usize) -> Self {
        self.ledger.keep(bytes);
        self
    }

    /// The claimed epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.next.epoch.into()
    }

    /// True where no coordinator has served this output before.
    pub(crate) fn is_first(&self) -> bool {
        self.next.epoch == epoch::FIRST
    }

    /// The units that stand under `data/`, as ranges; quarantined units lie in them too.
    pub fn done(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ledger.written()
    }

    /// Makes entries durable as one object, the first ones at least: returns how many. On an error they may or may not be durable: commit them
    /// again, first of all and in the same order. What is in doubt is then written alone and under the same name as before, so that no
    /// charge counts twice.
    ///
    /// # Errors
    /// The storage refuses, or another coordinator has taken over.
    pub async fn commit(&mut self, mut entries: Vec<Entry>) -> Result<usize, StoreError> {
        if entries.is_empty() {
            return Ok(0);
        }
        self.check_epoch().await?;
        if self.in_doubt > 0 {
            entries.truncate(self.in_doubt);
        }
        let durable = entries.len();
        self.put(entries).await?;
        Ok(durable)
    }

    /// Looks whether the output is still this coordinator's.
    ///
    /// # Errors
    /// The storage refuses, or another coordinator has taken over.
    pub(crate) async fn check_epoch(&self) -> Result<(), StoreError> {
        epoch::check(&self.objects, self.next.epoch).await
    }

    /// Writes the next commit.
    async fn put(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        let name = self.next;
        let path = name.path();
        let content = journal::encode(&entries).map_err(|error| StoreError::Damaged {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        self.in_doubt = entries.len();
        self.objects.put_new(&path, content.clone()).await?;
        // Whoever claims after this look has it in his list.
        self.check_epoch().await?;
        self.in_doubt = 0;
        self.next.number += 1;
        for placed in journal::placed(&path, &content, entries)? {
            self.ledger.add(name, placed);
        }
        Ok(())
    }

    /// True where a part is finished that is not written.
    pub(crate) fn is_behind(&self) -> bool {
        self.ledger.ready().is_some()
    }

    /// Takes over what an earlier run says of units that are not done yet, part by part; returns these units.
    ///
    /// # Errors
    /// The storage refuses, or the earlier run is damaged.
    pub async fn take_over(&mut self, earlier: &Earlier) -> Result<Vec<UnitIndex>, StoreError> {
        let spec = Arc::clone(&self.spec);
        let mut taken = Vec::new();
        for (part, first) in Part::all(&spec) {
            if self.ledger.is_written(part) {
                continue;
            }
            let mut results = earlier.results(&spec, (part, first)).await?;
            results.retain(|(unit, _)| !self.ledger.is_settled(*unit));
            taken.extend(results.iter().map(|(unit, _)| *unit));
            let entry = |(unit, payload): (UnitIndex, Bytes)| Entry::Result {
                unit,
                digest: Digest::of(&payload),
                payload,
            };
            // Nothing is in doubt: whoever gets an error begins anew.
            self.commit(results.into_iter().map(entry).collect()).await?;
            self.compact().await?;
        }
        Ok(taken)
    }

    /// Writes every part whose units are all done or quarantined, and deletes the journal objects that it makes superfluous.
    ///
    /// # Errors
    /// The storage refuses, or a part is there with other content.
    pub async fn compact(&mut self) -> Result<(), StoreError> {
        while let Some(compaction) = self.begin_compaction() {
            let compacted = compaction.write().await?;
            self.end_compaction(compacted).await;
        }
        Ok(())
    }

    /// The next part whose units are all done or quarantined, on its way to its files. Commits may go on meanwhile; another compaction
    /// may not.
    pub(crate) fn begin_compaction(&self) -> Option<Compaction> {
        let (part, first) = self.ledger.ready()?;
        Some(Compaction {
            objects: self.objects.apart(),
            epoch: self.next.epoch,
            spec: Arc::clone(&self.spec),
            blocking: self.blocking,
            results: self.ledger.results(part, first),
            part,
            first,
        })
    }

    /// Takes note that a part is written. The future deletes the journal objects that nobody needs any more.
    pub(crate) fn end_compaction(
        &mut self,
        Compacted { part, first }: Compacted,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (superfluous, objects) = (self.ledger.finish(part, first), self.objects.apart());
        let delete = move |name: CommitName| {
            let objects = objects.clone();
            async move {
                if let Err(error) = objects.delete(&name.path()).await {
                    tracing::warn!(%error, "a journal object stays until the run is complete");
                }
            }
        };
        stream::iter(superfluous).for_each_concurrent(REQUESTS_MAX, delete)
    }

    /// The digest of a result that is durable and in no file yet.
    pub(crate) fn waiting_digest(&self, unit: UnitIndex) -> Option<Digest> {
        self.ledger.digest(unit)
    }

    /// The digest of a unit's durable result, to tell a harmless duplicate from an incident.
    ///
    /// # Errors
    /// The storage refuses, or the unit's file is damaged.
    pub async fn digest(&self, unit: UnitIndex) -> Result<Option<Digest>, StoreError> {
        if let Some(digest) = self.waiting_digest(unit) {
            return Ok(Some(digest));
        }
        let Some(part) = Part::of(&self.spec, unit) else { return Ok(None) };
        let mut files = Vec::new();
        for path in part.paths(&self.spec) {
            let Some(content) = self.objects.get(&path).await? else { return Ok(None) };
            files.push((path, content));
        }
        let spec = Arc::clone(&self.spec);
        let find = move || digest_in_part(&spec, (part, unit), &files);
        self.blocking.run(find).await?
    }

    /// Writes the manifest and deletes the journal. Every part must have been compacted.
    ///
    /// # Errors
    /// The storage refuses, or another manifest is there.
    pub async fn finish(&mut self) -> Result<Manifest, StoreError> {
        let mut files = Vec::new();
        for (part, _) in Part::all(&self.spec) {
            for path in part.paths(&self.spec) {
                if let Some(content) = self.objects.get(&path).await? {
                    files.push(DataFile::of(&path, content)?);
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let spec_digest = self.spec.digest().expect("a spec is JSON: workers get it as such");
        let quarantined = self.ledger.quarantined();
        let quarantined =
            quarantined.map(|(unit, fault)| QuarantinedUnit::of(&self.spec, unit, fault)).collect();
        let run = self.objects.get(RunFile::PATH).await?;
        let registration = run.map(|content| RunFile::registered(&content)).transpose()?;
        let manifest = Manifest { spec_digest, files, quarantined, registration };
        self.objects.put_new(Manifest::PATH, manifest.to_json()).await?;
        for path in self.objects.list("journal").await? {
            self.objects.delete(&path).await?;
        }
        Ok(manifest)
    }

    /// Reads the commits of the journal that count: enters every entry in the ledger, and deletes those that hold nothing that is still
    /// needed. `None` where one is gone by now.
    async fn replay(
        &mut self,
        journal: &[String],
        inherited: &BTreeSet<CommitName>,
    ) -> Result<Option<Vec<Record>>, StoreError> {
        let mut records = Vec::new();
        for path in journal {
            let Some(name) = CommitName::parse(path) else { continue };
            if !inherited.contains(&name) {
                tracing::warn!(
                    path,
                    "a coordinator wrote it after it was superseded: it does not count"
                );
                self.objects.delete(path).await?;
                continue;
            }
            let Some(content) = self.objects.get(path).await? else { return Ok(None) };
            for placed in journal::decode(path, &content)? {
                records.push(placed.0.record());
                self.ledger.add(name, placed);
            }
            if self.ledger.is_superfluous(name) {
                self.objects.delete(path).await?;
            }
        }
        Ok(Some(records))
    }
}
