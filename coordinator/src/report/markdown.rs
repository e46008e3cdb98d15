//! Blocks as Markdown (GitHub's tables). Nothing here knows what they say.

use super::block::{Block, Table};

/// The text of the blocks, a blank line after each.
pub(super) fn write(blocks: &[Block]) -> String {
    blocks.iter().map(|block| format!("{}\n\n", block_text(block))).collect()
}

fn block_text(block: &Block) -> String {
    match block {
        Block::Title(text) => format!("# {}", escaped(text)),
        Block::Heading(text) => format!("## {}", escaped(text)),
        Block::Text(text) => escaped(text),
        Block::Lines(lines) => format!("```text\n{}\n```", lines.join("\n")),
        Block::Table(table) => table_text(table),
    }
}

fn table_text(table: &Table) -> String {
    let alignment = (0..table.header.len()).map(|index| if index > 0 { "--:" } else { ":--" });
    let lines = [row_text(&table.header), format!("|{}|", alignment.collect::<Vec<_>>().join("|"))];
    lines
        .into_iter()
        .chain(table.rows.iter().map(|row| row_text(row)))
        .collect::<Vec<_>>()
        .join("\n")
}

fn row_text(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| escaped(&cell.replace('\n', " "))).collect();
    format!("| {} |", cells.join(" | "))
}

/// The characters of names and numbers that Markdown would read as its own.
fn escaped(text: &str) -> String {
    let special = |char: char| matches!(char, '|' | '*' | '_' | '<' | '\\' | '`' | '~');
    text.chars().flat_map(|char| special(char).then_some('\\').into_iter().chain([char])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_escaped() {
        let mut table = Table::new(&["a|b", "x\ny"]);
        table.rows = vec![vec!["all".to_owned(), "1.5*".to_owned()]];
        let text = write(&[Block::Table(table)]);
        assert_eq!(text, "| a\\|b | x y |\n|:--|--:|\n| all | 1.5\\* |\n\n");
    }
}
