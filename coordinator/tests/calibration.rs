//! Simulated studies of 14 languages whose truth is known: how often each 95 % interval holds it, and how often a test at 5 % finds what is
//! not there. A thousand write the README's table:
//!
//! ```text
//! cargo test --release --workspace --test calibration -- --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::f64::consts::{E, PI};

use babelquant_coordinator::statistics::{
    Clusters, Interval, Pairs, Resamples, Shuffles, benjamini_hochberg, bonett_wright, bootstrap,
    holm, partial, pearson, random_bootstrap, spearman,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

/// Languages, and the family of each: sizes as among those of the earlier study.
const FAMILIES: [usize; 14] = [0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8];
const CONFIDENCE: f64 = 0.95;
const LEVEL: f64 = 0.05;
/// Share of the variance that languages of one family have in common.
const SHARED: f64 = 0.8;
/// Predictors that are corrected for each other.
const PREDICTORS: usize = 5;

/// Where the languages of a study come from.
#[derive(Debug, Clone, Copy)]
enum World {
    /// Independent languages, both columns normal with this correlation.
    Independent(f64),
    /// The exponentials of such columns: a few languages far out.
    Skewed(f64),
    /// Normal columns with this correlation, in which languages of a family are alike.
    Families(f64),
    /// Neither column does anything to the other; a third drives both.
    Confounded,
}

/// Each world with the intervals that claim to hold there, by their columns.
const WORLDS: [(World, &[usize]); 6] = [
    (World::Independent(0.0), &[0, 2, 5, 6]),
    (World::Independent(0.7), &[0, 2, 5, 6]),
    (World::Skewed(0.7), &[6]),
    (World::Families(0.0), &[4]),
    (World::Families(0.7), &[4]),
    (World::Confounded, &[5]),
];

/// The intervals, in the order of the table's columns.
const INTERVALS: [&str; 7] = [
    "Fisher",
    "percentile",
    "BCa",
    "percentile over families",
    "Fisher over family means",
    "Fisher, covariate held fixed",
    "Bonett–Wright, of ρ",
];

impl World {
    /// What each interval should hold.
    fn truths(self) -> [f64; INTERVALS.len()] {
        let (r, normal) = match self {
            Self::Independent(rho) | Self::Families(rho) => (rho, rho),
            Self::Skewed(rho) => ((rho.exp() - 1.0) / (E - 1.0), rho),
            Self::Confounded => (0.0, 0.0),
        };
        // Ranks are the same for any increasing function of normal columns.
        let mut truths = [r; INTERVALS.len()];
        truths[6] = 6.0 / PI * (normal / 2.0).asin();
        truths
    }

    fn study(self, random: &mut ChaCha8Rng) -> Study {
        let rho = match self {
            Self::Independent(rho) | Self::Skewed(rho) | Self::Families(rho) => rho,
            Self::Confounded => 0.0,
        };
        let families: [(f64, f64); 9] = std::array::from_fn(|_| correlated(rho, random));
        let mut covariate = Vec::new();
        let mut pair = |family: usize| {
            let (x, y) = correlated(rho, random);
            let third = normal(random);
            covariate.push(third);
            match self {
                Self::Independent(_) => (x, y),
                Self::Skewed(_) => (x.exp(), y.exp()),
                Self::Families(_) => {
                    let (shared, own) = (SHARED.sqrt(), (1.0 - SHARED).sqrt());
                    (shared * families[family].0 + own * x, shared * families[family].1 + own * y)
                }
                Self::Confounded => (0.8 * third + 0.6 * x, 0.8 * third + 0.6 * y),
            }
        };
        let pairs: Vec<(f64, f64)> = FAMILIES.iter().map(|&family| pair(family)).collect();
        Study { pairs: Pairs::new(&pairs).unwrap(), covariate }
    }
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    Normal::standard().inverse_cdf(random.random_range(f64::EPSILON..1.0))
}

/// Two standard normals with a correlation.
fn correlated(rho: f64, random: &mut ChaCha8Rng) -> (f64, f64) {
    let (x, other) = (normal(random), normal(random));
    (x, rho * x + (1.0 - rho * rho).sqrt() * other)
}

/// A simulated study.
struct Study {
    pairs: Pairs,
    covariate: Vec<f64>,
}

impl Study {
    fn intervals(&self) -> [Option<Interval>; INTERVALS.len()] {
        let (n, pairs) = (FAMILIES.len(), &self.pairs);
        let resamples = Resamples { confidence: CONFIDENCE, seed: 1, draws: 2000 };
        let families = Clusters::labelled(&FAMILIES.map(|family| family.to_string()));
        let languages = Clusters::single(&vec![String::new(); n]);
        let of_rows = random_bootstrap(pairs, &languages, resamples);
        let held_fixed = partial(pairs, std::slice::from_ref(&self.covariate), CONFIDENCE);
        [
            pearson(pairs, CONFIDENCE).interval,
            of_rows.map(|found| found.percentile),
            of_rows.and_then(|found| Some(found.bca?.interval)),
            bootstrap(pairs, &families, resamples).map(|found| found.percentile),
            pearson(&families.means(pairs).unwrap(), CONFIDENCE).interval,
            held_fixed.unwrap().interval,
            bonett_wright(spearman(pairs).rho, n, CONFIDENCE),
        ]
    }
}

/// The share of a world's studies in which each interval holds the truth.
fn coverage(world: World, studies: u64) -> [f64; INTERVALS.len()] {
    let (mut held, mut made) = ([0.0; INTERVALS.len()], [0.0; INTERVALS.len()]);
    for seed in 0..studies {
        let study = world.study(&mut ChaCha8Rng::seed_from_u64(seed));
        for (at, (interval, truth)) in study.intervals().iter().zip(world.truths()).enumerate() {
            let Some(Interval { low, high }) = interval else { continue };
            made[at] += 1.0;
            held[at] += f64::from(u8::from((*low..=*high).contains(&truth)));
        }
    }
    std::array::from_fn(|at| held[at] / made[at])
}

const CORRECTIONS: [&str; 4] = ["uncorrected", "Holm", "Benjamini–Hochberg", "max-T"];

/// The share of studies without any effect in which some of five related predictors is significant, by correction.
fn family_wise(studies: u64) -> [f64; CORRECTIONS.len()] {
    let mut found = [0.0; CORRECTIONS.len()];
    for seed in 0..studies {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let column = |random: &mut ChaCha8Rng| FAMILIES.map(|_| normal(random));
        let (outcome, common) = (column(random), column(random));
        let tests: [Pairs; PREDICTORS] = std::array::from_fn(|_| {
            let own = column(random);
            let x = common.iter().zip(own).map(|(common, own)| common + own);
            Pairs::new(&x.zip(outcome).collect::<Vec<_>>()).unwrap()
        });
        let p: Vec<f64> = tests.iter().map(|pairs| pearson(pairs, CONFIDENCE).p).collect();
        let shuffled = Shuffles::new(seed, 999).family(&tests);
        let max_t = shuffled.iter().map(|test| test.family_p).collect();
        for (at, p) in [p.clone(), holm(&p), benjamini_hochberg(&p), max_t].iter().enumerate() {
            let any = p.iter().any(|p| *p <= LEVEL);
            found[at] += f64::from(u8::from(any)) / studies as f64;
        }
    }
    found
}

/// Two standard errors of a share over so many studies.
fn error(share: f64, studies: u64) -> f64 {
    2.0 * (share * (1.0 - share) / studies as f64).sqrt()
}

/// Prints the table, and holds it against what is claimed: 93 % of intervals hold, 5 % of studies find what is not there, give or take two
/// standard errors.
#[expect(clippy::print_stdout, reason = "it is run for its table")]
fn check(studies: u64) {
    let percent = |share: &f64| format!("{:.1}", 100.0 * share);
    println!("| world | {} |", INTERVALS.join(" | "));
    let mut broken = Vec::new();
    for (world, claims) in WORLDS {
        let shares = coverage(world, studies);
        println!("| {world:?} | {} |", shares.each_ref().map(percent).join(" | "));
        let least = 0.93 - error(0.93, studies);
        let short = claims.iter().filter(|&&at| shares[at] < least);
        broken.extend(short.map(|&at| format!("{world:?}, {}: {}", INTERVALS[at], shares[at])));
    }
    println!("| | {} |", CORRECTIONS.join(" | "));
    let found = family_wise(studies);
    println!("| any of five | {} |", found.each_ref().map(percent).join(" | "));
    let most = LEVEL + error(LEVEL, studies);
    for at in [1, 3] {
        broken.extend((found[at] > most).then(|| format!("{}: {}", CORRECTIONS[at], found[at])));
    }
    assert!(broken.is_empty(), "{broken:?}");
    assert!(found[0] > 0.1, "five tests are not one: {}", found[0]);
}

#[test]
fn a_hundred_studies() {
    check(100);
    let [related, alone] =
        [World::Families(0.0), World::Confounded].map(|world| coverage(world, 100)[0]);
    assert!(related < 0.9, "related rows counted as independent: {related}");
    assert!(alone < 0.4, "a confounder left out: {alone}");
}

#[test]
fn a_thousand_studies() {
    check(1000);
}
