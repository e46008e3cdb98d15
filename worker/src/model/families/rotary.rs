//! Rotary frequencies from `config.json`: the plain ones and the published ways to stretch them. Not the turning (`positions`).

use std::f64::consts::TAU;

use crate::model::architecture::Rotary;
use crate::model::config::{Config, Flag};

/// Where the numbers of one kind of layers stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct RotaryKeys {
    /// Base under a key of the older spelling.
    pub(super) theta: &'static str,
    /// Base where it is nowhere said.
    pub(super) theta_default: f64,
    /// Share of a head's channels that are turned where it is nowhere said.
    pub(super) share_default: f64,
    /// The section of these layers in `rope_parameters`, where that has sections.
    pub(super) layers: &'static str,
    /// Where the older spelling has the stretching.
    pub(super) scaling: Option<&'static str>,
}

/// The keys of families whose layers are all alike.
pub(super) const ALIKE: RotaryKeys = RotaryKeys {
    theta: "rope_theta",
    theta_default: 10_000.0,
    share_default: 1.0,
    layers: "full_attention",
    scaling: Some("rope_scaling"),
};

/// Rotary positions over a share of the head, as GPT-NeoX says it.
pub(super) fn partial(config: &Config<'_>, head_width: u32) -> Result<Rotary, String> {
    rotary(
        config,
        head_width,
        RotaryKeys { theta: "rotary_emb_base", share_default: 0.25, ..ALIKE },
    )
}

/// Rotary positions of heads of this width.
pub(super) fn rotary(
    config: &Config<'_>,
    head_width: u32,
    keys: RotaryKeys,
) -> Result<Rotary, String> {
    let parameters = config.section("rope_parameters");
    let parameters = parameters.map(|all| all.section(keys.layers).unwrap_or(all));
    let scaling = parameters.or_else(|| config.section(keys.scaling?));
    let said = parameters.and_then(|parameters| parameters.fraction(&["rope_theta"]));
    let theta = said.or_else(|| config.fraction(&[keys.theta])).unwrap_or(keys.theta_default);
    let share = parameters.and_then(|parameters| parameters.fraction(&["partial_rotary_factor"]));
    let share = share.or_else(|| config.fraction(&["rotary_pct", "partial_rotary_factor"]));
    let width = (f64::from(head_width) * share.unwrap_or(keys.share_default)) as u32;
    let turns = width > 0 && width.is_multiple_of(2) && width <= head_width;
    if !turns || theta <= 1.0 || theta.is_nan() {
        return Err(format!(
            "rotary positions of base {theta} over {width} of {head_width} channels are impossible"
        ));
    }
    let wavelength = |pair: u32| theta.powf(f64::from(2 * pair) / f64::from(width)) as f32;
    let plain = Rotary {
        width,
        frequencies: (0..width / 2).map(|pair| 1.0 / wavelength(pair)).collect(),
        scale: 1.0,
    };
    match scaling {
        Some(scaling) => stretched(plain, theta, &scaling, config),
        None => Ok(plain),
    }
}

/// The frequencies stretched as `rope_scaling` says.
fn stretched(
    plain: Rotary,
    theta: f64,
    scaling: &Config<'_>,
    config: &Config<'_>,
) -> Result<Rotary, String> {
    let kind = scaling.text(&["rope_type", "type"]).unwrap_or("default");
    if kind == "default" {
        return Ok(plain);
    }
    let get = |key: &'static str| {
        scaling.fraction(&[key]).ok_or_else(|| format!("rope_scaling {kind:?} has no {key}"))
    };
    let factor = get("factor");
    let context = scaling.fraction(&["original_max_position_embeddings"]);
    let context = context.or_else(|| config.fraction(&["max_position_embeddings"]));
    let context = context.ok_or_else(|| "max_position_embeddings is missing".to_owned());
    match kind {
        "linear" => Ok(linear(plain, factor?)),
        "llama3" => {
            let bounds = (get("low_freq_factor")?, get("high_freq_factor")?);
            Ok(llama3(plain, factor?, context?, bounds))
        }
        "yarn" => {
            let factor = factor?;
            let scale = scaling.fraction(&["attention_factor"]);
            let scale = scale.unwrap_or(if factor > 1.0 { 0.1 * factor.ln() + 1.0 } else { 1.0 });
            let turns = ["beta_fast", "beta_slow"].map(|key| scaling.fraction(&[key]));
            let turns = (turns[0].unwrap_or(32.0), turns[1].unwrap_or(1.0));
            let whole = scaling.flag("truncate", Flag::On);
            if scaling.fraction(&["mscale"]).is_some() || !whole {
                return Err(
                    "rope_scaling \"yarn\" with mscale or truncate is not supported".to_owned()
                );
            }
            Ok(Rotary { scale, ..yarn(plain, factor, theta, (context?, turns)) })
        }
        other => Err(format!(
            "rope_scaling {other:?} is not supported; supported are default, linear, llama3, yarn"
        )),
    }
}

/// Position interpolation (Chen et al. 2023).
fn linear(plain: Rotary, factor: f64) -> Rotary {
    let frequencies = plain.frequencies.iter().map(|frequency| frequency / factor as f32).collect();
    Rotary { frequencies, ..plain }
}

/// Llama 3.1: wavelengths beyond the training context are stretched, short ones stay, between them is a linear blend.
fn llama3(plain: Rotary, factor: f64, context: f64, (low, high): (f64, f64)) -> Rotary {
    let stretch = |frequency: &f32| {
        let turns = context * f64::from(*frequency) / TAU;
        let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        (f64::from(*frequency) * (kept + (1.0 - kept) / factor)) as f32
    };
    Rotary { frequencies: plain.frequencies.iter().map(stretch).collect(), ..plain }
}

/// YaRN (Peng et al. 2023): pairs that turn more than `fast` times in the training context stay, those that turn less than
/// `slow` times are stretched, with a ramp over the pairs between.
fn yarn(
    plain: Rotary,
    factor: f64,
    theta: f64,
    (context, (fast, slow)): (f64, (f64, f64)),
) -> Rotary {
    let width = f64::from(plain.width);
    let pair = |turns: f64| width * (context / (turns * TAU)).ln() / (2.0 * theta.ln());
    let first = pair(fast).floor().max(0.0);
    let last = pair(slow).ceil().min(width - 1.0);
    let last = if last == first { first + 0.001 } else { last };
    let stretch = |(pair, frequency): (usize, &f32)| {
        let ramp = ((pair as f64 - first) / (last - first)).clamp(0.0, 1.0);
        let frequency = f64::from(*frequency);
        (frequency / factor * ramp + frequency * (1.0 - ramp)) as f32
    };
    Rotary { frequencies: plain.frequencies.iter().enumerate().map(stretch).collect(), ..plain }
}
