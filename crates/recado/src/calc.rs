//! `recado calc`: asks as the seed does, or takes everything as arguments.

use std::io::{self, BufRead, IsTerminal};

use recado_client::https::Method;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::argv::unshield;
use crate::calculator::{self, Answer, Calculation, Calculator, operation_of_sign};
use crate::cli::{self, OutputFormat};
use crate::context::{Context, Exit};
use crate::decimal;
use crate::i18n::Language;
use crate::terminal;

/// Calculates once, or asks until the person has had enough.
pub(crate) async fn run(context: &Context, arguments: cli::Calc) -> Exit {
    let once = match from_words(context, &arguments) {
        Ok(once) => once,
        Err(exit) => return exit,
    };
    let home = match context.client_home() {
        Ok(home) => home,
        Err(exit) => return exit,
    };
    let trusted = match context.trusted(&home).await {
        Ok(trusted) => trusted,
        Err(exit) => return exit,
    };
    let mut conversation = Conversation {
        context,
        calculator: Calculator::new(trusted),
        precision: arguments.precision,
        output: arguments.output,
        keyboard: Keyboard::new(),
    };
    let ended = match once {
        Some(calculation) => conversation.calculate_once(&calculation).await,
        None => conversation.ask().await,
    };
    match ended {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

/// `[get|post] OPERATION X Y`; nothing is a conversation.
fn from_words(context: &Context, arguments: &cli::Calc) -> Result<Option<Calculation>, Exit> {
    let words = &arguments.words[..];
    if words.is_empty() {
        return Ok(None);
    }
    let (method, rest) = match words.first().and_then(|word| method(word)) {
        Some(method) => (method, words.get(1..).unwrap_or_default()),
        None => (Method::GET, words),
    };
    let [operation, x, y] = rest else {
        context.complain(&context.text("calc-wrong-use", &[]));
        return Err(Exit::WrongUse);
    };
    let operation = unshield(operation);
    Ok(Some(Calculation {
        method,
        operation: operation_of_sign(&operation)
            .unwrap_or(&operation)
            .to_owned(),
        x: decimal::normalise(context.language, &unshield(x)),
        y: decimal::normalise(context.language, &unshield(y)),
        precision: arguments.precision.clone(),
    }))
}

fn method(word: &str) -> Option<Method> {
    match word.trim().to_ascii_lowercase().as_str() {
        "get" => Some(Method::GET),
        "post" => Some(Method::POST),
        _ => None,
    }
}

/// Where answers to the prompts come from.
enum Keyboard {
    /// A pipe, or a terminal that can do nothing more.
    Lines,
    /// A person, whose lines can be edited and had again.
    Editor(Box<DefaultEditor>),
}

/// Why there is no line.
enum NoLine {
    /// The end of the input.
    End,
    /// Ctrl-C.
    Interrupted,
}

impl Keyboard {
    fn new() -> Self {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Self::Lines;
        }
        // A terminal that refuses gives whole lines all the same.
        DefaultEditor::new().map_or(Self::Lines, |editor| Self::Editor(Box::new(editor)))
    }

    fn line(&mut self) -> Result<String, NoLine> {
        match self {
            Self::Lines => read_line(&mut io::stdin().lock()).ok_or(NoLine::End),
            // The prompt is a line of its own, and stays as it is.
            Self::Editor(editor) => match editor.readline("") {
                Ok(line) => {
                    // What cannot be remembered is typed again.
                    let _ = editor.add_history_entry(&line);
                    Ok(line)
                }
                Err(ReadlineError::Interrupted) => Err(NoLine::Interrupted),
                Err(_) => Err(NoLine::End),
            },
        }
    }
}

impl From<NoLine> for Exit {
    fn from(why: NoLine) -> Self {
        match why {
            NoLine::End => Self::Done,
            NoLine::Interrupted => Self::Interrupted,
        }
    }
}

struct Conversation<'a> {
    context: &'a Context,
    calculator: Calculator,
    precision: Option<String>,
    output: OutputFormat,
    keyboard: Keyboard,
}

