//! `application/x-www-form-urlencoded`, read strictly: from a query or from a form body.

use std::borrow::Cow;

use super::fields::{Fields, Value};
use super::problem::{Kind, Problem};

/// Fills in `fields` from `name=value` pairs. Empty pairs are skipped, as the URL standard has it;
/// a broken escape, or one that decodes to something else than UTF-8, is refused as `kind`.
pub(super) fn read_pairs<'a>(
    text: &'a str,
    fields: &mut Fields<'a>,
    kind: &'static Kind,
) -> Result<(), Problem> {
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |part| {
            decode(part, Plus::IsSpace).map_err(|broken| Problem::new(kind, broken.detail()))
        };
        fields.insert(&decode(name)?, Value::Text(decode(value)?))?;
    }
    Ok(())
}

/// What `+` stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plus {
    /// A space: in queries and forms.
    IsSpace,
    /// Itself: in paths.
    IsPlus,
}

/// Why an escaped text cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A `%` without two hexadecimal digits after it.
    Escape,
    /// It decodes to bytes that are not UTF-8.
    NotUtf8,
}

impl Broken {
    /// A sentence for the one who sent it.
    pub(super) fn detail(&self) -> &'static str {
        match self {
            Self::Escape => {
                "A % is not followed by two hexadecimal digits; a percent sign itself is written %25."
            }
            Self::NotUtf8 => "The escapes do not decode to UTF-8.",
        }
    }
}

/// Decodes percent escapes; borrows where there is nothing to decode.
pub(super) fn decode(text: &str, plus: Plus) -> Result<Cow<'_, str>, Broken> {
    let special = |b: u8| b == b'%' || (b == b'+' && plus == Plus::IsSpace);
    if !text.bytes().any(special) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => match (
                bytes.next().and_then(hex_digit),
                bytes.next().and_then(hex_digit),
            ) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(Broken::Escape),
            },
            b'+' if plus == Plus::IsSpace => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| Broken::NotUtf8)
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_strictly() {
        for (text, plus, decoded) in [
            ("0.1", Plus::IsSpace, Ok("0.1")),
            ("", Plus::IsSpace, Ok("")),
            ("1e+5", Plus::IsSpace, Ok("1e 5")),
            ("1e+5", Plus::IsPlus, Ok("1e+5")),
            ("1e%2B5", Plus::IsSpace, Ok("1e+5")),
            ("divis%C3%A3o", Plus::IsPlus, Ok("divisão")),
            ("%c3%a3%00", Plus::IsSpace, Ok("ã\0")),
            ("%", Plus::IsSpace, Err(Broken::Escape)),
            ("%2", Plus::IsSpace, Err(Broken::Escape)),
            ("%2x", Plus::IsSpace, Err(Broken::Escape)),
            ("%+1", Plus::IsSpace, Err(Broken::Escape)),
            ("%é", Plus::IsSpace, Err(Broken::Escape)),
            ("%ff", Plus::IsSpace, Err(Broken::NotUtf8)),
            ("%C3", Plus::IsSpace, Err(Broken::NotUtf8)),
            ("%ED%A0%80", Plus::IsSpace, Err(Broken::NotUtf8)),
            ("%C0%AF", Plus::IsSpace, Err(Broken::NotUtf8)),
        ] {
            assert_eq!(decode(text, plus), decoded.map(Cow::from), "{text}");
        }
    }
}
