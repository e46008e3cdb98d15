//! An overview as text for people: how far, who is there, what is slow and what is given up. Pure; not its JSON, and not where it
//! is shown.

use std::collections::BTreeSet;
use std::time::Duration;

use babelquant_proto::message::RunState;
use babelquant_proto::overview::{Overview, QuarantinedUnit, Worker};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, LineStyle, Table};

/// Characters of the bar.
const BAR: u64 = 60;

/// The run in one line.
pub(crate) fn line(overview: &Overview) -> String {
    let Overview { units, done, granted, quarantined, .. } = overview;
    let workers = counted(overview.workers.len() as u64, "worker");
    let state = state(overview.state);
    let speed = speed(overview);
    format!(
        "{state}: {done} of {units} units done, {granted} lent to {workers}, {quarantined} quarantined{speed}"
    )
}

/// The run on a page, with so many rows a table at most.
pub(crate) fn page(overview: &Overview, rows_max: usize) -> String {
    let mut parts = vec![head(overview)];
    if !overview.workers.is_empty() {
        parts.push(workers(overview, rows_max));
    }
    if !overview.longest_held.is_empty() {
        let rows = overview.longest_held.iter().map(|held| {
            let unit = format!("{}  {}", held.unit, held.words);
            vec![unit, held.worker.clone(), span(held.held)]
        });
        let total = overview.longest_held.len();
        parts.push(
            table(&["held longest", "by", "for"], rows.take(rows_max), &[1])
                + &more(total.saturating_sub(rows_max)),
        );
    }
    if !overview.quarantined_units.is_empty() {
        let rows = overview.quarantined_units.iter().map(|given_up| {
            let unit = format!("{}  {}", given_up.unit, given_up.words);
            vec![unit, because(given_up)]
        });
        let shown = overview.quarantined_units.len().min(rows_max);
        let rest = overview.quarantined.saturating_sub(shown as u64);
        parts.push(
            table(&["quarantined", "because of"], rows.take(rows_max), &[1]) + &more(rest as usize),
        );
    }
    parts.join("\n")
}

/// The first lines: how far, how fast, what and where.
fn head(overview: &Overview) -> String {
    let Overview { units, done, granted, quarantined, study, epoch, .. } = overview;
    let percent = 100 * overview.closed() / (*units).max(1);
    let filled = BAR * overview.closed() / (*units).max(1);
    let bar = "━".repeat(filled as usize) + &"─".repeat((BAR - filled.min(BAR)) as usize);
    let (state, speed) = (state(overview.state), speed(overview));
    let workers = counted(overview.workers.len() as u64, "worker");
    let mut text = format!("{state}: {done} of {units} units done{speed}\n{bar} {percent} %\n");
    text += &format!("{granted} lent to {workers}, {quarantined} quarantined; study {study}");
    if *epoch > 1 {
        text += &format!(", coordinator started {epoch} times");
    }
    text.push('\n');
    if let Some(engine) = one_engine(&overview.workers) {
        text += &format!("engine {engine}\n");
    }
    if let Some(degraded) = &overview.degraded {
        let since = span(degraded.since);
        text += &format!("nothing has been granted for {since}: {}\n", degraded.reason);
    }
    if !overview.drained.is_empty() {
        text += &format!("drained by the operator: {}\n", overview.drained.join(", "));
    }
    text
}

fn workers(overview: &Overview, rows_max: usize) -> String {
    let workers = &overview.workers;
    let mixed = one_engine(workers).is_none();
    let mut seen = BTreeSet::new();
    let shared: BTreeSet<&str> = workers
        .iter()
        .map(|worker| worker.name.as_str())
        .filter(|name| !seen.insert(*name))
        .collect();
    let rows = workers.iter().map(|worker| {
        // Sessions of one coordinator differ in their lower half.
        let name = match shared.contains(worker.name.as_str()) {
            true => format!("{} ({})", worker.name, worker.session.0 & 0xffff_ffff),
            false => worker.name.clone(),
        };
        let rate = worker.units_per_second.map_or_else(|| "–".to_owned(), number);
        let heard = format!("{} ago", span(worker.last_contact));
        let mut note = if worker.draining { "draining".to_owned() } else { String::new() };
        if !worker.lacks.is_empty() {
            note = format!("{note} lacks {}", worker.lacks.join(", ")).trim_start().to_owned();
        }
        if mixed {
            note = format!("{note} {}", worker.engine).trim_start().to_owned();
        }
        vec![name, worker.held.to_string(), worker.accepted.to_string(), rate, heard, note]
    });
    let header = ["worker", "holds", "done", "units/s", "heard", ""];
    table(&header, rows.take(rows_max), &[5]) + &more(workers.len().saturating_sub(rows_max))
}

/// Why a unit is given up, on a line.
fn because(unit: &QuarantinedUnit) -> String {
    match unit.detail.is_empty() {
        true => unit.fault.clone(),
        false => format!("{}: {}", unit.fault, unit.detail),
    }
}

