//! What people read: the table at the terminal, and `docs/performance.md` with its plots.

mod markdown;
mod plots;

use std::path::Path;

use crate::Result;
use crate::goals::{Row, short};
use crate::results::Results;

/// The table, for a terminal.
pub(crate) fn terminal(rows: &[Row]) -> String {
    let mut lines = vec![format!(
        "{:<62} {:>18} {:>18} {:>7} {:>17}  {:<14}",
        "", "ours", "beside", "figure", "[min..max]", "goal"
    )];
    for row in rows {
        let range = range(row);
        let goal = row.goal.map_or_else(String::new, |goal| goal.text());
        lines.push(format!(
            "{:<62} {:>18} {:>18} {:>7} {range:>17}  {goal:<14} {}",
            row.what,
            row.ours,
            row.beside,
            short(row.figure.median),
            row.verdict()
        ));
    }
    let count = |verdict| rows.iter().filter(|row| row.verdict() == verdict).count();
    lines.push(format!("{} met, {} missed", count("met"), count("missed")));
    lines.join("\n")
}

/// Empty for what was measured once.
fn range(row: &Row) -> String {
    let figure = row.figure;
    if figure.min == figure.max {
        return String::new();
    }
    format!("[{}..{}]", short(figure.min), short(figure.max))
}

/// The page's generated part, and the plots beside it.
pub(crate) fn write(root: &Path, results: &Results, rows: &[Row]) -> Result<()> {
    plots::write(&root.join("docs/performance"), results, rows)?;
    markdown::write(&root.join("docs/performance.md"), results, rows)
}
