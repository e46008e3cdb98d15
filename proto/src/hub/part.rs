//! A file that is arriving: appended to, checked against what the hub announced, then made a blob. Not which file (`Hub::fetch`).

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use super::remote::{Announced, Remote, header};
use super::{HubError, Progress, Step};

/// Bytes between two steps of progress.
const PIECE_BYTES: usize = 1 << 18;

/// What has arrived of a file.
#[derive(Debug)]
pub(super) struct Part<'a> {
    path: PathBuf,
    file: File,
    name: &'a str,
}

impl<'a> Part<'a> {
    /// The part of a blob that an earlier attempt left, or an empty one.
    pub(super) fn open(blob: &Path, etag: &str, name: &'a str) -> Result<Self, HubError> {
        let path = blob.with_file_name(format!("{etag}.incomplete"));
        let file = File::options().create(true).append(true).read(true).open(&path);
        Ok(Self { file: file.map_err(|source| HubError::write(&path, source))?, path, name })
    }

    /// Bytes that are here.
    pub(super) fn length(&self) -> Result<u64, HubError> {
        let metadata =
            self.file.metadata().map_err(|source| HubError::write(&self.path, source))?;
        Ok(metadata.len())
    }

    /// Fetches what is missing; what arrived before an error stays.
    pub(super) fn append(
        &mut self,
        remote: &Remote<'_>,
        announced: &Announced,
        progress: Progress<'_>,
    ) -> Result<(), HubError> {
        let total = announced.bytes;
        let mut done = self.length()?;
        if done > total {
            done = self.restart()?;
        }
        if done < total {
            let mut response = remote.content(announced, done)?;
            match response.status() {
                StatusCode::PARTIAL_CONTENT => {
                    let range = header(&response, "content-range").unwrap_or_default();
                    if !range.starts_with(&format!("bytes {done}-")) {
                        return Err(announced
                            .senseless(format!("with the range {range:?} instead of {done}-")));
                    }
                }
                StatusCode::OK => done = self.restart()?,
                StatusCode::RANGE_NOT_SATISFIABLE => {
                    return self.corrupt("fewer bytes than announced".to_owned());
                }
                _ => return Err(announced.refusal(&response)),
            }
            let length =
                header(&response, "content-length").and_then(|length| length.parse::<u64>().ok());
            if let Some(length) = length.filter(|&length| length != total - done) {
                return self
                    .corrupt(format!("{length} bytes where {} were announced", total - done));
            }
            return self.copy(&mut response.body_mut().as_reader(), (done, total), progress);
        }
        progress(Step::File { name: self.name, done, total });
        Ok(())
    }

    /// Appends a body that should run from byte `done` to the end.
    fn copy(
        &mut self,
        body: &mut impl Read,
        (mut done, total): (u64, u64),
        progress: Progress<'_>,
    ) -> Result<(), HubError> {
        let mut piece = vec![0; PIECE_BYTES];
        while done < total {
            progress(Step::File { name: self.name, done, total });
            let room = usize::try_from(total - done).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let read = match body.read(&mut piece[..room]) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            };
            let read = read.map_err(|source| HubError::Interrupted {
                file: self.name.to_owned(),
                done,
                total,
                source,
            })?;
            self.file
                .write_all(&piece[..read])
                .map_err(|source| HubError::write(&self.path, source))?;
            done += read as u64;
        }
        progress(Step::File { name: self.name, done, total });
        Ok(())
    }

    /// Checks the whole by its digest, where the etag is one, and makes it the blob.
    pub(super) fn finish(mut self, blob: &Path, announced: &Announced) -> Result<(), HubError> {
        let digest =
            self.digest(&announced.etag).map_err(|source| HubError::write(&self.path, source))?;
        if let Some(digest) = digest.filter(|digest| *digest != announced.etag) {
            return self.corrupt(format!("the digest {digest} instead of {}", announced.etag));
        }
        let publish = || {
            self.file.sync_all()?;
            fs::rename(&self.path, blob)
        };
        publish().map_err(|source| HubError::write(blob, source))
    }

    /// The digest of the kind that `etag` is: a large file's SHA-256, a small one's name in git, else none.
    fn digest(&mut self, etag: &str) -> io::Result<Option<String>> {
        self.file.rewind()?;
        let is_hexadecimal = etag.bytes().all(|byte| byte.is_ascii_hexdigit());
        match etag.len() {
            64 if is_hexadecimal => {
                let mut hasher = Sha256::new();
                io::copy(&mut self.file, &mut hasher)?;
                Ok(Some(format!("{:x}", hasher.finalize())))
            }
            40 if is_hexadecimal => {
                let length = self.file.metadata()?.len();
                let mut hasher = Sha1::new_with_prefix(format!("blob {length}\0"));
                io::copy(&mut self.file, &mut hasher)?;
                Ok(Some(format!("{:x}", hasher.finalize())))
            }
            _ => Ok(None),
        }
    }

    fn restart(&mut self) -> Result<u64, HubError> {
        self.file.set_len(0).map_err(|source| HubError::write(&self.path, source))?;
        Ok(0)
    }

    fn corrupt(&mut self, reason: String) -> Result<(), HubError> {
        self.restart()?;
        Err(HubError::Corrupt { file: self.name.to_owned(), reason })
    }
}
