//! Simulated studies of 14 languages whose truth is known: how often each 95 % interval holds it, and how often a test at 5 % finds what is
//! not there. A hundred studies are a test; a thousand write the README's table, in minutes:
//!
//! ```text
//! cargo test --release --workspace --test calibration -- --ignored --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::f64::consts::{E, PI};

use babelquant_coordinator::statistics::{
    Clusters, Interval, Pairs, Resamples, Shuffles, benjamini_hochberg, bonett_wright, bootstrap,
    holm, partial, pearson, spearman,
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

const WORLDS: [World; 5] = [
    World::Independent(0.0),
    World::Independent(0.7),
    World::Skewed(0.7),
    World::Families(0.0),
    World::Confounded,
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
    /// Its intervals; those of resampled rows only where asked, for they take most of the time.
    fn intervals(&self, rows_resampled: bool) -> [Option<Interval>; INTERVALS.len()] {
        let (n, pairs) = (FAMILIES.len(), &self.pairs);
        let resamples = Resamples { confidence: CONFIDENCE, seed: 1, draws: 1000 };
        let families = Clusters::labelled(&FAMILIES.map(|family| family.to_string()));
        let languages = Clusters::single(&vec![String::new(); n]);
        let of_rows = rows_resampled.then(|| bootstrap(pairs, &languages, resamples)).flatten();
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

/// How many studies, and of how many of them rows are resampled.
#[derive(Clone, Copy)]
struct Size {
    studies: u64,
    rows_resampled: u64,
}

/// The share of a world's studies in which each interval holds the truth.
fn coverage(world: World, size: Size) -> [f64; INTERVALS.len()] {
    let (mut held, mut made) = ([0.0; INTERVALS.len()], [0.0; INTERVALS.len()]);
    for seed in 0..size.studies {
        let study = world.study(&mut ChaCha8Rng::seed_from_u64(seed));
        let intervals = study.intervals(seed < size.rows_resampled);
        for (at, (interval, truth)) in intervals.iter().zip(world.truths()).enumerate() {
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

/// Of a hundred studies an interval that holds in 95 % of them misses in at most twelve, seeds being fixed for good.
#[test]
fn a_hundred_studies() {
    let size = Size { studies: 100, rows_resampled: 2 };
    let [null, correlated, _, families, confounded] = WORLDS.map(|world| coverage(world, size));
    let right = 0.88..=1.0;
    for (what, share) in [
        ("Fisher, r = 0", null[0]),
        ("Fisher, r = 0.7", correlated[0]),
        ("Fisher over family means", families[4]),
        ("covariate held fixed", confounded[5]),
        ("Bonett–Wright", correlated[6]),
    ] {
        assert!(right.contains(&share), "{what}: {share}");
    }
    assert!(families[0] < 0.9, "related rows counted as independent: {}", families[0]);
    assert!(confounded[0] < 0.4, "a confounder left out: {}", confounded[0]);
    let [uncorrected, holm, _, max_t] = family_wise(100);
    assert!(uncorrected > 0.1 && holm < 0.1 && max_t < 0.1, "{uncorrected} {holm} {max_t}");
}

#[test]
#[ignore = "minutes: the README's table"]
#[expect(clippy::print_stdout, reason = "it is run for its table")]
fn a_thousand_studies() {
    let size = Size { studies: 1000, rows_resampled: 200 };
    let percent = |share: &f64| format!("{:.1}", 100.0 * share);
    println!("| world | {} |", INTERVALS.join(" | "));
    for world in WORLDS {
        let shares = coverage(world, size);
        println!("| {world:?} | {} |", shares.each_ref().map(percent).join(" | "));
    }
    println!("| | {} |", CORRECTIONS.join(" | "));
    println!("| any of five | {} |", family_wise(1000).each_ref().map(percent).join(" | "));
}
