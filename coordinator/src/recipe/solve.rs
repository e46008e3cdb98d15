//! The allocation: one way for each layer, within the budget, of least predicted loss. A mixed integer program; the solver is
//! `good_lp`'s `microlp`. Not where the numbers come from (`choices`).
//!
//! A layer's ways stand in order of their bits, each of them better than all before it in some language. Variable y_ij is 1 where layer i has
//! way j or a later one, so that y_ij ≥ y_i(j+1), and every sum over the chosen ways is Σ_i [v_i0 + Σ_j (v_ij − v_i(j−1))·y_ij]: branching on y
//! splits the ways of a layer in two. All sums of bits differ by multiples of one number of bits; the budget is rounded down to the next sum
//! that can be reached, without which the proof of optimality takes ages.

use good_lp::solvers::{SolutionStatus, WithInitialSolution, WithMipGap};
use good_lp::{
    Expression, ProblemVariables, Solution, SolverModel, Variable, constraint, microlp, variable,
};

use super::choices::{Choices, LayerChoices, Way};
use super::{Objective, RecipeError};

/// Up to so many ways over all layers the allocation is proved to be the best; beyond, `GAP` of the best is enough.
const PROVED_WAYS: usize = 300;
/// A share of the objective far below what one-layer measurements predict it to.
const GAP: f32 = 0.01;
/// What a bit per weight costs beside the objective in its own scale: of equal allocations the smaller one is taken.
const BIT_PRICE: f64 = 1e-7;

/// The way chosen at each layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Allocation {
    /// Position in `LayerChoices::ways`, by layer.
    pub(crate) ways: Vec<usize>,
    /// Whether another could be better.
    pub(crate) proof: Proof,
}

/// How good an allocation is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proof {
    /// None is better.
    Best,
    /// None is better by more than a hundredth.
    WithinAHundredth,
}

/// The best allocation within `bits` in all.
///
/// # Errors
/// Not even the smallest ways fit, or the solver gives up.
pub(crate) fn solve(
    choices: &Choices,
    bits: u64,
    objective: Objective,
) -> Result<Allocation, RecipeError> {
    let ladders: Vec<Vec<usize>> =
        choices.layers.iter().map(|layer| ladder(layer, objective)).collect();
    let program = Program { choices, ladders: &ladders };
    let least = program.least_bits();
    if least > bits {
        return Err(RecipeError::Infeasible { least: least as f64 / choices.weights() as f64 });
    }
    let steps = program.solve(program.reachable(bits), objective)?;
    let ways = ladders.iter().zip(&steps.levels).map(|(ladder, &level)| ladder[level]).collect();
    Ok(Allocation { ways, proof: steps.proof })
}

/// The ways of a layer that some allocation may need, by rising bits: those that lose less than every smaller one in some language, or in
/// the mean where that is what counts.
fn ladder(layer: &LayerChoices, objective: Objective) -> Vec<usize> {
    let losses = |way: &Way| match objective {
        Objective::WorstLanguage => way.effects.clone(),
        Objective::Mean => objective.of(&way.effects).into_iter().collect(),
    };
    let mut order: Vec<usize> = (0..layer.ways.len()).collect();
    // The sort is stable: of equals the first stays first.
    order.sort_by_key(|&way| layer.ways[way].bits);
    let mut ladder: Vec<(usize, Vec<f64>)> = Vec::new();
    for way in order {
        let loss = losses(&layer.ways[way]);
        let no_better =
            |(_, known): &(usize, Vec<f64>)| known.iter().zip(&loss).all(|(a, b)| a <= b);
        if !ladder.iter().any(no_better) {
            ladder.push((way, loss));
        }
    }
    ladder.into_iter().map(|(way, _)| way).collect()
}

/// The levels that the solver chose.
struct Steps {
    levels: Vec<usize>,
    proof: Proof,
}

struct Program<'a> {
    choices: &'a Choices,
    ladders: &'a [Vec<usize>],
}

