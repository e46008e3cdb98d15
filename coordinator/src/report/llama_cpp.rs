//! The table `divergence` → the block that llama.cpp's perplexity tool prints with `--kl-divergence`, for readers and scripts that know it: one text
//! for each model, scope, components and config, a block for each language. No statistic is computed here.
//!
//! Scored are this study's tokens, where the tool scores the second half of each window of one text; and the errors take tokens for independent,
//! as the tool's do. A number that is not defined is `NaN`.

use std::fmt::{self, Display, Write};

use super::file_name::file_name;
use crate::reduce::{DivergenceRow, Summary};

/// The texts, each with its name below `analysis/`. A cell without any number has none.
pub fn llama_cpp(summary: &Summary) -> Vec<(String, String)> {
    let mut rows: Vec<&DivergenceRow> =
        summary.divergence.iter().filter(|row| row.ppl.is_some()).collect();
    // Within a cell the languages keep their order.
    rows.sort_by(|a, b| cell(a).cmp(&cell(b)));
    let text = |rows: &[&DivergenceRow]| {
        let [model, scope, components, config] = cell(rows[0]);
        let mut text = format!(
            "# model: {model}\n# scope: {scope}\n# components: {components}\n# config: {config}\n"
        );
        for row in rows {
            write!(text, "\n# language: {}\n{}", row.language, Block(row))
                .expect("writing to a String cannot fail");
        }
        (format!("llama.cpp/{}.txt", file_name(&cell(rows[0]).map(String::clone))), text)
    };
    rows.chunk_by(|a, b| cell(a) == cell(b)).map(text).collect()
}

/// What has a text of its own.
fn cell(row: &DivergenceRow) -> [&String; 4] {
    [&row.model, &row.scope, &row.components, &row.config]
}

/// The numbers of one row as the tool lays them out.
struct Block<'a>(&'a DivergenceRow);

impl Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        perplexities(self.0, f)?;
        divergences(self.0, f)?;
        probabilities(self.0, f)
    }
}

fn number(value: Option<f64>) -> f64 {
    value.unwrap_or(f64::NAN)
}

fn percent(value: Option<f64>) -> f64 {
    100.0 * number(value)
}

fn perplexities(row: &DivergenceRow, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let line = |f: &mut fmt::Formatter<'_>, name: &str, value, se| {
        writeln!(f, "{name:<30}: {:10.6} ± {:10.6}", number(value), number(se))
    };
    writeln!(f, "====== Perplexity statistics ======")?;
    line(f, "Mean PPL(Q)", row.ppl, row.ppl_token_se)?;
    line(f, "Mean PPL(base)", row.base_ppl, row.base_ppl_token_se)?;
    writeln!(f, "Cor(ln(PPL(Q)), ln(PPL(base))): {:6.2}%", percent(row.nll_correlation))?;
    line(f, "Mean ln(PPL(Q)/PPL(base))", row.delta_nll, row.delta_nll_token_se)?;
    line(f, "Mean PPL(Q)/PPL(base)", row.ppl_ratio, row.ppl_ratio_token_se)?;
    line(f, "Mean PPL(Q)-PPL(base)", row.ppl_difference, row.ppl_difference_token_se)
}

fn divergences(row: &DivergenceRow, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n====== KL divergence statistics ======")?;
    writeln!(f, "Mean    KLD: {:10.6} ± {:10.6}", number(row.kl), number(row.kl_token_se))?;
    for (name, value) in [
        ("Maximum", row.kl_max),
        ("99.9%", row.kl_p99_9),
        ("99.0%", row.kl_p99),
        ("95.0%", row.kl_p95),
        ("90.0%", row.kl_p90),
        ("Median", row.kl_median),
        ("10.0%", row.kl_p10),
        (" 5.0%", row.kl_p5),
        (" 1.0%", row.kl_p1),
        (" 0.1%", row.kl_p0_1),
        ("Minimum", row.kl_min),
    ] {
        writeln!(f, "{name:<7} KLD: {:10.6}", number(value))?;
    }
    Ok(())
}

