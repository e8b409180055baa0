//! The arguments as they were typed, and one thing about them that the parser cannot know.

use std::ffi::OsString;

/// The sign that stands in for `-` before an operand while arguments are parsed: U+2212, MINUS SIGN.
const MINUS: char = '\u{2212}';

/// The program's arguments. What is not UTF-8 is kept readable: no argument of recado's needs more.
pub(crate) fn arguments() -> Vec<String> {
    let readable = |argument: OsString| argument.to_string_lossy().into_owned();
    std::env::args_os().map(readable).collect()
}

/// Makes `recado calc add -1,5 -.5` pass the parser, which takes a word that begins with `-` for a flag: the
/// `-` before a digit, point or comma becomes a minus sign. [`unshield`] takes it back.
pub(crate) fn shield_negative_operands(mut arguments: Vec<String>) -> Vec<String> {
    if !arguments.iter().any(|argument| argument == "calc") {
        return arguments;
    }
    for argument in &mut arguments {
        let mut characters = argument.chars();
        let operand = characters.next() == Some('-')
            && characters
                .next()
                .is_some_and(|c| c.is_ascii_digit() || c == '.' || c == ',');
        if operand {
            argument.replace_range(..1, MINUS.encode_utf8(&mut [0; 4]));
        }
    }
    arguments
}

/// The operand as it was typed.
pub(crate) fn unshield(operand: &str) -> String {
    match operand.strip_prefix(MINUS) {
        Some(rest) => format!("-{rest}"),
        None => operand.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_that_begin_with_a_minus_are_no_flags() {
        let typed = ["recado", "calc", "-", "-1", "-,5", "--precision", "5", "-q"];
        let shielded = shield_negative_operands(typed.map(String::from).to_vec());
        let expected = ["recado", "calc", "-", "−1", "−,5", "--precision", "5", "-q"];
        assert_eq!(shielded, expected);
        let back: Vec<_> = shielded.iter().map(|argument| unshield(argument)).collect();
        assert_eq!(back, typed);
    }
}
