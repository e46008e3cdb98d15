//! Several devices of one machine: a worker process for each, so that none takes another down, and one to whoever started them. Each finds its
//! own work; nothing passes between them.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::pin::pin;

use babelquant_proto::exit;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tracing::{error, info};

use crate::engine::Device;
use crate::termination::Termination;

/// Runs a program with `flags` once for each device until all have ended. Where one ends otherwise than well, or they are to leave, the
/// others are told so: whoever started this starts all of them again. Returns the exit code.
///
/// # Errors
/// A process cannot be started.
pub(crate) async fn run(
    (program, flags): (PathBuf, Vec<OsString>),
    devices: &[Device],
    name: Option<&str>,
    termination: Termination<impl Future<Output = ()>, impl Future<Output = ()>>,
) -> io::Result<u8> {
    let mut processes = Vec::new();
    let mut ends = JoinSet::new();
    for (number, device) in devices.iter().enumerate() {
        let mut command = Command::new(&program);
        command.args(&flags).args(["--device", &device.to_string()]).kill_on_drop(true);
        if let Some(name) = name {
            command.args(["--name", &format!("{name}-{number}-{device}")]);
        }
        let process = command.spawn()?;
        processes.extend(process.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        ends.spawn(end(process, *device));
    }
    info!(processes = processes.len(), "a process for each device");
    let Termination { finish, leave } = termination;
    let (mut finish, mut leave) = (pin!(finish), pin!(leave));
    let mut code = exit::COMPLETE;
    let (mut leaving, mut at_once) = (false, false);
    loop {
        let ended = tokio::select! {
            biased;
            ended = ends.join_next() => ended,
            () = &mut leave, if !at_once => {
                (leaving, at_once) = (true, true);
                tell(&processes);
                continue;
            }
            () = &mut finish, if !leaving => {
                leaving = true;
                tell(&processes);
                continue;
            }
        };
        let Some(ended) = ended else { return Ok(code) };
        let own = ended.unwrap_or(exit::BUG);
        let is_well = [exit::COMPLETE, exit::QUARANTINED].contains(&own);
        // The first bad end is the cause of the others.
        if code == exit::COMPLETE || (code == exit::QUARANTINED && !is_well) {
            code = own;
        }
        if !is_well && !leaving {
            leaving = true;
            tell(&processes);
        }
    }
}

/// The exit code of a process; one that was killed may be started again.
async fn end(mut process: Child, device: Device) -> u8 {
    match process.wait().await {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            if !status.success() {
                error!(%device, %status, "the process of a device has ended");
            }
            code.unwrap_or(exit::UNFINISHED)
        }
        Err(error) => {
            error!(%device, %error, "nothing is known of the process of a device");
            exit::BUG
        }
    }
}

/// Tells them to leave; one that has ended hears nothing.
fn tell(processes: &[Pid]) {
    for process in processes {
        let _ = kill_process(*process, Signal::TERM);
    }
}
