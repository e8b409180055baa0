//! The screens as people see them, held against pictures: `snapshots/*.ans`, which `cat` shows in a terminal. With
//! `RECADO_BLESS=1` they are written anew, to be looked at before they are kept.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ratatui::style::{Color, Modifier};
use recado_client::history::{Correspondent, Item, PastMessage, Standing};
use recado_client::{
    About, Event, LinkReport, LinkState, OfferEvent, OfferFailure, OfferState, Pause, Route, Via,
};
use recado_proto::frame::Person as ProtoPerson;
use recado_proto::id::{MessageId, OfferId, RemoteKey, StoreId};

use super::*;
use crate::chat::talk::{Action, Own};
use crate::cli;
use crate::i18n::Language;
use crate::tui::state::{Clock, Composer, Wish};

/// 2026-11-28 09:00 UTC.
const MORNING: i64 = 1_795_856_400_000;
const MINUTE: i64 = 60_000;

const FINGERPRINT: &str = "SHA256:fTyYAGsWPy-sFvTxgfkg2kWZW9YcInkg7KSR7_Sl-so";

fn id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

fn person(name: &str) -> ProtoPerson {
    let key = RemoteKey::from_bytes([name.len() as u8; 32]);
    let name = name.to_owned();
    ProtoPerson { name, key }
}

fn past(number: u8, from: Option<&str>, to: Option<&str>, minute: i64, text: &str) -> Item {
    Item::Message(PastMessage {
        number: number.into(),
        id: id(number),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
        is_global: to.is_none(),
        sent_at_ms: MORNING + minute * MINUTE,
        text: text.to_owned(),
        standing: match from {
            Some(_) => Standing::Received,
            None => Standing::Stored,
        },
        code: String::new(),
        reference: None,
        sequence: Some(number.into()),
        verified: true,
    })
}

fn global(number: u8, from: &str, minute: i64, text: &str) -> Event {
    Event::Global {
        from: person(from),
        id: id(number),
        sequence: number.into(),
        sent_at_ms: MORNING + minute * MINUTE,
        text: text.to_owned(),
        via: Via::Udp,
        replayed: false,
        late: false,
        repaired: false,
        verified: true,
    }
}

fn private(number: u8, from: &str, text: &str) -> Event {
    let from = person(from);
    let receipt = recado_client::Receipt {
        from: from.key,
        store: StoreId::from_bytes([0; 16]),
        number: number.into(),
    };
    Event::Private {
        receipt,
        from,
        id: id(number),
        sent_at_ms: MORNING + 30 * MINUTE,
        text: text.to_owned(),
        replayed: false,
    }
}

fn link(probes: u64, answers: u64) -> Event {
    Event::LinkReport(LinkReport {
        state: LinkState {
            up: true,
            down: true,
            rtt: Some(Duration::from_micros(420)),
        },
        probes,
        answers,
        by_datagram: 0,
        by_frame: 0,
        repaired: 0,
        late: 0,
        rejected: 0,
    })
}

fn drain(state: &mut State) -> Vec<Wish> {
    std::iter::from_fn(|| state.poll_wish()).collect()
}

fn fresh(language: Language, size: Size) -> State {
    let mut state = State::new(
        Words(language),
        Clock::standing(|| MORNING + 29 * MINUTE),
        size,
        "recado.example:8443",
        "Alice",
    );
    state.ready("Alice", "recado.example:8443");
    state.event(&link(0, 0));
    state
}

/// Nobody has said anything.
fn empty(language: Language, size: Size) -> State {
    let mut state = fresh(language, size);
    state.event(&Event::Roster(vec![person("Alice")]));
    state.past(Vec::new());
    state.correspondents(Vec::new());
    state
}

