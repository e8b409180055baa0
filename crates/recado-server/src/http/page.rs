//! The web page: the calculator for people, in Portuguese and English.
//!
//! Its parts lie in `web/` and are compiled in: a template with `{{id}}` where texts go, and the texts of
//! each language as `id = text` lines. The page holds the script's texts too, as data.

use std::sync::LazyLock;

use bytes::Bytes;
use recado_calc::limits::DEFAULT_PRECISION;

use super::json::write_string;

const TEMPLATE: &str = include_str!("../../../../web/page.html");
/// The script of the page.
pub(super) const SCRIPT: &str = include_str!("../../../../web/page.js");
/// The style of all pages.
pub(super) const STYLE: &str = include_str!("../../../../web/style.css");
/// What stands for the page in tabs.
pub(super) const ICON: &str = include_str!("../../../../web/icon.svg");

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Portuguese,
    English,
}

impl Language {
    /// Its tag (BCP 47).
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Portuguese => "pt-BR",
            Self::English => "en",
        }
    }

    /// What a query's `lang` asks for.
    pub(super) fn of_query(query: Option<&str>) -> Option<Self> {
        let lang = query?
            .split('&')
            .find_map(|pair| pair.strip_prefix("lang="))?;
        [Self::Portuguese, Self::English]
            .into_iter()
            .find(|language| language.tag().eq_ignore_ascii_case(lang))
    }

    fn texts(self) -> &'static str {
        match self {
            Self::Portuguese => include_str!("../../../../web/pt-BR.txt"),
            Self::English => include_str!("../../../../web/en.txt"),
        }
    }
}

/// The page in a language.
pub(super) fn page(language: Language) -> Bytes {
    static PORTUGUESE: LazyLock<Bytes> = LazyLock::new(|| render(Language::Portuguese));
    static ENGLISH: LazyLock<Bytes> = LazyLock::new(|| render(Language::English));
    match language {
        Language::Portuguese => PORTUGUESE.clone(),
        Language::English => ENGLISH.clone(),
    }
}

fn render(language: Language) -> Bytes {
    let mut page = TEMPLATE
        .replace("{{language}}", language.tag())
        .replace("{{default-precision}}", &DEFAULT_PRECISION.to_string());
    for other in [Language::Portuguese, Language::English] {
        let current = if other == language {
            "aria-current=\"true\""
        } else {
            ""
        };
        page = page.replace(&format!("{{{{current-{}}}}}", other.tag()), current);
    }
    let mut json = vec![b'{'];
    for (id, text) in texts(language) {
        let escaped = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;");
        page = page.replace(&format!("{{{{{id}}}}}"), &escaped);
        if json.len() > 1 {
            json.push(b',');
        }
        write_string(&mut json, id);
        json.push(b':');
        write_string(&mut json, text);
    }
    json.push(b'}');
    // Within an element, data must not end it.
    let json = String::from_utf8_lossy(&json).replace('<', "\\u003c");
    page.replace("{{texts}}", &json).into()
}

/// Each text's id and the text.
fn texts(language: Language) -> impl Iterator<Item = (&'static str, &'static str)> {
    language
        .texts()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::http::problem::KINDS;

    /// Ids that only the script uses.
    fn used_by_script(id: &str) -> bool {
        id.starts_with("problem-") || SCRIPT.contains(&format!("say(\"{id}\""))
    }

    #[test]
    fn both_languages_have_the_same_texts_and_each_is_used() {
        let english: BTreeMap<_, _> = texts(Language::English).collect();
        let portuguese: BTreeMap<_, _> = texts(Language::Portuguese).collect();
        let ids = |texts: &BTreeMap<&'static str, &str>| texts.keys().copied().collect::<Vec<_>>();
        assert_eq!(ids(&english), ids(&portuguese));
        let varying = |text: &str| {
            let mut names: Vec<_> = text
                .split('{')
                .skip(1)
                .map(|rest| rest.split('}').next().unwrap().to_owned())
                .collect();
            names.sort();
            names
        };
        for (id, text) in &english {
            assert_eq!(varying(text), varying(portuguese[id]), "{id}");
            let in_template = TEMPLATE.contains(&format!("{{{{{id}}}}}"));
            assert!(in_template || used_by_script(id), "{id} is not used");
        }
        for used in SCRIPT.split("say(\"").skip(1) {
            let id = used.split('"').next().unwrap();
            assert!(english.contains_key(id), "{id} has no text");
        }
    }

    #[test]
    fn nothing_is_left_of_the_template() {
        for language in [Language::Portuguese, Language::English] {
            let page = page(language);
            let page = std::str::from_utf8(&page).unwrap();
            assert!(!page.contains("{{") && !page.contains("}}"), "{page}");
            assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())));
            assert_eq!(page.matches("aria-current").count(), 1);
        }
    }

    #[test]
    fn every_refusal_that_a_person_can_cause_has_words() {
        // What the page's own requests cannot have: it always sends what there is, and nothing else.
        let impossible = [
            "https-required",
            "bad-host",
            "malformed-path",
            "malformed-query",
            "malformed-form",
            "malformed-json",
            "malformed-body",
            "duplicate-parameter",
            "unknown-parameter",
            "not-found",
            "method-not-allowed",
            "not-acceptable",
            "body-timeout",
            "body-too-large",
            "unsupported-media-type",
            "unknown-operation",
            "wrong-type",
            "batch-too-long",
            "batch-answer-too-large",
            "internal-error",
            "busy",
            "not-calculable",
        ];
        let english: BTreeMap<_, _> = texts(Language::English).collect();
        for kind in KINDS {
            let has_words = english.contains_key(&*format!("problem-{}", kind.slug));
            assert_eq!(has_words, !impossible.contains(&kind.slug), "{}", kind.slug);
        }
    }

    #[test]
    fn a_query_may_ask_for_a_language() {
        for (query, language) in [
            (None, None),
            (Some(""), None),
            (Some("lang=pt-BR"), Some(Language::Portuguese)),
            (Some("x=1&lang=EN"), Some(Language::English)),
            (Some("lang=fr"), None),
        ] {
            assert_eq!(Language::of_query(query), language, "{query:?}");
        }
    }
}
