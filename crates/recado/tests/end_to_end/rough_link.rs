//! Messages to everyone over a link that delays, reorders, doubles and loses packets, TCP's as well: real processes
//! around the simulator's link.

use std::time::Duration;

use recado_sim::LinkModel;
use serde_json::Value;

use crate::common::{Bot, Home, Network, RoughLink, skip};

/// A phone far from its access point: 40 ms ± 20 ms each way, so that what follows within 40 ms may overtake.
const PHONE: LinkModel = LinkModel {
    latency: Duration::from_millis(20),
    jitter: Duration::from_millis(40),
    loss: 5,
    duplicated: 2,
    ..LinkModel::QUIET
};

const NAMES: [&str; 3] = ["A", "B", "C"];

/// Everyone says a word, and waits until they have seen everyone's.
fn round(bots: &mut [Bot], word: &str, seen: &mut [Vec<Value>]) {
    for (bot, name) in bots.iter_mut().zip(NAMES) {
        bot.say_to_all(&format!("{word} {name}"));
    }
    for (bot, seen) in bots.iter().zip(seen) {
        for _ in NAMES {
            seen.push(bot.find("global"));
        }
    }
}

/// How many of these came by datagram.
fn by_datagram(seen: &[Value]) -> usize {
    seen.iter().filter(|global| global["via"] == "udp").count()
}

/// Everyone saw the same, each number once.
fn is_complete(seen: &[Vec<Value>], count: usize) {
    let history = |seen: &Vec<Value>| {
        let mut history: Vec<_> = seen
            .iter()
            .map(|global| (global["seq"].as_u64().unwrap(), global["text"].to_string()))
            .collect();
        history.sort();
        history
    };
    let histories: Vec<_> = seen.iter().map(history).collect();
    let numbers: Vec<_> = histories[0].iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=count as u64).collect::<Vec<_>>());
    assert!(
        histories.iter().all(|it| *it == histories[0]),
        "{histories:#?}"
    );
}

#[test]
fn over_a_rough_link_everyone_sees_everything_once_also_from_elsewhere() {
    let test = "over_a_rough_link_everyone_sees_everything_once_also_from_elsewhere";
    let Some(network) = Network::new() else {
        return skip(test, "no network of its own is permitted");
    };
    let Some(link) = RoughLink::new(&network, PHONE, 1) else {
        return skip(test, "there is no socat, or no TUN device");
    };
    let server = network.serve(&[], &["--listen", RoughLink::NEAR]);
    let home = Home::new();
    let pinned = ["--fingerprint", &server.ready.fingerprint];
    let mut bots = NAMES.map(|name| network.join_at(&home, RoughLink::FAR, name, &pinned));
    let mut seen = [const { Vec::new() }; NAMES.len()];
    const ROUNDS: usize = 10;

    for number in 0..ROUNDS {
        round(&mut bots, &format!("de casa {number}"), &mut seen);
    }
    // Everyone's packets come from another port: the server follows each to where it is now.
    link.rebind();
    for number in 0..ROUNDS {
        round(&mut bots, &format!("do ônibus {number}"), &mut seen);
    }
    is_complete(&seen, 2 * ROUNDS * NAMES.len());
    for seen in &seen {
        let (before, after) = seen.split_at(ROUNDS * NAMES.len());
        let (before, after) = (by_datagram(before), by_datagram(after));
        assert!(
            before.min(after) >= ROUNDS,
            "by datagram: {before}, then {after}"
        );
    }

    // The way to the server is blocked, and what is said meanwhile goes another way.
    link.block_up(true);
    bots[0].say_to_all("alguém me ouve?");
    for bot in &bots[1..] {
        assert_eq!(bot.find("global")["text"], "alguém me ouve?");
    }
    let judged = bots[0].find_where(|event| event["type"] == "link" && event["up"] == false);
    assert_eq!(judged["down"], true, "{judged}");
    link.block_up(false);
    bots[0].find_where(|event| event["type"] == "link" && event["up"] == true);

    let fates = link.fates();
    let least = fates.lost.min(fates.doubled).min(fates.overtaken);
    assert!(least > 10, "the link was not rough: {fates:?}");
}