/// A morning of a class, with everything that can be seen at once.
fn busy(language: Language, size: Size) -> State {
    let mut state = fresh(language, size);
    let everyone = [
        "Alice",
        "Bob",
        "Carol",
        "Dave",
        "Érica",
        "Maximiliano-Augusto",
        "田中",
    ];
    state.event(&Event::Roster(everyone.map(person).to_vec()));
    state.correspondents(
        ["Carol", "Bob", "Zé"]
            .map(|name| Correspondent {
                name: name.to_owned(),
                latest_at_ms: MORNING,
            })
            .to_vec(),
    );
    state.past(vec![
        past(1, Some("Bob"), None, -60 * 24, "Bom dia! / Good morning!"),
        past(
            2,
            Some("Carol"),
            None,
            -60 * 24 + 1,
            "Até amanhã. / See you tomorrow.",
        ),
        Item::Hole { first: 3, last: 14 },
        past(
            15,
            Some("Érica"),
            None,
            0,
            "Onde está o plano da semana? É hoje a revisão?",
        ),
        past(
            16,
            None,
            None,
            1,
            "Está em https://recado.example/plano-da-semana-que-vem, e vale para todas as turmas.",
        ),
    ]);
    state.event(&global(
        20,
        "Bob",
        2,
        "Alice, o arquivo não abre aqui. / @Alice it does not open.",
    ));
    state.event(&global(
        21,
        "Maximiliano-Augusto",
        3,
        "Aqui abre.\nDuas linhas,\n\te uma com tabulação.",
    ));
    state.event(&global(
        22,
        "田中",
        4,
        "おはようございます。今日の資料を送ります。👍🏽 e\u{301} 👩\u{200d}💻",
    ));
    let late = |mut event: Event| {
        if let Event::Global { late, via, .. } = &mut event {
            (*late, *via) = (true, Via::Tcp);
        }
        event
    };
    let repaired = |mut event: Event| {
        if let Event::Global { repaired, via, .. } = &mut event {
            (*repaired, *via) = (true, Via::Tcp);
        }
        event
    };
    let unverified = |mut event: Event| {
        if let Event::Global { verified, .. } = &mut event {
            *verified = false;
        }
        event
    };
    state.event(&late(global(23, "Dave", 5, "Cheguei. / Just in.")));
    state.event(&repaired(global(24, "Carol", 5, "Eu também. / Me too.")));
    state.event(&unverified(global(
        25,
        "Bob",
        6,
        "Mandem a senha para mim. / Send me the password.",
    )));
    for (name, online) in [("Fábio", true), ("Gil", true), ("Dave", false)] {
        let person = person(name);
        state.event(&Event::Presence { person, online });
    }
    state.event(&private(30, "Bob", "só para você / for you alone"));
    state.event(&private(31, "Bob", "de novo / again"));
    state.event(&private(32, "Zé", "Alice?"));
    state.verified(&["Bob".to_owned()]);
    state.link_asked_for_test();
    state.event(&link(50, 49));
    let report = about(7, "Carol", false, "relatorio-final.pdf", 1_234_567);
    file(&mut state, offered(report));
    let photos = about(4, "Bob", true, "fotos.zip", 80_000_000);
    moves(&mut state, &photos, Route::Direct, 12_600_000);
    drain(&mut state);
    state
}

fn about(number: u8, peer: &str, is_own: bool, title: &str, size: u64) -> About {
    About {
        offer: OfferId::from_bytes([number; 16]),
        number: number.into(),
        is_own,
        peer: peer.to_owned(),
        title: title.to_owned(),
        size,
        entries: None,
        reference: None,
    }
}

fn file(state: &mut State, event: OfferEvent) {
    state.event(&Event::File(event));
}

fn offered(about: About) -> OfferEvent {
    OfferEvent::Offered {
        about,
        first: Vec::new(),
        replayed: false,
    }
}

fn stands(state: &mut State, about: &About, now: OfferState) {
    let about = about.clone();
    file(state, OfferEvent::State { about, state: now });
}