fn probabilities(row: &DivergenceRow, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n====== Token probability statistics ======")?;
    let with_error = |f: &mut fmt::Formatter<'_>, name: &str, value, se| {
        writeln!(f, "{name:<10}: {:6.3} ± {:5.3} %", percent(value), percent(se))
    };
    with_error(f, "Mean    Δp", row.dp, row.dp_token_se)?;
    for (name, value) in [
        ("Maximum", row.dp_max),
        ("99.9%", row.dp_p99_9),
        ("99.0%", row.dp_p99),
        ("95.0%", row.dp_p95),
        ("90.0%", row.dp_p90),
        ("75.0%", row.dp_p75),
        ("Median", row.dp_median),
        ("25.0%", row.dp_p25),
        ("10.0%", row.dp_p10),
        (" 5.0%", row.dp_p5),
        (" 1.0%", row.dp_p1),
        (" 0.1%", row.dp_p0_1),
        ("Minimum", row.dp_min),
    ] {
        writeln!(f, "{name:<7} Δp: {:6.3}%", percent(value))?;
    }
    with_error(f, "RMS Δp", row.dp_rms, row.dp_rms_token_se)?;
    with_error(f, "Same top p", row.top1_agreement, row.top1_agreement_token_se)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::example::summary;

    #[test]
    fn the_block_is_laid_out_as_the_tool_prints_it() {
        let row = |language: &str, config: &str| DivergenceRow {
            model: "toy".to_owned(),
            language: language.to_owned(),
            scope: "all".to_owned(),
            components: "mlp".to_owned(),
            config: config.to_owned(),
            ppl: Some(18.274_923),
            ppl_token_se: Some(0.147_295),
            nll_correlation: Some(0.9775),
            delta_nll: Some(-0.043_514),
            kl_p5: Some(0.005_119),
            dp: Some(0.004_73),
            dp_token_se: Some(0.000_24),
            dp_p5: Some(-0.129_53),
            dp_rms: Some(0.091_78),
            dp_rms_token_se: Some(0.000_43),
            top1_agreement: Some(0.786_37),
            top1_agreement_token_se: Some(0.001_07),
            ..DivergenceRow::default()
        };
        let mut summary = summary();
        summary.divergence =
            vec![row("eng", "int4-channel"), row("eng", "nf4-block64"), row("hin", "int4-channel")];
        summary.divergence.push(DivergenceRow { ppl: None, ..row("tha", "int2-tensor") });
        let texts = llama_cpp(&summary);
        assert_eq!(texts.len(), 2, "one for each cell with numbers");
        let (name, text) = &texts[0];
        assert!(name.starts_with("llama.cpp/toy_all_mlp_int4-channel_") && name.ends_with(".txt"));
        let languages: Vec<&str> = text.lines().filter(|l| l.starts_with("# lang")).collect();
        assert_eq!(languages, ["# language: eng", "# language: hin"]);
        for line in [
            "# model: toy",
            "# config: int4-channel",
            "====== Perplexity statistics ======",
            "Mean PPL(Q)                   :  18.274923 ±   0.147295",
            "Mean PPL(base)                :        NaN ±        NaN",
            "Cor(ln(PPL(Q)), ln(PPL(base))):  97.75%",
            "====== KL divergence statistics ======",
            "Mean    KLD:        NaN ±        NaN",
            " 5.0%   KLD:   0.005119",
            "====== Token probability statistics ======",
            "Mean    Δp:  0.473 ± 0.024 %",
            " 5.0%   Δp: -12.953%",
            "RMS Δp    :  9.178 ± 0.043 %",
            "Same top p: 78.637 ± 0.107 %",
        ] {
            assert_eq!(
                text.lines().filter(|found| *found == line).count().min(1),
                1,
                "{line}\n{text}"
            );
        }
    }
}
