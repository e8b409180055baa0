//! Debian's package: the program, its units, its manual, what shells complete it by, and a file of settings.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::run_tool;

/// What is copied as it stands: from the workspace's folder, to the package's.
const FILES: [(&str, &str); 9] = [
    (
        "packaging/systemd/recado.service",
        "usr/lib/systemd/system/recado.service",
    ),
    (
        "packaging/systemd/recado.socket",
        "usr/lib/systemd/system/recado.socket",
    ),
    (
        "packaging/debian/copyright",
        "usr/share/doc/recado/copyright",
    ),
    ("LICENSE-MIT", "usr/share/doc/recado/LICENSE-MIT"),
    ("README.md", "usr/share/doc/recado/README.md"),
    ("README.pt-BR.md", "usr/share/doc/recado/README.pt-BR.md"),
    ("CHANGELOG.md", "usr/share/doc/recado/changelog"),
    ("docs/operations.md", "usr/share/doc/recado/operations.md"),
    ("docs/bots.md", "usr/share/doc/recado/bots.md"),
];

/// What a shell is given, and where it looks for that.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/recado"),
    ("zsh", "usr/share/zsh/vendor-completions/_recado"),
    ("fish", "usr/share/fish/vendor_completions.d/recado.fish"),
];

/// Scripts of the package's own.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Builds it, and says where it is.
pub(super) fn build(root: &Path, binary: &Path, bill: &Path, output: &Path) -> Result<PathBuf> {
    let version = version(binary)?;
    let architecture = run_tool(Command::new("dpkg").arg("--print-architecture"))?;
    let architecture = String::from_utf8_lossy(&architecture).trim().to_owned();
    let tree = output.join("debian");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    put(&tree, "usr/bin/recado", &fs::read(binary)?, 0o755)?;
    for (from, to) in FILES {
        let content = fs::read(root.join(from)).with_context(|| from.to_owned())?;
        put(&tree, to, &content, 0o644)?;
    }
    put(
        &tree,
        "usr/share/doc/recado/recado.cdx.json",
        &fs::read(bill)?,
        0o644,
    )?;
    for (shell, to) in COMPLETIONS {
        let script = run_tool(recado(binary).args(["completions", shell]))?;
        put(&tree, to, &script, 0o644)?;
    }
    manual(binary, &tree)?;
    let settings = tree.join("etc/recado/config.toml");
    fs::create_dir_all(tree.join("etc/recado"))?;
    run_tool(
        recado(binary)
            .args(["config", "init", "--config"])
            .arg(&settings),
    )?;
    set_mode(&settings, 0o644)?;
    compress(&tree.join("usr/share/doc/recado/changelog"))?;

    for script in SCRIPTS {
        let content = fs::read(root.join("packaging/debian").join(script))?;
        put(&tree, &format!("DEBIAN/{script}"), &content, 0o755)?;
    }
    put(
        &tree,
        "DEBIAN/conffiles",
        b"/etc/recado/config.toml\n",
        0o644,
    )?;
    put(&tree, "DEBIAN/md5sums", sums(&tree)?.as_bytes(), 0o644)?;
    let control = control(&version, &architecture, &libc()?, size(&tree)?);
    put(&tree, "DEBIAN/control", control.as_bytes(), 0o644)?;

    let package = output.join(format!("recado_{version}_{architecture}.deb"));
    let mut close = Command::new("dpkg-deb");
    // Everything belongs to root, whoever builds.
    close.args(["--root-owner-group", "-Zzstd", "--build"]);
    run_tool(close.arg(&tree).arg(&package))?;
    fs::remove_dir_all(&tree)?;
    Ok(package)
}

/// The program, in surroundings that say nothing.
fn recado(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("LANG", "C.UTF-8");
    command
}

/// What the binary says of itself, so that a package never names another's.
fn version(binary: &Path) -> Result<String> {
    let told = run_tool(recado(binary).arg("--version"))?;
    let told = String::from_utf8_lossy(&told);
    let version = told.trim().strip_prefix("recado ");
    Ok(version
        .context("the binary does not tell its version")?
        .to_owned())
}

/// The pages of the manual, in both languages, compressed as Debian wants them.
fn manual(binary: &Path, tree: &Path) -> Result<()> {
    let folder = tree.join("usr/share/man");
    run_tool(recado(binary).arg("man").arg(&folder))?;
    for section in ["man1", "pt_BR/man1"] {
        for page in fs::read_dir(folder.join(section))? {
            compress(&page?.path())?;
        }
    }
    Ok(())
}

fn compress(file: &Path) -> Result<()> {
    run_tool(Command::new("gzip").args(["--best", "--no-name"]).arg(file))?;
    let mut compressed = file.as_os_str().to_owned();
    compressed.push(".gz");
    set_mode(Path::new(&compressed), 0o644)
}

/// Writes a file of the package.
fn put(tree: &Path, to: &str, content: &[u8], mode: u32) -> Result<()> {
    let path = tree.join(to);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, content).with_context(|| to.to_owned())?;
    set_mode(&path, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

/// `md5sums`, by which dpkg notices damage.
fn sums(tree: &Path) -> Result<String> {
    let find =
        "find usr etc -type f ! -path 'etc/recado/config.toml' -print0 | sort -z | xargs -0 md5sum";
    let sums = run_tool(Command::new("sh").args(["-c", find]).current_dir(tree))?;
    Ok(String::from_utf8(sums)?)
}

/// The C library that it was built against, which is the oldest that it surely runs with.
fn libc() -> Result<String> {
    let told = run_tool(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let told = String::from_utf8_lossy(&told).into_owned();
    let version = told.split_whitespace().nth(1);
    Ok(version.context("getconf tells no version")?.to_owned())
}

/// In KiB, as `Installed-Size` has it.
fn size(tree: &Path) -> Result<u64> {
    let told = run_tool(
        Command::new("du")
            .args(["-sk", "--apparent-size"])
            .arg(tree),
    )?;
    let told = String::from_utf8_lossy(&told).into_owned();
    let size = told.split_whitespace().next();
    Ok(size.context("du tells nothing")?.parse()?)
}

fn control(version: &str, architecture: &str, libc: &str, size: u64) -> String {
    format!(
        "Package: recado\n\
         Version: {version}\n\
         Architecture: {architecture}\n\
         Maintainer: recado's contributors <recado@localhost>\n\
         Installed-Size: {size}\n\
         Depends: libc6 (>= {libc}), libgcc-s1\n\
         Recommends: ca-certificates\n\
         Section: net\n\
         Priority: optional\n\
         Description: private line for a class, a team or a home\n \
         People on one network write to one person or to everyone, and work out exact\n \
         sums, on a machine of their own: encrypted, without accounts, without the\n \
         Internet. This package has the program, client and server in one, and runs\n \
         the server as a service.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_file_has_a_field_a_line() {
        let control = control("1.2.3", "amd64", "2.36", 42);
        for line in control.lines() {
            assert!(line.starts_with(' ') || line.contains(": "), "{line:?}");
        }
        assert!(control.contains("\nInstalled-Size: 42\n"));
    }
}
