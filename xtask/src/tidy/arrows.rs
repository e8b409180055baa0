//! Imports point one way: which crate may use which.

use super::Problem;
use super::metadata::Package;

/// Each crate of ours, and those of ours that it may use, by its tests as well.
const ARROWS: [(&str, &[&str]); 11] = [
    ("recado-calc", &[]),
    ("recado-proto", &[]),
    ("recado-hub", &["recado-proto"]),
    ("recado-engine", &["recado-proto"]),
    (
        "recado-server",
        &["recado-calc", "recado-hub", "recado-proto"],
    ),
    ("recado-client", &["recado-engine", "recado-proto"]),
    (
        "recado",
        &[
            "recado-client",
            "recado-proto",
            "recado-server",
            "recado-sim",
        ],
    ),
    // It measures the binary from outside, in the words of the wire; and the client's keys.
    (
        "recado-bench",
        &["recado-client", "recado-proto", "recado-engine"],
    ),
    (
        "recado-sim",
        &["recado-proto", "recado-hub", "recado-engine"],
    ),
    (
        "recado-fuzz",
        &[
            "recado-calc",
            "recado-client",
            "recado-proto",
            "recado-server",
        ],
    ),
    ("xtask", &[]),
];

/// What only tests may use.
const FOR_TESTS: &str = "recado-sim";

/// Crates that decide and do nothing else: inputs and a time in, outputs out.
const PURE: [&str; 4] = ["recado-calc", "recado-proto", "recado-hub", "recado-engine"];

/// Sockets, tasks, clocks, databases and screens: what a pure crate knows nothing of.
const IMPURE: [&str; 20] = [
    "axum",
    "clap",
    "crossterm",
    "h2",
    "hyper",
    "hyper-util",
    "mio",
    "nix",
    "polling",
    "quinn",
    "ratatui",
    "rusqlite",
    "rustix",
    "rustls",
    "rustyline",
    "socket2",
    "time",
    "tokio",
    "tokio-rustls",
    "tracing-subscriber",
];

/// Compares the dependencies that manifests declare with the arrows.
pub(super) fn check(packages: &[Package]) -> Vec<Problem> {
    let ours: Vec<_> = packages.iter().filter(|package| package.is_ours).collect();
    let mut problems = Vec::new();
    for package in &ours {
        let name = &package.name;
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| from == name) else {
            problems.push(format!(
                "{name} has no arrows. Add it to ARROWS in xtask/src/tidy/arrows.rs."
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            if ours.iter().any(|it| it.name == to) && !allowed.contains(&to) {
                problems.push(format!(
                    "{name} must not use {to}. Move what both need into a crate that both may use."
                ));
            }
            if to == FOR_TESTS && !dependency.is_dev {
                problems.push(format!(
                    "{name} must use {to} in its tests only. Move it to [dev-dependencies]."
                ));
            }
            if PURE.contains(&name.as_str()) && IMPURE.contains(&to) && !dependency.is_dev {
                problems.push(format!(
                    "{name} is pure and must not use {to}. Hand in what it needs as an input, and \
                     let the crate around it do the rest."
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::metadata::Dependency;
    use super::*;

    fn ours(name: &str, uses: &[&str], tests_use: &[&str]) -> Package {
        let dependency = |is_dev| {
            move |name: &&str| Dependency {
                name: (*name).to_owned(),
                is_dev,
            }
        };
        Package {
            name: name.to_owned(),
            is_ours: true,
            dependencies: uses
                .iter()
                .map(dependency(false))
                .chain(tests_use.iter().map(dependency(true)))
                .collect(),
            ..Package::default()
        }
    }

    #[test]
    fn the_drawn_arrows_are_allowed() {
        let packages = [
            ours("recado-proto", &["prost"], &["tokio"]),
            ours("recado-hub", &["recado-proto"], &[]),
            ours(
                "recado-server",
                &["recado-hub", "recado-proto", "tokio"],
                &[],
            ),
        ];
        assert_eq!(check(&packages), [""; 0]);
    }

    #[test]
    fn no_crate_imports_against_an_arrow() {
        for (from, to) in [
            ("recado-server", "recado-client"),
            ("recado-client", "recado-server"),
            ("recado-hub", "recado-engine"),
            ("recado-proto", "recado-hub"),
            ("recado-client", "recado-calc"),
            ("recado", "recado-hub"),
        ] {
            for package in [ours(from, &[to], &[]), ours(from, &[], &[to])] {
                let problems = check(&[package, ours(to, &[], &[])]);
                assert_eq!(problems.len(), 1, "{from} → {to}: {problems:?}");
                assert!(problems[0].starts_with(&format!("{from} must not use {to}.")));
            }
        }
    }

    #[test]
    fn a_pure_crate_uses_nothing_impure_but_in_its_tests() {
        for pure in PURE {
            assert_eq!(check(&[ours(pure, &["tokio"], &[])]).len(), 1, "{pure}");
            assert_eq!(check(&[ours(pure, &[], &["tokio"])]), [""; 0], "{pure}");
        }
    }

    #[test]
    fn the_simulator_is_for_tests() {
        let simulator = ours(FOR_TESTS, &[], &[]);
        let problems = check(&[ours("recado", &[FOR_TESTS], &[]), simulator]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let simulator = ours(FOR_TESTS, &[], &[]);
        let problems = check(&[ours("recado", &[], &[FOR_TESTS]), simulator]);
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn a_new_crate_needs_arrows() {
        let problems = check(&[ours("recado-new", &[], &[])]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("Add it to ARROWS"));
    }
}
