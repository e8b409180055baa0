//! Tickets: addresses that pin a server, and admit.

use std::process::Command;

use crate::common::{Home, Server, run, run_with};

/// A secret that no server knows.
const SECRET: &str = "BwcHBwcHBwcHBwcHBwcHBw";

fn ticket(server: &Server, secret: &str) -> String {
    let fingerprint = server.ready.fingerprint.replace(':', "-");
    format!("recado://{}/{fingerprint}/{secret}", server.address())
}

/// `recado chat` as Alice, with what comes before the name.
fn chat(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.recado(&["chat", "--plain", "--lang", "en", "--name", "Alice"]);
    command.args(arguments);
    command
}

#[test]
fn a_ticket_is_taken_as_argument_from_its_variable_and_from_standard_input() {
    let (server, home) = (Server::start(), Home::new());
    let ticket = ticket(&server, SECRET);
    let shown = format!("You are Alice on {}.", server.address());
    run(&mut chat(&home, &[&ticket])).says(0, &[&shown]);
    run(chat(&home, &[]).env("RECADO_TICKET", &ticket)).says(0, &[&shown]);
    run_with(&mut chat(&home, &["-"]), &format!("{ticket}\n/quit\n")).says(0, &[&shown]);
    // The address and the fingerprint are remembered; the secret is nowhere.
    let grep = run(home.clean("grep").args(["-r", SECRET, "client"]));
    assert_eq!(grep.code, 1, "{:?}", grep.stdout);
    let known = run(&mut home.recado(&["trust", "list"]));
    assert!(known.stdout[0].starts_with(&server.address()));
}

#[test]
fn what_was_typed_counts_before_the_environment() {
    let (server, home) = (Server::start(), Home::new());
    let address = server.address();
    let elsewhere = ticket(&server, SECRET).replace(&address, "192.0.2.1:9");
    run(chat(&home, &["--server", &address]).env("RECADO_TICKET", &elsewhere)).says(0, &[]);
    run(chat(&home, &[&ticket(&server, SECRET)]).env("RECADO_SERVER", "192.0.2.1:9")).says(0, &[]);
    run(&mut chat(&home, &[&elsewhere, "--server", &address])).says(2, &["leave one of them out"]);
}

#[test]
fn a_ticket_for_another_server_s_key_is_refused_before_anything_is_sent() {
    let (server, other, home) = (Server::start(), Server::start(), Home::new());
    let address = other.address();
    let posing = ticket(&server, SECRET).replace(&server.address(), &address);
    run(&mut chat(&home, &[&posing])).says(4, &[&server.ready.fingerprint]);
}

#[test]
fn a_secret_is_not_shown_where_something_is_wrong_with_it_nor_in_the_help() {
    let (server, home) = (Server::start(), Home::new());
    let damaged = ticket(&server, &SECRET[1..]);
    let ended = run(&mut chat(&home, &[&damaged]));
    ended.says(2, &["neither a server's address nor a ticket"]);
    assert!(!ended.stderr.join("\n").contains(&SECRET[1..]));
    let help = run(chat(&home, &["--help"])
        .env("RECADO_TICKET", &damaged)
        .env("RECADO_SERVER", ticket(&server, SECRET)));
    assert_eq!(help.code, 0);
    assert!(!help.stdout.join("\n").contains(&SECRET[1..]));
}
