//! What a line of the chat means: the same commands in every face that people type into.

use recado_client::FileCommand;
use recado_client::files::which;
use recado_client::https::Method;
use recado_client::session::Comparison;

use super::calculating::{Asked, SayTo};
use crate::calculator::{self, Calculation};
use crate::files;
use crate::i18n::Language;

/// A line, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Typed {
    /// Nothing but spaces.
    Empty,
    /// `/udp TEXT`.
    Global(String),
    /// `/tcp NAME TEXT`.
    Private { to: String, text: String },
    /// `/who`.
    Who,
    /// `/link`.
    Link,
    /// `/history`, or `/history NAME`.
    History(Option<String>),
    /// `/search WORDS`.
    Search(String),
    /// `/block NAME`.
    Block(String),
    /// `/trust NAME`.
    Trust(String),
    /// `/verify NAME`, and what was said of the code.
    Verify { name: String, said: Said },
    /// `/calc X OP Y [--all | --to NAME]`.
    Calc(Asked),
    /// `/calc` with something that is no number or no operation: why, in the person's words.
    CannotCalc(String),
    /// `/file NAME PATH…`, `/accept`, `/decline` and `/cancel`, `/files`.
    Files(Vec<FileCommand>),
    /// `/help`.
    Help,
    /// `/quit`.
    Quit,
    /// `/udp` or `/tcp NAME`, and nothing to say: towards everyone, or one person.
    Towards { to: Option<String>, command: String },
    /// A command that lacks something: its own name, as typed.
    Incomplete(String),
    /// No such command.
    Unknown(String),
    /// Text without a command, which is never sent by itself; `//` stands for its leading slash.
    Bare(String),
}

/// What was said of a code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// Nothing: it is to be shown.
    Nothing,
    /// That it is the same, or the digits that were heard.
    Compared(Comparison),
    /// Neither.
    Unclear,
}

/// The commands, and what each is called in Portuguese: what completion and help offer.
pub(crate) const COMMANDS: [(&str, &str); 19] = [
    ("udp", "udp"),
    ("all", "todos"),
    ("tcp", "tcp"),
    ("msg", "privado"),
    ("who", "quem"),
    ("history", "historico"),
    ("search", "buscar"),
    ("calc", "calc"),
    ("block", "bloquear"),
    ("trust", "confiar"),
    ("verify", "verificar"),
    ("file", "arquivo"),
    ("accept", "aceitar"),
    ("decline", "recusar"),
    ("cancel", "cancelar"),
    ("files", "arquivos"),
    ("link", "link"),
    ("help", "ajuda"),
    ("quit", "sair"),
];

/// Understands a line.
pub(crate) fn parse(language: Language, line: &str) -> Typed {
    let line = line.trim_start();
    if line.trim_end().is_empty() {
        return Typed::Empty;
    }
    let Some(rest) = line.strip_prefix('/') else {
        return Typed::Bare(line.to_owned());
    };
    if rest.starts_with('/') {
        return Typed::Bare(rest.to_owned());
    }
    let (word, argument) = split_word(rest);
    let word = word.to_lowercase();
    let all = argument.trim();
    match word.as_str() {
        "udp" | "all" | "todos" if all.is_empty() => Typed::Towards {
            to: None,
            command: word,
        },
        "search" | "buscar" | "block" | "bloquear" | "trust" | "confiar" | "verify"
        | "verificar" | "calc"
            if all.is_empty() =>
        {
            Typed::Incomplete(word)
        }
        "udp" | "all" | "todos" => Typed::Global(argument.to_owned()),
        "tcp" | "msg" | "privado" => {
            let (to, text) = split_word(argument.trim_start());
            if to.is_empty() {
                return Typed::Incomplete(word);
            }
            if text.trim().is_empty() {
                return Typed::Towards {
                    to: Some(to.to_owned()),
                    command: word,
                };
            }
            Typed::Private {
                to: to.to_owned(),
                text: text.to_owned(),
            }
        }
        "file" | "arquivo" => {
            let (to, paths) = split_word(argument.trim_start());
            if to.is_empty() || paths.trim().is_empty() {
                return Typed::Incomplete(word);
            }
            let offer = |path| FileCommand::Offer {
                to: to.to_owned(),
                path,
                reference: None,
            };
            Typed::Files(files::paths(paths).into_iter().map(offer).collect())
        }
        "accept" | "aceitar" => Typed::Files(vec![FileCommand::Accept {
            which: which(all),
            reference: None,
        }]),
        "decline" | "recusar" | "cancel" | "cancelar" => Typed::Files(vec![FileCommand::Cancel {
            which: which(all),
            reference: None,
        }]),
        "files" | "arquivos" => Typed::Files(vec![FileCommand::List]),
        "who" | "quem" => Typed::Who,
        "link" => Typed::Link,
        "help" | "ajuda" => Typed::Help,
        "quit" | "sair" => Typed::Quit,
        "history" | "historico" | "histórico" => {
            Typed::History((!all.is_empty()).then(|| all.to_owned()))
        }
        "search" | "buscar" => Typed::Search(all.to_owned()),
        "block" | "bloquear" => Typed::Block(all.to_owned()),
        "trust" | "confiar" => Typed::Trust(all.to_owned()),
        "verify" | "verificar" => {
            let (name, said) = split_word(all);
            let name = name.to_owned();
            Typed::Verify {
                said: compared(said.trim()),
                name,
            }
        }
        "calc" => calculation(language, all),
        _ => Typed::Unknown(word),
    }
}

