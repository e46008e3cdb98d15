//! The scatter of predictor against outcome: a dot for each language with its line of least squares and the line's band.

use super::super::block::Table;
use super::super::language::full;
use super::super::number::{fixed, or_undefined, p, significant};
use super::super::question::{Question, asked, words};
use super::super::shown::{Shown, name};
use super::chart::Chart;
use super::layers::numbers;
use super::marks::{ACCENT, Dot, QUIET, band, dots, line, range};
use super::panel::{Frame, Panel};
use crate::reduce::CorrelationRow;
use crate::statistics::Band;

/// Points of the band.
const STEPS: u32 = 24;

/// The chart; `None` where no correlation has languages.
pub(super) fn chart(shown: &Shown<'_>) -> Option<Chart> {
    let (predictor, outcome) = asked(shown)?;
    let questions = shown.configs.iter().filter_map(|&config| Question::of(shown, config));
    let questions: Vec<Question<'_>> =
        questions.filter(|question| !question.points.is_empty()).collect();
    let confidence = shown.view.summary.analysis.confidence;
    let axes = [words(predictor.name()), words(outcome.name())];
    let panels: Vec<Panel> =
        questions.iter().map(|question| panel(question, &axes, confidence)).collect();
    let words = format!(
        "Each dot is a language: {} across, {} up, every layer quantized. Line: least squares; shade: its {} % band.",
        axes[0],
        axes[1],
        fixed(100.0 * confidence, 0)
    );
    (!panels.is_empty()).then(|| Chart {
        id: "scatter",
        title: format!("Does {} predict the damage?", axes[0]),
        words,
        key: maud::html! {},
        panels,
        table: table(&questions, &axes),
    })
}

/// `r = −0.20 [−0.66, 0.37], p = 0.49, n = 14`
pub(super) fn answer(row: &CorrelationRow) -> String {
    estimate((row.pearson_r, row.pearson_low, row.pearson_high), row.pearson_p, row.n)
}

/// r with its interval, p and n, broken over lines at its commas only.
pub(super) fn estimate(
    (r, low, high): (Option<f64>, Option<f64>, Option<f64>),
    probability: Option<f64>,
    n: u64,
) -> String {
    let two = |value| or_undefined(value, |value| fixed(value, 2));
    match (r, probability) {
        (Some(_), Some(probability)) => format!(
            "r\u{a0}=\u{a0}{}\u{a0}[{},\u{a0}{}], p\u{a0}=\u{a0}{}, n\u{a0}=\u{a0}{n}",
            two(r),
            two(low),
            two(high),
            p(probability)
        ),
        _ => format!("r is undefined, n = {n}"),
    }
}

fn panel(question: &Question<'_>, [x_unit, y_unit]: &[String; 2], confidence: f64) -> Panel {
    let points: Vec<Dot> = question
        .points
        .iter()
        .map(|point| Dot {
            x: point.x,
            y: point.y,
            tip: format!(
                "{}: {} → {}",
                full(point.language),
                significant(point.x, 4),
                significant(point.y, 3)
            ),
            label: point.language.to_owned(),
        })
        .collect();
    let across = range(points.iter().map(|dot| dot.x));
    let mut up: Vec<f64> = points.iter().map(|dot| dot.y).collect();
    let mut plots = Vec::new();
    if let Some(fitted) = question.pairs().and_then(|pairs| Band::of(&pairs, confidence)) {
        let at = |step: u32| across.0 + (across.1 - across.0) * f64::from(step) / f64::from(STEPS);
        let x: Vec<f64> = (0..=STEPS).map(at).collect();
        let ends: Vec<_> = x.iter().map(|&x| fitted.at(x)).collect();
        let (low, high): (Vec<f64>, Vec<f64>) =
            ends.iter().map(|ends| (ends.low, ends.high)).unzip();
        let path: Vec<(f64, f64)> = x.iter().map(|&x| (x, fitted.line.at(x))).collect();
        up.extend(low.iter().chain(&high));
        plots.push(band(&x, &low, &high, QUIET));
        plots.push(line(&path, QUIET, 1.5));
    }
    plots.push(dots(&points, ACCENT, 3.5));
    let frame = Frame {
        x: numbers(across, x_unit),
        y: numbers(range(up.into_iter()), y_unit),
        height: 280.0,
    };
    Panel::new(name(question.config), answer(question.row), frame.layout(), plots)
}

fn table(questions: &[Question<'_>], [x, y]: &[String; 2]) -> Table {
    let mut table = Table::new(&["language", "config", x.as_str(), y.as_str()]);
    for question in questions {
        table.rows.extend(question.points.iter().map(|point| {
            vec![
                full(point.language),
                name(question.config),
                significant(point.x, 5),
                significant(point.y, 4),
            ]
        }));
    }
    table
}
