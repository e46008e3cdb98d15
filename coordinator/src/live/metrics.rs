//! The numbers of a run for Prometheus: counters and histograms move as things happen, gauges are read off an overview when somebody
//! asks. No clock and no network: durations are arguments, the text is returned.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use babelquant_proto::FailureKind;
use babelquant_proto::message::VerdictKind;
use babelquant_proto::overview::Overview;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Configs that have durations of their own; a study may have many more.
const CONFIGS_MAX: usize = 64;
/// The config of the durations of all further ones.
const OTHER_CONFIGS: &str = "other";

type Label = [(&'static str, &'static str); 1];
type EngineAndConfig = [(&'static str, String); 2];

/// The metrics of one coordinator process; their names are an interface.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    grants: Counter,
    results: Family<Label, Counter>,
    failures: Family<Label, Counter>,
    leases_expired: Counter,
    sync_seconds: Histogram,
    commit_seconds: Histogram,
    commit_bytes: Counter,
    inflight_bytes: Gauge,
    unit_seconds: Family<EngineAndConfig, Histogram, fn() -> Histogram>,
    /// The configs that have durations of their own.
    configs: Mutex<BTreeSet<String>>,
    mismatches: Counter,
    violations: Counter,
    units: Family<Label, Gauge>,
    sessions: Family<Label, Gauge>,
    epoch: Gauge,
    oldest_lease_seconds: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let unit_seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.01, 4.0, 10));
        let call_seconds = || Histogram::new(exponential_buckets(0.001, 4.0, 9));
        let metrics = Self {
            registry: Registry::default(),
            grants: Counter::default(),
            results: Family::default(),
            failures: Family::default(),
            leases_expired: Counter::default(),
            sync_seconds: call_seconds(),
            commit_seconds: call_seconds(),
            commit_bytes: Counter::default(),
            inflight_bytes: Gauge::default(),
            unit_seconds: Family::new_with_constructor(unit_seconds),
            configs: Mutex::default(),
            mismatches: Counter::default(),
            violations: Counter::default(),
            units: Family::default(),
            sessions: Family::default(),
            epoch: Gauge::default(),
            oldest_lease_seconds: Gauge::default(),
        };
        metrics.at_zero().registered()
    }
}

impl Metrics {
    /// So many units were lent.
    pub(crate) fn granted(&self, units: usize) {
        self.grants.inc_by(units as u64);
    }

    /// A result got its verdict.
    pub(crate) fn judged(&self, verdict: VerdictKind) {
        self.results.get_or_create(&label("verdict", verdict_name(verdict))).inc();
        if verdict == VerdictKind::DuplicateDifferent {
            self.mismatches.inc();
        }
    }

    /// A worker said that a unit broke.
    pub(crate) fn failed(&self, kind: FailureKind) {
        self.failures.get_or_create(&label("kind", kind.name())).inc();
    }

    /// So many units were taken from workers that fell silent.
    pub(crate) fn leases_expired(&self, units: usize) {
        self.leases_expired.inc_by(units as u64);
    }

    /// A Sync was answered.
    pub(crate) fn synced(&self, took: Duration) {
        self.sync_seconds.observe(took.as_secs_f64());
    }

    /// Results of so many bytes became durable.
    pub(crate) fn committed(&self, bytes: usize, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        self.commit_bytes.inc_by(bytes as u64);
    }

    /// Results of so many bytes have arrived and are not durable.
    pub(crate) fn in_flight(&self, bytes: usize) {
        self.inflight_bytes.set(bytes as i64);
    }

    /// A unit was returned; no config for what is no cell.
    pub(crate) fn computed(&self, engine: &str, config: Option<String>, took: Duration) {
        let config = self.named(config.unwrap_or_default());
        let labels = [("engine", engine.to_owned()), ("config", config)];
        self.unit_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// The config, or the name of all that have no durations of their own.
    fn named(&self, config: String) -> String {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if configs.len() < CONFIGS_MAX {
            configs.insert(config.clone());
        }
        if configs.contains(&config) { config } else { OTHER_CONFIGS.to_owned() }
    }

    /// Something happened that our own rules exclude.
    pub(crate) fn violated(&self) {
        self.violations.inc();
    }

    /// All metrics in the text format of Prometheus.
    pub(crate) fn text(&self, overview: &Overview) -> String {
        let Overview { units, done, granted, quarantined, .. } = *overview;
        let open = units.saturating_sub(done + granted + quarantined);
        let states =
            [("open", open), ("granted", granted), ("done", done), ("quarantined", quarantined)];
        for (state, units) in states {
            self.units.get_or_create(&label("state", state)).set(units as i64);
        }
        let draining = overview.workers.iter().filter(|worker| worker.draining).count();
        let working = overview.workers.len() - draining;
        for (state, sessions) in [("working", working), ("draining", draining)] {
            self.sessions.get_or_create(&label("state", state)).set(sessions as i64);
        }
        self.epoch.set(overview.epoch as i64);
        let oldest = overview.longest_held.first().map_or(0.0, |held| held.held.as_secs_f64());
        self.oldest_lease_seconds.set(oldest);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)
            .expect("a string takes whatever is written to it");
        text
    }

