//! Blocks for a terminal. Nothing here knows what they say.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, LineStyle};

use super::TERMINAL_WIDTH;
use super::block::{Block, Table};

/// The text of the blocks, a blank line after each.
pub(super) fn write(blocks: &[Block]) -> String {
    blocks.iter().map(|block| format!("{}\n\n", block_text(block))).collect()
}

fn block_text(block: &Block) -> String {
    match block {
        Block::Title(text) => format!("{text}\n{}", "═".repeat(text.chars().count())),
        Block::Heading(text) => format!("{text}\n{}", "─".repeat(text.chars().count())),
        Block::Text(text) => wrapped(text),
        Block::Lines(lines) => lines.join("\n"),
        Block::Table(table) => table_text(table),
    }
}

/// Breaks a paragraph at spaces.
fn wrapped(text: &str) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let width = line.chars().count() + word.chars().count() + 1;
        if !line.is_empty() && width > TERMINAL_WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

/// Columns two spaces apart where they fit, else one; a rule under the header.
fn table_text(table: &Table) -> String {
    let mut text = comfy_table::Table::new();
    let rule = LineStyle::none().fill('─').junction('─');
    text.load_style(NOTHING.header_separator(rule));
    text.set_header(&table.header).add_rows(&table.rows);
    let widths = text.column_max_content_widths();
    let width: usize = widths.iter().map(|width| usize::from(*width) + 2).sum();
    let padding = u16::from(width <= TERMINAL_WIDTH + 2);
    for (index, column) in text.column_iter_mut().enumerate() {
        column.set_padding(if index > 0 { (padding, 0) } else { (0, 0) });
        let right = if index > 0 { CellAlignment::Right } else { CellAlignment::Left };
        column.set_cell_alignment(right);
    }
    text.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["layer", "a\nb"]);
        table.rows =
            vec![vec!["0".to_owned(), "−1.5".to_owned()], vec!["10".to_owned(), "2".to_owned()]];
        let text = write(&[Block::Table(table)]);
        assert_eq!(text, "layer     a\n          b\n───────────\n0      −1.5\n10        2\n\n");
    }

    #[test]
    fn paragraphs_are_wrapped() {
        let text = write(&[Block::Text("word ".repeat(60).trim_end().to_owned())]);
        assert!(text.lines().count() >= 3 && text.lines().all(|line| line.len() <= TERMINAL_WIDTH));
    }
}
