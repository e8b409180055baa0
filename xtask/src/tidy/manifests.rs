//! What every manifest of ours takes from the workspace.

use super::Problem;
use super::files::File;
use super::metadata::Package;

/// Lines, each with the table it stands in.
const INHERITED: [(&str, &str); 6] = [
    ("[package]", "version.workspace = true"),
    ("[package]", "edition.workspace = true"),
    ("[package]", "rust-version.workspace = true"),
    ("[package]", "license.workspace = true"),
    ("[package]", "publish.workspace = true"),
    ("[lints]", "workspace = true"),
];

/// Checks that nothing of it is missing.
pub(super) fn check(packages: &[Package], files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in packages.iter().filter(|package| package.is_ours) {
        let path = &package.manifest;
        let Some(file) = files.iter().find(|file| &file.path == path) else {
            problems.push(format!("{} cannot be read", path.display()));
            continue;
        };
        for (table, line) in INHERITED {
            if !has_line(&file.text, table, line) {
                problems.push(format!(
                    "{}: write `{line}` under `{table}`: all crates share it",
                    path.display()
                ));
            }
        }
    }
    problems
}

fn has_line(manifest: &str, table: &str, line: &str) -> bool {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|it| *it != table)
        .skip(1)
        .take_while(|it| !it.starts_with('['))
        .any(|it| it == line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_in_its_table_only() {
        let manifest =
            "[package]\nname = \"a\"\nversion.workspace = true\n\n[lints]\nworkspace = true\n";
        assert!(has_line(manifest, "[package]", "version.workspace = true"));
        assert!(has_line(manifest, "[lints]", "workspace = true"));
        assert!(!has_line(manifest, "[package]", "workspace = true"));
        assert!(!has_line(manifest, "[package]", "license.workspace = true"));
        assert!(!has_line(manifest, "[dependencies]", "workspace = true"));
    }
}
