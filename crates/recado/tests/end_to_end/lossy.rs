//! Messages to everyone over a network that loses datagrams, or passes them one way only: real processes in a
//! network of their own, with a packet filter.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Bot, Home, Network, Server, skip};

/// Noticed within a second of traffic; the rest is for a loaded machine.
const NOTICED: Duration = Duration::from_secs(5);

/// A network with a filter and a server in it.
fn network(test: &str) -> Option<(Network, Server)> {
    let Some(network) = Network::new() else {
        skip(test, "no network of its own is permitted");
        return None;
    };
    if !network.filter(&[]) {
        skip(test, "there is no nft, or it may not filter");
        return None;
    }
    let server = network.serve(&[], &["--listen", "127.0.0.1:0"]);
    Some((network, server))
}

/// The global messages that a bot sees until it has seen this many, by number.
fn globals(bot: &Bot, count: usize) -> Vec<(u64, String, String)> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let global = bot.find("global");
        let text = |member: &str| global[member].as_str().unwrap().to_owned();
        seen.push((global["seq"].as_u64().unwrap(), text("text"), text("via")));
    }
    seen
}

fn link(event: &Value) -> (bool, bool) {
    (event["up"] == true, event["down"] == true)
}

#[test]
fn where_a_fifth_of_all_datagrams_is_lost_everyone_sees_everything_once() {
    let test = "where_a_fifth_of_all_datagrams_is_lost_everyone_sees_everything_once";
    let Some((network, server)) = network(test) else {
        return;
    };
    let home = Home::new();
    let mut bots: Vec<_> = ["A", "B", "C"]
        .map(|name| network.join(&home, &server, name))
        .into();
    assert!(network.filter(&["meta l4proto udp numgen random mod 100 < 20 drop".to_owned()]));
    const EACH: usize = 40;
    for number in 0..EACH {
        for (bot, name) in bots.iter_mut().zip(["A", "B", "C"]) {
            bot.say_to_all(&format!("{name} {number}"));
        }
    }
    let mut histories = Vec::new();
    for bot in &bots {
        let mut history = globals(bot, 3 * EACH);
        history.sort();
        let numbers: Vec<_> = history.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, (1..=3 * EACH as u64).collect::<Vec<_>>());
        assert!(
            history.iter().any(|(.., via)| via == "udp"),
            "nothing came by datagram"
        );
        assert!(
            history.iter().any(|(.., via)| via == "tcp"),
            "nothing was repaired"
        );
        let texts: Vec<_> = history.into_iter().map(|(_, text, _)| text).collect();
        histories.push(texts);
    }
    assert!(
        histories.iter().all(|history| *history == histories[0]),
        "{histories:#?}"
    );
}

#[test]
fn a_block_in_either_direction_is_noticed_carried_over_tcp_and_gone_again() {
    let test = "a_block_in_either_direction_is_noticed_carried_over_tcp_and_gone_again";
    let Some((network, server)) = network(test) else {
        return;
    };
    let home = Home::new();
    let mut a = network.join(&home, &server, "A");
    let port = server.ready.udp[0].port();
    for (rule, judged) in [
        (format!("udp dport {port} drop"), (false, true)),
        (format!("udp sport {port} drop"), (true, false)),
        ("meta l4proto udp drop".to_owned(), (false, false)),
    ] {
        a.say_to_all("por UDP");
        assert_eq!(a.find("global")["via"], "udp", "{rule}");
        assert!(network.filter(std::slice::from_ref(&rule)));
        let since = Instant::now();
        a.say_to_all("bloqueada");
        let blocked = a.find("link");
        assert_eq!(link(&blocked), judged, "{rule}: {blocked}");
        assert!(since.elapsed() < NOTICED, "{rule}: {:?}", since.elapsed());

        // What was said meanwhile is not lost, and what is said now comes at once; own messages that reach the
        // server by datagram come back by frame where nothing comes.
        a.say_to_all("por TCP");
        let carried = a.find_where(|event| event["type"] == "global" && event["text"] == "por TCP");
        let expected = if judged.1 { "udp" } else { "tcp" };
        assert_eq!(carried["via"], expected, "{rule}");

        assert!(network.filter(&[]));
        let open = a.find_where(|event| event["type"] == "link" && link(event) == (true, true));
        assert!(open["rtt_ms"].is_number(), "{open}");
    }
}
