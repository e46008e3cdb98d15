//! The page around the content: head, style, script, provenance. Nothing in it is loaded from elsewhere.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::Provenance;
use super::super::number::fixed;
use crate::reduce::Summary;

pub(crate) const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Nothing is loaded, sent or framed, whatever a name in the data says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The whole document.
pub(super) fn page(content: &Markup, summary: &Summary, provenance: &Provenance) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (provenance.study) " – babelquant" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        p.eyebrow { "babelquant: what quantization does to each language" }
                        h1 { bdi { (provenance.study) } }
                    }
                    (content)
                    (foot(summary, provenance))
                }
                div #tip role="status" hidden { }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

fn foot(summary: &Summary, provenance: &Provenance) -> Markup {
    let analysis = &summary.analysis;
    html! {
        footer {
            "Study " bdi { (provenance.study) } " · spec " code { (provenance.spec_digest) } " · engine " code { (provenance.engines.join(", ")) }
            @if let Some(reused) = &provenance.reused { " · with results of spec " code { (reused) } }
            " · analysis seed " (analysis.seed) ", " (analysis.bootstrap_draws) " draws, " (fixed(100.0 * analysis.confidence, 0)) " % intervals. "
            "All numbers: " code { "report.md" } ", " code { "summary.json" } " and the Parquet files beside this page."
        }
    }
}
