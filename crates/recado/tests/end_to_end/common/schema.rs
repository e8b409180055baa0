//! `docs/bots.schema.json`, and whether an object is as it says. As much of JSON Schema (2020-12) as stands in it; a word
//! that is not known here fails, so that none is written that nothing is held against.

use std::sync::OnceLock;

use serde_json::{Map, Value};

/// The schema.
pub(crate) fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        serde_json::from_str(include_str!("../../../../../docs/bots.schema.json")).unwrap()
    })
}

/// Why an object is not what this part of the schema says: `in`, `out`, or one of their types.
pub(crate) fn fault(part: &str, value: &Value) -> Option<String> {
    check(&reference(part), value).err()
}

fn reference(part: &str) -> Value {
    serde_json::json!({ "$ref": format!("#/$defs/{part}") })
}

fn check(rule: &Value, value: &Value) -> Result<(), String> {
    let rule = rule.as_object().expect("a rule is an object");
    for (word, wanted) in rule {
        let holds = match word.as_str() {
            "$ref" => {
                let pointer = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                let target = schema().pointer(pointer);
                check(
                    target.unwrap_or_else(|| panic!("there is no {wanted}")),
                    value,
                )?;
                true
            }
            "description" => true,
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|kind| is_of(kind, value)),
                kind => is_of(kind, value),
            },
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "required" => {
                let members = wanted.as_array().unwrap().iter();
                members.into_iter().all(|member| {
                    let member = member.as_str().unwrap();
                    value.get(member).is_some()
                })
            }
            "properties" => {
                members(wanted, value)?;
                true
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    check(wanted, item)?;
                }
                true
            }
            "oneOf" => return one_of(wanted.as_array().unwrap(), value),
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(wanted.as_str().unwrap(), text)),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap()),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= wanted.as_f64().unwrap()),
            word => panic!("{word} is not a word of the schema that is checked"),
        };
        if !holds {
            return Err(format!("{value} is against {word}: {wanted}"));
        }
    }
    Ok(())
}

fn members(rules: &Value, value: &Value) -> Result<(), String> {
    let empty = Map::new();
    let rules = rules.as_object().unwrap();
    for (name, member) in value.as_object().unwrap_or(&empty) {
        // `ref` is anything; what is not named is not looked at.
        if let Some(rule) = rules.get(name) {
            check(rule, member).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(())
}

fn one_of(rules: &[Value], value: &Value) -> Result<(), String> {
    let results: Vec<_> = rules.iter().map(|rule| check(rule, value)).collect();
    match results.iter().filter(|result| result.is_ok()).count() {
        1 => Ok(()),
        0 => {
            // Of the one that is meant.
            let is_meant = |why: &&String| !why.contains("type: ");
            let faults: Vec<_> = results.iter().filter_map(|it| it.as_ref().err()).collect();
            let fault = faults
                .iter()
                .copied()
                .find(is_meant)
                .or(faults.first().copied());
            Err(fault.cloned().unwrap_or_default())
        }
        _ => Err(format!("{value} is more than one thing")),
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        kind => panic!("{kind} is not a type that is checked"),
    }
}

/// The patterns of the schema, each as it is meant.
fn matches(pattern: &str, text: &str) -> bool {
    let all = |of: fn(u8) -> bool| !text.is_empty() && text.bytes().all(of);
    match pattern {
        "^[0-9a-f]{32}$" => {
            text.len() == 32 && all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
        }
        "^[a-z_]+$" => all(|c| c.is_ascii_lowercase() || c == b'_'),
        "^[a-z0-9_]+$" => all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'),
        "^/" => text.starts_with('/'),
        "^SHA256:[A-Za-z0-9_-]{43}$" => text.strip_prefix("SHA256:").is_some_and(|digest| {
            let is_base64 = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
            digest.len() == 43 && digest.bytes().all(is_base64)
        }),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$" => {
            let shape = text.get(..19).map(|moment| {
                let digit = |c: char| if c.is_ascii_digit() { '0' } else { c };
                moment.chars().map(digit).collect::<String>()
            });
            let rest = text.get(19..).and_then(|rest| rest.strip_suffix('Z'));
            shape.as_deref() == Some("0000-00-00T00:00:00")
                && rest.is_some_and(|rest| {
                    let digits = rest.strip_prefix('.');
                    rest.is_empty()
                        || digits.is_some_and(|it| {
                            !it.is_empty() && it.bytes().all(|c| c.is_ascii_digit())
                        })
                })
        }
        pattern => panic!("{pattern} is not a pattern that is checked"),
    }
}
