//! `babelquant certs`: flags, and what was written.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use babelquant_proto::credentials::{Caller, Name};
use babelquant_proto::exit;
use clap::Args;
use time::OffsetDateTime;

use super::commands::print;
use super::stop::Stop;
use crate::certificates::{Issued, issue};

/// What `--help` says after the flags.
pub(super) const HELP: &str = "Examples:
  babelquant certs certs/ --host head --host 10.0.0.5
  babelquant serve study.toml --out results/ --listen 0.0.0.0:7070 --tls certs/
  babelquant-worker --coordinator https://head:7070 --tls certs/ --models /data/models     (on each machine)
  babelquant status https://head:7070 --tls certs/

Run again, it adds what is missing, such as a new --host, and keeps every key. To renew a certificate, delete its .pem (not its
key) and run it again.

Which machine needs which files:
  the coordinator   ca.pem coordinator.pem coordinator-key.pem
  a worker          ca.pem worker.pem worker-key.pem
  who may stop it   ca.pem admin.pem admin-key.pem
  who looks on      ca.pem reader.pem reader-key.pem
ca-key.pem stays here: whoever has it can make certificates of every role.";

/// Flags of `certs`.
#[derive(Debug, Args)]
pub(super) struct Certs {
    /// Folder for certificates and keys; made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Name or address that workers call the coordinator by; may be given several times. localhost is always among them
    #[arg(long = "host", value_name = "NAME_OR_IP")]
    hosts: Vec<String>,
    /// Days that new certificates are good for; the authority's is good for 3650
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// Makes what is missing and says what there is.
pub(super) fn execute(flags: Certs) -> Result<u8, Stop> {
    let issued = issue(&flags.folder, &flags.hosts, flags.days, OffsetDateTime::now_utc())?;
    let width = issued.iter().map(|one| path(&flags.folder, one).len()).max().unwrap_or(0);
    let mut text = String::new();
    for one in &issued {
        let done = if one.is_new { "wrote" } else { "kept " };
        let path = path(&flags.folder, one);
        let until = one.until.date();
        let _ = writeln!(text, "{done} {path:<width$}  until {until}  {}", purpose(one));
    }
    print(&text);
    Ok(exit::COMPLETE)
}

fn path(folder: &Path, issued: &Issued) -> String {
    issued.name.certificate(folder).display().to_string()
}

fn purpose(issued: &Issued) -> String {
    match issued.name {
        Name::Authority => "the authority; its key ca-key.pem stays here".to_owned(),
        Name::Coordinator => format!("coordinator, called as {}", issued.hosts.join(", ")),
        Name::Caller(Caller::Worker) => "a worker".to_owned(),
        Name::Caller(Caller::Admin) => "who may change a run".to_owned(),
        Name::Caller(Caller::Reader) => "who looks on".to_owned(),
    }
}
