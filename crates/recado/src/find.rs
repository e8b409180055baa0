//! Which server to talk to, where none was named: what is found on the network, beside the one used last, and always
//! any other address.
//!
//! What is found is an address to try and no more: whether to trust who answers there is asked as ever.

use std::io::Write;
use std::time::Duration;

use recado_client::address::ServerAddress;
use recado_client::discovery::{self, Found};
use recado_client::trust::{TrustStore, probe};
use recado_proto::fingerprint::Fingerprint;
use tokio::time::timeout;

use crate::context::{Context, Exit};
use crate::wording;

/// How long the network is asked. Answers come within 120 ms (RFC 6762, section 6), and over a wireless network, which
/// gathers them, a few tenths of a second later.
const LOOK_TIME: Duration = Duration::from_millis(800);

/// Servers shown at most: they fit on a screen.
const MAX_SHOWN: usize = 16;

/// A server that can be chosen.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    address: ServerAddress,
    /// What it calls itself.
    name: Option<String>,
    claimed: Option<Fingerprint>,
    was_used_last: bool,
    is_here: bool,
}

/// Lets the person choose. Without a choice to make, there is no question: the server used last, or the one on this
/// machine, is taken, and said.
pub(crate) async fn server(
    context: &Context,
    store: &TrustStore,
) -> Result<Option<ServerAddress>, Exit> {
    let last = store.last_used().map_err(|error| {
        context.complain(&wording::store(context.language, &error));
        Exit::Failed
    })?;
    let localhost = ServerAddress::new("localhost", None).map_err(|_| Exit::Failed)?;
    let (found, here) = tokio::join!(
        discovery::browse(LOOK_TIME),
        timeout(LOOK_TIME, probe(&localhost))
    );
    let found = found.unwrap_or_else(|error| {
        context.notice(&wording::chain(&error));
        Vec::new()
    });
    let here = here.ok().and_then(Result::ok);
    let here = here.and_then(|seen| {
        let address = ServerAddress::new("localhost", Some(seen.address.port())).ok()?;
        Some((address, seen.root))
    });
    let candidates = candidates(last, here, found);
    match &candidates[..] {
        // Whom one knows, or who is here, and nobody else.
        [only] if only.was_used_last => {
            let server = only.address.to_string();
            context.notice(&context.text("notice-last-server", &[("server", &server)]));
            Ok(Some(only.address.clone()))
        }
        [only] if only.is_here => Ok(Some(only.address.clone())),
        _ => ask(context, &candidates).await,
    }
}

/// All of them, each once: the one used last comes first, then the one on this machine.
fn candidates(
    last: Option<ServerAddress>,
    here: Option<(ServerAddress, Fingerprint)>,
    found: Vec<Found>,
) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let candidate = |address: ServerAddress| Candidate {
        is_here: address.is_literal_loopback(),
        address,
        name: None,
        claimed: None,
        was_used_last: false,
    };
    candidates.extend(last.map(|last| Candidate {
        was_used_last: true,
        ..candidate(last)
    }));
    let mut beside = Vec::new();
    beside.extend(here.map(|(address, root)| Candidate {
        claimed: Some(root),
        ..candidate(address)
    }));
    for Found {
        name,
        address,
        is_here,
        claimed,
    } in found
    {
        // By its address in the network this machine would be asked about as any other.
        let local = ServerAddress::new("localhost", address.port());
        let address = match (is_here, local) {
            (true, Ok(local)) => local,
            _ => address,
        };
        beside.push(Candidate {
            name: Some(name).filter(|name| !name.is_empty()),
            claimed,
            ..candidate(address)
        });
    }
    for one in beside {
        let is_same = |other: &&mut Candidate| {
            let both_here = other.is_here && one.is_here;
            other.address.port() == one.address.port()
                && (both_here || other.address.host() == one.address.host())
        };
        match candidates.iter_mut().find(is_same) {
            Some(known) => {
                known.name = known.name.take().or(one.name);
                known.claimed = known.claimed.or(one.claimed);
            }
            None => candidates.push(one),
        }
    }
    candidates
}

