//! `recado admin limits`: how much there may be.

use recado_server::admin_protocol::{LimitLine, Limits, Request};

use super::Operator;
use crate::context::Exit;
use crate::period::Period;

/// Sizes as operators write them, from the largest.
const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// What takes a limit back to what it is by itself.
const DEFAULT: &str = "default";

/// Shows all limits, or one; or sets one.
pub(super) async fn run(
    operator: &Operator<'_>,
    limit: Option<String>,
    value: Option<String>,
) -> Result<(), Exit> {
    let Limits { mut limits } = operator.ask(Request::Limits {}).await?;
    if let Some(name) = &limit {
        limits.retain(|line| line.limit == *name);
        let Some(line) = limits.first() else {
            let context = operator.context;
            context.complain(&context.text("admin-refused-no-such-limit", &[]));
            return Err(Exit::WrongUse);
        };
        if let Some(text) = value {
            let value = parse(operator, line, &text)?;
            let limit = name.clone();
            let set = Request::SetLimit { limit, value };
            limits = operator.ask::<Limits>(set).await?.limits;
        }
    }
    for line in &limits {
        operator.say(line, || {
            let LimitLine { limit, source, .. } = line;
            format!("{limit} {} {source}", write(line, line.value))
        });
    }
    Ok(())
}

/// `None` is what it is by itself.
fn parse(operator: &Operator<'_>, line: &LimitLine, text: &str) -> Result<Option<u64>, Exit> {
    if text == DEFAULT {
        return Ok(None);
    }
    let value = match line.unit.as_str() {
        "seconds" => text.parse().ok().map(Period::seconds),
        "bytes" => parse_size(text),
        _ => text.parse().ok(),
    };
    let wrong = || {
        let context = operator.context;
        let id = format!("admin-limit-{}", line.unit);
        context.complain(&context.text(&id, &[]));
        Exit::WrongUse
    };
    value.map(Some).ok_or_else(wrong)
}

fn parse_size(text: &str) -> Option<u64> {
    let sized = SIZES
        .iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (count, bytes) = sized.unwrap_or((text, 1));
    count.parse::<u64>().ok()?.checked_mul(bytes)
}

/// As it is read back.
fn write(line: &LimitLine, value: u64) -> String {
    match line.unit.as_str() {
        "seconds" => Period::from_seconds(value).to_string(),
        "bytes" => {
            let whole = |(_, bytes): &&(&str, u64)| value > 0 && value.is_multiple_of(*bytes);
            match SIZES.iter().find(whole) {
                Some((unit, bytes)) => format!("{}{unit}", value / bytes),
                None => value.to_string(),
            }
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        let line = LimitLine {
            limit: "mailbox-bytes".into(),
            value: 0,
            default: 0,
            unit: "bytes".into(),
            source: "default".into(),
        };
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("1GiB", 1 << 30),
            ("200KiB", 200 << 10),
            ("1000", 1_000),
        ] {
            assert_eq!(parse_size(text), Some(bytes));
            assert_eq!(write(&line, bytes), text);
        }
        for wrong in ["", "MiB", "1MB", "-1", "1.5GiB", "99999999999999GiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }
}
