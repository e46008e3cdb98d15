//! How the programs log: lines on stderr, as text or JSON, and with the feature `otel` spans to an OpenTelemetry collector as well. Not what is
//! said, nor how loud: that is the caller's.

#[cfg(feature = "otel")]
mod spans;

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

/// The variables that name the collector: where neither is set, there is none.
const COLLECTOR: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// The variable that gives the program another name there.
#[cfg(feature = "otel")]
const NAME: &str = "OTEL_SERVICE_NAME";

/// What is logged, and how.
#[derive(Debug)]
pub struct Logs {
    /// The program, as a collector calls it.
    pub program: &'static str,
    /// Which lines.
    pub filter: EnvFilter,
    /// Lines are JSON.
    pub json: bool,
    /// The environment's variables.
    pub variable: fn(&str) -> Option<String>,
}

/// What is to be sent yet goes out when this is dropped, at the end of the program.
#[derive(Debug)]
#[must_use]
pub struct Logging {
    #[cfg(feature = "otel")]
    _spans: Option<spans::Spans>,
}

impl Logs {
    /// Begins to log. A collector that cannot be told of spans costs a warning and nothing else.
    ///
    /// # Panics
    /// Something logs already.
    pub fn start(self) -> Logging {
        let lines = fmt::layer().with_writer(std::io::stderr);
        let lines = match self.json {
            true => lines.json().boxed(),
            false => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        };
        let variable = |name: &str| (self.variable)(name).filter(|value| !value.is_empty());
        let collector = COLLECTOR.into_iter().find(|name| variable(name).is_some());
        let subscriber = registry().with(lines.with_filter(self.filter));
        #[cfg(feature = "otel")]
        {
            let name = variable(NAME).unwrap_or_else(|| self.program.to_owned());
            let exported = collector.map(|_| spans::export(name)).transpose();
            let (exported, error) = match exported {
                Ok(exported) => (exported, None),
                Err(error) => (None, Some(error)),
            };
            let (layer, spans) = exported.unzip();
            subscriber.with(layer).init();
            if let Some(error) = error {
                tracing::warn!(%error, "no spans are sent to the collector");
            }
            Logging { _spans: spans }
        }
        #[cfg(not(feature = "otel"))]
        {
            subscriber.init();
            if let Some(name) = collector {
                tracing::warn!("{name} is set, and {} was built without otel", self.program);
            }
            Logging {}
        }
    }
}
