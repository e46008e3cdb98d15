//! Columns of cells → their numbers in every draw, a few cells at a time. What the columns are and what is drawn is said by who asks.

/// Cells whose columns are in memory together: enough that drawing the groups costs little beside summing over them.
const TOGETHER: usize = 32;

/// Calls `each` with every cell in order, its columns (one number a group) and what `draw` makes of them, `[column][draw]`.
pub(super) fn for_each<C, const COLUMNS: usize>(
    cells: impl IntoIterator<Item = C>,
    columns: impl Fn(&C) -> [Vec<f64>; COLUMNS],
    draw: impl Fn(&[Vec<f64>]) -> Vec<Vec<f64>>,
    mut each: impl FnMut(C, &[Vec<f64>; COLUMNS], &[Vec<f64>; COLUMNS]),
) {
    let mut cells = cells.into_iter();
    loop {
        let together: Vec<C> = cells.by_ref().take(TOGETHER).collect();
        if together.is_empty() {
            return;
        }
        let columns: Vec<Vec<f64>> = together.iter().flat_map(&columns).collect();
        let draws = draw(&columns);
        let numbers = columns.as_chunks().0.iter().zip(draws.as_chunks().0);
        for (cell, (columns, draws)) in together.into_iter().zip(numbers) {
            each(cell, columns, draws);
        }
    }
}
