//! Rows by what they share. Not what that is.

use std::collections::BTreeMap;

/// The rows of each key, the keys in the order of their first rows.
pub(super) fn grouped<'a, R, K: Ord>(
    rows: impl IntoIterator<Item = &'a R>,
    key: impl Fn(&'a R) -> K,
) -> Vec<Vec<&'a R>> {
    let mut index = BTreeMap::new();
    let mut groups: Vec<Vec<&R>> = Vec::new();
    for row in rows {
        let group = *index.entry(key(row)).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(row);
    }
    groups
}
