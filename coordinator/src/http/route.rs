//! From a request that may be answered (`door`) to its answer. No answer depends on a request's body or headers.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use prometheus_client::encoding::prometheus_text;
use tokio_stream::Stream;

use super::probe::readiness;
use super::{Watched, events, page};

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// Whether the process answers.
pub(super) const ALIVE: &str = "/healthz";
/// Whether the run goes on.
pub(super) const READY: &str = "/readyz";
const PATHS: &str = "babelquant: / is a page to watch, /metrics is for Prometheus, /healthz and /readyz are for probes\n";

/// Whole, or as long as the run goes on.
pub(super) type Body = Either<Full<Bytes>, StreamBody<Events>>;
/// Parts of a body that has no end yet.
pub(super) type Events = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

/// The answer to a request.
pub(super) fn answer(request: &Request<Incoming>, watched: &Watched) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let overview = watched.overview.borrow().clone();
    match request.uri().path() {
        "/" => {
            let page = page::page(&overview.study, watched);
            let mut page = whole(StatusCode::OK, "text/html; charset=utf-8", page);
            let policy = HeaderValue::from_static(page::POLICY);
            page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            page
        }
        "/events" => match Arc::clone(&watched.pages).try_acquire_owned() {
            Ok(room) => stream(events::of(watched, tab(request.uri().query()), room)),
            Err(_) => {
                whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, "too many pages watch this run\n")
            }
        },
        "/metrics" => {
            let text = watched.live.metrics.text(&overview);
            whole(StatusCode::OK, prometheus_text::CONTENT_TYPE, text)
        }
        ALIVE => whole(StatusCode::OK, TEXT, "alive\n"),
        READY => match readiness(&overview, watched.live.silent()) {
            Ok(state) => whole(StatusCode::OK, TEXT, format!("{state}\n")),
            Err(reason) => whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
        },
        _ => whole(StatusCode::NOT_FOUND, TEXT, PATHS),
    }
}

/// The number in `tab=3`; the first tab where there is none.
fn tab(query: Option<&str>) -> usize {
    let number = query.and_then(|query| query.strip_prefix("tab="));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

pub(super) fn whole(
    status: StatusCode,
    kind: &'static str,
    text: impl Into<Bytes>,
) -> Response<Body> {
    response(status, kind, Either::Left(Full::new(text.into())))
}

fn stream(events: Events) -> Response<Body> {
    response(StatusCode::OK, "text/event-stream", Either::Right(StreamBody::new(events)))
}

fn response(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
