//! The API as strangers read it: schemathesis makes requests from the description, good and bad, and compares the
//! answers with it.

use std::path::PathBuf;

use crate::common::{Home, Server, run, skip};

/// Where `cargo xtask test` puts schemathesis, of the version that the requirements name.
fn schemathesis() -> Option<PathBuf> {
    let requirements = include_str!("schemathesis.txt");
    let version = requirements
        .lines()
        .find_map(|line| line.strip_prefix("schemathesis=="))?;
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let program = cache.join(format!(
        "recado-tests/schemathesis-{version}/bin/schemathesis"
    ));
    program.is_file().then_some(program)
}

#[test]
fn a_stranger_finds_the_api_as_it_is_described() {
    let Some(schemathesis) = schemathesis() else {
        let test = "a_stranger_finds_the_api_as_it_is_described";
        return skip(
            test,
            "schemathesis is not installed: `cargo xtask test` does that",
        );
    };
    let (server, home) = (Server::start(), Home::new());
    let rules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/end_to_end/schemathesis.toml"
    );
    let url = format!("https://localhost:{}/openapi.json", server.port());
    let mut command = home.clean(schemathesis.to_str().unwrap());
    command
        .args(["--config-file", rules, "run", &url, "--tls-verify"])
        .arg(server.root_pem())
        .args(["--checks", "all", "--max-examples", "100", "--no-color"])
        .arg("--generation-deterministic");
    let ended = run(&mut command);
    ended.says(0, &[]);
    let said = ended.stdout.join("\n");
    assert!(said.contains("No issues found"), "{said}");
}
