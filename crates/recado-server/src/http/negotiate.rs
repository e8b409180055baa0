//! Which representation a client prefers (RFC 9110, section 12.5.1).

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_LANGUAGE};

use super::page::Language;

/// The representation of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/json`, and `application/problem+json` for a problem.
    Json,
    /// `text/plain`.
    Text,
}

/// How much a client likes each representation, in thousandths; 0 is not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Preferences {
    json: u16,
    problem: u16,
    text: u16,
}

impl Preferences {
    /// The preference of a client that states none.
    const ANY: Self = Self {
        json: 1000,
        problem: 1000,
        text: 1000,
    };

    /// Reads the `Accept` headers. A range that is malformed is passed over; if there is no other,
    /// there is no preference.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut accepts = headers.get_all(ACCEPT).iter();
        match (accepts.next(), accepts.next()) {
            (None, _) => return Self::ANY,
            // The usual header of command line clients and programs.
            (Some(one), None) if one == "*/*" => return Self::ANY,
            _ => {}
        }
        let mut json = Offer::new("application", "json");
        let mut problem = Offer::new("application", "problem+json");
        let mut text = Offer::new("text", "plain");
        let mut stated = false;
        for value in headers.get_all(ACCEPT) {
            let Ok(value) = value.to_str() else { continue };
            for (kind, subkind, quality) in value.split(',').filter_map(media_range) {
                stated = true;
                for offer in [&mut json, &mut problem, &mut text] {
                    offer.consider(kind, subkind, quality);
                }
            }
        }
        if !stated {
            return Self::ANY;
        }
        Self {
            json: json.quality,
            problem: problem.quality,
            text: text.quality,
        }
    }

    /// The representation of a result: JSON unless text is preferred; none if neither is wanted.
    pub(super) fn result(self) -> Option<Format> {
        match (self.json, self.text) {
            (0, 0) => None,
            (json, text) if json >= text => Some(Format::Json),
            _ => Some(Format::Text),
        }
    }

    /// Whether JSON is wanted at all.
    pub(super) fn takes_json(self) -> bool {
        self.json > 0
    }

    /// The representation of a problem. A client that wants neither gets JSON: a refusal is better
    /// read in the wrong format than not at all.
    pub(super) fn problem(self) -> Format {
        if self.text > self.json.max(self.problem) {
            Format::Text
        } else {
            Format::Json
        }
    }
}

/// The language of a page (RFC 9110, section 12.5.4): Portuguese for who prefers any kind of it, else English.
pub(super) fn language(headers: &HeaderMap) -> Language {
    let (mut portuguese, mut english) = (0, 0);
    for value in headers.get_all(ACCEPT_LANGUAGE) {
        let Ok(value) = value.to_str() else { continue };
        for range in value.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let weight = parts.find_map(|parameter| parameter.trim().strip_prefix("q="));
            let weight = weight.map_or(Some(1000), thousandths).unwrap_or(0);
            match tag.split('-').next() {
                Some(tag) if tag.eq_ignore_ascii_case("pt") => portuguese = weight.max(portuguese),
                Some(tag) if tag.eq_ignore_ascii_case("en") => english = weight.max(english),
                _ => {}
            }
        }
    }
    if portuguese > english {
        Language::Portuguese
    } else {
        Language::English
    }
}

/// One representation, and what the most specific range that covers it says.
struct Offer {
    kind: &'static str,
    subkind: &'static str,
    specificity: u8,
    quality: u16,
}

impl Offer {
    fn new(kind: &'static str, subkind: &'static str) -> Self {
        Self {
            kind,
            subkind,
            specificity: 0,
            quality: 0,
        }
    }

    fn consider(&mut self, kind: &str, subkind: &str, quality: u16) {
        let specificity = match (kind, subkind) {
            ("*", "*") => 1,
            (kind, "*") if kind.eq_ignore_ascii_case(self.kind) => 2,
            (kind, subkind)
                if kind.eq_ignore_ascii_case(self.kind)
                    && subkind.eq_ignore_ascii_case(self.subkind) =>
            {
                3
            }
            _ => return,
        };
        // Of two equally specific ranges (they differ in parameters) the better one counts.
        if specificity > self.specificity
            || (specificity == self.specificity && quality > self.quality)
        {
            self.specificity = specificity;
            self.quality = quality;
        }
    }
}

