//! A folder of blobs by key, of bounded size, for what is dear to compute and too large for the wire. Knows nothing of what they hold.
//!
//! Any number of processes may share a folder: a blob appears whole or not at all, is checked by its digest whenever it is read, and
//! goes when room is needed, the one that was used longest ago first. Nothing depends on a blob's being there: where one is missing or
//! damaged, or cannot be written, it is computed. Caches on crates.io keep no bound (`cacache`) or own their folder alone
//! (`lru-disk-cache`).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use babelquant_proto::Digest;
use tempfile::{Builder, NamedTempFile};
use tracing::{debug, warn};

/// End of the names of blobs.
const BLOB: &str = ".blob";
/// Beginning of the names of what is being written.
const UNFINISHED: &str = ".unfinished-";
/// Older unfinished files were left by processes that died.
const ABANDONED: Duration = Duration::from_secs(3600);
/// Bytes of the digest that a file ends with.
const DIGEST_BYTES: usize = 32;

/// A cache in a folder.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    bytes_max: u64,
    /// The first failure is worth a warning, later ones repeat it.
    has_warned: bool,
}

/// A file of the folder.
struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl Cache {
    /// The cache in `folder`, which is made when something is kept, of at most `bytes_max` bytes.
    pub fn new(folder: PathBuf, bytes_max: u64) -> Self {
        Self { folder, bytes_max, has_warned: false }
    }

    /// The blob of `key`, if it is there and whole.
    pub(crate) fn get(&mut self, key: Digest) -> Option<Vec<u8>> {
        let path = self.path(key);
        let mut content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.warn("cannot be read", &error);
                return None;
            }
        };
        let length = content.len().saturating_sub(DIGEST_BYTES);
        let (blob, digest) = content.split_at(length);
        if Digest::from_slice(digest) != Some(Digest::of(blob)) {
            warn!(path = %path.display(), "a damaged file of the cache is computed anew");
            drop(fs::remove_file(&path));
            return None;
        }
        if let Err(error) = self.touch(&path) {
            debug!(%error, "the time of use is not noted");
        }
        content.truncate(length);
        Some(content)
    }

    /// Keeps a blob; where that fails it is logged, and nothing else.
    pub(crate) fn put(&mut self, key: Digest, blob: &[u8]) {
        let bytes = (blob.len() + DIGEST_BYTES) as u64;
        if bytes > self.bytes_max {
            debug!(bytes, "larger than the whole cache");
        } else if let Err(error) = self.write(key, blob) {
            self.warn(
                "cannot be written: what it would hold is computed whenever it is needed",
                &error,
            );
        }
    }

    fn write(&self, key: Digest, blob: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        self.make_room((blob.len() + DIGEST_BYTES) as u64)?;
        let mut file = self.unfinished()?;
        file.write_all(blob)?;
        file.write_all(Digest::of(blob).as_bytes())?;
        file.persist(self.path(key)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes what was used longest ago until `bytes` more fit.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut entries = self.entries()?;
        entries.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
        for entry in entries {
            if total + bytes <= self.bytes_max {
                break;
            }
            // Another process may have removed it first.
            drop(fs::remove_file(&entry.path));
            total -= entry.bytes;
        }
        Ok(())
    }

    /// The blobs; what dead processes left is removed.
    fn entries(&self) -> io::Result<Vec<Entry>> {
        let now = self.now()?;
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // It may be gone by now.
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified()?;
            if name.ends_with(BLOB) {
                entries.push(Entry { path: entry.path(), bytes: metadata.len(), used });
            } else if name.starts_with(UNFINISHED)
                && now.duration_since(used).is_ok_and(|age| age > ABANDONED)
            {
                drop(fs::remove_file(entry.path()));
            }
        }
        Ok(entries)
    }

    /// Notes that a blob is used.
    fn touch(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.set_modified(self.now()?)
    }

    /// The time by the folder's own clock: machines that share it need not agree on theirs.
    fn now(&self) -> io::Result<SystemTime> {
        self.unfinished()?.as_file().metadata()?.modified()
    }

    fn unfinished(&self) -> io::Result<NamedTempFile> {
        Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)
    }

    fn path(&self, key: Digest) -> PathBuf {
        self.folder.join(format!("{key}{BLOB}"))
    }

    fn warn(&mut self, what: &str, error: &io::Error) {
        match self.has_warned {
            false => warn!(folder = %self.folder.display(), %error, "the cache {what}"),
            true => debug!(folder = %self.folder.display(), %error, "the cache {what}"),
        }
        self.has_warned = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    /// A blob of a key, 100 bytes.
    fn blob(number: usize) -> Vec<u8> {
        vec![number as u8; 100 - DIGEST_BYTES]
    }

    fn size(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    /// Sets back the time of use.
    fn age(cache: &Cache, number: usize, seconds: u64) {
        let file = File::open(cache.path(key(number))).unwrap();
        let used = file.metadata().unwrap().modified().unwrap();
        file.set_modified(used - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = Cache::new(folder.path().join("made/when/needed"), 350);
        assert_eq!(cache.get(key(0)), None);
        for number in 0..3 {
            cache.put(key(number), &blob(number));
            age(&cache, number, 100 - number as u64);
        }
        assert_eq!(cache.get(key(0)), Some(blob(0)));
        cache.put(key(3), &blob(3));
        let kept: Vec<bool> = (0..4).map(|number| cache.get(key(number)).is_some()).collect();
        assert_eq!(kept, [true, false, true, true]);
        assert_eq!(size(&cache.folder), 300);
        cache.put(key(9), &[0; 351]);
        assert_eq!((cache.get(key(9)), size(&cache.folder)), (None, 300));
    }

    #[test]
    fn a_damaged_blob_is_none_and_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = Cache::new(folder.path().to_owned(), 1000);
        let mut check = |damage: fn(&mut Vec<u8>)| {
            cache.put(key(1), &blob(1));
            let path = cache.path(key(1));
            let mut content = fs::read(&path).unwrap();
            damage(&mut content);
            fs::write(&path, content).unwrap();
            assert_eq!(cache.get(key(1)), None);
            assert!(!path.exists());
        };
        check(|content| content[5] ^= 1);
        check(|content| content[99] ^= 1);
        check(|content| content.truncate(80));
        check(|content| content.truncate(0));
        cache.put(key(1), &blob(1));
        assert_eq!(cache.get(key(1)), Some(blob(1)));
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_nothing_but_the_blob() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "not a folder").unwrap();
        let mut cache = Cache::new(file.join("below"), 1000);
        cache.put(key(1), &blob(1));
        assert_eq!(cache.get(key(1)), None);
        assert!(cache.has_warned);
    }

    #[test]
    fn what_dead_processes_left_is_removed_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = Cache::new(folder.path().to_owned(), 1000);
        for (name, seconds) in [(".unfinished-old", 7200), (".unfinished-new", 0), ("notes", 7200)]
        {
            let file = File::create(folder.path().join(name)).unwrap();
            let made = file.metadata().unwrap().modified().unwrap();
            file.set_modified(made - Duration::from_secs(seconds)).unwrap();
        }
        cache.put(key(1), &blob(1));
        let there = |name: &str| folder.path().join(name).exists();
        assert!(!there(".unfinished-old") && there(".unfinished-new") && there("notes"));
    }

    #[test]
    fn many_at_once_see_whole_blobs_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let work = |thread: usize| {
            let mut cache = Cache::new(folder.path().to_owned(), 500);
            for step in 0..100 {
                let number = (step * (thread + 2)) % 9;
                match cache.get(key(number)) {
                    Some(found) => assert_eq!(found, blob(number)),
                    None => cache.put(key(number), &blob(number)),
                }
            }
            assert!(!cache.has_warned);
        };
        std::thread::scope(|scope| {
            (0..4).for_each(|thread| {
                drop(scope.spawn({
                    let work = &work;
                    move || work(thread)
                }))
            });
        });
        Cache::new(folder.path().to_owned(), 500).put(key(100), &blob(100));
        assert!(size(folder.path()) <= 500, "{}", size(folder.path()));
    }
}