/// The engine class of all workers; `None` where there is none, or more than one.
fn one_engine(workers: &[Worker]) -> Option<&str> {
    let first = workers.first()?.engine.as_str();
    workers.iter().all(|worker| worker.engine == first).then_some(first)
}

/// A table whose first column and those of `left` start at the left; a rule under the header.
fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>, left: &[usize]) -> String {
    let mut table = Table::new();
    let rule = LineStyle::none().fill('─').junction('─');
    table.load_style(NOTHING.header_separator(rule));
    table.set_header(header).add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding(if index > 0 { (2, 0) } else { (0, 0) });
        let is_left = index == 0 || left.contains(&index);
        column.set_cell_alignment(if is_left { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.trim_fmt() + "\n"
}

fn more(rest: usize) -> String {
    if rest == 0 { String::new() } else { format!("… and {rest} more\n") }
}

/// How fast and how long still, where the run goes on and it is known.
fn speed(overview: &Overview) -> String {
    let Some(rate) = overview.units_per_second.filter(|_| !overview.state.is_complete()) else {
        return String::new();
    };
    let left = overview.left.map(|left| format!(", {} left", span(left)));
    format!(", {} units/s{}", number(rate), left.unwrap_or_default())
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Degraded => "degraded",
        RunState::Draining => "draining",
        RunState::Complete => "complete",
        RunState::CompleteWithQuarantine => "complete with quarantined units",
    }
}

/// `1 worker`, `2 workers`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Three digits or so.
fn number(value: f64) -> String {
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$}")
}

/// A duration in its two largest units.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::message::Session;
    use babelquant_proto::overview::HeldUnit;
    use babelquant_proto::{Spec, UnitIndex};

    use super::*;

    fn worker(name: &str, session: u64, rate: Option<f64>) -> Worker {
        Worker {
            name: name.to_owned(),
            session: Session(session),
            engine: "cpu-test".to_owned(),
            held: 3,
            accepted: 10,
            units_per_second: rate,
            last_contact: Duration::from_millis(1234),
            draining: rate.is_none(),
            lacks: rate.is_none().then(|| "model0".to_owned()).into_iter().collect(),
        }
    }

    fn example(spec: &Spec) -> Overview {
        let words = |unit| spec.words(UnitIndex(unit)).unwrap();
        Overview {
            done: 7,
            granted: 6,
            quarantined: 1,
            epoch: 2,
            units_per_second: Some(0.5),
            left: Some(Duration::from_secs(64)),
            workers: vec![worker("a", 1 << 32, Some(12.34)), worker("a", (1 << 32) + 5, None)],
            longest_held: vec![HeldUnit {
                unit: UnitIndex(9),
                words: words(9),
                worker: "a".to_owned(),
                held: Duration::from_secs(4000),
            }],
            quarantined_units: vec![QuarantinedUnit {
                unit: UnitIndex(0),
                words: words(0),
                fault: "crash".to_owned(),
                detail: "b: the engine panicked".to_owned(),
            }],
            ..Overview::unopened("small".to_owned(), 16)
        }
    }

    #[test]
    fn a_page_says_everything_in_its_place() {
        let overview = example(&crate::testing::spec(1));
        let bar = "━".repeat(30) + &"─".repeat(30);
        let expected = format!(
            "running: 7 of 16 units done, 0.50 units/s, 1 min 4 s left\n\
             {bar} 50 %\n\
             6 lent to 2 workers, 1 quarantined; study small, coordinator started 2 times\n\
             engine cpu-test\n\
             \n\
             worker   holds   done   units/s       heard\n\
             ───────────────────────────────────────────────────────────────────\n\
             a (0)        3     10      12.3   1.2 s ago\n\
             a (5)        3     10         –   1.2 s ago   draining lacks model0\n\
             \n\
             held longest                             by         for\n\
             ───────────────────────────────────────────────────────\n\
             9  model0 on eng shard 1: all mlp none   a    1 h 6 min\n"
        );
        let page = page(&overview, 1);
        assert!(page.contains("… and 1 more"), "{page}");
        let page = super::page(&overview, 9);
        assert!(page.starts_with(&expected), "{page}");
        assert!(page.contains("quarantined  "), "{page}");
        assert!(page.contains("crash: b: the engine panicked"), "{page}");
        assert_eq!(
            line(&overview),
            "running: 7 of 16 units done, 6 lent to 2 workers, 1 quarantined, 0.50 units/s, 1 min 4 s left"
        );
    }

    #[test]
    fn spans_have_two_units() {
        let spans = [9.96, 59.9, 60.0, 7322.0, 100_000.0].map(Duration::from_secs_f64).map(span);
        assert_eq!(spans, ["10.0 s", "59 s", "1 min 0 s", "2 h 2 min", "1 d 3 h"]);
    }
}