/// One media range as type, subtype and quality. Parameters other than `q` are not told apart:
/// each representation has one form only.
fn media_range(element: &str) -> Option<(&str, &str, u16)> {
    let mut parts = element.split(';');
    let (kind, subkind) = parts.next()?.trim().split_once('/')?;
    let mut quality = 1000;
    for parameter in parts {
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("q")
        {
            quality = thousandths(value.trim())?;
        }
    }
    Some((kind, subkind, quality))
}

/// A weight: `0` or `1`, with up to three decimals, at most 1.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let decimals = decimals.bytes().chain([b'0'; 3]).take(3);
    let thousandths = decimals.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_representation_is_chosen() {
        use Format::{Json, Text};
        for (accept, result, problem) in [
            (&[][..], Some(Json), Json),
            (&["*/*"], Some(Json), Json),
            (&["application/json"], Some(Json), Json),
            (&["text/plain"], Some(Text), Text),
            (&["TEXT/Plain; charset=utf-8"], Some(Text), Text),
            (&["text/*"], Some(Text), Text),
            (&["text/plain, */*;q=0.1"], Some(Text), Text),
            (&["text/plain, */*"], Some(Json), Json),
            (
                &["application/json;q=0.5, text/plain;q=0.6"],
                Some(Text),
                Text,
            ),
            (
                &["application/json;q=0.6", "text/plain;q=0.5"],
                Some(Json),
                Json,
            ),
            (&["application/json;q=0, */*"], Some(Text), Json),
            (
                &["application/*;q=0.1, text/plain;q=0.01"],
                Some(Json),
                Json,
            ),
            (
                &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
                Some(Json),
                Json,
            ),
            (&["text/plain, application/problem+json"], Some(Text), Json),
            (&["application/problem+json"], None, Json),
            (&["image/png"], None, Json),
            (&["*/*;q=0"], None, Json),
            (&["text/plain;q=1.5"], Some(Json), Json),
            (&["text/plain;q=1.5, text/plain;q=0.5"], Some(Text), Text),
            (&["garbage"], Some(Json), Json),
            (&[""], Some(Json), Json),
        ] {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(ACCEPT, value.parse().unwrap());
            }
            let preferences = Preferences::of(&headers);
            assert_eq!(preferences.result(), result, "{accept:?}");
            assert_eq!(preferences.problem(), problem, "{accept:?}");
        }
    }

    #[test]
    fn the_preferred_language_is_chosen() {
        use Language::{English, Portuguese};
        for (accept, expected) in [
            (&[][..], English),
            (&["pt-BR,pt;q=0.9,en-US;q=0.8,en;q=0.7"], Portuguese),
            (&["pt"], Portuguese),
            (&["PT-pt"], Portuguese),
            (&["en-US,en;q=0.9,pt;q=0.8"], English),
            (&["fr, pt;q=0.5"], Portuguese),
            (&["fr"], English),
            (&["*"], English),
            (&["en;q=0.1", "pt;q=0.2"], Portuguese),
            (&["pt;q=0"], English),
            (&["pt;q=2"], English),
            (&["ptx"], English),
        ] {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(ACCEPT_LANGUAGE, value.parse().unwrap());
            }
            assert_eq!(language(&headers), expected, "{accept:?}");
        }
    }

    #[test]
    fn weights_have_three_decimals() {
        for (text, weight) in [
            ("0", Some(0)),
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0.5", Some(500)),
            ("0.123", Some(123)),
            ("0.", Some(0)),
            ("1.001", None),
            ("0.1234", None),
            (".5", None),
            ("-1", None),
            ("", None),
            ("0.x", None),
        ] {
            assert_eq!(thousandths(text), weight, "{text}");
        }
    }
}
