//! Spans over OTLP (gRPC); where to, how often and as whom say the standard variables `OTEL_*`.

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// How long the last spans may take on their way at the end of the program.
const GOODBYE: Duration = Duration::from_secs(5);

/// Sends spans until it is dropped.
#[derive(Debug)]
pub(super) struct Spans(SdkTracerProvider);

impl Drop for Spans {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(GOODBYE) {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

/// Sends this project's spans to the collector, as those of `program`.
pub(super) fn export<S>(program: String) -> Result<(impl Layer<S>, Spans), ExporterBuildError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let exporter = SpanExporter::builder().with_tonic().build()?;
    let resource = Resource::builder().with_service_name(program).build();
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("babelquant"));
    // What carries the spans has spans of its own.
    let own = Targets::new().with_target("babelquant", Level::INFO);
    Ok((layer.with_filter(own), Spans(provider)))
}
