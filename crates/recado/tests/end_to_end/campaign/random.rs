//! Random kills, restarts, older copies and senders that never come back.

use recado_sim::Random;

use super::*;
use ledger::Memory;

/// Messages entered at once, now and then: more than may wait for one recipient, so that the sender has to wait.
const BURST: u64 = 1_500;

/// What the names of those begin with who never come back.
const PASSER: &str = "passer";

/// An older copy of somebody's folder.
struct Backup {
    copy: crate::common::Home,
    memory: Memory,
    /// What was promised then.
    promised: std::collections::BTreeSet<ledger::Message>,
}

#[test]
fn random_kills_lose_double_and_reorder_nothing() {
    let (time, seed) = plan(20);
    let found = run(time, seed);
    if let Err(broken) = found {
        panic!("{broken}RECADO_CAMPAIGN_SEED={seed}");
    }
}

fn run(time: Duration, seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed);
    // Older copies of people's databases, or of the server's: one or the other.
    let copies_people = seed.is_multiple_of(2);
    let mut campaign = Campaign::begin(&["alice", "bob", "carol"]);
    // So few that bursts are refused in their middle, while more is on its way.
    for (limit, value) in [("private-burst", "300"), ("private-rate", "2000")] {
        let home = &campaign.server.home;
        crate::common::run(&mut home.recado(&["admin", "limits", limit, value])).says(0, &[]);
    }
    let mut backups: Vec<Option<Backup>> = vec![None, None, None];
    let mut server_backup: Option<crate::common::Home> = None;
    let mut passing = 0;
    let (begin, mut kills, mut restores) = (Instant::now(), 0, 0);
    while begin.elapsed() < time {
        let who = random.below(3) as usize;
        let to = ["alice", "bob", "carol"][random.below(3) as usize];
        let count = match random.below(40) {
            0 => BURST,
            1..8 => 20,
            _ => 1,
        };
        match random.below(100) {
            0..70 => {
                let person = &mut campaign.people[who];
                for _ in 0..if person.is_running() { count } else { 0 } {
                    person.say(to, &mut campaign.ledger);
                }
            }
            70..75 if campaign.people[who].is_running() => {
                campaign.people[who].kill(&mut campaign.ledger);
                kills += 1;
            }
            80..82 if campaign.server.is_running() => {
                campaign.server.kill();
                campaign.ledger.note("server killed".to_owned());
                kills += 1;
            }
            // Whoever is away for a moment may be copied, or become their copy.
            84..86 if copies_people && !campaign.people[who].is_running() => {
                let person = &campaign.people[who];
                campaign.ledger.note(format!("{} is copied", person.name));
                backups[who] = Some(Backup {
                    copy: person.home.copy(),
                    memory: campaign.ledger.remember(&person.name),
                    promised: campaign.ledger.of(&person.name, Promise::Delivered),
                });
            }
            86 => {
                if let Some(backup) = &backups[who] {
                    become_copy(&mut campaign, who, backup);
                    restores += 1;
                }
            }
            87 if !copies_people && !campaign.server.is_running() => {
                let copy = crate::common::Home::new();
                replace_folder(&campaign.server.data(), copy.path());
                campaign.ledger.note("server is copied".to_owned());
                server_backup = Some(copy);
            }
            88 if !campaign.server.is_running() => {
                if let Some(copy) = &server_backup {
                    replace_folder(copy.path(), &campaign.server.data());
                    campaign
                        .ledger
                        .note("server becomes the older copy".to_owned());
                    restores += 1;
                }
            }
            // Someone says a few things, is told that they are stored, and never comes back. Who may become an older copy
            // has then no keys for that, and nobody is there to seal it again.
            89..91
                if campaign.server.is_running()
                    && server_backup.is_none()
                    && !is_copied(&campaign, &backups, to) =>
            {
                passing += 1;
                pass(&mut campaign, &format!("{PASSER}{passing}"), to);
                if random.below(2) == 0 {
                    // What was said to be stored a moment ago is only on its disk.
                    campaign.server.kill();
                    campaign.ledger.note("server killed".to_owned());
                    kills += 1;
                }
            }
            91..100 => campaign.start_all(),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(random.below(12)));
        campaign.listen();
        if !campaign.ledger.broken.is_empty() {
            break;
        }
    }
    let settled = campaign.settle();
    let [entered, queued, delivered] = [Promise::Entered, Promise::Queued, Promise::Delivered]
        .map(|least| campaign.ledger.promised(least));
    crate::common::report(&format!(
        "{kills} kills, {restores} restores, {passing} who never came back; {entered} messages \
         entered, {queued} promised, {delivered} told as delivered"
    ));
    settled
}

/// Whether there is an older copy of someone's folder.
fn is_copied(campaign: &Campaign, backups: &[Option<Backup>], name: &str) -> bool {
    let mut people = campaign.people.iter().zip(backups);
    people.any(|(person, backup)| person.name == name && backup.is_some())
}

/// Someone goes on with an older copy of their folder; where they are here, they are taken over.
fn become_copy(campaign: &mut Campaign, who: usize, backup: &Backup) {
    let address = campaign.server.address();
    let person = &mut campaign.people[who];
    campaign
        .ledger
        .note(format!("{} becomes the older copy", person.name));
    if person.is_running() {
        person.move_to(backup.copy.copy(), &address, &mut campaign.ledger);
    } else {
        replace_folder(backup.copy.path(), person.home.path());
    }
    // What only the newer copy knew is gone with it.
    let queued = campaign.ledger.of(&person.name, Promise::Queued);
    let lost: Vec<_> = queued.difference(&backup.promised).cloned().collect();
    campaign.ledger.excuse(lost);
    // So is what it had taken and not shown: the older one says how many it misses.
    let unseen = campaign.ledger.unseen_by(&person.name);
    campaign.ledger.excuse(unseen);
    // And the keys for what waits from those who never come back.
    let orphaned = campaign
        .ledger
        .missing()
        .into_iter()
        .map(|(message, _)| message);
    let orphaned: Vec<_> = orphaned
        .filter(|it| it.to == person.name && it.from.starts_with(PASSER))
        .collect();
    campaign.ledger.excuse(orphaned);
    campaign.ledger.recall(&person.name, backup.memory.clone());
}

/// A sender whose folder is gone once three messages are stored.
fn pass(campaign: &mut Campaign, name: &str, to: &str) {
    let mut passer = Actor::new(name);
    passer.start(&campaign.server.address());
    for _ in 0..3 {
        passer.say(to, &mut campaign.ledger);
    }
    let begin = Instant::now();
    while campaign.ledger.promised_to(name, Promise::Stored) < 3
        && begin.elapsed() < Duration::from_secs(5)
        && !passer.has_ended()
    {
        passer.listen(&mut campaign.ledger);
        campaign.listen();
        std::thread::sleep(PAUSE);
    }
    passer.kill(&mut campaign.ledger);
    // What was not stored was only here.
    let unstored = campaign.ledger.of(name, Promise::Queued);
    campaign.ledger.excuse(unstored);
}
