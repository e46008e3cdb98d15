//! The coordinator file: one line on shared storage that says where the coordinator of a run is. The coordinator writes it,
//! workers and people read it. Not a lock, and no proof that somebody answers there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::whole_file::{Keep, put_whole};

/// A file that holds the URL of a coordinator while there is one.
///
/// It appears whole or not at all. A coordinator that is killed leaves its URL behind, where nobody answers; the next one
/// replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorFile {
    path: PathBuf,
}

impl CoordinatorFile {
    /// The file at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The URL in it; `None` where there is no file.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn read(&self) -> io::Result<Option<String>> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let url = text.trim();
        let is_url = url.starts_with("http://") || url.starts_with("https://");
        if is_url && !url.contains(char::is_whitespace) {
            return Ok(Some(url.to_owned()));
        }
        let reason = "it does not hold the URL of a coordinator";
        Err(io::Error::new(io::ErrorKind::InvalidData, reason))
    }

    /// Puts the URL in its place, in one step for every reader.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, url: &str) -> io::Result<()> {
        put_whole(&self.path, &format!("{url}\n"), 0o644, Keep::Nothing)
    }

    /// Removes the file where it still holds this URL: a successor's is left alone.
    ///
    /// # Errors
    /// The file cannot be read or removed.
    pub fn remove(&self, url: &str) -> io::Result<()> {
        match self.read()? {
            Some(written) if written == url => fs::remove_file(&self.path),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_one_url_and_leaves_a_successors_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = CoordinatorFile::new(folder.path().join("run"));
        assert_eq!(file.read().unwrap(), None);
        file.write("http://a:1").unwrap();
        file.write("http://b:2").unwrap();
        file.remove("http://a:1").unwrap();
        assert_eq!(file.read().unwrap().as_deref(), Some("http://b:2"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        file.remove("http://b:2").unwrap();
        file.remove("http://b:2").unwrap();
        assert_eq!(file.read().unwrap(), None);
        fs::write(file.path(), "complete 0\n").unwrap();
        assert_eq!(file.read().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