impl Conversation<'_> {
    async fn calculate_once(&mut self, calculation: &Calculation) -> Result<(), Exit> {
        match self.request(calculation).await? {
            Answer::Result(outcome) => {
                let line = match self.output {
                    OutputFormat::Text => outcome.shown.bare(),
                    OutputFormat::Json => outcome.json,
                };
                terminal::say(&line).map_err(|_| Exit::Failed)
            }
            Answer::Refused(problem) => {
                let text = problem.text(self.context.language, calculation);
                self.context.complain(&text);
                Err(Exit::Failed)
            }
        }
    }

    /// The seed's conversation. Ends with a no, or with the input.
    async fn ask(&mut self) -> Result<(), Exit> {
        loop {
            let calculation = Calculation {
                method: self.ask_until("calc-prompt-method", method_typed)?,
                operation: self.ask_until("calc-prompt-operation", operation_typed)?,
                x: self.ask_until("calc-prompt-x", calculator::number_typed)?,
                y: self.ask_until("calc-prompt-y", calculator::number_typed)?,
                precision: self.precision.clone(),
            };
            match self.request(&calculation).await? {
                Answer::Result(outcome) => {
                    let line = match self.output {
                        OutputFormat::Text => {
                            let result = outcome.shown.bare();
                            self.context.text("calc-result", &[("result", &result)])
                        }
                        OutputFormat::Json => outcome.json,
                    };
                    terminal::say(&line).map_err(|_| Exit::Failed)?;
                }
                Answer::Refused(problem) => {
                    let text = problem.text(self.context.language, &calculation);
                    self.context.complain(&text);
                }
            }
            let again = self.prompt("calc-prompt-again")?;
            if !self.context.language.is_yes(&again) {
                return Ok(());
            }
        }
    }

    /// Asks until the answer makes sense.
    fn ask_until<T>(
        &mut self,
        prompt: &str,
        read: fn(Language, &str) -> Result<T, String>,
    ) -> Result<T, Exit> {
        loop {
            let line = self.prompt(prompt)?;
            match read(self.context.language, &line) {
                Ok(value) => return Ok(value),
                Err(reason) => self.context.complain(&reason),
            }
        }
    }

    /// Shows a prompt and takes a line.
    fn prompt(&mut self, id: &str) -> Result<String, Exit> {
        if !self.context.common.quiet {
            terminal::say(&self.context.text(id, &[])).map_err(|_| Exit::Done)?;
        }
        Ok(self.keyboard.line()?)
    }

    /// Says why there is no answer.
    async fn request(&mut self, calculation: &Calculation) -> Result<Answer, Exit> {
        self.calculator.ask(calculation).await.map_err(|error| {
            self.context.complain(&error.text(self.context.language));
            Exit::from_code(error.exit_code())
        })
    }
}

fn method_typed(language: Language, line: &str) -> Result<Method, String> {
    method(line).ok_or_else(|| language.text("calc-what-method", &[]))
}

fn operation_typed(language: Language, line: &str) -> Result<String, String> {
    calculator::operation_typed(line).ok_or_else(|| language.text("calc-what-operation", &[]))
}

/// The longest line that is taken: two of the longest operands.
const MAX_LINE: u64 = 32 * 1024;

fn read_line(input: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let read = io::Read::take(&mut *input, MAX_LINE)
        .read_until(b'\n', &mut bytes)
        .ok()?;
    if read == 0 {
        return None;
    }
    if read as u64 == MAX_LINE && bytes.last() != Some(&b'\n') {
        // The rest of a line that is too long is passed over; what came first is refused as it stands.
        skip_line(input);
    }
    Some(
        String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\n', '\r'])
            .to_owned(),
    )
}

fn skip_line(input: &mut impl BufRead) {
    loop {
        let (length, ended) = match input.fill_buf() {
            Ok([]) | Err(_) => return,
            Ok(buffer) => match buffer.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (buffer.len(), false),
            },
        };
        input.consume(length);
        if ended {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_somewhere() {
        let long = format!("{}\nnext\r\nlast", "9".repeat(100_000));
        let mut input = io::Cursor::new(long);
        assert_eq!(
            read_line(&mut input).map(|line| line.len()),
            Some(32 * 1024)
        );
        assert_eq!(read_line(&mut input).as_deref(), Some("next"));
        assert_eq!(read_line(&mut input).as_deref(), Some("last"));
        assert_eq!(read_line(&mut input), None);
    }
}