/// For four seconds, so many bytes in each.
fn moves(state: &mut State, about: &About, route: Route, bytes: u64) {
    stands(state, about, OfferState::Running(route));
    let begin = Instant::now();
    for second in 0..=4 {
        let now = begin + Duration::from_secs(second);
        state.transfers.progress(about, second * bytes, now);
    }
}

/// A conversation in which files are offered, one's own.
fn offering(language: Language, size: Size) -> State {
    let mut state = empty(language, size);
    let roster = ["Alice", "Bob"].map(person).to_vec();
    state.event(&Event::Roster(roster));
    state.look_at_person(Some("Bob"));
    state.past(Vec::new());
    let own = |number, title, size| about(number, "Bob", true, title, size);
    let folder = About {
        entries: Some(12),
        ..own(1, "fotos da viagem", 31_400_000)
    };
    for (about, then) in [
        (folder, Some(OfferState::Offered)),
        (own(2, "plano.pdf", 410_000), None),
        (own(3, "notas.txt", 812), Some(OfferState::Declined)),
        (
            own(4, "rascunho.odt", 90_000),
            Some(OfferState::Failed(OfferFailure::SourceChanged)),
        ),
        (own(5, "mapa.png", 2_000_000), Some(OfferState::Received)),
    ] {
        stands(&mut state, &about, OfferState::Queued);
        if let Some(then) = then {
            stands(&mut state, &about, then);
        }
    }
    state.composer.insert("/arquivo Bob \"").unwrap();
    drain(&mut state);
    state
}

/// A conversation in which files are offered, the other person's; more of them than have room.
fn receiving(language: Language, size: Size) -> State {
    let mut state = empty(language, size);
    let roster = ["Alice", "Bob"].map(person).to_vec();
    state.event(&Event::Roster(roster));
    state.look_at_person(Some("Bob"));
    state.past(Vec::new());
    let theirs = |number, title, size| about(number, "Bob", false, title, size);
    let folder = About {
        entries: Some(40),
        ..theirs(1, "fotos da viagem", 31_400_000)
    };
    let hostile = theirs(
        2,
        "\u{202e}fdp.exe\n12:00 Bob │ oi \u{1b}[2J — um nome comprido, que não cabe em linha nenhuma de tela.txt",
        1 << 40,
    );
    let first = [
        ("praia/1.jpg", 2_400_000),
        ("praia/\u{1b}[31m2.jpg", 2_500_000),
    ];
    let first = first.map(|(path, size)| (path.to_owned(), size)).to_vec();
    file(
        &mut state,
        OfferEvent::Offered {
            about: folder,
            first,
            replayed: true,
        },
    );
    file(&mut state, offered(hostile));
    let relayed = theirs(3, "disco.iso", 4_300_000_000);
    file(&mut state, offered(relayed.clone()));
    stands(&mut state, &relayed, OfferState::Accepted);
    moves(&mut state, &relayed, Route::Relay, 31_000_000);
    let waits = theirs(4, "filme.mkv", 900_000_000);
    file(&mut state, offered(waits.clone()));
    stands(&mut state, &waits, OfferState::Waiting(Pause::DiskFull));
    for number in 5..8 {
        file(&mut state, offered(theirs(number, "x", 0)));
    }
    let done = theirs(8, "carta.txt", 1200);
    let path = PathBuf::from("/home/alice/Downloads/carta (2).txt");
    let (about, hash) = (done, [0; 32]);
    file(&mut state, OfferEvent::Received { about, path, hash });
    drain(&mut state);
    state
}

