//! Weight statistics of a checkpoint read from the page cache: the MLP groups of all layers, mapped once (what numpy and scipy
//! are timed on), then every tensor of the model from opening to rows.
//!
//! ```text
//! cargo bench -p babelquant-worker --bench weights -- MODEL_DIR
//! ```

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use babelquant_proto::Layer;
use babelquant_worker::eval::weight_rows;
use babelquant_worker::model::{Architecture, Checkpoint, StoredDtype};
use babelquant_worker::statistics::{StoredValues, of_group};

/// Runs of each measurement; the first is warm-up.
const RUNS: usize = 12;

fn main() -> Result<()> {
    let model = std::env::args().skip(1).find(|word| word != "--bench");
    let Some(model) = model else {
        report("SKIPPED: give MODEL_DIR");
        return Ok(());
    };
    let model = Path::new(&model);
    let architecture = Architecture::read(model)?;
    let checkpoint = Checkpoint::open(model, architecture.names.prefixes)?;
    let layers = architecture
        .shape
        .stacked_layers()
        .map(|layer| mlp(&architecture, &checkpoint, layer))
        .collect::<Result<Vec<_>>>()?;
    time(&format!("MLP groups of {} layers", layers.len()), || {
        Ok(layers.iter().filter_map(|layer| of_group(layer).group.moments.kurtosis()).count())
    })?;
    time("every tensor, opened anew", || Ok(weight_rows(model, "bench")?.len()))
}

/// The matrices of a layer's MLP, in place.
fn mlp<'a>(
    architecture: &Architecture,
    checkpoint: &'a Checkpoint,
    layer: Layer,
) -> Result<Vec<StoredValues<'a>>> {
    let matrices = architecture.matrices(layer).iter();
    let mlp = matrices.filter(|matrix| matrix.is_mlp());
    mlp.map(|matrix| {
        let name = architecture.weight_name(layer, matrix);
        let stored = checkpoint.get(&name).with_context(|| format!("{name} is missing"))?;
        Ok(match stored.dtype {
            StoredDtype::F32 => StoredValues::F32(stored.bytes),
            StoredDtype::F16 => StoredValues::F16(stored.bytes),
            StoredDtype::Bf16 => StoredValues::Bf16(stored.bytes),
        })
    })
    .collect()
}

fn time(name: &str, mut run: impl FnMut() -> Result<usize>) -> Result<()> {
    let mut milliseconds = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        run()?;
        milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
    }
    milliseconds.remove(0);
    milliseconds.sort_by(f64::total_cmp);
    let (least, median) = (milliseconds[0], milliseconds[milliseconds.len() / 2]);
    report(&format!("{name}: least {least:.1} ms, median {median:.1} ms"));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(line: &str) {
    println!("{line}");
}
