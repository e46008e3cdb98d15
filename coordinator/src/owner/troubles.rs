//! What is wrong with the storage, since when: a disk may take commits and have no room for parts. Not what is done about it.

use std::time::Duration;

use crate::store::{StoreError, told};

/// Since when something fails, and how it failed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) since: Duration,
    pub(super) reason: String,
}

/// What fails at present.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    commits: Option<Failing>,
    parts: Option<Failing>,
}

/// What the storage is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What acknowledgements wait for, and whatever else concerns the run as a whole.
    Commits,
    /// Files of results, which nobody waits for.
    Parts,
}

impl Troubles {
    pub(super) fn of(&self, kind: Kind) -> Option<&Failing> {
        match kind {
            Kind::Commits => self.commits.as_ref(),
            Kind::Parts => self.parts.as_ref(),
        }
    }

    /// The oldest.
    pub(super) fn oldest(&self) -> Option<&Failing> {
        self.commits.iter().chain(&self.parts).min_by_key(|failing| failing.since)
    }

    /// Notes a failure. True where it is the first one of its kind since the last success.
    pub(super) fn add(&mut self, kind: Kind, now: Duration, error: &StoreError) -> bool {
        let trouble = self.of_mut(kind);
        let since = trouble.as_ref().map(|failing| failing.since);
        *trouble = Some(Failing { since: since.unwrap_or(now), reason: told(error) });
        since.is_none()
    }

    /// Notes a success. True where it ended the last trouble.
    pub(super) fn end(&mut self, kind: Kind) -> bool {
        self.of_mut(kind).take().is_some() && self.oldest().is_none()
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Option<Failing> {
        match kind {
            Kind::Commits => &mut self.commits,
            Kind::Parts => &mut self.parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_ends_with_a_success_of_its_kind_and_counts_from_its_first_failure() {
        let at = Duration::from_secs;
        let error = |seconds| StoreError::Silent { location: "x".to_owned(), seconds };
        let mut troubles = Troubles::default();
        assert!(troubles.add(Kind::Commits, at(5), &error(1.0)));
        assert!(troubles.add(Kind::Parts, at(6), &error(2.0)));
        assert!(!troubles.add(Kind::Commits, at(7), &error(3.0)));
        let oldest = troubles.oldest().unwrap();
        assert_eq!((oldest.since, &*oldest.reason), (at(5), &*told(&error(3.0))));
        assert!(!troubles.end(Kind::Commits), "parts fail still");
        assert_eq!(troubles.oldest().unwrap().since, at(6));
        assert!(!troubles.end(Kind::Commits));
        assert!(troubles.end(Kind::Parts) && troubles.oldest().is_none());
    }
}
