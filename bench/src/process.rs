//! A server as a process of ours, in a folder of its own, ended when dropped.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::footprint::family;

/// How long a server may take to begin or to end; recado drains for ten seconds at most.
const PATIENCE: Duration = Duration::from_secs(15);

/// Time between two looks at a server that begins or ends.
const INTERVAL: Duration = Duration::from_millis(20);

/// A folder for one server's files, removed at the end.
pub(crate) struct Workshop(TempDir);

impl Workshop {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("recado-bench-").tempdir()?;
        // Servers that leave root's rights behind still have to read their files.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A running server.
pub(crate) struct ServerProcess {
    child: Child,
    workshop: Workshop,
}

impl ServerProcess {
    /// Starts a server that says on its standard output when it is ready; returns that line too.
    pub(crate) fn start_announced(
        workshop: Workshop,
        command: &mut Command,
    ) -> Result<(Self, String)> {
        let mut server = Self::spawn(workshop, command, Stdio::piped())?;
        let mut line = String::new();
        if let Some(output) = server.child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        if line.is_empty() {
            return Err(server.broken());
        }
        Ok((server, line))
    }

    /// Starts a server that is ready when it accepts connections.
    pub(crate) fn start_listening(
        workshop: Workshop,
        command: &mut Command,
        at: SocketAddr,
    ) -> Result<Self> {
        let mut server = Self::spawn(workshop, command, Stdio::null())?;
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(at).is_err() {
            if server.child.try_wait()?.is_some() || Instant::now() > end {
                return Err(server.broken());
            }
            sleep(INTERVAL);
        }
        Ok(server)
    }

    /// Where its files are.
    pub(crate) fn workshop(&self) -> &Path {
        self.workshop.path()
    }

    /// Its process; it may have others below.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn spawn(workshop: Workshop, command: &mut Command, output: Stdio) -> Result<Self> {
        let log = File::create(workshop.path().join("log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(log)
            .current_dir(workshop.path())
            .spawn()
            .with_context(|| format!("cannot run {}", command.get_program().display()))?;
        Ok(Self { child, workshop })
    }

    fn broken(&self) -> anyhow::Error {
        let log = fs::read_to_string(self.workshop.path().join("log")).unwrap_or_default();
        anyhow::anyhow!("it does not start: {}", log.trim())
    }

    /// Ends it in order.
    fn end(&mut self) -> Result<()> {
        signal("TERM", &[self.child.id()])?;
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                bail!("process {} does not end", self.child.id());
            }
            sleep(INTERVAL);
        }
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let family = family(self.child.id());
        if let Err(error) = self.end() {
            eprintln!("{error:#}; it is killed");
            let _ = signal("KILL", &family);
            let _ = self.child.wait();
        }
    }
}

/// By the shell's own `kill`, which is there wherever there is a shell.
fn signal(name: &str, processes: &[u32]) -> Result<()> {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$@\"", "sh", name])
        .args(processes.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "kill -s {name} {processes:?}: {status}");
    Ok(())
}

/// A loopback address with a port that is free now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
