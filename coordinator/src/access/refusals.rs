//! What is logged of those who were refused: the first of a kind at once, then how many more there were, so that nobody can
//! fill the log.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use babelquant_proto::credentials::Caller;
use tokio::time::Instant;
use tracing::warn;

/// How long a peer with the same reason is only counted.
const QUIET: Duration = Duration::from_secs(10);
/// Peers and reasons that are told apart; further ones are counted together.
const KINDS_MAX: usize = 256;

/// The refusals of the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    seen: Mutex<BTreeMap<Option<(IpAddr, String)>, Seen>>,
}

#[derive(Debug)]
struct Seen {
    since: Instant,
    unsaid: u64,
}

impl Refusals {
    /// Logs that a peer was refused, unless the same was said just now.
    pub(crate) fn tell(&self, peer: SocketAddr, caller: Option<Caller>, reason: &str) {
        let Some(unsaid) = self.turn(peer.ip(), reason, Instant::now()) else { return };
        let role = caller.map_or_else(|| "unknown".to_owned(), |caller| caller.to_string());
        warn!(%peer, role, reason, repeated = unsaid, "refused");
    }

    /// How many times the same was kept back since it was last said, or nothing where it is kept back again.
    fn turn(&self, peer: IpAddr, reason: &str, now: Instant) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = Some((peer, reason.to_owned()));
        if !seen.contains_key(&kind) && seen.len() >= KINDS_MAX {
            seen.retain(|_, seen| now.duration_since(seen.since) < QUIET);
        }
        let kind = if seen.contains_key(&kind) || seen.len() < KINDS_MAX { kind } else { None };
        let before = seen.get_mut(&kind);
        match before {
            Some(before) if now.duration_since(before.since) < QUIET => {
                before.unsaid += 1;
                None
            }
            Some(before) => {
                let unsaid = std::mem::take(&mut before.unsaid);
                before.since = now;
                Some(unsaid)
            }
            None => {
                seen.insert(kind, Seen { since: now, unsaid: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_in_a_while_and_counted() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let peer = IpAddr::from([127, 0, 0, 1]);
        let turn = |reason: &str, seconds| {
            refusals.turn(peer, reason, start + Duration::from_secs(seconds))
        };
        assert_eq!(turn("a", 0), Some(0));
        assert_eq!(turn("a", 1), None);
        assert_eq!(turn("a", 9), None);
        assert_eq!(turn("b", 9), Some(0));
        assert_eq!(turn("a", 10), Some(2));
        assert_eq!(turn("a", 11), None);
    }

    #[test]
    fn a_flood_of_peers_is_counted_together_and_takes_little_memory() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        let said = (0..100_000_u32)
            .filter(|&n| refusals.turn(IpAddr::from(n.to_be_bytes()), "no", now).is_some())
            .count();
        assert_eq!(said, KINDS_MAX + 1);
        assert_eq!(refusals.seen.lock().unwrap().len(), KINDS_MAX + 1);
    }
}