impl Program<'_> {
    fn way(&self, layer: usize, level: usize) -> &Way {
        &self.choices.layers[layer].ways[self.ladders[layer][level]]
    }

    /// Σ over layers of a value of their first ways.
    fn constant(&self, value: &dyn Fn(&Way) -> f64) -> f64 {
        (0..self.ladders.len()).map(|layer| value(self.way(layer, 0))).sum()
    }

    /// Each step up a ladder with what it adds to a value: layer, level reached, difference.
    fn steps(&self, value: &dyn Fn(&Way) -> f64) -> Vec<(usize, usize, f64)> {
        let layers = 0..self.ladders.len();
        let of_layer = |layer: usize| {
            let levels = 1..self.ladders[layer].len();
            levels.map(move |level| {
                (layer, level, value(self.way(layer, level)) - value(self.way(layer, level - 1)))
            })
        };
        layers.flat_map(of_layer).collect()
    }

    fn least_bits(&self) -> u64 {
        (0..self.ladders.len()).map(|layer| self.way(layer, 0).bits).sum()
    }

    /// The largest sum up to `bits` that a multiple of what all steps have in common reaches.
    fn reachable(&self, bits: u64) -> u64 {
        let least = self.least_bits();
        let more = |layer: usize| {
            let first = self.way(layer, 0).bits;
            (1..self.ladders[layer].len()).map(move |level| self.way(layer, level).bits - first)
        };
        let unit = (0..self.ladders.len()).flat_map(more).fold(0, divisor).max(1);
        least + (bits - least) / unit * unit
    }

    fn solve(&self, bits: u64, objective: Objective) -> Result<Steps, RecipeError> {
        let scale = self.largest_effect();
        let weights = self.choices.weights() as f64;
        let mut variables = ProblemVariables::new();
        let levels: Vec<Vec<Variable>> = self
            .ladders
            .iter()
            .map(|ladder| (1..ladder.len()).map(|_| variables.add(variable().binary())).collect())
            .collect();
        let worst = variables.add(match objective {
            Objective::WorstLanguage => variable(),
            Objective::Mean => variable().min(0.0).max(0.0),
        });
        let sum = |value: &dyn Fn(&Way) -> f64| {
            let mut sum = Expression::from(self.constant(value));
            for (layer, level, step) in self.steps(value) {
                sum += step * levels[layer][level - 1];
            }
            sum
        };
        let languages = self.choices.languages.len();
        let per_weight = sum(&|way| way.bits as f64 / weights);
        let loss = match objective {
            Objective::WorstLanguage => Expression::from(worst),
            Objective::Mean => {
                sum(&|way| way.effects.iter().sum::<f64>() / (languages as f64 * scale))
            }
        };
        let mut model = variables.minimise(loss + BIT_PRICE * per_weight.clone()).using(microlp);
        for pair in levels.iter().flat_map(|levels| levels.windows(2)) {
            model = model.with(constraint!(pair[1] <= pair[0]));
        }
        // What rounding of the sums may cost.
        let limit = bits as f64 / weights * (1.0 + 1e-12);
        model = model.with(constraint!(per_weight <= limit));
        let bounded = match objective {
            Objective::WorstLanguage => 0..languages,
            Objective::Mean => 0..0,
        };
        for language in bounded {
            model = model.with(constraint!(sum(&|way| way.effects[language] / scale) <= worst));
        }
        self.finish(model, &levels, (worst, objective))
    }

    fn finish(
        &self,
        model: good_lp::solvers::microlp::MicroLpProblem,
        levels: &[Vec<Variable>],
        (worst, objective): (Variable, Objective),
    ) -> Result<Steps, RecipeError> {
        let ways: usize = self.ladders.iter().map(Vec::len).sum();
        let gap = if ways <= PROVED_WAYS { 0.0 } else { GAP };
        let smallest = levels.iter().flatten().map(|&level| (level, 0.0));
        let start = match objective {
            Objective::WorstLanguage => smallest.chain([(worst, self.smallest_loss())]).collect(),
            Objective::Mean => smallest.collect::<Vec<_>>(),
        };
        let failed = |error: String| RecipeError::Solver { reason: error };
        let model = model.with_mip_gap(gap).map_err(|error| failed(error.to_string()))?;
        let solution = model.with_initial_solution(start).solve();
        let solution = solution.map_err(|error| failed(error.to_string()))?;
        let proof = match solution.status() {
            SolutionStatus::Optimal => Proof::Best,
            SolutionStatus::GapLimit | SolutionStatus::TimeLimit => Proof::WithinAHundredth,
        };
        let level = |of_layer: &Vec<Variable>| {
            of_layer.iter().filter(|y| solution.value(**y) > 0.5).count()
        };
        Ok(Steps { levels: levels.iter().map(level).collect(), proof })
    }

    /// What the worst language loses where every layer has its smallest way, in the scale of the program.
    fn smallest_loss(&self) -> f64 {
        let languages = 0..self.choices.languages.len();
        let losses = languages.map(|language| self.constant(&|way| way.effects[language]));
        losses.fold(f64::MIN, f64::max) / self.largest_effect()
    }

    /// The largest effect of a way, so that the solver's tolerances fit; 1 where there is none.
    fn largest_effect(&self) -> f64 {
        let ways = self.choices.layers.iter().flat_map(|layer| &layer.ways);
        let effects = ways.flat_map(|way| &way.effects);
        let largest = effects.fold(0.0, |largest: f64, effect| largest.max(effect.abs()));
        if largest > 0.0 { largest } else { 1.0 }
    }
}