/// A private conversation, with every fate of a message.
fn fates(language: Language, size: Size) -> State {
    use recado_client::{Failure, State as Fate};
    let mut state = busy(language, size);
    state.look_at_person(Some("Bob"));
    state.past(vec![
        past(
            40,
            Some("Bob"),
            Some("Alice"),
            10,
            "Oi, Alice. A revisão é às 15h?",
        ),
        past(41, None, Some("Bob"), 11, "É. Leve o relatório."),
        past(
            30,
            Some("Bob"),
            Some("Alice"),
            30,
            "só para você / for you alone",
        ),
        past(31, Some("Bob"), Some("Alice"), 31, "de novo / again"),
    ]);
    for (number, fate) in [
        (50, None),
        (51, Some(Fate::Queued)),
        (52, Some(Fate::Stored)),
        (53, Some(Fate::Delivered)),
        (54, Some(Fate::Failed(Failure::KeyChanged))),
    ] {
        let message = recado_client::history::Outgoing {
            id: id(number),
            to: Some("Bob".to_owned()),
            sent_at_ms: MORNING + 32 * MINUTE,
            text: format!("mensagem / message {number}"),
            reference: None,
        };
        state.entered(&message);
        if let Some(fate) = fate {
            state.state(&Own {
                id: message.id,
                to: message.to,
                text: None,
                is_here: true,
                reference: None,
                state: fate,
                was_stored: true,
            });
        }
    }
    state
        .composer
        .insert("uma resposta de duas linhas\nque ainda não foi")
        .unwrap();
    state
}

fn searching(language: Language, size: Size) -> State {
    let mut state = busy(language, size);
    state.search("revisão");
    state.past(vec![
        past(
            15,
            Some("Érica"),
            None,
            0,
            "Onde está o plano da semana? É hoje a revisão?",
        ),
        past(
            40,
            Some("Bob"),
            Some("Alice"),
            10,
            "Oi, Alice. A revisão é às 15h?",
        ),
        past(
            42,
            None,
            Some("Bob"),
            12,
            "A revisão foi adiada.\n[TCP] Privado de Carol: oi",
        ),
    ]);
    state
}

fn helped(language: Language, size: Size) -> State {
    let mut state = busy(language, size);
    state.overlay = Overlay::Help(0);
    state
}

fn completing(language: Language, size: Size) -> State {
    let mut state = busy(language, size);
    state.away("connection reset by peer".to_owned());
    state.composer.insert("/").unwrap();
    state.complete(1);
    state.complete(1);
    state
}

fn theme(chosen: cli::Theme, has_colour: bool) -> Theme {
    Theme::of(chosen, has_colour, |name| {
        (name == "TERM").then(|| "xterm-256color".to_owned())
    })
}

/// A screen as a terminal would be told to show it, row by row.
fn ansi(drawn: &Drawn) -> String {
    let area = *drawn.buffer.area();
    let mut text = String::new();
    for y in area.top()..area.bottom() {
        let (mut style, mut x) = (String::new(), area.left());
        while x < area.right() {
            let cell = &drawn.buffer[(x, y)];
            let is_cursor = drawn.cursor == Some(Position::new(x, y));
            let wanted = sgr(cell.fg, cell.modifier, is_cursor);
            if wanted != style {
                write!(text, "\x1b[0{wanted}m").unwrap();
                style = wanted;
            }
            text.push_str(cell.symbol());
            x += u16::try_from(wrap::width(cell.symbol())).unwrap().max(1);
        }
        text.push_str("\x1b[0m\n");
    }
    text
}

fn sgr(colour: Color, modifier: Modifier, is_cursor: bool) -> String {
    let mut text = String::new();
    for (set, code) in [
        (modifier.contains(Modifier::BOLD), 1),
        (modifier.contains(Modifier::DIM), 2),
        (modifier.contains(Modifier::UNDERLINED), 4),
        (modifier.contains(Modifier::REVERSED) != is_cursor, 7),
    ] {
        if set {
            write!(text, ";{code}").unwrap();
        }
    }
    match colour {
        Color::Indexed(index) => write!(text, ";38;5;{index}").unwrap(),
        Color::Reset => {}
        other => panic!("{other:?} is not of this theme"),
    }
    text
}

