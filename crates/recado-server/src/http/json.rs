//! JSON, written directly and read without losing a digit.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{Fields, Value};
use super::problem::{self, Problem};

const OBJECT: &str = "an object with operation, x and y";
const ARRAY: &str = "an array of calculations";

/// Appends `,"name":"value"`, escaped. `name` needs no escape.
pub(super) fn write_member(json: &mut Vec<u8>, name: &str, value: &str) {
    json.extend_from_slice(b",\"");
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
    write_string(json, value);
}

/// Appends `text` as a JSON string.
pub(super) fn write_string(json: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    json.push(b'"');
    let mut plain = text;
    // What is escaped is ASCII, so the text can be cut around it.
    while let Some(at) = plain
        .bytes()
        .position(|b| b < 0x20 || b == b'"' || b == b'\\')
    {
        let (before, rest) = plain.split_at(at);
        json.extend_from_slice(before.as_bytes());
        let mut rest = rest.chars();
        match rest.next() {
            Some(c @ ('"' | '\\')) => json.extend_from_slice(&[b'\\', c as u8]),
            Some('\n') => json.extend_from_slice(b"\\n"),
            Some('\r') => json.extend_from_slice(b"\\r"),
            Some('\t') => json.extend_from_slice(b"\\t"),
            Some(c) => {
                let c = c as usize;
                json.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[c >> 4 & 15], HEX[c & 15]]);
            }
            None => {}
        }
        plain = rest.as_str();
    }
    json.extend_from_slice(plain.as_bytes());
    json.push(b'"');
}

/// Reads a calculation's members from one JSON object. A number's digits are kept as written.
pub(super) fn read_fields(text: &str) -> Result<Fields<'_>, Problem> {
    let mut fields = Fields::of_body();
    let mut refused = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json
        .deserialize_any(Object {
            fields: &mut fields,
            refused: &mut refused,
        })
        .and_then(|()| json.end());
    match (read, refused) {
        // What is not JSON is said first: what was understood up to there may be a misreading.
        (Err(error), _) => Err(not_json(&error, OBJECT)),
        (Ok(()), Some(refused)) => Err(refused),
        (Ok(()), None) => Ok(fields),
    }
}

/// Reads a JSON array as the texts of its items, of which there may be at most `limit`.
pub(super) fn read_items(text: &str, limit: usize) -> Result<Vec<&str>, Problem> {
    let mut too_long = false;
    let mut json = serde_json::Deserializer::from_str(text);
    let items = json
        .deserialize_any(Array {
            limit,
            too_long: &mut too_long,
        })
        .and_then(|items| json.end().map(|()| items));
    if too_long {
        let detail = format!("A batch has at most {limit} items. Send it in parts.");
        return Err(Problem::new(&problem::BATCH_TOO_LONG, detail)
            .limit("max_batch_items", u64::try_from(limit).unwrap_or(u64::MAX)));
    }
    items.map_err(|error| not_json(&error, ARRAY))
}

fn not_json(error: &serde_json::Error, expected: &str) -> Problem {
    let detail = if error.is_data() {
        // serde_json's own text would quote what was sent.
        format!("The body is JSON, but not {expected}.")
    } else {
        format!("The body is not valid JSON: {error}.")
    };
    Problem::new(&problem::MALFORMED_JSON, detail)
}

/// Fills in fields from an object, and keeps the first refusal among them.
struct Object<'f, 'a> {
    fields: &'f mut Fields<'a>,
    refused: &'f mut Option<Problem>,
}

impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(OBJECT)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            let raw: &'a RawValue = map.next_value()?;
            if self.refused.is_none() {
                let taken = value_of(raw.get()).and_then(|value| self.fields.insert(&name, value));
                *self.refused = taken.err();
            }
        }
        Ok(())
    }
}

/// A member's name, borrowed where it has no escape.
struct Name<'a>(Cow<'a, str>);

impl<'a> serde::Deserialize<'a> for Name<'a> {
    fn deserialize<D: serde::Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'a> Visitor<'a> for NameVisitor {
            type Value = Name<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Name<'a>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'a>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// Collects an array's items as their texts, up to a number of them.
struct Array<'f> {
    limit: usize,
    too_long: &'f mut bool,
}

impl<'a> Visitor<'a> for Array<'_> {
    type Value = Vec<&'a str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ARRAY)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<&'a RawValue>()? {
            if items.len() == self.limit {
                *self.too_long = true;
                return Err(A::Error::custom("too many items"));
            }
            items.push(item.get());
        }
        Ok(items)
    }
}

/// What a member's JSON text holds.
fn value_of(raw: &str) -> Result<Value<'_>, Problem> {
    Ok(match raw.as_bytes().first() {
        Some(b'"') => match raw.get(1..raw.len() - 1) {
            Some(text) if !text.contains('\\') => Value::Text(Cow::Borrowed(text)),
            _ => match serde_json::from_str(raw) {
                Ok(text) => Value::Text(Cow::Owned(text)),
                // Half a surrogate pair is all that the grammar lets through.
                Err(_) => {
                    let detail = "A string in the body has a \\u escape that is not a character.";
                    return Err(Problem::new(&problem::MALFORMED_JSON, detail));
                }
            },
        },
        Some(b'-' | b'0'..=b'9') => Value::Number(raw),
        Some(b'n') => Value::Null,
        Some(b'{') => Value::Other("an object"),
        Some(b'[') => Value::Other("an array"),
        _ => Value::Other("a truth value"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        for text in [
            "",
            "0.1",
            "a\"b\\c",
            "\u{0}\u{1f}\n\r\t\u{7f}",
            "ação \u{1f600}",
        ] {
            let mut json = Vec::new();
            write_string(&mut json, text);
            assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }
}
