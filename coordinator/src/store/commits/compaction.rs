//! One finished part on its way from the journal to its files. Has all that it needs, so that commits go on beside it; what follows for the
//! journal is the store's (`Store::end_compaction`).

use std::collections::BTreeMap;
use std::sync::Arc;

use babelquant_proto::{Digest, Spec, UnitIndex};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::ledger::{CommitName, Waiting};
use super::{REQUESTS_MAX, epoch};
use crate::blocking::Blocking;
use crate::store::error::StoreError;
use crate::store::manifest;
use crate::store::objects::Objects;
use crate::store::part::Part;
use crate::store::rows::write_part;

/// A part to be written, and the results of its units.
#[derive(Debug)]
pub(crate) struct Compaction {
    pub(super) objects: Objects,
    pub(super) epoch: u32,
    pub(super) spec: Arc<Spec>,
    pub(super) blocking: Blocking,
    pub(super) part: Part,
    pub(super) first: UnitIndex,
    /// In unit order.
    pub(super) results: Vec<(UnitIndex, Waiting)>,
}

/// A part that is written.
#[derive(Debug)]
pub(crate) struct Compacted {
    pub(super) part: Part,
    pub(super) first: UnitIndex,
}

impl Compaction {
    /// Writes the files of the part.
    ///
    /// # Errors
    /// The storage refuses, the journal is damaged, the part is there with other content, or another coordinator has taken over.
    pub(crate) async fn write(self) -> Result<Compacted, StoreError> {
        let (objects, own) = (self.objects.clone(), self.epoch);
        match self.write_files().await {
            // Whose output it is comes first: a part of another coordinator's is no damage.
            Err(error) if !error.is_transient() => {
                epoch::check(&objects, own).await?;
                Err(error)
            }
            written => written,
        }
    }

    async fn write_files(mut self) -> Result<Compacted, StoreError> {
        let (part, first) = (self.part, self.first);
        if let Err(error) = self.read().await {
            // Whoever has taken the output over deletes what stands in files: then there is nothing left to do.
            return match self.is_written().await? {
                true => Ok(Compacted { part, first }),
                false => Err(error),
            };
        }
        let payloads: Vec<Bytes> =
            self.results.into_iter().filter_map(|(_, result)| result.payload).collect();
        if !payloads.is_empty() {
            let paths = part.paths(&self.spec);
            let write = move || write_part(part, paths, &payloads);
            for (path, content) in self.blocking.run(write).await?? {
                self.objects.put_new(&path, content).await?;
            }
        }
        Ok(Compacted { part, first })
    }

    /// Reads the payloads that are not in memory from the journal, in one request for each object.
    async fn read(&mut self) -> Result<(), StoreError> {
        let mut wanted: BTreeMap<CommitName, Vec<usize>> = BTreeMap::new();
        for (at, (_, result)) in self.results.iter().enumerate() {
            if result.payload.is_none() {
                wanted.entry(result.commit).or_default().push(at);
            }
        }
        let reads = stream::iter(wanted).map(|(commit, wanted)| self.pieces(commit, wanted));
        let read: Vec<_> = reads.buffered(REQUESTS_MAX).try_collect().await?;
        for (at, payload) in read.into_iter().flatten() {
            self.results[at].1.payload = Some(payload);
        }
        Ok(())
    }

    /// The wanted results that stand in one journal object.
    async fn pieces(
        &self,
        commit: CommitName,
        wanted: Vec<usize>,
    ) -> Result<Vec<(usize, Bytes)>, StoreError> {
        let path = commit.path();
        let damaged = |at: usize| StoreError::Damaged {
            path: path.clone(),
            reason: format!("{} is gone", manifest::describe(&self.spec, self.results[at].0)),
        };
        let ranges: Vec<_> = wanted.iter().map(|&at| self.results[at].1.bytes.clone()).collect();
        let pieces = self.objects.get_ranges(&path, &ranges).await?;
        let pieces = pieces.ok_or_else(|| damaged(wanted[0]))?;
        let checked = wanted.into_iter().zip(pieces).map(|(at, payload)| {
            match Digest::of(&payload) == self.results[at].1.digest {
                // Alone: a bucket answers with what lies between them, too.
                true => Ok((at, Bytes::copy_from_slice(&payload))),
                false => Err(damaged(at)),
            }
        });
        checked.collect()
    }

    /// True where the files of the part are there.
    async fn is_written(&self) -> Result<bool, StoreError> {
        let paths = self.part.paths(&self.spec);
        let last = paths.last().expect("a part has a file");
        Ok(self.objects.get(last).await?.is_some())
    }
}
