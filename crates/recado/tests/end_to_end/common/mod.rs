//! The harness: real processes, each in its own folder, and what is waited for instead of slept over.

mod authority;
mod browser;
mod home;
mod interceptor;
mod lines;
mod network;
mod pebble;
mod person;
mod program;
mod proxy;
mod raw;
mod rough_link;
mod schema;
mod screen;
mod served;
mod server;

use std::io::{self, Write};
use std::time::Duration;

pub(crate) use authority::{Authority, Pair};
pub(crate) use browser::Browser;
pub(crate) use home::{Home, copy_folder};
pub(crate) use interceptor::{Catch, Interceptor};
pub(crate) use lines::{Lines, Transcript};
pub(crate) use network::Network;
pub(crate) use pebble::{Pebble, REFUSED, free_for_both};
pub(crate) use person::{Bot, Person};
pub(crate) use program::{Ended, Killed, Program, run, run_with};
pub(crate) use proxy::{Datagram, Proxy, Wire};
pub(crate) use raw::{RawChat, RawIdentity, hello, tls};
pub(crate) use rough_link::RoughLink;
pub(crate) use schema::fault;
pub(crate) use screen::Screen;
pub(crate) use served::served;
pub(crate) use server::{Ready, Server};

/// How long anything may take. Never reached where things go well, on a loaded machine neither.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The prompt for the name, in Portuguese and English.
pub(crate) const NAME_PROMPT_PT: &str = "Digite seu nome de usuário:";
pub(crate) const NAME_PROMPT_EN: &str = "Enter your user name:";

/// The prompt for a message.
pub(crate) const PROMPT_PT: &str =
    "Digite sua mensagem (/udp para chat em grupo, /tcp <destinatário> para mensagem direta):";
pub(crate) const PROMPT_EN: &str =
    "Type your message (/udp for group chat, /tcp <recipient> for a direct message):";

/// Says that a test could not do its work here, and why; in CI that is a failure.
pub(crate) fn skip(test: &str, reason: &str) {
    // Not by a macro: the test harness would keep those from whoever counts what was skipped.
    let line = format!("skipped: {test}: {reason}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
    let ci = std::env::var("CI");
    assert_ne!(ci.as_deref(), Ok("true"), "CI must run {test}: {reason}");
}

/// Says what a test found, for whoever reads.
pub(crate) fn report(found: &str) {
    let line = format!("found: {found}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}
