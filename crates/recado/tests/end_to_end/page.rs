//! The calculator's page, as a person with a browser has it.

use serde_json::Value;

use crate::common::{Browser, Server, skip};

/// Does the work in a browser, unless there is none.
fn with_browser(test: &str, language: &str, work: impl FnOnce(&Browser)) {
    let server = Server::start();
    match Browser::open(&server, language) {
        Some(browser) => {
            work(&browser);
            browser.is_content();
        }
        None => skip(test, "chromium not found"),
    }
}

#[test]
fn alice_calculates_by_keyboard_alone_in_portuguese() {
    let test = "alice_calculates_by_keyboard_alone_in_portuguese";
    with_browser(test, "pt-BR,pt;q=0.9,en;q=0.8", |browser| {
        browser.look(1000, "light");
        browser.visit("/");
        assert_eq!(browser.evaluate("document.documentElement.lang"), "pt-BR");
        assert_eq!(browser.find("h1"), "Contas exatas");
        // The first field has the focus, the operator chooses the operation and leads to the second.
        browser.write("1/3");
        browser.press("Enter");
        let third = "0,3333333333333333333333333333333333";
        assert_eq!(browser.find("#result"), third);
        assert_eq!(
            browser.find(".kind"),
            "arredondado a 34 algarismos significativos"
        );
        assert_eq!(
            browser.evaluate("document.querySelector('.period').textContent"),
            "3"
        );
        assert_eq!(
            browser.evaluate(
                "[...document.querySelectorAll('.fraction > *')].map((e) => e.textContent)"
            ),
            serde_json::json!(["1", "3"])
        );
        assert_eq!(
            browser.evaluate("document.getElementById('sent').textContent"),
            "GET /v1/calc/divide?x=1&y=3"
        );
        browser.screenshot("page-pt-BR-light");

        // On from the second field: digits, the request by POST, and the button.
        browser.press("Tab");
        browser.write("5");
        browser.press("Tab");
        browser.press("ArrowRight");
        browser.press("Tab");
        browser.press(" ");
        assert_eq!(
            browser.find("#answer[aria-busy=false] .kind"),
            "arredondado a 5 algarismos significativos"
        );
        assert_eq!(browser.find("#result"), "0,33333");
        assert_eq!(
            browser.evaluate("document.getElementById('sent').textContent"),
            "POST /v1/calc\n\n{\"operation\":\"divide\",\"x\":\"1\",\"y\":\"3\",\"precision\":\"5\"}"
        );
    });
}

#[test]
fn bob_is_told_beside_the_field_what_is_wrong() {
    with_browser(
        "bob_is_told_beside_the_field_what_is_wrong",
        "en",
        |browser| {
            browser.look(1000, "dark");
            browser.visit("/");
            assert_eq!(browser.find("h1"), "Exact sums");
            browser.write("0.1+0.2");
            browser.press("Enter");
            assert_eq!(browser.find("#result"), "0.3");
            assert_eq!(browser.find(".kind"), "exact");
            browser.screenshot("page-en-dark");

            let enter = |x: &str, operation: &str, y: &str| {
                browser.evaluate(&format!(
                    "document.getElementById('answer').replaceChildren();
                 document.getElementById('x').value = {x:?};
                 document.getElementById('calculator').elements.operation.value = {operation:?};
                 document.getElementById('y').value = {y:?};
                 document.getElementById('calculator').requestSubmit()"
                ));
            };
            for (x, operation, y, field, text) in [
                (
                    "1",
                    "divide",
                    "0",
                    "y",
                    "A number cannot be divided by zero.",
                ),
                ("", "add", "1", "x", "Write a number here."),
                ("1,5", "add", "1", "x", "Write a decimal point, as in 1.5."),
                (
                    "1",
                    "add",
                    "two",
                    "y",
                    "That is not a number. Write something like 12, -0.5 or 6.02e23.",
                ),
                ("1e10001", "add", "1", "x", "The exponent is beyond 10000."),
            ] {
                enter(x, operation, y);
                assert_eq!(
                    browser.find(&format!("#{field}[aria-invalid=true] ~ .error")),
                    text
                );
                assert_eq!(
                    browser.evaluate("document.activeElement.id"),
                    field,
                    "{text}"
                );
                let other = if field == "x" { "y" } else { "x" };
                assert_eq!(
                    browser.evaluate(&format!("document.getElementById('{other}-error').hidden")),
                    true
                );
            }
            browser.screenshot("page-en-dark-error");
            // One that is no field's.
            enter("1e10000", "multiply", "1e10000");
            assert_eq!(browser.find("#result"), "1e+20000");
            enter("9e10000", "multiply", "9e10000");
            let text = "The result is too large or too small: its exponent is beyond 20000.";
            assert_eq!(browser.find("#answer > .error"), text);
            assert_eq!(
                browser.evaluate("document.querySelectorAll('[aria-invalid=true]').length"),
                0
            );
        },
    );
}

