//! A file that appears whole or not at all, for whoever reads it meanwhile. Not what is in it.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a new file may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: who came first has won.
    Existing,
    /// The file of this name.
    Nothing,
}

/// Puts a file of this text and mode in its place, in one step for every reader.
///
/// # Errors
/// The folder cannot be written, or there is a file that is to be kept.
pub fn put_whole(path: &Path, text: &str, mode: u32, keep: Keep) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match keep {
        Keep::Existing => file.persist_noclobber(path)?,
        Keep::Nothing => file.persist(path)?,
    };
    Ok(())
}
