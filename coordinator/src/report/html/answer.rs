//! The answer in words, from the numbers: what degraded most, through which layers, does the predictor see it coming, how sure, and what
//! would settle it.

use maud::{Markup, html};

use super::super::adjustment::{explains, hardest, in_words};
use super::super::language::full;
use super::super::layer_label;
use super::super::number::{fixed, p};
use super::super::question::{Question, asked, words};
use super::super::shown::{Config, Shown, name};
use super::depth::{profile, thousandths};
use super::scatter::{answer, estimate};
use crate::reduce::{ConfigRow, DepthRow, SensitivityRow};
use crate::statistics::{AIM, LEVEL};

/// Layers named.
const NAMED: usize = 3;
/// Correlations that studies plan for.
const PLANNED: [f64; 2] = [0.5, 0.3];

/// The answers; empty where no config quantizes every layer.
pub(super) fn markup(shown: &Shown<'_>) -> Markup {
    let Some(worst) = shown.worst() else {
        return html! { p.lead { "No config of this study quantizes every layer at once: there is no worst one to name." } };
    };
    let config = (worst.components.as_str(), worst.config.as_str());
    let question = Question::of(shown, config);
    html! {
        dl.answers {
            dt { "What degraded most" } dd { (most(shown, worst)) }
            @if let Some(through) = through(shown, config) { dt { "Through which layers" } dd { (through) } }
            @if let Some(question) = &question {
                dt { "Does " (asked_words(shown)) " predict it" } dd { (predicts(shown, question)) }
                dt { "How sure" } dd { (sure(question)) }
                dt { "What would settle it" } dd { (settle(question)) }
            }
        }
    }
}

fn asked_words(shown: &Shown<'_>) -> String {
    asked(shown).map_or(String::new(), |(predictor, _)| words(predictor.name()))
}

/// `238 % [204, 282]`
fn change(row: &SensitivityRow) -> Option<Markup> {
    let percent = |share: f64| three_digits(100.0 * share);
    let value = row.relative_perplexity?;
    let ends = row.relative_perplexity_low.zip(row.relative_perplexity_high);
    Some(html! {
        strong { (percent(value)) " %" }
        @if let Some((low, high)) = ends { " [" (percent(low)) ", " (percent(high)) "]" }
    })
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => fixed(value, 0),
        middle if middle >= 10.0 => fixed(value, 1),
        _ => fixed(value, 2),
    }
}

fn worst_cell<'a>(shown: &Shown<'a>, row: &'a ConfigRow) -> Option<&'a SensitivityRow> {
    let cells = shown.all_layers((&row.components, &row.config));
    cells.into_iter().find(|cell| Some(&cell.language) == row.worst_language.as_ref())
}

fn most(shown: &Shown<'_>, worst: &ConfigRow) -> Markup {
    let of = |row: &ConfigRow| row.config == worst.config && row.components == worst.components;
    let mildest = shown.mildest().filter(|row| !of(row));
    html! {
        @if let Some(cell) = worst_cell(shown, worst) {
            (harm(worst, cell)) @if !improves(cell) { ", more than any other language" } ". "
        }
        @if let Some((row, cell)) = mildest.and_then(|row| Some((row, worst_cell(shown, row)?))) {
            "At the other end " (harm(row, cell)) @if !improves(cell) { " at most" } "."
        }
    }
}

/// True where even the language that a config harms most is better off.
fn improves(cell: &SensitivityRow) -> bool {
    cell.relative_perplexity.is_some_and(|change| change < 0.0)
}

/// What a config does to the language that it harms most.
fn harm(row: &ConfigRow, cell: &SensitivityRow) -> Markup {
    let (config, language) = (name((&row.components, &row.config)), full(&cell.language));
    html! {
        b { (config) }
        @if improves(cell) {
            " lowers the perplexity of every language, that of " bdi { (language) } " least: by "
        } @else {
            " raises the perplexity of " bdi { (language) } " by "
        }
        @if let Some(change) = change(cell) { (change) } @else { "an unknown amount" }
    }
}

