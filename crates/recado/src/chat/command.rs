//! What a line of the chat means: the same commands in every face that people type into.

/// A line, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Typed {
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
    /// `/file NAME PATH…`: the paths as typed.
    File { to: String, paths: String },
    /// `/accept`, perhaps with a number or a name.
    Accept(String),
    /// `/decline`, or `/cancel`, perhaps with a number.
    Decline(String),
    /// `/files`.
    Files,
    /// `/help`.
    Help,
    /// `/quit`.
    Quit,
    /// A command that lacks something: its own name, as typed.
    Incomplete(String),
    /// No such command.
    Unknown(String),
    /// Text without a command, which is never sent.
    Bare,
}

/// Understands a line.
pub(super) fn parse(line: &str) -> Typed {
    let line = line.trim_start();
    if line.trim_end().is_empty() {
        return Typed::Empty;
    }
    // `//` is text that begins with a slash, and so text without a command.
    let Some(rest) = line.strip_prefix('/').filter(|rest| !rest.starts_with('/')) else {
        return Typed::Bare;
    };
    let (word, argument) = split_word(rest);
    let word = word.to_lowercase();
    let all = argument.trim();
    match word.as_str() {
        "udp" | "all" | "todos" | "search" | "buscar" | "block" | "bloquear" | "trust"
        | "confiar"
            if all.is_empty() =>
        {
            Typed::Incomplete(word)
        }
        "udp" | "all" | "todos" => Typed::Global(argument.to_owned()),
        "tcp" | "msg" | "privado" => {
            let (to, text) = split_word(argument.trim_start());
            if to.is_empty() || text.trim().is_empty() {
                return Typed::Incomplete(word);
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
            Typed::File {
                to: to.to_owned(),
                paths: paths.to_owned(),
            }
        }
        "accept" | "aceitar" => Typed::Accept(all.to_owned()),
        "decline" | "recusar" | "cancel" | "cancelar" => Typed::Decline(all.to_owned()),
        "files" | "arquivos" => Typed::Files,
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
        _ => Typed::Unknown(word),
    }
}

/// The first word, and what follows the one space after it.
fn split_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let file = Typed::File {
            to: "B".into(),
            paths: "a.txt \"b c\"".into(),
        };
        assert_eq!(parse("/arquivo  B a.txt \"b c\""), file);
        assert_eq!(parse("/file B"), Typed::Incomplete("file".into()));
        assert_eq!(parse("/aceitar"), Typed::Accept(String::new()));
        assert_eq!(parse("/accept 3"), Typed::Accept("3".into()));
        assert_eq!(parse("/recusar 3 "), Typed::Decline("3".into()));
        assert_eq!(parse("/arquivos"), Typed::Files);
    }

    #[test]
    fn text_stays_as_it_was_typed() {
        assert_eq!(
            parse("/udp  two  spaces "),
            Typed::Global(" two  spaces ".into())
        );
        assert_eq!(parse("/tcp B /udp x"), private("B", "/udp x"));
        assert_eq!(parse("/udp /tcp B x"), Typed::Global("/tcp B x".into()));
    }

    #[test]
    fn what_is_no_command_is_not_sent() {
        assert_eq!(parse("Olá"), Typed::Bare);
        assert_eq!(parse("//udp x"), Typed::Bare);
        assert_eq!(parse("  "), Typed::Empty);
        assert_eq!(parse("/"), Typed::Unknown(String::new()));
        assert_eq!(parse("/upd x"), Typed::Unknown("upd".into()));
        for line in [
            "/udp", "/udp   ", "/tcp", "/tcp B", "/tcp B  ", "/search", "/block ", "/trust",
        ] {
            assert!(matches!(parse(line), Typed::Incomplete(_)), "{line}");
        }
    }
}