async fn ask(context: &Context, candidates: &[Candidate]) -> Result<Option<ServerAddress>, Exit> {
    let mut lines = Vec::new();
    if candidates.is_empty() {
        lines.push(context.text("find-nothing", &[]));
    } else {
        lines.push(context.text("find-list", &[]));
        for (at, candidate) in candidates.iter().take(MAX_SHOWN).enumerate() {
            lines.push(line(context, at + 1, candidate));
        }
        if candidates.len() > MAX_SHOWN {
            let count = (candidates.len() - MAX_SHOWN).to_string();
            lines.push(context.text("find-more", &[("count", &count)]));
        }
    }
    let question = match candidates {
        [] => "find-question-address",
        _ => "find-question",
    };
    loop {
        lines.push(format!("{} ", context.text(question, &[])));
        let Some(answer) = read(lines.join("\n")).await else {
            return Err(Exit::Done);
        };
        let shown = candidates.get(..MAX_SHOWN).unwrap_or(candidates);
        match understand(&answer, shown) {
            Some(address) => return Ok(Some(address)),
            None => lines = vec![context.text("find-again", &[])],
        }
    }
}

/// What an answer means: nothing is the first, a number one of the list, all else an address.
fn understand(answer: &str, shown: &[Candidate]) -> Option<ServerAddress> {
    let answer = answer.trim();
    if !answer.bytes().all(|byte| byte.is_ascii_digit()) {
        return answer.parse().ok();
    }
    let at = match answer {
        "" => 1,
        _ => answer.parse::<usize>().ok()?,
    };
    let candidate = shown.get(at.checked_sub(1)?)?;
    Some(candidate.address.clone())
}

fn line(context: &Context, number: usize, candidate: &Candidate) -> String {
    let mut words = Vec::new();
    if candidate.was_used_last {
        words.push(context.text("find-last", &[]));
    }
    if candidate.is_here {
        words.push(context.text("find-here", &[]));
    }
    if let Some(name) = &candidate.name {
        words.push(context.text("find-name", &[("name", name)]));
    }
    if let Some(claimed) = &candidate.claimed {
        let fingerprint = claimed.to_string();
        words.push(context.text("find-claimed", &[("fingerprint", &fingerprint)]));
    }
    format!("{number:>4}  {}  {}", candidate.address, words.join(", "))
        .trim_end()
        .to_owned()
}

/// Shows a question, and takes a line; `None` at the end of the input.
async fn read(question: String) -> Option<String> {
    let answer = tokio::task::spawn_blocking(move || {
        let mut stderr = std::io::stderr();
        stderr.write_all(question.as_bytes()).ok()?;
        stderr.flush().ok()?;
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).ok()?;
        (read > 0).then_some(line)
    });
    answer.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ServerAddress {
        text.parse().unwrap()
    }

    fn found(name: &str, at: &str, is_here: bool) -> Found {
        Found {
            name: name.to_owned(),
            address: address(at),
            is_here,
            claimed: None,
        }
    }

    #[test]
    fn a_server_is_listed_once_however_it_is_known() {
        let root = Fingerprint::from_bytes([1; 32]);
        let listed = candidates(
            Some(address("192.168.1.20:8443")),
            Some((address("localhost:8443"), root)),
            vec![
                found("desk", "192.168.1.5:8443", true),
                found("class", "192.168.1.20:8443", false),
                found("other", "192.168.1.30:443", false),
            ],
        );
        let shown: Vec<_> = listed
            .iter()
            .map(|one| (one.address.to_string(), one.name.as_deref().unwrap_or("")))
            .collect();
        let expected = [
            ("192.168.1.20:8443".to_owned(), "class"),
            ("localhost:8443".to_owned(), "desk"),
            ("192.168.1.30:443".to_owned(), "other"),
        ];
        assert_eq!(shown, expected);
        assert!(listed[0].was_used_last && listed[1].is_here);
        assert_eq!(listed[1].claimed, Some(root));
    }

    #[test]
    fn an_answer_is_a_number_or_an_address() {
        let shown = candidates(
            Some(address("a.example")),
            None,
            vec![found("b", "192.168.1.2:443", false)],
        );
        let chosen = |answer| understand(answer, &shown).map(|address| address.to_string());
        assert_eq!(chosen("\n").as_deref(), Some("a.example"));
        assert_eq!(chosen(" 2 \n").as_deref(), Some("192.168.1.2:443"));
        assert_eq!(
            chosen("c.example:8443\n").as_deref(),
            Some("c.example:8443")
        );
        for wrong in ["0", "3", "a b", "99999999999999999999999"] {
            assert_eq!(chosen(wrong), None, "{wrong}");
        }
        assert_eq!(understand("", &[]), None);
    }
}