fn through(shown: &Shown<'_>, config: Config<'_>) -> Option<Markup> {
    let mut rows = profile(shown, config);
    let sure =
        rows.iter().filter(|row| row.mean_delta_nll_low.is_some_and(|low| low > 0.0)).count();
    rows.sort_by(|a, b| {
        b.mean_delta_nll.partial_cmp(&a.mean_delta_nll).unwrap_or(std::cmp::Ordering::Equal)
    });
    let text = |row: &&DepthRow| {
        let [value, low, high] =
            thousandths(row).map(|value| value.map_or("–".to_owned(), three_digits));
        html! { b { "layer " (layer_label(&row.stack, row.layer)) } " (" (value) " [" (low) ", " (high) "])" }
    };
    let named: Vec<Markup> = rows.iter().take(NAMED).map(text).collect();
    (!rows.is_empty()).then(|| html! {
        @for (index, layer) in named.iter().enumerate() { @if index > 0 { ", then " } (layer) }
        ": mean over languages of ΔNLL in 10⁻³ nat per token, that layer alone under " (name(config)) ". "
        @match rows.len() {
            1 => "No other layer was quantized alone: add only(each) to scopes to compare.",
            of => { (sure) " of " (of) " layers have an interval above 0." }
        }
    })
}

fn predicts(shown: &Shown<'_>, question: &Question<'_>) -> Markup {
    let row = question.row;
    let left = hardest(shown, question);
    let level = shown.view.summary.analysis.level();
    let explained = left.iter().any(|row| explains(row, level));
    let harm = asked(shown).map_or(1.0, |(_, outcome)| outcome.direction_of_harm());
    let ends = row.pearson_low.zip(row.pearson_high);
    let verdict = match ends.map(|(low, high)| (harm * low, harm * high)) {
        Some((low, high)) if low > 0.0 && high > 0.0 => match explained {
            true => {
                "Taken alone, yes: where it is high, the damage is larger. But what else is known of the languages may explain it:"
            }
            false => {
                "Yes, so far as this correlation goes: where it is high, the damage is larger."
            }
        },
        Some((low, high)) if low < 0.0 && high < 0.0 => match explained {
            true => {
                "Taken alone in the opposite direction: where it is high, the damage is smaller. But what else is known of the languages \
                 may explain it:"
            }
            false => "In the opposite direction: where it is high, the damage is smaller.",
        },
        Some(_) => "Not shown either way: the interval includes 0.",
        None => "It cannot be said.",
    };
    let asked: Vec<Question<'_>> = shown
        .ranked()
        .iter()
        .filter_map(|row| Question::of(shown, (&row.components, &row.config)))
        .collect();
    let excludes = |question: &&Question<'_>| {
        let row = question.row;
        row.pearson_low.is_some_and(|low| low > 0.0)
            || row.pearson_high.is_some_and(|high| high < 0.0)
    };
    let count = asked.iter().filter(excludes).count();
    html! {
        (verdict) " " strong { (answer(row)) } " under " (name(question.config))
        @for row in left { "; " (in_words(&row.adjustment)) " " (estimate((row.pearson_r, row.pearson_low, row.pearson_high), row.pearson_p, row.n)) }
        ". "
        @if asked.len() > 1 { "Over all " (asked.len()) " configs the interval excludes 0 in " @if count == 0 { "none" } @else { (count) } "." }
    }
}

fn sure(question: &Question<'_>) -> Markup {
    let row = question.row;
    html! {
        @match row.detectable_r {
            Some(r) => {
                "With " (row.n) " languages a test at " (fixed(100.0 * LEVEL, 0)) " % sees correlations of " strong { "|r| ≥ " (fixed(r, 2)) }
                " with 80 % power. A weaker one may be there and would be missed."
            }
            None => { "With " (row.n) " languages no correlation can be seen: a test needs at least four." }
        }
        @if let Some((holm, tests)) = row.pearson_p_holm.zip(row.family_tests).filter(|(_, tests)| *tests > 1) {
            " Corrected for the " (tests) " correlations of every predictor and config with this outcome, p\u{a0}=\u{a0}" (p(holm)) " (Holm)."
        }
    }
}

fn settle(question: &Question<'_>) -> Markup {
    let needed = |r: f64| AIM.pairs_needed(r).map(|n| fixed(n.ceil(), 0));
    let observed = question
        .row
        .pearson_r
        .filter(|r| r.abs() >= 0.05 && question.row.detectable_r > Some(r.abs()))
        .zip(question.row.languages_needed);
    let planned = PLANNED.into_iter().filter_map(|r| Some((r, needed(r)?)));
    html! {
        "More languages, not more documents: "
        @for (index, (r, n)) in planned.enumerate() { @if index > 0 { ", " } (n) " to see |r| = " (fixed(r, 1)) }
        @if let Some((r, n)) = observed {
            "; " strong { (n) " languages" } " if the true r is the " (fixed(r, 2)) " found here"
        }
        "."
    }
}