fn compared(said: &str) -> Said {
    let is_code = said.chars().all(|it| it.is_ascii_digit() || it == ' ');
    match said.to_lowercase().as_str() {
        "" => Said::Nothing,
        "yes" | "sim" | "ok" => Said::Compared(Comparison::Same),
        _ if is_code => Said::Compared(Comparison::Heard(said.to_owned())),
        _ => Said::Unclear,
    }
}

/// `X OP Y`, and to whom the result is to be said.
fn calculation(language: Language, words: &str) -> Typed {
    let mut say_to = SayTo::Nobody;
    let mut operands = Vec::new();
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--all" | "--todos" => say_to = SayTo::All,
            "--to" | "--para" => match words.next() {
                Some(name) => say_to = SayTo::One(name.to_owned()),
                None => return Typed::Incomplete("calc".to_owned()),
            },
            operand => operands.push(operand),
        }
    }
    let [x, operation, y] = operands[..] else {
        return Typed::Incomplete("calc".to_owned());
    };
    let number = |text| calculator::number_typed(language, text);
    let Some(operation) = calculator::operation_typed(operation) else {
        return Typed::CannotCalc(language.text("calc-what-operation", &[]));
    };
    match (number(x), number(y)) {
        (Ok(x), Ok(y)) => Typed::Calc(Asked {
            calculation: Calculation {
                method: Method::GET,
                operation,
                x,
                y,
                precision: None,
            },
            say_to,
            reference: None,
        }),
        (Err(why), _) | (_, Err(why)) => Typed::CannotCalc(why),
    }
}

