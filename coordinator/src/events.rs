//! The file that a coordinator writes its scheduler's trace to (`scheduler::trace`): lines go to a thread of their own, so that no disk makes
//! a run wait. Not what the lines say.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel,
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::scheduler::{Sink, stopped};

/// Lines that may wait for the disk.
const LINES_MAX: usize = 1 << 16;
/// How long the last lines may take at the end of a run.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file of events that is being written. A run outlives it: where it cannot go on, it says so and stops.
#[derive(Debug)]
pub struct Events {
    lines: Option<SyncSender<String>>,
    /// Hung up once the writer has ended.
    ended: Mutex<Receiver<()>>,
    room: u64,
    /// Why recording stopped, for the writer to say behind the last line.
    stopped: Arc<OnceLock<&'static str>>,
}

impl Events {
    /// Appends to the file, which is never longer than so many bytes, but for the line that says that it ends.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub fn append(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let length = end_line(&mut file)?;
        let (sender, lines) = sync_channel(LINES_MAX);
        let name = path.display().to_string();
        let stopped = Arc::new(OnceLock::new());
        let reason = Arc::clone(&stopped);
        let (running, ended) = channel();
        let write = move || {
            if let Err(error) = write(&lines, file, &reason) {
                tracing::error!(%error, file = name, "events are no longer recorded; the run goes on");
            }
            drop::<Sender<()>>(running);
        };
        std::thread::Builder::new().name("events".to_owned()).spawn(write)?;
        let room = bytes_max.saturating_sub(length);
        Ok(Self { lines: Some(sender), ended: Mutex::new(ended), room, stopped })
    }

    /// What takes the lines.
    pub fn sink(mut self) -> Sink {
        Box::new(move |line| self.push(line))
    }

    fn push(&mut self, line: String) {
        let Some(lines) = &self.lines else { return };
        let size = line.len() as u64 + 1;
        let sent = match self.room.checked_sub(size) {
            None => Err("the file has its largest size"),
            Some(room) => {
                self.room = room;
                match lines.try_send(line) {
                    Ok(()) => Ok(()),
                    Err(TrySendError::Full(_)) => Err("the disk was too slow"),
                    Err(TrySendError::Disconnected(_)) => Err("the file cannot be written"),
                }
            }
        };
        if let Err(reason) = sent {
            tracing::warn!(reason, "events are no longer recorded; the run goes on");
            self.stopped.get_or_init(|| reason);
            self.lines = None;
        }
    }
}

impl Drop for Events {
    /// Waits until every line is written, unless the disk stands still.
    fn drop(&mut self) {
        self.lines = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        // The writer says nothing there: it hangs up when it ends.
        let waited = ended.recv_timeout(PATIENCE);
        if waited == Err(RecvTimeoutError::Timeout) {
            tracing::error!("events are still being written: their file lacks the last ones");
        }
    }
}

/// Ends the last line of a file that a killed coordinator left open; returns the file's length.
fn end_line(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(0);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(length);
    }
    file.write_all(b"\n")?;
    Ok(length + 1)
}

/// Writes lines as they come, and why they end; what is written is handed to the system whenever there is nothing to write.
fn write(lines: &Receiver<String>, file: File, reason: &OnceLock<&'static str>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 16, file);
    while let Ok(line) = lines.recv() {
        let mut next = Some(line);
        while let Some(line) = next {
            file.write_all(line.as_bytes())?;
            file.write_all(b"\n")?;
            next = lines.try_recv().ok();
        }
        file.flush()?;
    }
    if let Some(reason) = reason.get() {
        writeln!(file, "{}", stopped(reason))?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn record(path: &Path, bytes_max: u64, lines: &[&str]) {
        let mut sink = Events::append(path, bytes_max).unwrap().sink();
        lines.iter().for_each(|line| sink((*line).to_owned()));
    }

    #[test]
    fn a_later_coordinator_appends_after_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        record(&path, 100, &["one", "two"]);
        fs::write(&path, "one\ntw").unwrap();
        record(&path, 100, &["three"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntw\nthree\n");
        assert!(Events::append(folder.path(), 100).is_err());
    }

    #[test]
    fn the_file_is_bounded_and_says_where_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let lines = ["123456789", "123456789", "123456789"];
        record(&path, 29, &lines);
        let text = fs::read_to_string(&path).unwrap();
        let (kept, end) = text.split_at(20);
        assert_eq!(kept, "123456789\n123456789\n");
        assert!(end.contains("stopped") && end.contains("largest size"), "{end}");
        record(&path, 29, &["more"]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
    }
}
