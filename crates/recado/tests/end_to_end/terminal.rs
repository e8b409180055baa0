//! What differs where there is a person at a terminal: questions.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::common::{
    Bot, Home, Killed, Lines, NAME_PROMPT_PT, PROMPT_PT, Person, Screen, Server, Transcript, run,
};

/// A process at a terminal. Killed when dropped.
pub(crate) struct AtTerminal {
    child: Killed,
    keyboard: File,
    pub(crate) screen: Lines,
}

impl AtTerminal {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let (child, keyboard) = at_terminal(command);
        let screen = Lines::read(
            keyboard.try_clone().unwrap(),
            "screen",
            &Transcript::default(),
        );
        Self {
            child: Killed(child),
            keyboard,
            screen,
        }
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let process = i32::try_from(self.child.0.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), signal).unwrap();
    }

    pub(crate) fn enter(&mut self, line: &str) {
        self.keyboard
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    /// A line of the screen that is this; terminals end lines with CR LF.
    #[track_caller]
    fn shows(&self, line: &str) {
        while self.screen.next().trim_end() != line {}
    }

    pub(crate) fn code(&mut self) -> Option<i32> {
        self.screen.rest();
        self.child.0.wait().unwrap().code()
    }
}

/// Starts a process whose three streams are a terminal, and gives the terminal's other side. Nobody else
/// inherits that, so that closing it hangs up.
fn at_terminal(command: &mut Command) -> (Child, File) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname_r(&master).unwrap();
    let terminal = || File::options().read(true).write(true).open(&path).unwrap();
    let screen = terminal();
    let mut mode = tcgetattr(&screen).unwrap();
    // What is typed is not shown: the screen has only what the program writes.
    mode.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&screen, SetArg::TCSANOW, &mode).unwrap();
    let child = command
        .stdin(terminal())
        .stdout(terminal())
        .stderr(screen)
        .spawn()
        .unwrap();
    // The command would keep its ends of the terminal: only without them the screen can end.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    (child, File::from(OwnedFd::from(master)))
}

/// Reaches the same server, but is not written as this very machine.
fn elsewhere(server: &Server) -> String {
    format!("0.0.0.0:{}", server.port())
}

#[test]
fn a_person_is_asked_about_an_unknown_server() {
    let (server, home) = (Server::start(), Home::new());
    let address = elsewhere(&server);
    let arguments = [
        "calc", "soma", "1", "2", "--lang", "pt-BR", "--server", &address,
    ];
    for (answer, code) in [("n", 4), ("", 4), ("s", 0)] {
        let mut calc = AtTerminal::spawn(&mut home.recado(&arguments));
        calc.screen.find(&address);
        calc.screen.find(&server.ready.fingerprint);
        calc.enter(answer);
        if code == 0 {
            // Behind the question, which waits at the end of its line.
            assert!(calc.screen.find("3").trim_end().ends_with('3'));
        }
        assert_eq!(calc.code(), Some(code), "{answer:?}");
    }
    // Now it is known, and may be meant without being named.
    let mut calc =
        AtTerminal::spawn(&mut home.recado(&["calc", "soma", "1", "2", "--lang", "pt-BR"]));
    calc.shows(&format!("Usando {address}, o último servidor usado."));
    calc.shows("3");
    assert_eq!(calc.code(), Some(0));
}

#[test]
fn a_person_whose_name_is_taken_may_try_another() {
    let (server, home) = (Server::start(), Home::new());
    let _a = Person::join(&home, &server.address(), "A");
    let other = Home::new();
    let arguments = [
        "chat",
        "--plain",
        "--lang",
        "pt-BR",
        "--server",
        &server.address(),
    ];
    let mut person = AtTerminal::spawn(&mut other.recado(&arguments));
    for (name, refusal) in [
        ("A", "é de outra pessoa"),
        ("Ana Maria", "só pode ter letras"),
        ("", "está vazio"),
    ] {
        person.shows(NAME_PROMPT_PT);
        person.enter(name);
        person.screen.find(refusal);
    }
    person.shows(NAME_PROMPT_PT);
    person.enter("B");
    person.shows(PROMPT_PT);
    person.enter("/udp Olá, todos!");
    person.shows("[UDP] B: Olá, todos!");
    person.enter("/sair");
    assert_eq!(person.code(), Some(0));
}

#[test]
fn a_person_confirms_a_replaced_key() {
    let (old, new) = (Server::start(), Server::start());
    let (proxy, home) = (crate::common::Proxy::before(&old), Home::new());
    let address = proxy.address();
    run(&mut home.recado(&["calc", "+", "1", "2", "--server", &address])).says(0, &[]);
    proxy.lead_to(&new);
    for (answer, code) in [("n", 4), ("y", 0)] {
        let mut replace = AtTerminal::spawn(&mut home.recado(&["trust", "replace", &address]));
        replace.screen.find(&old.ready.fingerprint);
        replace.screen.find(&new.ready.fingerprint);
        replace.screen.find("(y/N)");
        replace.enter(answer);
        assert_eq!(replace.code(), Some(code), "{answer:?}");
    }
    run(&mut home.recado(&["calc", "+", "1", "2", "--server", &address]))
        .says(0, &[])
        .shows(&["3"]);
}

#[test]
fn a_person_is_asked_for_a_passphrase_twice() {
    let (server, home) = (Server::start(), Home::new());
    Person::join(&home, &server.address(), "Alice").quit();
    let export = ["name", "export", "Alice", "alice.age", "--lang", "pt-BR"];
    for (second, code) in [("outra", 2), ("uma senha", 0)] {
        let mut asked = AtTerminal::spawn(&mut home.recado(&export));
        asked.enter("uma senha");
        asked.enter(second);
        asked.screen.find("Senha:");
        assert_eq!(asked.code(), Some(code), "{second:?}");
    }
    let mut import = AtTerminal::spawn(&mut home.recado(&["name", "import", "alice.age"]));
    import.enter("uma senha");
    assert_eq!(import.code(), Some(0));
}

