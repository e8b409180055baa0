//! Secrets that a person enters: not as arguments, which everybody on the machine can read.

use std::io::{self, BufRead};

use rpassword::ConfigBuilder;
use zeroize::Zeroizing;

use crate::context::{Context, Exit};
use crate::signals::{SignalKind, signal};

/// The longest secret that is read; whoever pipes something else is told soon.
const MAX_SECRET: u64 = 1024;

/// Asks for a secret where there is a person, at a terminal that does not show what is typed; elsewhere it is the next
/// line of standard input. Says why there is none.
pub(crate) fn take(context: &Context, prompt: &str) -> Result<Zeroizing<String>, Exit> {
    let taken = if context.is_interactive() {
        ask(&format!("{} ", context.text(prompt, &[])))
    } else {
        read_line(io::stdin().lock())
    };
    taken.map_err(|error| {
        if error.kind() == io::ErrorKind::Interrupted {
            return Exit::Interrupted;
        }
        let cause = error.to_string();
        context.complain(&context.text("error-secret", &[("cause", &cause)]));
        Exit::Failed
    })
}

fn ask(prompt: &str) -> io::Result<Zeroizing<String>> {
    // With a listener, an interruption ends the question, and the terminal shows again what is typed.
    let _listener = signal(SignalKind::interrupt())?;
    let config = ConfigBuilder::new()
        .input_file_path("/dev/stdin")
        .output_file_path("/dev/stderr")
        .build();
    rpassword::prompt_password_with_config(prompt, config).map(Zeroizing::new)
}

/// A line, without its end.
fn read_line(input: impl BufRead) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(MAX_SECRET as usize));
    input.take(MAX_SECRET).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    if end as u64 == MAX_SECRET {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    line.truncate(end);
    Ok(line)
}

/// What is written to others, and the keys for it, are in no dump of this process's memory, should it crash. A system
/// that cannot do that is as before.
pub(crate) fn keep_out_of_dumps() {
    use nix::sys::resource::{Resource, setrlimit};
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    // Where dumps go to a program, as systemd's, that limit does not count.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::{Resource, getrlimit};

    use super::*;

    #[test]
    fn nothing_is_dumped() {
        keep_out_of_dumps();
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        #[cfg(target_os = "linux")]
        assert!(!nix::sys::prctl::get_dumpable().unwrap());
    }

    #[test]
    fn a_secret_is_one_line_of_standard_input() {
        let cases = [("secret\n", "secret"), ("a b \r\nmore", "a b "), ("", "")];
        for (input, expected) in cases {
            assert_eq!(read_line(input.as_bytes()).unwrap().as_str(), expected);
        }
        assert!(read_line("x".repeat(2000).as_bytes()).is_err());
        assert!(read_line(&b"\xff\n"[..]).is_err());
    }
}
