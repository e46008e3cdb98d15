//! What the figures were measured on: cores, kernel, and how long the disk takes to make a small file durable. What a process uses.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::report;
use super::samples::Samples;

/// Prints the machine.
pub(super) fn print() -> Result<()> {
    let cores = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    report(&format!(
        "{cores} cores, shared by coordinator and workers: {model}; Linux {}",
        kernel.trim()
    ))?;
    let folder = tempfile::tempdir()?;
    let mut sync = Samples::default();
    for number in 0..100 {
        let mut file = File::create(folder.path().join(number.to_string()))?;
        file.write_all(&[0; 4096])?;
        let start = Instant::now();
        file.sync_all()?;
        sync.push(start.elapsed());
    }
    report(&format!("fsync of 4 KiB: {}", sync.in_words()))
}

/// The most memory that a process has used, in MiB.
pub(super) fn peak_mib(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmHWM")?;
    Ok(kib.parse::<u64>()? / 1024)
}

/// The processor time that a process has used.
pub(super) fn cpu(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after = stat.rsplit(')').next().context("no stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    // Linux counts in hundredths of a second for every program.
    Ok(Duration::from_millis(ticks * 10))
}
