//! The servers that are compared, each on one processor.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::certificate::Certificate;
use crate::process::{ServerProcess, Workshop, free_address};
use crate::{machine, packages};

/// The processor that a server has for itself; what makes the load has another.
const PROCESSOR: &str = "0";

/// What is asked of all of them. nginx answers with what recado would say, and works nothing out.
pub(super) const TARGET: &str = "/v1/calc/add?x=0.1&y=0.2";
const ANSWER: &str = r#"{"operation":"add","x":"0.1","y":"0.2","result":"0.3","exact":true}"#;

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(super) enum Server {
    Recado,
    Nginx,
    Fastapi,
    Python,
}

/// A server that answers.
pub(super) struct Running {
    pub(super) process: ServerProcess,
    pub(super) address: SocketAddr,
}

impl Server {
    pub(super) const ALL: [Self; 4] = [Self::Recado, Self::Nginx, Self::Fastapi, Self::Python];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Recado => "recado",
            Self::Nginx => "nginx",
            Self::Fastapi => "fastapi",
            Self::Python => "python",
        }
    }

    /// Whether HTTP/2 and bare handshakes are of interest: where the others cannot, or nobody asks.
    pub(super) fn is_fast(self) -> bool {
        matches!(self, Self::Recado | Self::Nginx)
    }

    /// What it is called in the table.
    pub(super) fn title(self) -> Result<String> {
        Ok(match self {
            Self::Recado => format!("recado {}, real sums", env!("CARGO_PKG_VERSION")),
            Self::Nginx => {
                let said = machine::version(&program("nginx"), "-v");
                let version = said.rsplit('/').next().unwrap_or_default();
                format!("nginx {version}, a constant")
            }
            Self::Fastapi => {
                let versions =
                    "import fastapi, uvicorn; print(fastapi.__version__, uvicorn.__version__)";
                let said = Command::new(environment()?.join("bin/python"))
                    .args(["-c", versions])
                    .output()?;
                let said = String::from_utf8_lossy(&said.stdout);
                let (fastapi, uvicorn) = said.trim().split_once(' ').unwrap_or_default();
                format!("FastAPI {fastapi}, uvicorn {uvicorn}")
            }
            Self::Python => format!("{}, http.server", machine::version("python3", "--version")),
        })
    }

    /// Starts it. `recado` is the program that is measured as such.
    pub(super) fn start(self, workshop: Workshop, recado: &Path) -> Result<Running> {
        let folder = workshop.path().to_owned();
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", PROCESSOR]);
        if self == Self::Recado {
            command
                .arg(recado)
                .args(["serve", "--listen", "127.0.0.1:0"])
                .arg("--home")
                .arg(folder.join("home"))
                .arg("--data-dir")
                .arg(folder.join("data"));
            let (process, line) = ServerProcess::start_announced(workshop, &mut command)?;
            let address = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix("tcp="))
                .and_then(|addresses| addresses.parse().ok())
                .with_context(|| format!("no address in {line:?}"))?;
            return Ok(Running { process, address });
        }
        let certificate = Certificate::issue(&folder)?;
        let address = free_address()?;
        match self {
            Self::Nginx => {
                fs::write(folder.join("nginx.conf"), nginx(address, &certificate))?;
                command.arg(program("nginx")).arg("-p").arg(&folder);
                command.args(["-c", "nginx.conf", "-e", "error.log"]);
            }
            Self::Fastapi => {
                fs::write(folder.join("app.py"), include_str!("fastapi_app.py"))?;
                command
                    .arg(environment()?.join("bin/uvicorn"))
                    .args(["app:app", "--no-access-log", "--log-level", "error"])
                    .args(["--host", &address.ip().to_string()])
                    .args(["--port", &address.port().to_string()])
                    .arg("--ssl-certfile")
                    .arg(&certificate.certificate)
                    .arg("--ssl-keyfile")
                    .arg(&certificate.key);
            }
            Self::Python => {
                fs::write(folder.join("server.py"), include_str!("python_server.py"))?;
                command.args(["python3", "server.py", &address.port().to_string()]);
                command.args([&certificate.certificate, &certificate.key]);
            }
            Self::Recado => unreachable!("started above"),
        }
        let process = ServerProcess::start_listening(workshop, &mut command, address)?;
        Ok(Running { process, address })
    }
}

/// Python's packages, in a folder of their own outside of the clone; made if it is not there.
pub(super) fn environment() -> Result<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").context("there is no HOME")?).join(".cache"),
    };
    let folder = cache.join("recado-bench/fastapi");
    if folder.join("bin/uvicorn").is_file() {
        return Ok(folder);
    }
    println!("installing FastAPI and uvicorn into {}", folder.display());
    let run = |command: &mut Command| -> Result<()> {
        let status = command.status()?;
        ensure!(
            status.success(),
            "{}: {status}",
            command.get_program().display()
        );
        Ok(())
    };
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(Command::new(folder.join("bin/pip")).args([
        "install",
        "--quiet",
        "fastapi",
        "uvicorn[standard]",
    ]))?;
    Ok(folder)
}

fn program(name: &str) -> String {
    packages::find(name).map_or_else(|| name.to_owned(), |path| path.display().to_string())
}

/// As fast as it goes: one worker, no log, connections kept for ever.
fn nginx(address: SocketAddr, certificate: &Certificate) -> String {
    format!(
        "daemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  keepalive_timeout 1h;\n  keepalive_requests 1000000000;\n\
         client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n\
         server {{\n    listen {address} ssl http2 backlog=4096;\n    ssl_protocols TLSv1.3;\n\
         ssl_certificate {};\n    ssl_certificate_key {};\n    default_type application/json;\n\
         location / {{ return 200 '{ANSWER}'; }}\n  }}\n}}\n",
        certificate.certificate.display(),
        certificate.key.display(),
    )
}
