//! How far a run is, for people: a bar where stderr is a terminal, a line now and then where it is not. Never on stdout.

mod fetch;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::overview::Overview;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use fetch::{Wanted, fetch};

/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
const TEMPLATE: &str = "{bar:40} {pos}/{len} units, {per_sec}, {eta} left{msg} [{elapsed}]";

/// Says where the results of a location are, once the report is written.
pub(crate) fn written(location: &str) {
    let location = location.trim_end_matches('/');
    tracing::info!(
        "results are in {location}; the page to look at: {location}/analysis/report.html"
    );
}

/// Says where the run can be watched.
pub(crate) fn watched(url: &str) {
    tracing::info!("watch the run at {url}");
}

/// Shows the run until the service ends.
pub(crate) async fn show(mut overview: watch::Receiver<Arc<Overview>>) {
    match std::io::stderr().is_terminal() {
        true => bar(&mut overview).await,
        false => lines(&mut overview).await,
    }
}

async fn bar(overview: &mut watch::Receiver<Arc<Overview>>) {
    let style =
        ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = ProgressDrawTarget::stderr();
    let bar =
        ProgressBar::with_draw_target(Some(overview.borrow().units), target).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    let mut resumed = false;
    while overview.changed().await.is_ok() {
        let now = Arc::clone(&overview.borrow_and_update());
        bar.set_position(now.closed());
        if !resumed {
            bar.reset_eta();
            resumed = true;
        }
        let notes = [(now.quarantined, "quarantined"), (now.workers.len() as u64, "workers")];
        let notes = notes.iter().filter(|(count, _)| *count > 0);
        bar.set_message(notes.map(|(count, what)| format!(", {count} {what}")).collect::<String>());
    }
    bar.finish_and_clear();
}

async fn lines(overview: &mut watch::Receiver<Arc<Overview>>) {
    let mut last_line: Option<Instant> = None;
    while overview.changed().await.is_ok() {
        let now = Arc::clone(&overview.borrow_and_update());
        let is_over = now.closed() == now.units;
        if last_line.is_some_and(|line| line.elapsed() < LINE_INTERVAL) && !is_over {
            continue;
        }
        last_line = Some(Instant::now());
        let rate = now.units_per_second.unwrap_or_default();
        let left = now.left.map(|left| format!("{} s", left.as_secs_f64().round()));
        tracing::info!(
            done = now.closed(),
            units = now.units,
            quarantined = now.quarantined,
            rate = format!("{rate:.2}/s"),
            left = left.unwrap_or_else(|| "unknown".to_owned()),
            "progress"
        );
        if is_over {
            return;
        }
    }
}
