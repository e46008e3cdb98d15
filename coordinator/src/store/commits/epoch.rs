//! Whose the output is. Each coordinator claims the next epoch, and from then on the one before commits nothing that counts; it need not know,
//! and may be in the middle of a write. Knows no entries.
//!
//! A coordinator looks for the next claim *after* each of its commits and before it acknowledges them: without one, whoever claims later lists
//! the journal later still, and inherits them. What a predecessor writes after that list has been acknowledged to nobody and is in no file; it is
//! void for every later coordinator too, for the list is kept (`journal/epoch-N-inherits.json`). So all of them see one history, and a unit is
//! not closed twice.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use super::ledger::CommitName;
use crate::store::error::StoreError;
use crate::store::manifest::Manifest;
use crate::store::objects::Objects;

/// The epoch of the first coordinator that serves an output.
pub(super) const FIRST: u32 = 1;

/// Claims the first free epoch: commits are named by it, so that two coordinators never write one name.
pub(super) async fn claim(objects: &Objects) -> Result<u32, StoreError> {
    let claims = objects.list("journal").await?;
    let last = claims.iter().filter_map(|path| parse(path, "")).max();
    let mut epoch = last.map_or(FIRST, |last| last + 1);
    loop {
        let claim =
            format!("{{\"claim\":\"{:016x}\"}}\n", RandomState::new().build_hasher().finish());
        match objects.put_new(&path(epoch), claim.into()).await {
            Err(StoreError::Conflict { .. }) => epoch += 1,
            Ok(()) => break,
            Err(error) => return Err(error),
        }
    }
    match objects.check_writes_once(&path(epoch)).await {
        // Whoever completes the run takes every claim away, this one too: it is no fault of the storage's.
        Err(_) if objects.get(Manifest::PATH).await?.is_some() => {
            objects.delete(&path(epoch)).await?;
            Err(StoreError::Superseded { epoch: epoch + 1 })
        }
        checked => checked.map(|()| epoch),
    }
}

/// Looks whether the output is still that of the coordinator that claimed this epoch.
pub(super) async fn check(objects: &Objects, own: u32) -> Result<(), StoreError> {
    let [own_path, next_path] = [own, own + 1].map(path);
    let claims = tokio::try_join!(objects.get(&own_path), objects.get(&next_path))?;
    match claims {
        (Some(_), None) => Ok(()),
        // Whoever completes the run takes every claim away.
        (None, _) | (_, Some(_)) => Err(StoreError::Superseded { epoch: own + 1 }),
    }
}

/// The commits that count, of those in the journal; `None` where that has changed since it was listed.
pub(super) async fn inherited(
    objects: &Objects,
    journal: &[String],
) -> Result<Option<BTreeSet<CommitName>>, StoreError> {
    let mut commits: BTreeSet<CommitName> =
        journal.iter().filter_map(|path| CommitName::parse(path)).collect();
    if let Some(heir) = journal.iter().filter_map(|path| parse(path, INHERITS)).max() {
        let path = inherits_path(heir);
        let Some(kept) = objects.get(&path).await? else { return Ok(None) };
        let kept: BTreeSet<String> = serde_json::from_slice(&kept)
            .map_err(|error| StoreError::Damaged { path, reason: error.to_string() })?;
        commits.retain(|commit| commit.epoch >= heir || kept.contains(&commit.path()));
    }
    Ok(Some(commits))
}

/// Keeps what the coordinator of this epoch inherits, before it writes anything else.
///
/// # Errors
/// The storage refuses, or another coordinator has taken over, which may inherit more or less.
pub(super) async fn inherit(
    objects: &Objects,
    own: u32,
    inherited: &BTreeSet<CommitName>,
) -> Result<(), StoreError> {
    if own == FIRST {
        return Ok(());
    }
    let paths: Vec<String> = inherited.iter().map(|commit| commit.path()).collect();
    let content = serde_json::to_vec(&paths).expect("paths are texts");
    objects.put_new(&inherits_path(own), content.into()).await?;
    check(objects, own).await
}

/// What the name of the list of inherited commits has behind its epoch.
const INHERITS: &str = "-inherits";

fn path(epoch: u32) -> String {
    format!("journal/epoch-{epoch:08}.json")
}

fn inherits_path(epoch: u32) -> String {
    format!("journal/epoch-{epoch:08}{INHERITS}.json")
}

/// The epoch of such a name.
fn parse(path: &str, kind: &str) -> Option<u32> {
    path.strip_prefix("journal/epoch-")?.strip_suffix(".json")?.strip_suffix(kind)?.parse().ok()
}
