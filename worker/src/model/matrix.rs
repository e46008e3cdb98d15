//! A matrix of a layer as the checkpoint stores it, and the roles that its rows play. Not its values.

use std::iter;
use std::ops::Range;

use babelquant_proto::Role;

/// One stored matrix of a layer: [out, in] as it is used, with the rows of one role or of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Its name in the layer, without `.weight`.
    pub name: &'static str,
    /// How it is stored.
    pub layout: Layout,
    /// The roles of its rows with how many rows each has, in stored order.
    pub roles: Vec<(Role, usize)>,
    /// Columns.
    pub columns: usize,
    /// True where a bias [out] is stored beside it.
    pub bias: bool,
}

/// How a matrix is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// [out, in]; the rows of one role stand together.
    Rows,
    /// [in, out], to be turned before anything else; the rows of one role stand together.
    Turned,
    /// [out, in] with rows [heads, roles, head width]: all roles of one head together.
    ByHead {
        /// Heads.
        heads: usize,
    },
}

impl Matrix {
    /// Rows of all roles.
    pub fn rows(&self) -> usize {
        self.roles.iter().map(|(_, rows)| rows).sum()
    }

    /// True where some of its rows are the MLP's.
    pub fn is_mlp(&self) -> bool {
        self.roles.iter().any(|(role, _)| role.is_mlp())
    }

    /// The shape in the checkpoint.
    pub fn stored_shape(&self) -> Vec<usize> {
        match self.layout {
            Layout::Rows | Layout::ByHead { .. } => vec![self.rows(), self.columns],
            Layout::Turned => vec![self.columns, self.rows()],
        }
    }

    /// Stored values, row-major, as [out, in].
    pub fn in_use(&self, stored: Vec<f32>) -> Vec<f32> {
        match self.layout {
            Layout::Rows | Layout::ByHead { .. } => stored,
            Layout::Turned => {
                let rows = self.rows();
                let row = |row: usize| stored.iter().skip(row).step_by(rows);
                (0..rows).flat_map(row).copied().collect()
            }
        }
    }

    /// The rows [out, in] that play `role`, in order; empty where the matrix does not.
    pub fn role_rows(&self, role: Role) -> Vec<Range<usize>> {
        let Some(place) = self.roles.iter().position(|(known, _)| *known == role) else {
            return Vec::new();
        };
        match self.layout {
            Layout::Rows | Layout::Turned => {
                let first = self.roles[..place].iter().map(|(_, rows)| rows).sum();
                iter::once(first..first + self.roles[place].1).collect()
            }
            Layout::ByHead { heads } => {
                let width = self.roles[place].1 / heads;
                let first = |head: usize| (head * self.roles.len() + place) * width;
                (0..heads).map(|head| first(head)..first(head) + width).collect()
            }
        }
    }
}

/// The rows of a matrix [.., columns] that lie in `ranges`, one after the other.
pub fn gather_rows<T: Copy>(values: &[T], columns: usize, ranges: &[Range<usize>]) -> Vec<T> {
    let rows = ranges.iter().map(|rows| &values[rows.start * columns..rows.end * columns]);
    rows.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_share_a_matrix_head_by_head_or_one_after_the_other() {
        let roles = vec![(Role::AttnQ, 8), (Role::AttnK, 8), (Role::AttnV, 8)];
        let by_head = Matrix {
            name: "qkv",
            layout: Layout::ByHead { heads: 2 },
            roles: roles.clone(),
            columns: 8,
            bias: true,
        };
        assert_eq!(by_head.role_rows(Role::AttnQ), [0..4, 12..16]);
        assert_eq!(by_head.role_rows(Role::AttnV), [8..12, 20..24]);
        assert!(by_head.role_rows(Role::MlpUp).is_empty());
        let turned = Matrix { layout: Layout::Turned, roles, columns: 5, ..by_head };
        assert_eq!(turned.role_rows(Role::AttnK), vec![Range { start: 8, end: 16 }]);
        assert_eq!(turned.stored_shape(), [5, 24]);
        let pair = Matrix { roles: vec![(Role::AttnO, 2)], columns: 3, ..turned };
        assert_eq!(pair.in_use(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        assert_eq!(gather_rows(&[1, 2, 3, 4, 5, 6], 2, &[2..3, 0..1]), [5, 6, 1, 2]);
    }
}
