//! Why numbers of a row are null: short texts, each once, joined for the column `reason`.

/// The reasons of one row, in the order they came up.
#[derive(Debug, Default)]
pub(super) struct Reasons(Vec<String>);

impl Reasons {
    /// Adds a reason, unless it is there already.
    pub(super) fn add(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if !self.0.contains(&reason) {
            self.0.push(reason);
        }
    }

    /// Adds a reason where `holds`.
    pub(super) fn add_where(&mut self, holds: bool, reason: impl FnOnce() -> String) {
        if holds {
            self.add(reason());
        }
    }

    /// The reasons that a column holds already.
    pub(super) fn known(column: Option<String>) -> Self {
        Self(column.into_iter().collect())
    }

    /// True where nothing came up.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The column's value: the reasons joined by `; `.
    pub(super) fn column(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join("; "))
    }
}
