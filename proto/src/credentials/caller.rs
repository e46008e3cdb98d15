//! Who calls a coordinator. Not what each may call: that is the coordinator's rule.

use std::fmt;
use std::str::FromStr;

/// Who a certificate or a token says that it is; in help texts and logs, its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// A worker: registers, takes units, sends results.
    Worker,
    /// An operator: may change a run.
    Admin,
    /// Who may look on.
    Reader,
}

/// How a certificate names a role: a URI in its subject alternative names that starts so.
const URI: &str = "babelquant:role/";

impl Caller {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Worker, Self::Admin, Self::Reader];

    /// How a certificate names this role.
    pub fn uri(self) -> String {
        format!("{URI}{self}")
    }

    /// The role that a URI of a certificate names.
    pub fn from_uri(uri: &str) -> Option<Self> {
        uri.strip_prefix(URI)?.parse().ok()
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worker => "worker",
            Self::Admin => "admin",
            Self::Reader => "reader",
        })
    }
}

impl FromStr for Caller {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|caller| caller.to_string() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written() {
        for caller in Caller::ALL {
            assert_eq!(Caller::from_uri(&caller.uri()), Some(caller));
        }
        for other in ["babelquant:role/", "babelquant:role/root", "role/worker", "worker", ""] {
            assert_eq!(Caller::from_uri(other), None, "{other}");
        }
    }
}
