//! Correlations → the table `replication`: does what holds in one model hold in the others? Computes no correlation.

use super::grouped::grouped;
use super::reasons::Reasons;
use super::tables::{CorrelationRow, ReplicationRow};

/// The table, in the order of the correlations' first rows; empty for a single model.
pub(super) fn rows(correlations: &[CorrelationRow]) -> Vec<ReplicationRow> {
    let mut questions = grouped(correlations, |row| {
        (&row.predictor, &row.outcome, &row.scope, &row.components, &row.config)
    });
    questions.retain(|models| models.len() > 1);
    questions.iter().flat_map(|models| question(models)).collect()
}

fn question(models: &[&CorrelationRow]) -> Vec<ReplicationRow> {
    let verdict = Verdict::of(models);
    let row = |row: &&CorrelationRow| {
        let mut reasons = Reasons::default();
        row.reason.iter().for_each(|reason| reasons.add(reason.as_str()));
        for other in models.iter().filter(|other| other.pearson_r.is_none()) {
            reasons.add(format!("no verdict: r is undefined in {}", other.model));
        }
        ReplicationRow {
            predictor: row.predictor.clone(),
            outcome: row.outcome.clone(),
            scope: row.scope.clone(),
            components: row.components.clone(),
            config: row.config.clone(),
            model: row.model.clone(),
            models: models.len() as u64,
            n: row.n,
            pearson_r: row.pearson_r,
            pearson_low: row.pearson_low,
            pearson_high: row.pearson_high,
            verdict: verdict.map(|verdict| verdict.name().to_owned()),
            reason: reasons.column(),
        }
    };
    models.iter().map(row).collect()
}

/// Whether the sign of a correlation is the same in every model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Replicates,
    SameSign,
    DoesNot,
}

impl Verdict {
    /// The verdict over the models; `None` where an r is undefined.
    fn of(models: &[&CorrelationRow]) -> Option<Self> {
        let signs: Option<Vec<f64>> = models.iter().map(|row| row.pearson_r.map(sign)).collect();
        let first = *signs.as_ref()?.first()?;
        if first == 0.0 || signs?.iter().any(|&sign| sign != first) {
            return Some(Self::DoesNot);
        }
        let excludes = |row: &&CorrelationRow| {
            let interval = row.pearson_low.zip(row.pearson_high);
            interval.is_some_and(|(low, high)| sign(low) == first && sign(high) == first)
        };
        Some(if models.iter().all(excludes) { Self::Replicates } else { Self::SameSign })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Replicates => "replicates",
            Self::SameSign => "same sign",
            Self::DoesNot => "does not",
        }
    }
}

/// −1, 0 or 1.
fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::rows::Row;

    use super::super::example::summary;
    use super::*;

    /// A correlation of the example for each model: r and its interval.
    fn verdict(models: &[(Option<f64>, Option<[f64; 2]>)]) -> (Option<String>, Option<String>) {
        let example = summary().correlations.remove(0);
        let correlations: Vec<CorrelationRow> = models
            .iter()
            .enumerate()
            .map(|(number, &(pearson_r, interval))| CorrelationRow {
                model: format!("m{number}"),
                pearson_r,
                pearson_low: interval.map(|[low, _]| low),
                pearson_high: interval.map(|[_, high]| high),
                ..example.clone()
            })
            .collect();
        let mut rows = rows(&correlations);
        let batch = ReplicationRow::to_batch(&rows).unwrap();
        assert_eq!(ReplicationRow::from_batch(&batch).unwrap(), rows);
        assert!(rows.iter().all(|row| row.models == models.len() as u64));
        let last = rows.pop().unwrap();
        (last.verdict, last.reason)
    }

    #[test]
    fn verdicts() {
        let (high, low) = ((Some(0.8), Some([0.5, 0.9])), (Some(-0.8), Some([-0.9, -0.5])));
        let wide = (Some(0.2), Some([-0.3, 0.6]));
        let check = |models: &[_], expected: &str| {
            assert_eq!(verdict(models), (Some(expected.to_owned()), None), "{models:?}");
        };
        check(&[high, high], "replicates");
        check(&[low, low, low], "replicates");
        check(&[high, wide], "same sign");
        check(&[high, (Some(0.9), None)], "same sign");
        check(&[high, low], "does not");
        check(&[high, high, (Some(0.0), Some([-0.5, 0.5]))], "does not");
    }

    #[test]
    fn undefined_ones_have_no_verdict_and_say_why() {
        let (verdict, reason) = verdict(&[(None, None), (Some(0.8), Some([0.5, 0.9]))]);
        assert_eq!(verdict, None);
        assert_eq!(reason.as_deref(), Some("no verdict: r is undefined in m0"));
    }

    #[test]
    fn a_single_model_replicates_nothing() {
        assert!(summary().replication.is_empty());
    }
}
