//! The way to the coordinator: where it is, which may change, the client that calls it there, and the patience with it. Not what
//! is said.

use std::io;
use std::time::Duration;

use babelquant_proto::WIRE_MAJOR;
use babelquant_proto::credentials::{Credentials, Dial};
use babelquant_proto::message::{Hello, Welcome};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::backoff::backoff;
use crate::client::{CallError, Client};
use crate::engine::engine_class;
use crate::error::Error;
use crate::options::{Address, Options};

/// A coordinator at its present address.
#[derive(Debug)]
pub(super) struct Contact {
    address: Address,
    url: String,
    dial: Dial,
    credentials: Credentials,
    client: Client,
}

impl Contact {
    /// Finds the coordinator, waiting for its file where that is how it is found.
    pub(super) async fn find(options: &Options) -> Result<Self, Error> {
        let address = options.coordinator.clone();
        let url = match &address {
            Address::Url(url) => url.clone(),
            Address::File(file) => {
                let path = file.path().display();
                let mut lost = Lost::new(options.give_up);
                loop {
                    let cause = match file.read() {
                        Ok(Some(url)) => break url,
                        Ok(None) => format!("waiting for the coordinator file {path}"),
                        Err(error) => format!("cannot use the coordinator file {path}: {error}"),
                    };
                    lost.wait(CallError::Unreachable(cause), options.jitter).await?;
                }
            }
        };
        let (dial, credentials) = (options.dial.clone(), options.credentials.clone());
        let client = Client::new(&url, dial.clone(), credentials.clone())?;
        Ok(Self { address, url, dial, credentials, client })
    }

    /// Whom to call; clones share the connection.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Reads the coordinator file again; true where it names another address than the one that was called.
    pub(super) fn has_moved(&mut self) -> Result<bool, Error> {
        let Address::File(file) = &self.address else { return Ok(false) };
        let url = match file.read() {
            Ok(Some(url)) if url != self.url => url,
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(false),
            Err(error) => {
                warn!(%error, path = %file.path().display(), "cannot read the coordinator file");
                return Ok(false);
            }
        };
        info!(from = self.url, to = url, "the coordinator has moved");
        self.client = Client::new(&url, self.dial.clone(), self.credentials.clone())?;
        self.url = url;
        Ok(true)
    }

    /// Opens a session, trying until the coordinator answers.
    pub(super) async fn register(&mut self, options: &Options) -> Result<Welcome, Error> {
        let mut lost = Lost::new(options.give_up);
        let hello = Hello {
            wire_major: WIRE_MAJOR,
            name: options.name.clone(),
            engine_class: engine_class(&options.device),
            memory_bytes: options.memory_bytes.or_else(|| options.device.memory_bytes()),
        };
        loop {
            match self.client.register(hello.clone()).await {
                Ok(welcome) => return Ok(welcome),
                Err(_) if self.has_moved()? => {}
                Err(error) => lost.wait(error, options.jitter).await?,
            }
        }
    }
}

/// A stretch of calls without an answer.
pub(super) struct Lost {
    since: Instant,
    give_up: Duration,
    attempt: u32,
}

impl Lost {
    pub(super) fn new(give_up: Duration) -> Self {
        Self { since: Instant::now(), give_up, attempt: 0 }
    }

    /// Waits before the next attempt; an error where there must be none.
    pub(super) async fn wait(&mut self, error: CallError, jitter: u64) -> Result<(), Error> {
        let cause = match error {
            CallError::Unreachable(cause) => cause,
            CallError::UnknownSession => "the session is unknown".into(),
            CallError::Refused(reason) => return Err(Error::Mismatch(reason)),
            CallError::Denied(reason) => return Err(Error::Denied(reason)),
        };
        let elapsed = self.since.elapsed();
        if elapsed >= self.give_up {
            return Err(Error::GaveUp { seconds: elapsed.as_secs(), cause });
        }
        if self.attempt == 0 {
            warn!(%cause, "the coordinator does not answer; trying again");
        }
        let pause = backoff(self.attempt, jitter).min(self.give_up - elapsed);
        self.attempt += 1;
        sleep(pause).await;
        Ok(())
    }
}
