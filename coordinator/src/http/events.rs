//! The events of a page: the run's overview and what has changed in one tab, once a second at most, whatever the run does. A page that
//! connects again is told everything.

use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::overview::Overview;
use hyper::body::{Bytes, Frame};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;

use super::Watched;
use super::route::Events;
use crate::live::{Heading, Live, Square};
use crate::report::{full_name, own_name};

/// Between two events of a page.
const PERIOD: Duration = Duration::from_secs(1);
/// Events of one connection, so that it ends before it is broken off.
const EVENTS_MAX: usize = 500;
/// Workers that are sent.
const WORKERS_MAX: usize = 100;

/// The events of a tab, until the run is over; they hold their room as long.
pub(super) fn of(watched: &Watched, tab: usize, room: OwnedSemaphorePermit) -> Events {
    let mut page =
        Page { live: Arc::clone(&watched.live), spec: watched.spec.clone(), tab, sent: None };
    let overviews = WatchStream::new(watched.overview.clone()).throttle(PERIOD).take(EVENTS_MAX);
    let frames = overviews.map(move |overview| {
        let _held = &room;
        Ok(Frame::data(page.next(&overview)))
    });
    Box::pin(frames)
}

/// One connection of a page.
struct Page {
    live: Arc<Live>,
    spec: String,
    tab: usize,
    /// The grid's revision that it has seen.
    sent: Option<u64>,
}

/// A tab with everything in it.
#[derive(Serialize)]
struct Tab<'a> {
    spec: &'a str,
    tab: usize,
    #[serde(flatten)]
    heading: Heading,
    /// Of each language that is shown: its name for the reader, and for its speakers.
    names: Vec<(String, String)>,
    squares: Vec<Square>,
}

/// The run, with so many workers at most.
#[derive(Serialize)]
struct Run {
    /// How many workers there are.
    workers_total: usize,
    #[serde(flatten)]
    overview: Overview,
}

impl Page {
    fn next(&mut self, overview: &Overview) -> Bytes {
        let mut text = self.grid();
        let mut overview = overview.clone();
        let workers_total = overview.workers.len();
        overview.workers.truncate(WORKERS_MAX);
        text += &event("overview", &Run { workers_total, overview });
        text.into()
    }

    /// The news of the grid: the first time all of it.
    fn grid(&mut self) -> String {
        let Some(grid) = self.live.grid() else { return String::new() };
        let seen = self.sent.replace(grid.revision());
        let squares = grid.changes(self.tab, seen.unwrap_or_default());
        let heading = if seen.is_none() { grid.heading(self.tab) } else { None };
        // The owner waits for it, and text takes long.
        drop(grid);
        if seen.is_some() {
            return if squares.is_empty() { String::new() } else { event("squares", &squares) };
        }
        let Some(heading) = heading else { return String::new() };
        let names = heading.languages.iter().map(|(code, _)| (full_name(code), own_name(code)));
        let names = names.collect();
        event("tab", &Tab { spec: &self.spec, tab: self.tab, heading, names, squares })
    }
}

/// An event of the `text/event-stream` format; JSON has no line breaks.
fn event(name: &str, data: &impl Serialize) -> String {
    match serde_json::to_string(data) {
        Ok(json) => format!("event: {name}\ndata: {json}\n\n"),
        Err(error) => {
            tracing::error!(%error, name, "an event is no JSON");
            String::new()
        }
    }
}
