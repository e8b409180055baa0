//! A certificate from a CA, over ACME, from a real one: Pebble.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use recado_proto::alpn;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use crate::common::{Home, Pebble, REFUSED, Server, free_for_both, run, served, skip};

const NAME: &str = "chat.example.org";

/// A server at a port, that asks a CA.
fn command(
    home: &Home,
    port: u16,
    names: &str,
    directory: &str,
    root: &str,
) -> std::process::Command {
    let listen = format!("127.0.0.1:{port}");
    let arguments = [
        "--listen",
        &listen,
        "--acme",
        names,
        "--acme-directory",
        directory,
        "--acme-ca",
        root,
        "--acme-forwarded",
    ];
    Server::command(home, &arguments)
}

fn serve(home: Home, port: u16, names: &str, pebble: &Pebble) -> Server {
    let command = command(
        &home,
        port,
        names,
        &pebble.directory,
        pebble.root.to_str().unwrap(),
    );
    Server::spawn(home, command)
}

/// What browsers are shown, leaf first.
fn shown(server: &Server) -> Vec<CertificateDer<'static>> {
    served(server.socket(), NAME, &[alpn::H2, alpn::HTTP_1_1])
}

/// The state that is remembered.
fn remembered(home: &Home) -> Value {
    let text = fs::read_to_string(home.file("server/acme.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Whether the leaf is of recado's own root.
fn is_own(server: &Server) -> bool {
    shown(server).get(1) == Some(&CertificateDer::from_pem_file(server.root_pem()).unwrap())
}

#[test]
fn a_certificate_is_issued_and_a_restart_keeps_it() {
    let port = free_for_both();
    let Some(pebble) = Pebble::start(port, 3600) else {
        return skip(
            "a_certificate_is_issued_and_a_restart_keeps_it",
            "pebble not found",
        );
    };
    let names = "chat.example.org,www.example.org";
    let server = serve(Home::new(), port, names, &pebble);
    server
        .program
        .stderr
        .find("a certificate from the CA is in use");
    let chain = shown(&server);
    assert!(
        chain.len() > 1 && !is_own(&server),
        "the CA's chain is served whole"
    );
    for own in [alpn::HTTP, alpn::CHAT] {
        let chain = served(server.socket(), "recado.internal", &[own]);
        assert_eq!(
            chain[1],
            CertificateDer::from_pem_file(server.root_pem()).unwrap()
        );
    }

    // The CA is gone: nothing is asked of it.
    let home = server.stop();
    let state = remembered(&home);
    assert_eq!(
        state["issued"]["names"],
        serde_json::json!([NAME, "www.example.org"])
    );
    assert!(state["order"].is_null() && state["account"].is_object());
    let mode = fs::metadata(home.file("server/acme.json")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o600);
    let (directory, root) = (pebble.directory.clone(), fs::read(&pebble.root).unwrap());
    drop(pebble);
    fs::write(home.file("ca.pem"), root).unwrap();
    let root = home.file("ca.pem");
    let again = command(&home, port, names, &directory, root.to_str().unwrap());
    let server = Server::spawn(home, again);
    assert_eq!(shown(&server), chain);
}

#[test]
fn a_certificate_is_renewed_before_it_ends() {
    let port = free_for_both();
    // Renewed after six seconds.
    let Some(pebble) = Pebble::start(port, 9) else {
        return skip(
            "a_certificate_is_renewed_before_it_ends",
            "pebble not found",
        );
    };
    let server = serve(Home::new(), port, NAME, &pebble);
    let mut leaves = Vec::new();
    for _ in 0..3 {
        server
            .program
            .stderr
            .find("a certificate from the CA is in use");
        let leaf = shown(&server).remove(0);
        assert!(!leaves.contains(&leaf), "another one");
        leaves.push(leaf);
    }
    // One account for all of them.
    let home = server.stop();
    let account = remembered(&home)["account"]["id"].clone();
    let server = serve(home, port, NAME, &pebble);
    server
        .program
        .stderr
        .find("a certificate from the CA is in use");
    assert_eq!(remembered(&server.stop())["account"]["id"], account);
}

#[test]
fn a_refused_name_waits_and_another_does_not() {
    let port = free_for_both();
    let Some(pebble) = Pebble::start(port, 3600) else {
        return skip(
            "a_refused_name_waits_and_another_does_not",
            "pebble not found",
        );
    };
    let server = serve(Home::new(), port, REFUSED, &pebble);
    let said = server.program.stderr.find("no certificate from the CA");
    assert!(
        said.contains("rejectedIdentifier") || said.contains(REFUSED),
        "{said}"
    );
    assert!(is_own(&server), "recado's own is served meanwhile");

    // A restart does not ask again: the wait is remembered.
    let home = server.stop();
    let state = remembered(&home);
    assert_eq!(state["failures"], 1);
    let mut server = serve(home, port, REFUSED, &pebble);
    assert!(is_own(&server));
    let said = server.end(Signal::SIGTERM).stderr.join("\n");
    assert!(!said.contains("asking the CA"), "{said}");

    // Another name is another question.
    let home = server.home();
    let server = serve(home, port, NAME, &pebble);
    server
        .program
        .stderr
        .find("a certificate from the CA is in use");
    assert!(!is_own(&server));
}

#[test]
fn a_ca_that_cannot_reach_the_server_is_quoted() {
    let (port, elsewhere) = (free_for_both(), free_for_both());
    let Some(pebble) = Pebble::start(elsewhere, 3600) else {
        return skip(
            "a_ca_that_cannot_reach_the_server_is_quoted",
            "pebble not found",
        );
    };
    let server = serve(Home::new(), port, NAME, &pebble);
    let said = server.program.stderr.find("no certificate from the CA");
    assert!(said.contains(&format!("the CA refuses {NAME}")), "{said}");
    assert!(
        remembered(&server.stop())["order"].is_null(),
        "the next attempt has an order of its own"
    );
}

#[test]
fn a_ca_that_is_down_is_not_bothered_by_restarts() {
    // Counts who comes, and answers nobody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = format!(
        "https://localhost:{}/dir",
        listener.local_addr().unwrap().port()
    );
    let came = Arc::new(AtomicUsize::new(0));
    let counter = came.clone();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            counter.fetch_add(1, Ordering::SeqCst);
            drop::<TcpStream>(stream);
        }
    });
    let home = Home::new();
    let root = crate::common::Authority::new("no one").root_pem;
    fs::write(home.file("ca.pem"), root).unwrap();
    let root = home.file("ca.pem").to_str().unwrap().to_owned();
    let first = command(&home, 0, NAME, &directory, &root);
    let server = Server::spawn(home, first);
    server.program.stderr.find("no certificate from the CA");
    assert!(is_own(&server));
    assert_eq!(came.load(Ordering::SeqCst), 1);
    let mut home = server.stop();
    for _ in 0..3 {
        let again = command(&home, 0, NAME, &directory, &root);
        let server = Server::spawn(home, again);
        assert!(is_own(&server));
        home = server.stop();
    }
    assert_eq!(came.load(Ordering::SeqCst), 1, "the CA is left alone");
}

#[test]
fn a_port_that_no_ca_connects_to_is_refused_at_once() {
    let home = Home::new();
    let acme = ["--acme", NAME];
    let listen = ["--listen", "127.0.0.1:8443"];
    run(&mut Server::command(&home, &[&listen[..], &acme].concat()))
        .says(2, &["needs port 443", "--acme-forwarded"])
        .shows(&[]);
    for name in ["localhost", "192.0.2.1"] {
        run(&mut Server::command(
            &home,
            &[&["--acme", name, "--acme-forwarded"][..]].concat(),
        ))
        .says(2, &[name])
        .shows(&[]);
    }
    let both = ["--acme", NAME, "--cert", "a", "--key", "b"];
    run(&mut Server::command(&home, &both)).says(2, &["--acme"]);
    let missing = ["--acme", NAME, "--acme-forwarded", "--acme-ca", "none.pem"];
    run(&mut Server::command(&home, &missing)).says(1, &["none.pem"]);
}