#[test]
fn where_a_comma_is_written_a_point_can_be_ambiguous() {
    let test = "where_a_comma_is_written_a_point_can_be_ambiguous";
    with_browser(test, "pt", |browser| {
        browser.visit("/");
        browser.write("1.125+1");
        browser.press("Enter");
        let text = "Isto pode ser lido de duas maneiras. Escreva 1,125 ou 1125.";
        assert_eq!(browser.find("#x[aria-invalid=true] ~ .error"), text);
        // The field is selected: what is typed now takes its place.
        browser.write("1,125");
        browser.press("Enter");
        assert_eq!(browser.find("#result"), "2,125");
        let sent = browser.evaluate("document.getElementById('sent').textContent");
        assert_eq!(sent, "GET /v1/calc/add?x=1.125&y=1");
    });
}

#[test]
fn every_control_has_a_name_and_every_text_can_be_read() {
    let test = "every_control_has_a_name_and_every_text_can_be_read";
    with_browser(test, "pt-BR", |browser| {
        for (path, ask) in [("/", "1/7"), ("/docs", "")] {
            browser.visit(path);
            if !ask.is_empty() {
                browser.write(ask);
                browser.press("Enter");
                browser.find("#repeating");
            }
            let tree = browser.ask("Accessibility.getFullAXTree", serde_json::json!({}));
            let mut controls = 0;
            for node in tree["nodes"].as_array().unwrap() {
                let role = node["role"]["value"].as_str().unwrap_or_default();
                if ["textbox", "radio", "button", "link", "group", "radiogroup"].contains(&role) {
                    let name = node["name"]["value"].as_str().unwrap_or_default();
                    // The group around both options is only for switching them on.
                    let is_options = node["properties"].to_string().contains("\"options\"");
                    assert!(!name.is_empty() || role == "group" || is_options, "{node}");
                    controls += 1;
                }
            }
            assert!(controls > 3, "{path}: {controls}");
            for (width, scheme) in [(1000, "light"), (360, "dark")] {
                browser.look(width, scheme);
                let faint = browser.evaluate(FAINT_TEXTS);
                assert_eq!(faint, Value::Array(Vec::new()), "{path} {scheme}");
                let overflow =
                    browser.evaluate("document.documentElement.scrollWidth - innerWidth");
                assert!(
                    overflow.as_i64().unwrap() <= 0,
                    "{path} at {width}: {overflow}"
                );
                let name = path.trim_start_matches('/');
                browser.screenshot(&format!("page-{name}-{width}-{scheme}"));
            }
        }
    });
}

/// The texts whose contrast with their ground is below 4.5 (WCAG 2.2, success criterion 1.4.3).
const FAINT_TEXTS: &str = r#"(() => {
    const parse = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => {
        const linear = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const ground = (element) => {
        for (; element; element = element.parentElement) {
            const [r, g, b, a = 1] = parse(getComputedStyle(element).backgroundColor);
            if (a > 0) return [r, g, b];
        }
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const faint = [];
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim()) continue;
        if (!element.checkVisibility()) continue;
        const [a, b] = [parse(getComputedStyle(element).color), ground(element)].map(luminance);
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) faint.push(`${walker.currentNode.data.trim()}: ${contrast}`);
    }
    return faint;
})()"#;
