//! Weight statistics of a whole checkpoint, read from the page cache: seconds, best and all of five.
//!
//! ```text
//! cargo bench -p babelquant-worker --bench weights -- MODEL_DIR
//! ```

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use babelquant_worker::eval::weight_rows;

fn main() -> Result<()> {
    let model = std::env::args().skip(1).find(|word| word != "--bench");
    let Some(model) = model else {
        report("SKIPPED: give MODEL_DIR");
        return Ok(());
    };
    for _ in 0..6 {
        let start = Instant::now();
        let rows = weight_rows(Path::new(&model), "bench")?;
        report(&format!("{} rows in {:.1} ms", rows.len(), start.elapsed().as_secs_f64() * 1e3));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(line: &str) {
    println!("{line}");
}