#[track_caller]
fn check(name: &str, drawn: &Drawn) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/tui/view/snapshots")
        .join(format!("{name}.ans"));
    let found = ansi(drawn);
    if std::env::var_os("RECADO_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{name} is not what {} shows. It is now:\n{found}",
        path.display()
    );
}

const SMALL: Size = Size::new(80, 24);
const LARGE: Size = Size::new(200, 60);

type Scene = (&'static str, fn(Language, Size) -> State);

#[test]
fn screens_look_as_they_should() {
    let scenes: [Scene; 8] = [
        ("empty", empty),
        ("busy", busy),
        ("fates", fates),
        ("search", searching),
        ("help", helped),
        ("completion", completing),
        ("offering", offering),
        ("receiving", receiving),
    ];
    for (name, scene) in scenes {
        for language in Language::ALL {
            for (size, size_name) in [(SMALL, "80x24"), (LARGE, "200x60")] {
                let state = scene(language, size);
                let tag = language.tag();
                let dark = theme(cli::Theme::Dark, true);
                let drawn = chat(&state, &dark);
                check(&format!("{name}-{size_name}-{tag}-dark"), &drawn);
                // What is told by colour is the same everywhere.
                if name == "busy" {
                    for (kind, theme) in [
                        ("light", theme(cli::Theme::Light, true)),
                        ("contrast", theme(cli::Theme::Contrast, true)),
                        ("plain", theme(cli::Theme::Dark, false)),
                    ] {
                        let drawn = chat(&state, &theme);
                        check(&format!("{name}-{size_name}-{tag}-{kind}"), &drawn);
                    }
                }
            }
        }
    }
}

#[test]
fn questions_look_as_they_should() {
    for language in Language::ALL {
        let server = || "192.168.1.20:8443".to_owned();
        let trust = Dialog::Trust {
            server: server(),
            fingerprint: FINGERPRINT.to_owned(),
            known_as: vec!["recado.example:8443".to_owned()],
            trusts: false,
        };
        let mut typed = Composer::default();
        typed.insert("Ana Maria").unwrap();
        let name = Dialog::Name {
            server: server(),
            typed: Box::new(typed),
            error: Some(language.text("name-rule-character", &[])),
        };
        let connecting = Dialog::Connecting { server: server() };
        for (name, dialog) in [("trust", trust), ("name", name), ("connecting", connecting)] {
            for (kind, theme) in [
                ("dark", theme(cli::Theme::Dark, true)),
                ("light", theme(cli::Theme::Light, true)),
            ] {
                let drawn = opening(&dialog, Words(language), SMALL, &theme);
                check(&format!("{name}-80x24-{}-{kind}", language.tag()), &drawn);
            }
        }
    }
}

#[test]
fn help_is_whole_on_a_small_screen() {
    for language in Language::ALL {
        let text = language.text("tui-help", &[]);
        for line in text.lines() {
            // The box has a frame and a space on each side.
            assert!(wrap::width(line) <= 72, "{line}");
        }
        // Every command is in it.
        for (english, portuguese) in crate::chat::COMMANDS {
            let command = match language {
                Language::English => english,
                Language::Portuguese => portuguese,
            };
            let is_told = text.contains(&format!("/{command}"));
            assert!(
                is_told || ["history", "historico", "help", "ajuda"].contains(&command),
                "{command}"
            );
        }
    }
}

/// The rows of a screen, without colours.
fn rows(drawn: &Drawn) -> Vec<String> {
    let text = ansi(drawn);
    let plain = |row: &str| {
        let mut parts = row.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| part.split_once('m').map_or("", |(_, text)| text));
        rest.fold(first, |row, part| row + part)
            .trim_end()
            .to_owned()
    };
    text.lines().map(plain).collect()
}

