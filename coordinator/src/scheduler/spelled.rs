//! How inputs and effects are spelled in a trace: runs of units as `5-68,70` in the order given, times in nanoseconds, globs as they were
//! written. Not what they mean.

use std::fmt::Write;

use babelquant_proto::UnitIndex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::record::Record;

/// Units as runs of ascending numbers.
fn runs(units: impl Iterator<Item = u64>) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for unit in units {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(unit) => *last = unit,
            _ => runs.push((unit, unit)),
        }
    }
    let mut text = String::new();
    for (index, (first, last)) in runs.into_iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let written = match first == last {
            true => write!(text, "{comma}{first}"),
            false => write!(text, "{comma}{first}-{last}"),
        };
        written.expect("a string takes everything");
    }
    text
}

/// The units of runs, at most so many: a number of a few digits must not become a list that fills the memory.
fn units_of(text: &str) -> Result<Vec<UnitIndex>, String> {
    const UNITS_MAX: usize = 1 << 24;
    let wrong = |run: &str| format!("{run:?} is no run of units");
    let mut units = Vec::new();
    for run in text.split(',').filter(|run| !run.is_empty()) {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong(run));
        let (first, last) = (number(first)?, number(last)?);
        let room = (UNITS_MAX - units.len()) as u64;
        if last < first || last - first >= room {
            return Err(wrong(run));
        }
        units.extend((first..=last).map(UnitIndex));
    }
    Ok(units)
}

/// Lists of units.
pub(super) mod units {
    use super::{Deserialize, Deserializer, Error, Serializer, UnitIndex, runs, units_of};

    pub(in super::super) fn serialize<S: Serializer>(
        units: &[UnitIndex],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&runs(units.iter().map(|unit| unit.0)))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<UnitIndex>, D::Error> {
        units_of(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Lists of records: those of results that follow each other as runs of their units, others as they are.
pub(super) mod records {
    use super::{Deserialize, Deserializer, Error, Record, Serialize, Serializer, runs, units_of};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Item {
        Done(String),
        Other(Record),
    }

    pub(in super::super) fn serialize<S: Serializer>(
        records: &[Record],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let is_done = |record: &Record| matches!(record, Record::Done { .. });
        let item = |group: &[Record]| match &group[0] {
            Record::Done { .. } => Item::Done(runs(group.iter().map(|record| record.unit().0))),
            other => Item::Other(other.clone()),
        };
        let groups = records.chunk_by(|a, b| is_done(a) && is_done(b));
        serializer.collect_seq(groups.map(item))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Record>, D::Error> {
        let mut records = Vec::new();
        for item in Vec::<Item>::deserialize(deserializer)? {
            match item {
                Item::Done(runs) => {
                    let units = units_of(&runs).map_err(D::Error::custom)?;
                    records.extend(units.into_iter().map(|unit| Record::Done { unit }));
                }
                Item::Other(record) => records.push(record),
            }
        }
        Ok(records)
    }
}

/// Globs.
pub(super) mod pattern {
    use glob::Pattern;

    use super::{Deserialize, Deserializer, Error, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        pattern: &Pattern,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(pattern.as_str())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Pattern, D::Error> {
        Pattern::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Durations in whole nanoseconds.
pub(super) mod nanoseconds {
    use std::time::Duration;

    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        nanoseconds.serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_keep_their_order() {
        let check = |numbers: &[u64], spelled: &str| {
            assert_eq!(runs(numbers.iter().copied()), spelled);
            let back: Vec<u64> = units_of(spelled).unwrap().iter().map(|unit| unit.0).collect();
            assert_eq!(back, numbers);
        };
        check(&[], "");
        check(&[5, 6, 7, 9], "5-7,9");
        check(&[3, 2, 1, 1], "3,2,1,1");
        check(&[u64::MAX - 1, u64::MAX, 0], "18446744073709551614-18446744073709551615,0");
        for wrong in ["x", "1-", "-1", "3-2", "1,,x", "0-18446744073709551615", "0-16777216"] {
            assert!(units_of(wrong).is_err(), "{wrong}");
        }
    }
}