    /// Counters exist before the first event: a rate needs a start.
    fn at_zero(self) -> Self {
        for verdict in [
            VerdictKind::Durable,
            VerdictKind::DuplicateSame,
            VerdictKind::DuplicateDifferent,
            VerdictKind::Rejected,
        ] {
            drop(self.results.get_or_create(&label("verdict", verdict_name(verdict))));
        }
        for kind in [
            FailureKind::InvalidUnit,
            FailureKind::OutOfMemory,
            FailureKind::Crash,
            FailureKind::Timeout,
            FailureKind::ModelUnavailable,
        ] {
            drop(self.failures.get_or_create(&label("kind", kind.name())));
        }
        self
    }

    fn registered(mut self) -> Self {
        let mut registry = Registry::with_prefix("babelquant");
        let to = &mut registry;
        to.register("units", "Units of the study by state", self.units.clone());
        to.register("grants", "Units lent to workers", self.grants.clone());
        to.register("results", "Results received, by verdict", self.results.clone());
        to.register("failures", "Failures that workers reported", self.failures.clone());
        let silent = "Units taken from workers that fell silent";
        to.register("lease_expired", silent, self.leases_expired.clone());
        to.register("sessions", "Live workers by state", self.sessions.clone());
        let sync = "Time from a Sync's arrival to its answer, waiting for work included";
        to.register("sync_seconds", sync, self.sync_seconds.clone());
        let commit = "Time until a group of results was durable";
        to.register("commit_seconds", commit, self.commit_seconds.clone());
        to.register("commit_bytes", "Bytes of durable results", self.commit_bytes.clone());
        let inflight = "Bytes of results that have arrived and are not durable yet";
        to.register("inflight_bytes", inflight, self.inflight_bytes.clone());
        let unit = "Time from the grant of a unit to its result; no config for what is no cell";
        to.register("unit_seconds", unit, self.unit_seconds.clone());
        let mismatch = "Results that differ from the durable one of their unit";
        to.register("determinism_mismatch", mismatch, self.mismatches.clone());
        to.register("epoch", "Coordinators that have opened this output", self.epoch.clone());
        let violation = "States that the program's own rules exclude: each is a bug";
        to.register("invariant_violations", violation, self.violations.clone());
        let oldest = "How long the unit that has been lent for longest has been";
        to.register("oldest_lease_seconds", oldest, self.oldest_lease_seconds.clone());
        self.registry = registry;
        self
    }
}

fn label(key: &'static str, value: &'static str) -> Label {
    [(key, value)]
}

fn verdict_name(verdict: VerdictKind) -> &'static str {
    match verdict {
        VerdictKind::Durable => "durable",
        VerdictKind::DuplicateSame => "duplicate_same",
        VerdictKind::DuplicateDifferent => "duplicate_different",
        VerdictKind::Rejected => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_configs_share_one_series() {
        let metrics = Metrics::default();
        for config in 0..2 * CONFIGS_MAX {
            let config = Some(format!("int4-group{config}"));
            metrics.computed("cpu", config, Duration::from_millis(20));
        }
        metrics.computed("cpu", Some("int4-group0".to_owned()), Duration::from_secs(1));
        let text = metrics.text(&Overview::unopened("s".to_owned(), 7));
        let count = |config: &str| {
            let start =
                format!("babelquant_unit_seconds_count{{engine=\"cpu\",config={config:?}}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            line.map(|count| count.parse::<usize>().unwrap())
        };
        assert_eq!((count("int4-group0"), count("int4-group64")), (Some(2), None));
        assert_eq!(count(OTHER_CONFIGS), Some(CONFIGS_MAX));
        assert!(text.contains("babelquant_units{state=\"open\"} 7\n"), "{text}");
        assert!(text.contains("babelquant_results_total{verdict=\"rejected\"} 0\n"), "{text}");
    }
}