/// The first word, and what follows the one space after it.
fn split_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use recado_client::Which;

    use super::*;

    fn parse(line: &str) -> Typed {
        super::parse(Language::Portuguese, line)
    }

    fn private(to: &str, text: &str) -> Typed {
        let (to, text) = (to.into(), text.into());
        Typed::Private { to, text }
    }

    #[test]
    fn commands_in_both_languages() {
        for line in [
            "/udp Olá, todos!",
            "/all Olá, todos!",
            "/todos Olá, todos!",
            "  /UDP Olá, todos!",
        ] {
            assert_eq!(parse(line), Typed::Global("Olá, todos!".into()), "{line}");
        }
        for line in ["/tcp B Olá, B!", "/msg B Olá, B!", "/privado  B Olá, B!"] {
            assert_eq!(parse(line), private("B", "Olá, B!"), "{line}");
        }
        assert_eq!(parse("/quem"), Typed::Who);
        assert_eq!(parse("/link"), Typed::Link);
        assert_eq!(parse("/sair "), Typed::Quit);
        assert_eq!(parse("/ajuda"), Typed::Help);
        assert_eq!(parse("/historico"), Typed::History(None));
        assert_eq!(parse("/history B "), Typed::History(Some("B".into())));
        assert_eq!(
            parse("/buscar duas palavras"),
            Typed::Search("duas palavras".into())
        );
        assert_eq!(parse("/bloquear B"), Typed::Block("B".into()));
        assert_eq!(parse("/confiar B"), Typed::Trust("B".into()));
        let offer = |path: &str| FileCommand::Offer {
            to: "B".into(),
            path: path.into(),
            reference: None,
        };
        let files = Typed::Files(vec![offer("a.txt"), offer("b c")]);
        assert_eq!(parse("/arquivo  B a.txt \"b c\""), files);
        assert_eq!(parse("/file B"), Typed::Incomplete("file".into()));
        let (accept, cancel) = (
            |which| FileCommand::Accept {
                which,
                reference: None,
            },
            |which| FileCommand::Cancel {
                which,
                reference: None,
            },
        );
        for (line, command) in [
            ("/aceitar", accept(Which::Only)),
            ("/accept 3", accept(Which::Number(3))),
            ("/recusar 3 ", cancel(Which::Number(3))),
            ("/arquivos", FileCommand::List),
        ] {
            assert_eq!(parse(line), Typed::Files(vec![command]), "{line}");
        }
        let heard = Comparison::Heard("12345 67890".to_owned());
        for (line, said) in [
            ("/verify B", Said::Nothing),
            ("/verificar  B  Sim ", Said::Compared(Comparison::Same)),
            ("/verify B 12345 67890", Said::Compared(heard)),
            ("/verify B no", Said::Unclear),
        ] {
            let name = "B".to_owned();
            assert_eq!(parse(line), Typed::Verify { name, said }, "{line}");
        }
    }

    #[test]
    fn every_command_that_is_offered_is_known() {
        for (english, portuguese) in COMMANDS {
            for word in [english, portuguese] {
                let typed = parse(&format!("/{word} 1 + 2"));
                assert!(!matches!(typed, Typed::Unknown(_)), "{word}");
            }
        }
    }

    #[test]
    fn text_stays_as_it_was_typed() {
        assert_eq!(
            parse("/udp  two  spaces "),
            Typed::Global(" two  spaces ".into())
        );
        assert_eq!(parse("/tcp B /udp x"), private("B", "/udp x"));
        assert_eq!(parse("/udp /tcp B x"), Typed::Global("/tcp B x".into()));
        assert_eq!(parse("/tcp B um\ndois"), private("B", "um\ndois"));
    }

    #[test]
    fn what_is_no_command_is_text() {
        assert_eq!(parse("Olá"), Typed::Bare("Olá".into()));
        assert_eq!(parse("//udp x"), Typed::Bare("/udp x".into()));
        assert_eq!(parse("  "), Typed::Empty);
        assert_eq!(parse("/"), Typed::Unknown(String::new()));
        assert_eq!(parse("/upd x"), Typed::Unknown("upd".into()));
        for (line, to) in [
            ("/udp", None),
            ("/todos   ", None),
            ("/tcp B", Some("B")),
            ("/tcp  B  ", Some("B")),
        ] {
            let found = parse(line);
            let is_so =
                matches!(&found, Typed::Towards { to: found, .. } if found.as_deref() == to);
            assert!(is_so, "{line}: {found:?}");
        }
        for line in [
            "/tcp",
            "/search",
            "/block ",
            "/trust",
            "/verify ",
            "/calc",
            "/calc 1 +",
            "/calc 1 + 2 3",
            "/calc 1 + 2 --to",
        ] {
            assert!(matches!(parse(line), Typed::Incomplete(_)), "{line}");
        }
    }

    #[test]
    fn a_calculation_is_read_as_it_would_be_at_a_prompt() {
        let asked = |line| match parse(line) {
            Typed::Calc(asked) => asked,
            other => panic!("{line}: {other:?}"),
        };
        let found = asked("/calc 0,1 + -,2");
        assert_eq!(found.calculation.x, "0.1");
        assert_eq!(found.calculation.operation, "add");
        assert_eq!(found.calculation.y, "-.2");
        assert_eq!(found.say_to, SayTo::Nobody);
        assert_eq!(asked("/calc 1 divisão 3 --todos").say_to, SayTo::All);
        let to_b = SayTo::One("B".into());
        assert_eq!(asked("/calc --to B 1 × 3").say_to, to_b);
        assert_eq!(asked("/calc 1 - 3 --para B").say_to, to_b);
        for line in ["/calc 1.125 * 2", "/calc 1 ^ 2"] {
            assert!(matches!(parse(line), Typed::CannotCalc(_)), "{line}");
        }
    }
}
