//! Whether what we depend on may be part of a program under Apache-2.0 OR MIT.

use anyhow::{Result, bail, ensure};

use super::Problem;
use super::metadata::Package;

/// SPDX identifiers that ask for no more than their notice.
const ALLOWED: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Exceptions only give more rights, but one must have been read first.
const EXCEPTIONS: [&str; 1] = ["LLVM-exception"];

/// Licences that some packages only may have: identifier, and how the packages' names begin.
///
/// MPL-2.0 binds the files it covers: used unmodified, as here, they ask for nothing more. CDLA-Permissive-2.0 is for
/// data, here Mozilla's list of roots, and asks that its text goes with it; on Linux and macOS the list is not built in.
/// BSL-1.0 asks for nothing of a program; these two are built on Windows only.
const ALLOWED_FOR: [(&str, &str); 4] = [
    ("BSL-1.0", "clipboard-win"),
    ("BSL-1.0", "error-code"),
    ("MPL-2.0", "hpke-rs"),
    ("CDLA-Permissive-2.0", "webpki-root-certs"),
];

/// Checks every package of the lock file.
pub(super) fn check(packages: &[Package]) -> Vec<Problem> {
    packages.iter().filter_map(check_package).collect()
}

fn check_package(package: &Package) -> Option<Problem> {
    let Package { name, version, .. } = package;
    let Some(licence) = &package.licence else {
        return Some(format!(
            "{name} {version} names no licence. Read what it says of it, or do without."
        ));
    };
    let is_allowed = |id: &str| {
        ALLOWED.contains(&id)
            || ALLOWED_FOR
                .iter()
                .any(|(licence, names)| *licence == id && name.starts_with(names))
    };
    match evaluate(licence, &is_allowed) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "{name} {version} is under {licence}. Do without it, or, if that licence asks for no more \
             than its notice, add it to ALLOWED in xtask/src/tidy/licences.rs."
        )),
        Err(error) => Some(format!(
            "{name} {version}: the licence {licence:?} cannot be read: {error}. Read it yourself."
        )),
    }
}

/// Whether an SPDX expression leaves a choice whose licences are all allowed.
///
/// `OR` offers, `AND` demands and binds tighter, `WITH` adds an exception. Old manifests write `/` for
/// `OR`. (SPDX specification, annex "SPDX license expressions".)
fn evaluate(expression: &str, is_allowed: &dyn Fn(&str) -> bool) -> Result<bool> {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut expression = Expression {
        words: spaced.split_whitespace().collect(),
        is_allowed,
    };
    let value = expression.either()?;
    match expression.words.first() {
        None => Ok(value),
        Some(word) => bail!("unexpected {word}"),
    }
}

/// What is still to be read of an expression.
struct Expression<'a> {
    words: Vec<&'a str>,
    is_allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> Expression<'a> {
    /// One or more, separated by `OR`.
    fn either(&mut self) -> Result<bool> {
        let mut value = self.all()?;
        while self.take("OR") {
            // Read in any case: `|` and not `||`.
            value |= self.all()?;
        }
        Ok(value)
    }

    /// One or more, separated by `AND`.
    fn all(&mut self) -> Result<bool> {
        let mut value = self.one()?;
        while self.take("AND") {
            value &= self.one()?;
        }
        Ok(value)
    }

    /// A licence, or an expression in parentheses.
    fn one(&mut self) -> Result<bool> {
        if self.take("(") {
            let value = self.either()?;
            ensure!(self.take(")"), "a parenthesis is not closed");
            return Ok(value);
        }
        let mut value = (self.is_allowed)(self.identifier()?);
        if self.take("WITH") {
            value &= EXCEPTIONS.contains(&self.identifier()?);
        }
        Ok(value)
    }

    fn identifier(&mut self) -> Result<&'a str> {
        ensure!(!self.words.is_empty(), "a licence is missing");
        let word = self.words.remove(0);
        ensure!(
            !["OR", "AND", "WITH", "(", ")"].contains(&word),
            "a licence is missing before {word}"
        );
        Ok(word)
    }

    /// Goes past the next word, if it is this one.
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.first() == Some(&word);
        if is_next {
            self.words.remove(0);
        }
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(name: &str, licence: Option<&str>) -> Option<Problem> {
        check_package(&Package {
            name: name.to_owned(),
            licence: licence.map(str::to_owned),
            ..Package::default()
        })
    }

    #[test]
    fn a_choice_or_a_sum_of_allowed_licences_is_allowed() {
        for licence in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "Apache-2.0 / MIT",
            "GPL-3.0-only OR MIT",
            "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "(MIT OR (GPL-2.0-only AND ISC)) AND BSD-3-Clause",
            "GPL-2.0-only AND MIT OR ISC",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
            "ISC AND (Apache-2.0 OR ISC) AND Apache-2.0 AND MIT AND BSD-3-Clause",
        ] {
            assert_eq!(under("a", Some(licence)), None, "{licence}");
        }
    }

    #[test]
    fn what_asks_for_more_is_refused() {
        for licence in [
            "GPL-3.0-only",
            "LGPL-2.1-or-later OR GPL-2.0-only",
            "MIT AND GPL-3.0-only",
            "MIT AND (GPL-3.0-only OR LGPL-3.0-only)",
            "(MIT OR Apache-2.0) AND OpenSSL",
            "ISC OR MIT AND GPL-3.0-only AND (MPL-2.0",
            "GPL-2.0-only WITH Classpath-exception-2.0",
            "Apache-2.0 WITH Unread-exception",
            "mit",
        ] {
            assert!(under("a", Some(licence)).is_some(), "{licence}");
        }
        assert!(under("a", None).is_some());
    }

    #[test]
    fn mpl_is_for_hpke_alone() {
        assert_eq!(under("hpke-rs", Some("MPL-2.0")), None);
        assert_eq!(under("hpke-rs-crypto", Some("MPL-2.0")), None);
        assert!(under("option-ext", Some("MPL-2.0")).is_some());
    }

    #[test]
    fn what_is_no_expression_is_told() {
        for licence in [
            "", "OR", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH", "()",
        ] {
            assert!(evaluate(licence, &|_| true).is_err(), "{licence:?}");
        }
    }
}
