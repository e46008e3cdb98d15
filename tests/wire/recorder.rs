//! Writes what the programs and the network log into the history: all lines of ours, and every message of the simulated network but
//! for its bytes. What it means is the history's.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use super::history::{History, What};

/// The target of the network's events.
const NETWORK: &str = "turmoil";

/// A listener to everything that is logged.
pub(crate) struct Recorder {
    history: History,
    /// The workers by address.
    workers: BTreeMap<IpAddr, String>,
}

impl Recorder {
    /// What to make the thread's subscriber.
    pub(crate) fn subscriber(
        history: &History,
        workers: BTreeMap<IpAddr, String>,
    ) -> impl Subscriber + Send + Sync {
        let recorder = Self { history: history.clone(), workers };
        let ours = |metadata: &Metadata<'_>| metadata.target().starts_with("babelquant");
        let heard = move |metadata: &Metadata<'_>| {
            metadata.is_event() && (metadata.target() == NETWORK || ours(metadata))
        };
        Registry::default().with(recorder.with_filter(filter_fn(heard)))
    }

    fn message(&self, fields: &Fields) {
        if self.history.events().over.is_some() {
            return;
        }
        let Fields { message, source, destination, protocol, .. } = fields;
        match message.as_str() {
            "Send" => self.history.count(What::Segment),
            "Drop" | "Hold" => {
                let worker = [source, destination].into_iter().find_map(|address| {
                    let address = address.parse::<SocketAddr>().ok()?;
                    self.workers.get(&address.ip())
                });
                self.history.stopped(worker.expect("every link is one of a worker"));
            }
            _ => {}
        }
        self.history.say(&format!("{message} {source} {destination} {protocol}"));
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if event.metadata().target() == NETWORK {
            return self.message(&fields);
        }
        let Fields { message, others, unit, verdict, .. } = &fields;
        self.history.say(&format!("{message}{others}"));
        match (message.as_str(), unit) {
            ("settled", Some(unit)) => self.history.settled(*unit, verdict),
            ("a worker joined", _) => self.history.count(What::Joined),
            ("a unit is charged", _) => self.history.count(What::Charge),
            _ => {}
        }
    }
}

/// The fields of an event.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    source: String,
    destination: String,
    protocol: String,
    unit: Option<u64>,
    verdict: String,
    others: String,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "unit" {
            self.unit = Some(value);
        }
        self.record_debug(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "src" => self.source = format!("{value:?}"),
            "dst" => self.destination = format!("{value:?}"),
            // The kind of the segment. Its bytes are not compared: the answers of an HTTP server carry the date.
            "protocol" => {
                let mut kind = Short { text: &mut self.protocol, left: 7 };
                // It ends with an error where there is more.
                let _ = write!(kind, "{value:?}");
            }
            name => {
                if name == "verdict" {
                    self.verdict = format!("{value:?}");
                }
                self.others += &format!(" {name}={value:?}");
            }
        }
    }
}

/// Takes so many characters and no more.
struct Short<'a> {
    text: &'a mut String,
    left: usize,
}

impl Write for Short<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let taken: String = text.chars().take(self.left).collect();
        self.left -= taken.chars().count();
        *self.text += &taken;
        if self.left == 0 { Err(fmt::Error) } else { Ok(()) }
    }
}
