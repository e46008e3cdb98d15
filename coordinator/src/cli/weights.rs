//! The command `weights`: a model's shape, the statistics of its weights, and where clipping rules end grids over them. The tables are
//! `report`'s.

use std::path::{Path, PathBuf};

use babelquant_proto::exit;
use babelquant_proto::quant::{Bits, Clip, Decimal, Granularity, Symmetry, Uniform};
use babelquant_proto::rows::{ClippingRow, WeightRow};
use clap::Args;

use super::commands::{print, write_file};
use super::models;
use super::stop::Stop;
use crate::local::{self, ModelShape};
use crate::progress::Wanted;
use crate::reduce::Reducer;
use crate::report;
use crate::store::AnalysisFile;
use crate::study::Analysis;

pub(super) const HELP: &str = "Examples:
  babelquant weights bigscience/bloom-560m
  babelquant weights models/bloom-560m --out weights.parquet --clipping clipping.parquet
  babelquant weights models/bloom-560m --bits 4 --granularity channel
  babelquant weights google/mt5-small --shape-only";

#[derive(Debug, Args)]
pub(super) struct Weights {
    /// Model: a directory, or owner/name on a hub
    #[arg(value_name = "MODEL")]
    model: String,
    /// Branch, tag or commit of the model on its hub
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Print parameters and layers from config.json alone; reads no weights
    #[arg(long, conflicts_with = "out")]
    shape_only: bool,
    /// Write the statistics of every tensor to this Parquet file as well
    #[arg(long, value_name = "FILE.parquet")]
    out: Option<PathBuf>,
    #[command(flatten)]
    clipping: Clipping,
}

/// The clipping rules that `weights` compares.
#[derive(Debug, Args)]
struct Clipping {
    /// Leave out the comparison of clipping rules
    #[arg(long, conflicts_with_all = ["shape_only", "bits", "granularity", "clipping"])]
    no_clipping: bool,
    /// Widths that the rules are compared at, in bits
    #[arg(long, value_name = "BITS", value_delimiter = ',', value_parser = bits, default_value = "2,3,4,8", conflicts_with = "shape_only")]
    bits: Vec<Bits>,
    /// Which weights share a grid: tensor, channel or groupN
    #[arg(
        long,
        value_name = "GRANULARITY",
        default_value = "tensor",
        conflicts_with = "shape_only"
    )]
    granularity: Granularity,
    /// Write the comparison, of every matrix too, to this Parquet file as well
    #[arg(long, value_name = "FILE.parquet", conflicts_with = "shape_only")]
    clipping: Option<PathBuf>,
}

fn bits(text: &str) -> Result<Bits, &'static str> {
    text.parse().map_err(|()| "expected 2 to 8")
}

/// The rules that are compared: none, the earlier study's, quantiles, and those that look for the least error.
const RULES: [Clip; 10] = [
    Clip::AbsMax,
    Clip::Sigma(Decimal::from_thousandths(3500)),
    Clip::Sigma(Decimal::from_thousandths(5000)),
    Clip::Percentile(Decimal::from_thousandths(99_900)),
    Clip::Percentile(Decimal::from_thousandths(99_990)),
    Clip::AciqGauss,
    Clip::AciqLaplace,
    Clip::AciqAuto,
    Clip::Octav,
    Clip::Mse,
];

/// Prints what is asked of a model.
pub(super) async fn execute(weights: Weights) -> Result<u8, Stop> {
    let Weights { model, revision, shape_only, out, clipping } = weights;
    for source in models::named(&[model], revision.as_deref())? {
        if shape_only {
            let directory = models::locate(&source, Wanted::Config).await?;
            print(&in_words(&source.name, local::shape(&directory)?));
        } else {
            let directory = models::locate(&source, Wanted::Model).await?;
            print_statistics(&source.name, &directory, out.as_deref()).await?;
            if !clipping.no_clipping {
                print_clipping(&source.name, &directory, &clipping).await?;
            }
        }
    }
    Ok(exit::COMPLETE)
}

/// A model's shape, a number a line.
fn in_words(name: &str, ModelShape { parameters, shape }: ModelShape) -> String {
    let layers = match shape.encoder_layers {
        0 => shape.layers.to_string(),
        encoder => format!("{encoder} encoder, {} decoder", shape.layers),
    };
    let positions = shape.positions.map_or("no table".to_owned(), |count| count.to_string());
    let rows = [
        ("model", name.to_owned()),
        ("parameters", parameters.to_string()),
        ("layers", layers),
        ("hidden", shape.hidden.to_string()),
        ("vocabulary", shape.vocabulary.to_string()),
        ("positions", positions),
    ];
    rows.iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect()
}

async fn print_statistics(name: &str, directory: &Path, out: Option<&Path>) -> Result<(), Stop> {
    let (name, directory) = (name.to_owned(), directory.to_owned());
    let rows = tokio::task::spawn_blocking(move || local::weight_rows(&directory, &name));
    let rows: Vec<WeightRow> = rows.await.map_err(|error| Stop::new(exit::BUG, error))??;
    if let Some(path) = out {
        write_file(path, &AnalysisFile::table(&rows)?.content)?;
    }
    let mut reducer = Reducer::new(Analysis::default());
    reducer.push_weights(&rows);
    print(&report::terminal(&reducer.finish(), None));
    Ok(())
}

async fn print_clipping(name: &str, directory: &Path, asked: &Clipping) -> Result<(), Stop> {
    let (name, directory, configs) = (name.to_owned(), directory.to_owned(), asked.configs());
    let rows =
        tokio::task::spawn_blocking(move || local::clipping_rows(&directory, &name, &configs));
    let rows: Vec<ClippingRow> = rows.await.map_err(|error| Stop::new(exit::BUG, error))??;
    if let Some(path) = &asked.clipping {
        write_file(path, &AnalysisFile::table(&rows)?.content)?;
    }
    print(&report::clipping(&rows));
    Ok(())
}

impl Clipping {
    /// Every rule at every width.
    fn configs(&self) -> Vec<Uniform> {
        let with = |bits: Bits, clip: Clip| Uniform {
            bits,
            symmetry: Symmetry::Symmetric,
            granularity: self.granularity,
            clip,
        };
        let widths = self.bits.iter();
        widths.flat_map(|&bits| RULES.map(|clip| with(bits, clip))).collect()
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::Shape;

    use super::*;

    #[test]
    fn a_shape_is_a_number_a_line() {
        let shape = Shape {
            encoder_layers: 8,
            layers: 8,
            hidden: 512,
            vocabulary: 250_112,
            positions: None,
        };
        let text = in_words("mt5-small", ModelShape { parameters: 300_176_768, shape });
        for line in
            ["parameters  300176768", "layers      8 encoder, 8 decoder", "positions   no table"]
        {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
    }
}
