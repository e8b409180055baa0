//! The default ports, in a network of the test's own.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::common::{Ended, Home, Network, run, skip};

/// A calculation without a port: which of the two is found is the client's matter.
fn calculate(network: &Network, home: &Home, arguments: &[&str]) -> Ended {
    let calc = ["calc", "add", "1", "2", "--server", "127.0.0.1"];
    run(&mut network.recado(home, &[], &[&calc, arguments].concat()))
}

#[test]
fn where_443_is_taken_both_protocols_move_to_8443_and_clients_find_them() {
    let Some(network) = Network::new() else {
        return skip("where_443_is_taken", "no network of its own is permitted");
    };
    // Nobody is there yet: both ports are named.
    let nobody = Home::new();
    calculate(&network, &nobody, &[]).says(3, &["127.0.0.1:443", "127.0.0.1:8443"]);

    let first = network.serve(&[], &[]);
    assert_eq!(first.ready.tcp[0].to_string(), "0.0.0.0:443");
    assert_eq!(first.ready.tcp, first.ready.udp);
    let second = network.serve(&[], &[]);
    assert!(
        second
            .ready
            .tcp
            .iter()
            .chain(&second.ready.udp)
            .all(|at| at.port() == 8443)
    );
    assert_eq!(second.ready.tcp, second.ready.udp);
    let warning = second.program.stderr.find("443");
    assert!(
        warning.contains("already taken") && warning.contains("Using port 8443 instead"),
        "{warning}"
    );

    // Of the two, the one that proves what is expected is meant.
    for server in [&second, &first] {
        let home = Home::new();
        let given = ["--fingerprint", &server.ready.fingerprint];
        calculate(&network, &home, &given)
            .says(0, &[])
            .shows(&["3"]);
        calculate(&network, &home, &[]).says(0, &[]).shows(&["3"]);
    }

    // A third has nowhere to go; a chosen port is never left.
    let home = Home::new();
    run(&mut network.recado(&home, &[], &["serve"]))
        .says(1, &["8443: already taken"])
        .shows(&[]);
    let chosen = ["serve", "--listen", "127.0.0.1:443"];
    run(&mut network.recado(&home, &[], &chosen))
        .says(1, &["127.0.0.1:443: already taken"])
        .shows(&[]);
}

#[test]
fn where_443_is_not_permitted_the_line_that_would_allow_it_is_said() {
    let Some(network) = Network::new() else {
        return skip(
            "where_443_is_not_permitted",
            "no network of its own is permitted",
        );
    };
    let without = [
        "setpriv",
        "--bounding-set",
        "-net_bind_service",
        "--inh-caps",
        "-net_bind_service",
    ];
    if network.with_user || Command::new("setpriv").arg("-V").output().is_err() {
        return skip(
            "where_443_is_not_permitted",
            "the right to 443 cannot be given up",
        );
    }
    let mut server = network.serve(&without, &[]);
    assert!(
        server
            .ready
            .tcp
            .iter()
            .chain(&server.ready.udp)
            .all(|at| at.port() == 8443)
    );
    let warning = server.program.stderr.find("443");
    let allow = format!(
        "sudo setcap cap_net_bind_service=+ep '{}'",
        env!("CARGO_BIN_EXE_recado")
    );
    assert!(
        warning.contains(&allow) && warning.contains("Using port 8443 instead"),
        "{warning}"
    );
    server.end(Signal::SIGTERM).says(0, &[]);

    let home = Home::new();
    let chosen = ["serve", "--listen", "127.0.0.1:443"];
    run(&mut network.recado(&home, &without, &chosen))
        .says(1, &["not permitted", &allow])
        .shows(&[]);
}
