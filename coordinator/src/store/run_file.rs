//! `run.json`: which measurement an output belongs to, the engine class that makes its last bits, and what was claimed of the results before
//! there were any. Written once.

use babelquant_proto::{Digest, EngineClass, Spec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::StoreError;
use crate::study::Registration;
use crate::verify::Engines;

/// The content of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// The study's name.
    pub study: String,
    /// The digest of the spec: it guards the output.
    pub spec_digest: Digest,
    /// What makes the run's numbers; of a run that takes those of any class, its first worker's.
    pub engine_class: EngineClass,
    /// True where workers of other classes may serve the run too: then two runs need not give the same bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mixed_engines: bool,
    /// The spec.
    pub spec: Spec,
    /// What is claimed of the results; outside the digest, since it changes no number.
    #[serde(default, skip_serializing_if = "Registration::is_empty")]
    pub registration: Registration,
    /// The digest of the spec of the run whose results were taken over: whoever registered hypotheses may have known them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Digest>,
}

impl RunFile {
    /// Its name in the output.
    pub(super) const PATH: &'static str = "run.json";

    /// Reads the file.
    pub(super) fn parse(content: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(content).map_err(|error| StoreError::damaged(Self::PATH, &error))
    }

    /// The digest of what the file registers, as it is written there: whatever a later program makes of it.
    pub(super) fn registered(content: &[u8]) -> Result<Digest, StoreError> {
        let file = serde_json::from_slice::<Value>(content);
        let file = file.map_err(|error| StoreError::damaged(Self::PATH, &error))?;
        let registration = file.get("registration").unwrap_or(&Value::Null);
        Ok(Digest::of(registration.to_string().as_bytes()))
    }

    /// Whose results the run takes.
    pub(crate) fn engines(&self) -> Engines {
        match self.mixed_engines {
            true => Engines::Any,
            false => Engines::Only(self.engine_class.clone()),
        }
    }

    /// Refuses a spec that is not the run's.
    pub(super) fn check(&self, spec: &Spec) -> Result<(), StoreError> {
        if self.spec == *spec {
            return Ok(());
        }
        let values = (serde_json::to_value(&self.spec), serde_json::to_value(spec));
        let difference = match values {
            (Ok(there), Ok(here)) => difference("", &there, &here),
            (Err(_), _) | (_, Err(_)) => None,
        };
        let difference = difference.unwrap_or_else(|| "the specs differ".to_owned());
        Err(StoreError::OtherStudy { difference })
    }

    /// Refuses hypotheses other than those that were registered.
    ///
    /// # Errors
    /// One of them is missing, new or changed.
    pub fn check_registration(&self, registration: &Registration) -> Result<(), StoreError> {
        match self.registration.difference(registration) {
            None => Ok(()),
            Some(difference) => Err(StoreError::OtherHypotheses { difference }),
        }
    }
}

/// The first place where two values differ, with both values.
fn difference(at: &str, there: &Value, here: &Value) -> Option<String> {
    if there == here {
        return None;
    }
    match (there, here) {
        (Value::Object(there), Value::Object(here)) => {
            let keys = there.keys().chain(here.keys());
            keys.filter(|key| there.get(*key) != here.get(*key)).find_map(|key| {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let null = &Value::Null;
                difference(&at, there.get(key).unwrap_or(null), here.get(key).unwrap_or(null))
            })
        }
        (Value::Array(there), Value::Array(here)) if there.len() == here.len() => {
            let mut pairs = there.iter().zip(here).enumerate();
            pairs.find_map(|(i, (there, here))| difference(&format!("{at}[{i}]"), there, here))
        }
        (Value::Array(there), Value::Array(here)) => {
            Some(format!("{at} has {} entries there, {} here", there.len(), here.len()))
        }
        _ => Some(format!("{at} is {there} there, {here} here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_measurement_is_refused_by_its_first_difference() {
        let spec = crate::testing::spec(1);
        let run = RunFile {
            study: "s".to_owned(),
            spec_digest: spec.digest().unwrap(),
            engine_class: "cpu-test".parse().unwrap(),
            mixed_engines: false,
            spec: spec.clone(),
            registration: Registration::default(),
            reused: None,
        };
        assert!(run.check(&spec).is_ok());
        for (change, expected) in [
            (
                Box::new(|s: &mut Spec| s.windows.stride = 4) as Box<dyn Fn(&mut Spec)>,
                "windows.stride is 8 there, 4 here",
            ),
            (
                Box::new(|s: &mut Spec| {
                    s.models[0].cells = s.models[0].cells[..1].to_vec().into();
                }),
                "models[0].cells has 2 entries there, 1 here",
            ),
            (
                Box::new(|s: &mut Spec| s.corpus[1].language = "fra".parse().unwrap()),
                "corpus[1].language is \"deu\" there, \"fra\" here",
            ),
        ] {
            let mut other = spec.clone();
            change(&mut other);
            let error = run.check(&other).unwrap_err();
            assert!(error.is_mismatch() && error.to_string().contains(expected), "{error}");
        }
    }
}
