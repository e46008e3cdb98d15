//! Colour scales of heat maps: few classes, each a variable of the page, and the key that explains them. Not the map (`heat`).

use maud::{Markup, html};

use super::super::number::{fixed, significant};

/// Ends of classes on each side of 0.
const EDGES: usize = 7;
/// Classes of a share.
const SHARES: usize = 9;

/// A scale for losses and gains: classes by magnitude, 1–2–5 apart, so that small effects are seen beside large ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Diverging {
    /// Rising, above 0.
    edges: Vec<f64>,
}

impl Diverging {
    /// The scale whose last class holds the largest magnitude.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let largest = values.fold(0.0, |a: f64, b| a.max(b.abs()));
        let top = if largest > 0.0 { largest } else { 1.0 };
        let decade = top.log10().floor() as i32;
        let steps = (decade - 3..=decade)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| decimal(digit, power)));
        let below: Vec<f64> = steps.filter(|edge| *edge <= top).collect();
        Self { edges: below[below.len().saturating_sub(EDGES)..].to_vec() }
    }

    /// The colour of a value.
    pub(super) fn colour(&self, value: f64) -> String {
        let class = self.edges.iter().filter(|edge| **edge <= value.abs()).count();
        match (class, value > 0.0) {
            (0, _) => "var(--zero)".to_owned(),
            (class, true) => format!("var(--h{class})"),
            (class, false) => format!("var(--g{class})"),
        }
    }

    /// The key: gains to the left, losses to the right.
    pub(super) fn key(&self, unit: &str) -> Markup {
        let smallest = self.edges.first().copied().unwrap_or(1.0);
        let text = |edge: f64| short(1e3 * edge);
        html! {
            div.key {
                span { "better" }
                @for edge in self.edges.iter().rev() { (swatch(&self.colour(-edge), &format!("−{}", text(*edge)))) }
                (swatch("var(--zero)", &format!("< {}", text(smallest))))
                @for edge in &self.edges { (swatch(&self.colour(*edge), &text(*edge))) }
                span { "worse, in " (unit) }
            }
        }
    }
}

/// A scale for shares: equal classes from the smallest to the largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sequential {
    low: f64,
    high: f64,
}

impl Sequential {
    /// The scale of these values.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let ends = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let (low, high) = if ends.0 < ends.1 { ends } else { (0.0, 1.0) };
        Self { low, high }
    }

    /// The colour of a value.
    pub(super) fn colour(&self, value: f64) -> String {
        let place = (value - self.low) / (self.high - self.low) * SHARES as f64;
        format!("var(--s{})", (place.max(0.0) as usize).min(SHARES - 1))
    }

    /// The key in percent.
    pub(super) fn key(&self) -> Markup {
        let step = (self.high - self.low) / SHARES as f64;
        let text = |value: f64| fixed(100.0 * value, 1);
        let starts = (0..SHARES).map(|class| self.low + (class as f64 + 0.5) * step);
        html! {
            div.key {
                span { (text(self.low)) " %" }
                @for middle in starts { (swatch(&self.colour(middle), "")) }
                span { (text(self.high)) " %" }
            }
        }
    }
}

fn swatch(colour: &str, text: &str) -> Markup {
    html! { i.swatch style=(format!("background:{colour}")) { } @if !text.is_empty() { small { (text) } } }
}

/// digit·10^power as it is written, without the error of a product.
fn decimal(digit: f64, power: i32) -> f64 {
    if power < 0 { digit / 10_f64.powi(-power) } else { digit * 10_f64.powi(power) }
}

fn short(value: f64) -> String {
    match value {
        whole if (1.0..1e6).contains(&whole) => fixed(whole, 0),
        other => significant(other, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_apart_by_one_two_five() {
        let scale = Diverging::of([0.3, -0.7, 0.001].into_iter());
        assert_eq!(scale.edges, [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]);
        let colours = [0.7, -0.7, 0.004, 0.005, -0.02].map(|value| scale.colour(value));
        assert_eq!(colours, ["var(--h7)", "var(--g7)", "var(--zero)", "var(--h1)", "var(--g3)"]);
        assert_eq!(Diverging::of([].into_iter()).edges.len(), EDGES);
    }

    #[test]
    fn shares_fill_the_scale() {
        let scale = Sequential::of([0.1, 0.2].into_iter());
        assert_eq!([0.1, 0.2].map(|value| scale.colour(value)), ["var(--s0)", "var(--s8)"]);
        assert_eq!(Sequential::of([0.3].into_iter()).colour(0.3), "var(--s2)");
    }
}
