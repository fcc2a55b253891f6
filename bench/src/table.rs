//! Tables for a terminal.

/// Prints rows under their heads, each column as wide as it has to be, the first to the left.
pub fn print(head: &[&str], rows: &[Vec<String>]) {
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let widths: Vec<usize> =
        (0..head.len()).map(|at| all.iter().map(|row| row[at].len()).max().unwrap_or(0)).collect();
    for row in all {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(
            |(at, (cell, width))| if at == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") },
        );
        println!("{}", cells.collect::<Vec<_>>().join("  "));
    }
}
