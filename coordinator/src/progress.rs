//! How far a run is, for people: a bar where stderr is a terminal, a line now and then where it is not. Never on stdout.

mod fetch;

use std::io::IsTerminal;
use std::time::Duration;

use babelquant_proto::message::Status;
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

/// Shows the status until the service ends.
pub(crate) async fn show(mut status: watch::Receiver<Status>) {
    match std::io::stderr().is_terminal() {
        true => bar(&mut status).await,
        false => lines(&mut status).await,
    }
}

async fn bar(status: &mut watch::Receiver<Status>) {
    let style =
        ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(Some(status.borrow().units), target).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    let mut resumed = false;
    while status.changed().await.is_ok() {
        let now = *status.borrow_and_update();
        bar.set_position(now.done + now.quarantined);
        if !resumed {
            bar.reset_eta();
            resumed = true;
        }
        let notes = [(now.quarantined, "quarantined"), (u64::from(now.workers), "workers")];
        let notes = notes.iter().filter(|(count, _)| *count > 0);
        bar.set_message(notes.map(|(count, what)| format!(", {count} {what}")).collect::<String>());
    }
    bar.finish_and_clear();
}

async fn lines(status: &mut watch::Receiver<Status>) {
    let started = Instant::now();
    let mut first = None;
    let mut last_line: Option<Instant> = None;
    while status.changed().await.is_ok() {
        let now = *status.borrow_and_update();
        let closed = now.done + now.quarantined;
        let begun = *first.get_or_insert(closed);
        if last_line.is_some_and(|line| line.elapsed() < LINE_INTERVAL) && closed < now.units {
            continue;
        }
        last_line = Some(Instant::now());
        let rate = (closed - begun) as f64 / started.elapsed().as_secs_f64().max(1e-9);
        let left = (rate > 0.0).then(|| ((now.units - closed) as f64 / rate).round() as u64);
        let left = left.map_or_else(|| "unknown".to_owned(), |seconds| format!("{seconds} s"));
        let (units, quarantined) = (now.units, now.quarantined);
        tracing::info!(
            done = closed,
            units,
            quarantined,
            rate = format!("{rate:.2}/s"),
            left,
            "progress"
        );
        if closed == now.units {
            return;
        }
    }
}