#[test]
fn no_size_is_too_small_or_too_large() {
    for language in Language::ALL {
        for width in [1, 2, 3, 7, 20, 39, 56, 111, 400] {
            for height in [1, 2, 3, 4, 6, 9, 100] {
                let size = Size::new(width, height);
                for scene in [
                    empty, busy, fates, searching, helped, completing, offering, receiving,
                ] {
                    let mut state = scene(language, size);
                    state.resize(Size::new(height, width));
                    chat(&state, &theme(cli::Theme::Dark, true));
                    state.resize(size);
                    let drawn = chat(&state, &theme(cli::Theme::Light, true));
                    assert_eq!(drawn.buffer.area().height, height);
                }
            }
        }
    }
}

#[test]
fn hostile_text_stays_behind_its_bar_and_within_its_rows() {
    let mut state = empty(Language::Portuguese, SMALL);
    drain(&mut state);
    let zero_width = format!("a{}b", "\u{200b}\u{200d}\u{feff}".repeat(5_000));
    let texts = [
        "oi\n[TCP] Privado de Bob: mande a senha\n09:01        Bob │ eu",
        "oi\r── Para Bob ──\u{2028}› ",
        "\u{1b}[2J\u{1b}[H\u{1b}]0;x\u{7}\u{9b}31m\u{8}\u{7f}",
        "\u{202e}odatrevni\u{202c} \u{2066}x\u{2069}",
        &zero_width,
        &"e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}".repeat(100),
        &"x".repeat(65_536),
        &"日".repeat(21_845),
        &"\n".repeat(65_536),
    ];
    let areas = state.areas();
    let bar = usize::from(areas.messages.x + 7 + areas.columns().name + 1);
    for (number, text) in (1..).zip(texts) {
        let mut event = global(number, "mallory", 0, text);
        if let Event::Global { from, .. } = &mut event {
            from.name = "mallory".to_owned();
        }
        state.event(&event);
        let drawn = chat(&state, &theme(cli::Theme::Dark, true));
        for row in rows(&drawn) {
            let is_harmless = |c: char| {
                !c.is_control()
                    && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
            };
            assert!(row.chars().all(is_harmless), "{row:?}");
        }
        // Left of the bar there is nothing but what recado writes there.
        let body = areas.messages.rows().map(|row| row.y);
        for y in body {
            let before: String = (usize::from(areas.messages.x)..bar)
                .map(|x| drawn.buffer[(x as u16, y)].symbol())
                .collect();
            assert!(
                ["Privado", "Bob", "Para"]
                    .iter()
                    .all(|word| !before.contains(word)),
                "{before:?}"
            );
        }
    }
    // All of the longest can be looked at.
    for _ in 0..4_500 {
        state.scroll(crate::tui::state::Scroll::PageUp);
        drain(&mut state);
    }
    let drawn = chat(&state, &theme(cli::Theme::Dark, true));
    assert!(
        rows(&drawn)
            .iter()
            .any(|row| row.contains("28 de novembro"))
    );
}

#[test]
fn a_flood_leaves_memory_and_time_bounded() {
    let mut state = empty(Language::English, LARGE);
    let begin = Instant::now();
    for at in 0..10_000u32 {
        let mut event = global(
            0,
            "Bob",
            0,
            &format!("message {at} of many, and long enough to wrap at times"),
        );
        if let Event::Global { id, sequence, .. } = &mut event {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&at.to_be_bytes());
            *id = MessageId::from_bytes(bytes);
            *sequence = at.into();
        }
        state.event(&event);
        if at % 250 == 0 {
            chat(&state, &theme(cli::Theme::Dark, true));
        }
    }
    // What a second brings takes far less than a second; here without optimisation, on a machine that has much to do.
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
    assert!(state.window.lines().len() <= 2_000);
    let wishes = drain(&mut state);
    let asked = wishes
        .iter()
        .filter(|wish| matches!(wish, Wish::Act(Action::Ask(..))));
    assert!(
        asked.count() < 10,
        "what is let go of is asked for only when someone looks there"
    );
}
