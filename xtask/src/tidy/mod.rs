//! Rules of the house that no compiler knows.
//!
//! A rule is a function from what is here to [`Problem`]s. All problems are told, each with what to
//! do about it.

mod arrows;
mod files;
mod licences;
mod links;
mod manifests;
mod metadata;

use std::path::Path;

use anyhow::{Result, ensure};

/// Where and what is wrong, and what to do.
type Problem = String;

/// Checks the workspace against all rules.
pub(crate) fn check(root: &Path) -> Result<()> {
    let packages = metadata::read(root)?;
    let files = files::read(root)?;
    let exists = |path: &Path| root.join(path).exists();

    let problems: Vec<Problem> = [
        arrows::check(&packages),
        manifests::check(&packages, &files),
        licences::check(&packages),
        files::check(&files),
        links::check(&files, &exists),
    ]
    .concat();
    for problem in &problems {
        println!("   {problem}");
    }
    ensure!(
        problems.is_empty(),
        "{} problems, each named above with what to do",
        problems.len()
    );
    println!("   {} packages, {} files", packages.len(), files.len());
    Ok(())
}
