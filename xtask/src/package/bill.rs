//! The bill of materials: every package that is compiled into the program, as CycloneDX 1.5.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cargo;

/// Writes `recado.cdx.json`, and says where.
pub(super) fn write(root: &Path, output: &Path) -> Result<PathBuf> {
    let host = host()?;
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        &host,
    ];
    let metadata = super::run_tool(&mut cargo::command(root, &arguments))?;
    let metadata: Value = serde_json::from_slice(&metadata)?;
    let lock = fs::read_to_string(root.join("Cargo.lock"))?;
    let bill = bill(&metadata, &checksums(&lock))?;
    let path = output.join("recado.cdx.json");
    fs::write(&path, format!("{bill:#}\n"))?;
    Ok(path)
}

/// The platform that this machine builds for.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = super::run_tool(std::process::Command::new(rustc).arg("-vV"))?;
    let told = String::from_utf8_lossy(&told).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

fn bill(metadata: &Value, checksums: &BTreeMap<String, String>) -> Result<Value> {
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let is_program = |package: &&&Value| package["name"] == "recado";
    let program = packages.values().find(is_program);
    let program = program.context("cargo metadata has no package recado")?;
    let mut waiting = vec![program["id"].as_str().context("a package without an id")?];
    let mut reached = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if reached.insert(id) {
            waiting.extend(nodes.get(id).into_iter().flat_map(|node| compiled_in(node)));
        }
    }
    let mut components = Vec::new();
    for id in &reached {
        let package = packages.get(id).context("a dependency without a package")?;
        if !is_program(&package) {
            components.push(component(package, checksums));
        }
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(program, checksums) },
        "components": components,
    }))
}

/// What a package brings into the program: not what builds or tests it.
fn compiled_in(node: &Value) -> impl Iterator<Item = &str> {
    list(&node["deps"]).filter_map(|dependency| {
        let is_normal = list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
        dependency["pkg"].as_str().filter(|_| is_normal)
    })
}

fn component(package: &Value, checksums: &BTreeMap<String, String>) -> Value {
    let (name, version) = (&package["name"], &package["version"]);
    let at = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = format!("{} {}", at(name), at(version));
    let purl = format!("pkg:cargo/{}@{}", at(name), at(version));
    let kind = if name == "recado" {
        "application"
    } else {
        "library"
    };
    let mut component = json!({
        "type": kind,
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    });
    if let Some(licence) = package["license"].as_str() {
        let expression = licence.replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(checksum) = checksums.get(&key) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

/// The lock file's checksums, by name and version.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let entries = lock.split("[[package]]").filter_map(|entry| {
        let field = |name: &str| {
            let line = entry.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.strip_prefix(" = ")?.trim_matches('"').to_owned())
        };
        let key = format!("{} {}", field("name")?, field("version")?);
        Some((key, field("checksum")?))
    });
    entries.collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_is_listed_with_its_checksum_and_nothing_else_is() {
        let package = |name: &str| json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0" });
        let metadata = json!({
            "packages": [package("recado"), package("used"), package("deep"), package("tested")],
            "resolve": { "nodes": [
                { "id": "recado", "deps": [
                    { "pkg": "used", "dep_kinds": [{ "kind": null }] },
                    { "pkg": "tested", "dep_kinds": [{ "kind": "dev" }] },
                ] },
                { "id": "used", "deps": [{ "pkg": "deep", "dep_kinds": [{ "kind": "build" }, { "kind": null }] }] },
                { "id": "deep", "deps": [] },
                { "id": "tested", "deps": [] },
            ] },
        });
        let lock = "[[package]]\nname = \"deep\"\nversion = \"1.0.0\"\nchecksum = \"abc\"\n";
        let bill = bill(&metadata, &checksums(lock)).unwrap();
        let names: Vec<_> = list(&bill["components"])
            .map(|component| component["purl"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["pkg:cargo/deep@1.0.0", "pkg:cargo/used@1.0.0"]);
        assert_eq!(bill["components"][0]["hashes"][0]["content"], "abc");
        let licence = &bill["components"][1]["licenses"][0]["expression"];
        assert_eq!(licence, "MIT OR Apache-2.0");
        assert_eq!(bill["metadata"]["component"]["type"], "application");
    }
}
