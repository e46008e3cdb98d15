//! A chart of the page: heading, how to read it, panels, and the same numbers as a table. Not what it shows.

use maud::{Markup, html};

use super::super::block::Table;
use super::marks::colour;
use super::panel::Panel;

/// A chart.
#[derive(Debug)]
pub(super) struct Chart {
    /// Its name in addresses, unique in a model.
    pub(super) id: &'static str,
    /// Heading.
    pub(super) title: String,
    /// How to read it.
    pub(super) words: String,
    /// What its colours mean; empty where they mean nothing.
    pub(super) key: Markup,
    /// What is drawn.
    pub(super) panels: Vec<Panel>,
    /// The numbers.
    pub(super) table: Table,
}

impl Chart {
    /// The chart for the page; `prefix` tells models apart, `sources` says where its numbers come from.
    pub(super) fn markup(&self, prefix: &str, sources: &str) -> Markup {
        html! {
            section.chart id=(format!("{prefix}-{}", self.id)) {
                h3 { (self.title) }
                p.words { (self.words) }
                (self.key)
                div.panels { @for panel in &self.panels { (panel.markup()) } }
                p.source { "Source: " (sources) "." }
                details {
                    summary { "Numbers" }
                    div.scroll { (table(&self.table)) }
                }
            }
        }
    }
}

/// Which colour is whose, where there are several.
pub(super) fn key(names: &[&str]) -> Markup {
    html! {
        @if names.len() > 1 {
            div.key {
                @for (index, name) in names.iter().enumerate() {
                    i.swatch style=(format!("background:{}", colour(index))) { }
                    bdi { (name) }
                }
            }
        }
    }
}

/// The first column holds labels.
fn table(table: &Table) -> Markup {
    html! {
        table {
            thead { tr { @for head in &table.header { th scope="col" { (head) } } } }
            tbody {
                @for row in &table.rows {
                    tr {
                        @for (index, cell) in row.iter().enumerate() {
                            @if index == 0 { th scope="row" dir="auto" { (cell) } }
                            @else { td dir=[direction(cell)] { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

/// Names may run from right to left; numbers need nothing.
fn direction(cell: &str) -> Option<&'static str> {
    cell.chars().any(|char| !char.is_ascii() && char.is_alphabetic()).then_some("auto")
}
