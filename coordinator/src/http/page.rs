//! The live page: its frame, style and script. What moves is brought by events; nothing is loaded from elsewhere.

use maud::{DOCTYPE, PreEscaped, html};

use super::Watched;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Nothing is loaded, sent or framed but the page's own events.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'self'";

/// The document.
pub(super) fn page(study: &str, watched: &Watched) -> String {
    let (tabs, omitted) = tabs(watched);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (study) " – babelquant" }
                style { (PreEscaped(crate::report::STYLE)) (PreEscaped(STYLE)) }
            }
            body data-spec=(watched.spec) {
                main {
                    header {
                        p.eyebrow { "babelquant: a run as it goes on" }
                        h1 { bdi { (study) } }
                    }
                    noscript { p.lead { "This page needs its script. " code { "babelquant status" } " says the same." } }
                    p #state .lead role="status" { "Connecting …" }
                    progress #bar max="1" value="0" aria-label="units done" { }
                    p #notes .note { }
                    section #cells .chart hidden[tabs.is_empty()] {
                        h3 { "First results" }
                        p.words {
                            "A square is a language and the layers that are quantized; it fills as its shards are done. Its colour is ΔNLL so far, in 10⁻³ nat per "
                            "token: sums over what has arrived since this coordinator started, without intervals. The report will say what stands out."
                        }
                        @if tabs.len() > 1 {
                            label.tabs { "Config " select #tabs { @for (index, tab) in tabs.iter().enumerate() { option value=(index) { (tab) } } } }
                        }
                        @if omitted > 0 { p.note { (omitted) " further configs are not shown here for want of room; the report has all." } }
                        div #key .key { }
                        div #grid .map { }
                        p #left-out .note { }
                    }
                    section #workers .chart hidden { h3 { "Workers" } div.scroll { table { } } }
                    section #held .chart hidden { h3 { "Held longest" } div.scroll { table { } } }
                    section #quarantined .chart hidden { h3 { "Given up" } div.scroll { table { } } }
                    footer {
                        "Also here: " a href="/metrics" { "/metrics" } " for Prometheus, " code { "/healthz" } " and " code { "/readyz" } " for probes. Numbers of all languages, with "
                        "intervals, are in the report once the run is complete."
                    }
                }
                div #tip role="status" hidden { }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// What the tabs are called, only by what differs between them; and how many configs have none.
fn tabs(watched: &Watched) -> (Vec<String>, usize) {
    let Some(grid) = watched.live.grid() else { return (Vec::new(), 0) };
    let tabs: Vec<[&str; 3]> = grid.names().collect();
    let varies = |part: usize| tabs.windows(2).any(|pair| pair[0][part] != pair[1][part]);
    let (models, components) = (varies(0), varies(1));
    let name = |&[model, of, config]: &[&str; 3]| {
        let mut name = config.to_owned();
        if components {
            name = format!("{of} {name}");
        }
        if models {
            name = format!("{model}: {name}");
        }
        name
    };
    (tabs.iter().map(name).collect(), grid.omitted())
}
