//! The coordinator's file of tokens: who has which, and until when. Kept as digests, which are compared in constant time.

use std::fs;
use std::path::Path;

use babelquant_proto::credentials::{Caller, CredentialsError, Token};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, OffsetDateTime, Time};

use super::{AccessError, Denial};

/// Every token of a file.
#[derive(Debug)]
pub(super) struct Tokens(Vec<Known>);

#[derive(Debug)]
struct Known {
    /// BLAKE3's own type: its `==` takes as long for any two digests.
    digest: blake3::Hash,
    caller: Caller,
    until: Option<OffsetDateTime>,
}

impl Tokens {
    /// Reads a file with lines `ROLE TOKEN [until DATE]`; empty lines and those that start with # are left out.
    pub(super) fn read(path: &Path) -> Result<Self, AccessError> {
        let text = fs::read_to_string(path)
            .map_err(|source| CredentialsError::Read { path: path.to_owned(), source })?;
        let mut known: Vec<Known> = Vec::new();
        for (n, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let failed = |reason| AccessError::Line { path: path.to_owned(), line: n + 1, reason };
            let next = parse(line).map_err(failed)?;
            if known.iter().any(|other| other.digest == next.digest) {
                return Err(failed("this token stands in an earlier line already"));
            }
            known.push(next);
        }
        if known.is_empty() {
            return Err(AccessError::NoToken { path: path.to_owned() });
        }
        Ok(Self(known))
    }

    /// Who has the token of an `authorization`.
    pub(super) fn caller(&self, value: &[u8], now: OffsetDateTime) -> Result<Caller, Denial> {
        let token = Token::from_header(value).or_else(|| password(value));
        let token = token.ok_or(Denial::UnknownToken)?;
        let digest = blake3::hash(token.as_bytes());
        let mut found = None;
        for known in &self.0 {
            if known.digest == digest {
                found = Some(known);
            }
        }
        let Known { caller, until, .. } = found.ok_or(Denial::UnknownToken)?;
        match *until {
            Some(until) if now >= until => Err(Denial::ExpiredToken { caller: *caller, until }),
            _ => Ok(*caller),
        }
    }
}

/// The token that a browser sends as the password of whatever name.
fn password(authorization: &[u8]) -> Option<Token> {
    let pair = STANDARD.decode(authorization.strip_prefix(b"Basic ")?).ok()?;
    str::from_utf8(&pair).ok()?.split_once(':')?.1.parse().ok()
}

fn parse(line: &str) -> Result<Known, &'static str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (role, token, until) = match words[..] {
        [role, token] => (role, token, None),
        [role, token, "until", date] => (role, token, Some(date)),
        _ => return Err("it has other words than these"),
    };
    let caller = role.parse().map_err(|()| "the role must be worker, admin or reader")?;
    let token: Token =
        token.parse().map_err(|()| "the token must be at least 16 visible ASCII characters")?;
    let until = until.map(end).transpose()?;
    Ok(Known { digest: blake3::hash(token.as_bytes()), caller, until })
}

/// A date, to its end in UTC, or a date with a time.
fn end(text: &str) -> Result<OffsetDateTime, &'static str> {
    if let Ok(date) = Date::parse(text, &Iso8601::DATE) {
        let next = date.next_day().ok_or("there is no day after this date")?;
        return Ok(next.with_time(Time::MIDNIGHT).assume_utc());
    }
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "the date must be such as 2027-06-30 or 2027-06-30T12:00:00Z")
}
