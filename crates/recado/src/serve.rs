//! `recado serve`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use recado_server::{
    AcmeConfig, CertificateFiles, DiskFailed, Exposure, Inherited, Limit, PortFallback,
    PublicCertificates, Server, ServerConfig,
};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::{self, LogFormat};
use crate::context::{Context, Exit};
use crate::period::Period;
use crate::{terminal, wording};

/// Serves until SIGINT or SIGTERM.
pub(crate) async fn run(context: &Context, arguments: cli::Serve) -> Exit {
    start_logging(context, arguments.log_format);
    let public = match (arguments.cert, arguments.key) {
        (Some(certificate), Some(key)) => {
            PublicCertificates::Files(CertificateFiles { certificate, key })
        }
        _ if arguments.acme.is_empty() => PublicCertificates::Own,
        _ => PublicCertificates::Acme(AcmeConfig {
            names: arguments.acme,
            directory: arguments.acme_directory,
            ca: arguments.acme_ca,
            is_forwarded: arguments.acme_forwarded,
        }),
    };
    let inherited = match inherited() {
        Ok(inherited) => inherited,
        Err(error) => {
            context.complain(&context.text("error-inherited", &[("cause", &error.to_string())]));
            return Exit::Failed;
        }
    };
    let limits = match limits(arguments.message_age) {
        Ok(limits) => limits,
        Err((least, most)) => {
            let (least, most) = (least.to_string(), most.to_string());
            let range = [("least", least.as_str()), ("most", most.as_str())];
            context.complain(&context.text("serve-message-age", &range));
            return Exit::WrongUse;
        }
    };
    let config = ServerConfig {
        inherited,
        metrics: arguments.metrics,
        listen: arguments.listen,
        // A CA connects to 443 and nowhere else.
        fallback: match public {
            PublicCertificates::Acme(_) => PortFallback::Forbidden,
            _ => PortFallback::Allowed,
        },
        public,
        data_folder: arguments
            .data_dir
            .unwrap_or_else(|| context.home.join("server")),
        hosts: arguments.host,
        trusted_proxies: arguments.trusted_proxy,
        registration: match arguments.registration {
            cli::Registration::Lan => recado_server::Registration::Lan,
            cli::Registration::Open => recado_server::Registration::Open,
            cli::Registration::Invite => recado_server::Registration::Invite,
            cli::Registration::Closed => recado_server::Registration::Closed,
        },
        limits,
    };
    // Before the ready line, so that a signal right after it already drains.
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        context.complain(&context.text("error-signals", &[]));
        return Exit::Failed;
    };
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => {
            context.complain(&wording::chain(&error));
            return if error.is_wrong_use() {
                Exit::WrongUse
            } else {
                Exit::Failed
            };
        }
    };
    if announce(context, &server, arguments.log_format).is_err() {
        context.complain(&context.text("error-stdout", &[]));
        return Exit::Failed;
    }
    // Nobody there to be told is no error.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let stop = server.stop();
    let drained = server.run();
    tokio::pin!(drained);
    let ended = |result: Result<(), DiskFailed>| match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            context.complain(&wording::chain(&error));
            Exit::Failed
        }
    };
    tokio::select! {
        result = &mut drained => return ended(result),
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    stop.stop();
    tokio::select! {
        result = &mut drained => ended(result),
        // Whoever asks twice does not want to wait.
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Interrupted,
    }
}

/// Limits that are not to be changed while the server runs; or what they may be.
fn limits(message_age: Option<Period>) -> Result<BTreeMap<Limit, u64>, (Period, Period)> {
    let mut limits = BTreeMap::new();
    if let Some(age) = message_age {
        let (least, most) = Limit::MessageAge.range();
        if !(least..=most).contains(&age.seconds()) {
            return Err((Period::from_seconds(least), Period::from_seconds(most)));
        }
        limits.insert(Limit::MessageAge, age.seconds());
    }
    Ok(limits)
}

/// The sockets that systemd, or the like of it, has bound for us, if it has.
fn inherited() -> io::Result<Inherited> {
    let mut handed = ListenFd::from_env();
    let mut inherited = Inherited::default();
    for at in 0..handed.len() {
        // Each is asked for as what it may be; what is neither is an error.
        match handed.take_tcp_listener(at) {
            Ok(Some(listener)) => inherited.tcp.push(listener),
            Ok(None) => {}
            Err(_) => inherited.udp.extend(handed.take_udp_socket(at)?),
        }
    }
    Ok(inherited)
}

/// The ready line on stdout, for programs; on stderr, for people, what to paste elsewhere.
fn announce(context: &Context, server: &Server, format: LogFormat) -> io::Result<()> {
    let list = |addresses: &[SocketAddr]| {
        let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        addresses.join(",")
    };
    terminal::say(&format!(
        "recado ready tcp={} udp={} fingerprint={} data={}",
        list(server.tcp()),
        list(server.udp()),
        server.fingerprint(),
        server.data_folder().display(),
    ))?;
    if format == LogFormat::Text {
        context.notice(&context.text("serve-paste", &[]));
    }
    for address in server.reachable() {
        let fingerprint = server.fingerprint().to_url();
        let command = format!("recado chat recado://{address}/{fingerprint}");
        match format {
            LogFormat::Text => context.notice(&format!("  {command}")),
            LogFormat::Json => tracing::info!(command, "reachable"),
        }
    }
    match (server.exposure(), format) {
        // Said also to those who want quiet.
        (Some(Exposure::Public(address)), LogFormat::Text) => {
            terminal::tell(&context.text("serve-exposed", &[("address", address)]));
        }
        (Some(exposure), _) => tracing::warn!("{exposure}"),
        (None, _) => {}
    }
    Ok(())
}

/// Logs go to stderr: `info` and above, or as `RECADO_LOG` says (as `recado_server=debug`).
fn start_logging(context: &Context, format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var("RECADO_LOG")
        .from_env_lossy();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(context.color_on_stderr());
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
