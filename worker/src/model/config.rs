//! `config.json` by key: numbers, flags and texts with their other spellings and defaults. Knows no family.

use serde_json::Value;

/// A model's configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Config<'a>(&'a Value);

impl<'a> Config<'a> {
    /// The configuration of the text model.
    pub(super) fn new(json: &'a Value) -> Self {
        Self(json)
    }

    /// The first of `keys` that is there and not null.
    fn get(&self, keys: &[&str]) -> Option<&'a Value> {
        keys.iter().find_map(|key| self.0.get(key).filter(|value| !value.is_null()))
    }

    /// A number that may be 0, if `key` is there and one.
    pub(super) fn count(&self, key: &str) -> Option<u32> {
        self.get(&[key])?.as_u64().and_then(|value| u32::try_from(value).ok())
    }

    /// A positive number, if one of `keys` is there.
    ///
    /// # Errors
    /// It is there and no positive number.
    pub(super) fn optional(&self, keys: &[&str]) -> Result<Option<u32>, String> {
        let Some(value) = self.get(keys) else { return Ok(None) };
        let number = value.as_u64().and_then(|value| u32::try_from(value).ok());
        match number.filter(|&number| number > 0) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{} = {value} is no positive number", keys.join(" (or "))),
        }
    }

    /// A positive number.
    ///
    /// # Errors
    /// It is missing or no positive number.
    pub(super) fn number(&self, keys: &[&str]) -> Result<u32, String> {
        self.optional(keys)?.ok_or_else(|| format!("{} is missing", keys.join(" or ")))
    }

    /// A number with a fraction, if one of `keys` is there.
    pub(super) fn fraction(&self, keys: &[&str]) -> Option<f64> {
        self.get(keys).and_then(Value::as_f64)
    }

    /// A number with a fraction that may be null; `default` where the key is absent.
    pub(super) fn said(&self, key: &str, default: Option<f64>) -> Option<f64> {
        self.0.get(key).map_or(default, Value::as_f64)
    }

    /// A switch; `default` where it is absent.
    pub(super) fn flag(&self, key: &str, default: Flag) -> bool {
        self.get(&[key]).and_then(Value::as_bool).unwrap_or(default == Flag::On)
    }

    /// A text.
    pub(super) fn text(&self, keys: &[&str]) -> Option<&'a str> {
        self.get(keys).and_then(Value::as_str)
    }

    /// A list of texts.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<&'a str>> {
        let list = self.get(&[key])?.as_array()?;
        list.iter().map(Value::as_str).collect()
    }

    /// An object inside this one.
    pub(super) fn section(&self, key: &str) -> Option<Self> {
        self.get(&[key]).filter(|value| value.is_object()).map(Config)
    }
}

/// What an absent switch means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    On,
    Off,
}
