//! `docs/benchmarks.md`: a section for each benchmark. What stands between a section's marks is written by the
//! benchmark, all else by hand, and stays.

use std::fs;

use anyhow::Result;

use crate::workspace;

/// What the page begins with.
const BEGINNING: &str = "\
# Benchmarks

What recado costs, beside what else one could run, measured in one run on one machine. Machines differ: the
ratios tell more than the figures. `cargo xtask bench NAME` measures again, installs with apt-get what it
compares with, and writes the tables here; `cargo xtask bench` does so with all.
";

/// A benchmark's place on the page.
pub(crate) struct Section {
    /// As on the command line.
    pub(crate) name: &'static str,
    pub(crate) heading: &'static str,
}

impl Section {
    /// Writes a result into the page, in the place of an older one.
    pub(crate) fn write(&self, result: &str) -> Result<()> {
        let path = workspace::root()?.join("docs/benchmarks.md");
        let page = fs::read_to_string(&path).unwrap_or_else(|_| BEGINNING.to_owned());
        fs::write(path, self.replace(&page, result))?;
        println!("written into docs/benchmarks.md");
        Ok(())
    }

    fn replace(&self, page: &str, result: &str) -> String {
        let begin = format!("<!-- begin: cargo xtask bench {} -->\n", self.name);
        let end = format!("<!-- end: cargo xtask bench {} -->\n", self.name);
        let result = result.trim();
        let old = page.find(&begin).zip(page.find(&end));
        let (before, after) = match old {
            Some((from, to)) if from < to => (
                page.get(..from).unwrap_or_default().to_owned(),
                page.get(to..).unwrap_or_default().to_owned(),
            ),
            _ => (
                format!("{}\n\n## {}\n\n", page.trim_end(), self.heading),
                end,
            ),
        };
        format!("{before}{begin}\n{result}\n\n{after}")
    }
}

/// A table in Markdown: the first row is its head, the first column is text, the others are numbers.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
            .max(3)
    };
    let mut lines = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| match (column, width(column)) {
                (0, width) => format!("{cell:<width$}"),
                (_, width) => format!("{cell:>width$}"),
            })
            .collect();
        lines.push(format!("| {} |", cells.join(" | ")));
        if at == 0 {
            let rules: Vec<_> = (0..columns)
                .map(|column| match (column, width(column)) {
                    (0, width) => "-".repeat(width),
                    (_, width) => format!("{}:", "-".repeat(width - 1)),
                })
                .collect();
            lines.push(format!("| {} |", rules.join(" | ")));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEED: Section = Section {
        name: "speed",
        heading: "Speed",
    };

    #[test]
    fn a_first_result_gets_a_section_and_a_later_one_takes_its_place() {
        let page = SPEED.replace("# Benchmarks\n\nWords.\n", "fast\n");
        assert_eq!(
            page,
            "# Benchmarks\n\nWords.\n\n## Speed\n\n<!-- begin: cargo xtask bench speed -->\n\nfast\n\n\
             <!-- end: cargo xtask bench speed -->\n"
        );
        let with_remarks = format!("{page}\nRemarks.\n\n## Size\n");
        let again = SPEED.replace(&with_remarks, "faster");
        assert_eq!(again, with_remarks.replace("\nfast\n", "\nfaster\n"));
    }

    #[test]
    fn a_table_is_aligned() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            table(&[row(["server", "n"]), row(["×", "1,000"])]),
            "| server |     n |\n| ------ | ----: |\n| ×      | 1,000 |"
        );
    }
}
