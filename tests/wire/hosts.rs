//! The programs on the simulated hosts: the real coordinator behind a simulated listener, the real worker with a stand-in for its engine.
//! Not the network between them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use babelquant_coordinator::access::Listener;
use babelquant_coordinator::blocking::Blocking;
use babelquant_coordinator::events::Events;
use babelquant_coordinator::store::Output;
use babelquant_coordinator::{Options, Service, serve};
use babelquant_proto::credentials::{Credentials, Dial};
use babelquant_worker as worker;
use turmoil::net::{TcpListener, TcpStream};

use super::disk::Disk;
use super::engine::{Setting, engine};
use super::history::History;
use super::study::Study;

/// The host of the coordinator.
pub(crate) const COORDINATOR: &str = "coordinator";
const PORT: u16 = 7070;
/// Workers are more patient than a run is long.
const GIVE_UP: Duration = Duration::from_secs(3_600);

/// How a host's program ends.
pub(crate) type Ended = turmoil::Result;

/// A simulated socket.
struct Socket(TcpListener);

impl Listener for Socket {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.0.accept().await
    }
}

/// What a coordinator is started with, each time.
#[derive(Debug, Clone)]
pub(crate) struct Coordinator {
    pub(crate) study: Arc<Study>,
    pub(crate) disk: Arc<Disk>,
    /// Where its scheduler's steps are written.
    pub(crate) trace: PathBuf,
    pub(crate) history: History,
}

impl Coordinator {
    /// Serves until the run is complete.
    pub(crate) async fn run(self) -> Ended {
        let Self { study, disk, trace, history } = self;
        let socket = Socket(TcpListener::bind(("0.0.0.0", PORT)).await?);
        let events = Events::append(&trace, u64::MAX)?;
        let output = Output::of(disk);
        let service =
            Service::new("simulated".to_owned(), study.resolved(), output, Options::default())
                .recorded_in(Some(events))
                .working(here());
        let outcome = serve(socket, service, std::future::pending()).await?;
        history.say(&format!("the coordinator ends: {outcome:?}"));
        history.events().outcome = Some(outcome);
        Ok(())
    }
}

/// Work is a task of the host's one thread: other threads have no simulated time.
#[expect(clippy::disallowed_methods, reason = "whoever wants the work done awaits the handle")]
fn here() -> Blocking {
    Blocking::by(|work| tokio::spawn(async { work() }))
}

/// Works until the run is complete.
pub(crate) async fn work(name: String, slots: usize, setting: Setting) -> Ended {
    let (life, history) = (setting.worker.clone(), setting.history.clone());
    let options = worker::Options {
        coordinator: worker::Address::Url(format!("http://{COORDINATOR}:{PORT}")),
        dial: Dial::by(|uri| async move {
            TcpStream::connect((uri.host().unwrap_or_default(), PORT)).await
        }),
        credentials: Credentials::default(),
        places: worker::Places { directories: Vec::new(), hub: None },
        device: worker::Device::Cpu,
        memory_bytes: None,
        cache: None,
        slots,
        // As many differ as there are workers, and the same in every play.
        jitter: name.bytes().map(u64::from).sum(),
        unit_timeout: GIVE_UP,
        name,
        give_up: GIVE_UP,
    };
    let never = worker::Termination::at_once(std::future::pending());
    let outcome = worker::run_with(options, |_| engine(setting), never).await?;
    history.say(&format!("{life} ends: {outcome:?}"));
    history.events().heard += 1;
    Ok(())
}
