//! Real processes: started, watched line by line, stopped, killed. Waits for conditions, never for a time.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What the programs say: enough to wait for.
const LOGS: &str = "info,babelquant_worker=debug,babelquant_coordinator=debug";
/// Longest wait for a condition before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running program whose output is collected.
pub(crate) struct Process {
    child: Child,
    name: String,
    lines: Arc<(Mutex<Lines>, Condvar)>,
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    open: usize,
}

/// `babelquant` with these arguments.
pub(crate) fn babelquant(arguments: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_babelquant-under-test"));
    Process::start(arguments[0], command.args(arguments))
}

/// What `babelquant` with these arguments said in `folder`, once it ended with `code`.
#[track_caller]
pub(crate) fn babelquant_in(folder: &Path, arguments: &[&str], code: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_babelquant-under-test"));
    command.args(arguments).current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache"));
    Process::start(arguments[0], &mut command).expect(code)
}

impl Process {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.env("RUST_LOG", LOGS).env("NO_COLOR", "1").spawn().unwrap();
        let lines = Arc::new((Mutex::new(Lines { all: Vec::new(), open: 2 }), Condvar::new()));
        collect(child.stdout.take().unwrap(), Arc::clone(&lines));
        collect(child.stderr.take().unwrap(), Arc::clone(&lines));
        Self { child, name: name.to_owned(), lines }
    }

    /// The first line that holds `needle`, as soon as there is one.
    pub(crate) fn wait_for(&self, needle: &str) -> String {
        self.wait_for_more(needle, 0)
    }

    /// The first line that holds `needle` after so many others that do.
    pub(crate) fn wait_for_more(&self, needle: &str, seen: usize) -> String {
        let found = |lines: &Lines| {
            lines.all.iter().filter(|line| line.contains(needle)).nth(seen).cloned()
        };
        let (mutex, changed) = &*self.lines;
        let lines = mutex.lock().unwrap();
        let waiting = |lines: &mut Lines| found(lines).is_none() && lines.open > 0;
        let (lines, _) = changed.wait_timeout_while(lines, PATIENCE, waiting).unwrap();
        let all = || lines.all.join("\n");
        found(&lines).unwrap_or_else(|| panic!("{} never said {needle:?}:\n{}", self.name, all()))
    }

    /// How many lines hold `needle` so far.
    pub(crate) fn count(&self, needle: &str) -> usize {
        self.lines.0.lock().unwrap().all.iter().filter(|line| line.contains(needle)).count()
    }

    /// Waits until the process ends.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let (mutex, changed) = &*self.lines;
        let lines = mutex.lock().unwrap();
        let (lines, timeout) =
            changed.wait_timeout_while(lines, PATIENCE, |lines| lines.open > 0).unwrap();
        assert!(!timeout.timed_out(), "{} does not end:\n{}", self.name, lines.all.join("\n"));
        drop(lines);
        self.child.wait().unwrap()
    }

    /// Waits for the end and holds the exit code to `code`.
    #[track_caller]
    pub(crate) fn expect(mut self, code: i32) -> String {
        let status = self.wait();
        let output = self.lines.0.lock().unwrap().all.join("\n");
        assert_eq!(status.code(), Some(code), "{} ended with {status}:\n{output}", self.name);
        output
    }

    /// Sends a signal by name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// The processes that it has started.
    pub(crate) fn children(&self) -> Vec<u32> {
        let pid = self.child.id();
        let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        text.split_whitespace().map(|child| child.parse().unwrap()).collect()
    }

    /// SIGKILL, and waits until it is dead.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().code(), None);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static, lines: Arc<(Mutex<Lines>, Condvar)>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.0.lock().unwrap().all.push(line);
            lines.1.notify_all();
        }
        lines.0.lock().unwrap().open -= 1;
        lines.1.notify_all();
    });
}