#[test]
fn a_terminal_that_is_closed_ends_the_chat() {
    let (server, home) = (Server::start(), Home::new());
    let b = Person::join(&home, &server.address(), "B");
    let arguments = [
        "chat",
        "--plain",
        "--name",
        "A",
        "--lang",
        "pt-BR",
        "--server",
        &server.address(),
    ];
    let (child, mut keyboard) = at_terminal(&mut home.recado(&arguments));
    let _child = Killed(child);
    b.stderr.find("A entrou");
    // In mid-line: what was not entered is not sent.
    keyboard.write_all("/udp não envie".as_bytes()).unwrap();
    drop(keyboard);
    b.stderr.find("A saiu");
    b.quit();
}

/// `recado chat --plain` on a terminal of its own, high enough for all that is said.
fn by_line(home: &Home, server: &Server, name: &str) -> Screen {
    let address = server.address();
    let arguments = [
        "chat", "--plain", "--lang", "pt-BR", "--name", name, "--server", &address,
    ];
    let screen = Screen::start(home.recado(&arguments).env("TERM", "xterm"), 100, 60);
    screen.shows(PROMPT_PT);
    screen
}

#[test]
fn a_line_that_is_being_typed_is_never_broken() {
    let (server, home) = (Server::start(), Home::new());
    let mut bob = Bot::join(&Home::new(), &server.address(), "Bob");
    let mut alice = by_line(&home, &server, "Alice");
    bob.sees("Alice", true);
    alice.press("/udp Olá, eu estou no");
    alice.shows("/udp Olá, eu estou no");
    for text in ["um", "dois"] {
        bob.say(json!({"type": "private", "to": "Alice", "text": text}));
    }
    for _ in 0..2 {
        // She has them, and is not disturbed.
        bob.state("delivered");
    }
    alice.press(" meio\u{7f}\u{7f}io\u{1b}[A");
    alice.shows("/udp Olá, eu estou no meio");
    alice.until("nothing else", |rows| {
        !rows.iter().any(|row| row.contains("Privado"))
    });
    alice.press("\r");
    assert_eq!(bob.find("global")["text"], "Olá, eu estou no meio");
    alice.shows("[UDP] Alice: Olá, eu estou no meio");
    alice.until("all in order", |rows| {
        let at = |text: &str| rows.iter().position(|row| row == text);
        let all = [
            at("/udp Olá, eu estou no meio"),
            at("[TCP] Privado de Bob: um"),
            at("[TCP] Privado de Bob: dois"),
            at("[UDP] Alice: Olá, eu estou no meio"),
        ];
        all.iter().all(Option::is_some) && all.is_sorted()
    });
    // A line that is given up lets go of what waits, too.
    alice.press("/udp nada");
    alice.shows("/udp nada");
    bob.say(json!({"type": "private", "to": "Alice", "text": "três"}));
    bob.state("delivered");
    alice.press("\u{15}");
    alice.shows("[TCP] Privado de Bob: três");
    // Nothing moves the cursor but back over what is erased.
    alice.press("\u{4}");
    let (code, written) = alice.end();
    assert_eq!(code, Some(0));
    assert!(!written.contains('\u{1b}'), "{written:?}");
}

#[test]
fn line_mode_leaves_the_terminal_as_it_was_too() {
    let server = Server::start();
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let mut alice = by_line(&Home::new(), &server, signal.as_str());
        alice.press("/udp ");
        alice.shows("/udp");
        alice.signal(signal);
        assert_eq!(alice.end().0, Some(130), "{signal}");
    }
    let mut alice = by_line(&Home::new(), &server, "Alice");
    // The keys that send signals do.
    alice.press("/udp metade");
    alice.shows("/udp metade");
    alice.press("\u{1a}");
    alice.stops();
    alice.signal(Signal::SIGCONT);
    alice.press(" e o resto\r");
    alice.shows("[UDP] Alice: metade e o resto");
    alice.press("\u{3}");
    assert_eq!(alice.end().0, Some(130));
}

#[test]
fn lines_of_the_calculator_can_be_edited() {
    let (server, home) = (Server::start(), Home::new());
    let address = server.address();
    let arguments = ["calc", "--lang", "pt-BR", "--server", &address];
    let calc = || Screen::start(home.recado(&arguments).env("TERM", "xterm"), 100, 60);
    let mut person = calc();
    for (prompt, keys) in [
        ("Tipo de requisição (GET ou POST):", "get\r"),
        ("Operação (soma,", "ma\u{1}so\r"),
        ("x:", "0,2\u{7f}1\r"),
        ("y:", "0,3\u{1b}[D\u{1b}[3~2\r"),
        ("Resultado: 0.3", ""),
        ("Outro cálculo? (s/N)", "s\r"),
    ] {
        person.shows(prompt);
        person.press(keys);
    }
    // What was typed before is there again.
    person.until("asked again", |rows| {
        let asked = rows
            .iter()
            .filter(|row| row.starts_with("Tipo de requisição"));
        asked.count() == 2
    });
    // As far back as the first answer.
    person.press_until("\u{1b}[A", "get", 2);
    assert_eq!(person.end_by("\u{3}").0, Some(130));
    let person = calc();
    person.shows("Tipo de requisição");
    assert_eq!(person.end_by("\u{4}").0, Some(0));
}