/// Greatest common divisor.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::{Layer, random};
    use rand_chacha::rand_core::Rng;

    use super::*;

    const LANGUAGES: usize = 3;

    fn choices(seed: u64, layers: u32, ways: usize) -> Choices {
        let mut stream = random::stream(random::key("recipe", seed, std::iter::empty()), 0);
        // Effects of −0.5 to 1.5, most of them smaller for more bits.
        let mut number = || stream.next_u32() as f64 / u32::MAX as f64;
        let way = |bits: u64, number: &mut dyn FnMut() -> f64| Way {
            config: None,
            bits,
            effects: (0..LANGUAGES).map(|_| (2.0 * number() - 0.5) * 400.0 / bits as f64).collect(),
        };
        let layer = |index: u32, number: &mut dyn FnMut() -> f64| LayerChoices {
            layer: Layer::dec(index),
            weights: 100,
            ways: (0..ways).map(|i| way(200 + 100 * i as u64, number)).collect(),
        };
        Choices {
            languages: (0..LANGUAGES).map(|language| language.to_string()).collect(),
            layers: (0..layers).map(|index| layer(index, &mut number)).collect(),
            unusable: Vec::new(),
        }
    }

    fn loss(choices: &Choices, ways: &[usize], objective: Objective) -> (u64, f64) {
        let taken = || choices.layers.iter().zip(ways).map(|(layer, &way)| &layer.ways[way]);
        let sums = (0..LANGUAGES).map(|l| taken().map(|way| way.effects[l]).sum());
        let sums: Vec<f64> = sums.collect();
        (taken().map(|way| way.bits).sum(), objective.of(&sums).unwrap())
    }

    /// Of all ways for every layer, the least loss within the budget.
    fn by_trying_all(choices: &Choices, bits: u64, objective: Objective) -> Option<f64> {
        let counts: Vec<usize> = choices.layers.iter().map(|layer| layer.ways.len()).collect();
        let all: usize = counts.iter().product();
        let losses = (0..all).filter_map(|mut number| {
            let way = |count: &usize| {
                let way = number % count;
                number /= count;
                way
            };
            let ways: Vec<usize> = counts.iter().map(way).collect();
            let (used, loss) = loss(choices, &ways, objective);
            (used <= bits).then_some(loss)
        });
        losses.reduce(f64::min)
    }

    fn check(choices: &Choices, bits: u64, objective: Objective) {
        let best = by_trying_all(choices, bits, objective);
        match (solve(choices, bits, objective), best) {
            (Ok(allocation), Some(best)) => {
                let (used, loss) = loss(choices, &allocation.ways, objective);
                assert!(used <= bits, "{used} of {bits}");
                assert!((loss - best).abs() < 1e-6, "{bits} {loss} {best}");
                assert_eq!(allocation.proof, Proof::Best);
            }
            (Err(RecipeError::Infeasible { least }), None) => assert!((least - 2.0).abs() < 1e-12),
            (found, best) => panic!("{found:?} {best:?}"),
        }
    }

    #[test]
    fn no_allocation_is_better_than_the_one_found() {
        for seed in 0..30 {
            let choices = choices(seed, 5, 4);
            for objective in [Objective::WorstLanguage, Objective::Mean] {
                let budgets = [900, 1000, 1250, 1500, 1733, 2500, 9999];
                budgets.iter().for_each(|&bits| check(&choices, bits, objective));
            }
        }
    }

    #[test]
    fn a_large_model_is_solved_within_a_hundredth() {
        let choices = choices(7, 60, 8);
        for objective in [Objective::WorstLanguage, Objective::Mean] {
            let allocation = solve(&choices, 60 * 450, objective).unwrap();
            let (used, found) = loss(&choices, &allocation.ways, objective);
            let (_, alike) = loss(&choices, &[2; 60], objective);
            assert!(used <= 60 * 450 && found < alike, "{found} {alike}");
        }
    }
}
