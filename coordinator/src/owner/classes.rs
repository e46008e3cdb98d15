//! The engine class of each live session: whose rows it may send. Shared with those who check results; not whether a class is welcome
//! (`register`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use babelquant_proto::EngineClass;
use babelquant_proto::message::Session;

/// Engine classes by session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Classes(Arc<Mutex<BTreeMap<Session, EngineClass>>>);

impl Classes {
    /// That of a session; `None` where it is not open.
    pub(crate) fn of(&self, session: Session) -> Option<EngineClass> {
        self.lock().get(&session).cloned()
    }

    pub(super) fn insert(&self, session: Session, class: EngineClass) {
        self.lock().insert(session, class);
    }

    /// Forgets the sessions that are not open any more.
    pub(super) fn retain(&self, is_open: impl Fn(Session) -> bool) {
        self.lock().retain(|session, _| is_open(*session));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Session, EngineClass>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
