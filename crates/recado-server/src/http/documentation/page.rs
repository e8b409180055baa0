//! The description as a page for people, which loads nothing but its own style sheet.

use std::fmt::{self, Write as _};

use recado_calc::limits as calc;
use serde_json::Value;

use super::super::HttpLimits;
use super::super::problem::KINDS;
use super::super::routes::Route;
use super::openapi::plain;

/// Writes the page.
pub(super) fn write(description: &Value, limits: &HttpLimits) -> String {
    let mut page = String::with_capacity(64 * 1024);
    // Writing to a string does not fail.
    let _ = write_page(&mut page, description, limits);
    page
}

fn write_page(page: &mut String, description: &Value, limits: &HttpLimits) -> fmt::Result {
    let info = &description["info"];
    write!(
        page,
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>recado: the API</title>
<link rel="icon" href="{icon}" type="image/svg+xml">
<link rel="stylesheet" href="{style}">
</head>
<body class="docs">
<header><p class="brand"><a href="/"><img src="{icon}" alt="">recado</a></p></header>
<main>
<h1>{summary}</h1>
<p class="lead">Version {version} · <a href="{openapi}">OpenAPI 3.1</a></p>
"#,
        icon = Route::Icon.pattern(),
        style = Route::Style.pattern(),
        openapi = Route::OpenApi.pattern(),
        summary = Escaped(text(&info["summary"])),
        version = Escaped(text(&info["version"])),
    )?;
    // What follows the introduction's first heading has tables of its own here.
    let introduction = text(&info["description"]);
    let introduction = introduction.split("\n\n## ").next().unwrap_or_default();
    for paragraph in introduction.split("\n\n") {
        writeln!(page, "<p>{}</p>", Marked(paragraph))?;
    }
    page.push_str("<h2>Resources</h2>\n");
    for route in Route::ALL {
        let pattern = route.pattern();
        for (method, operation) in members(&description["paths"][pattern]) {
            write_operation(page, pattern, method, operation)?;
        }
    }
    page.push_str("<h2>Objects</h2>\n");
    for (name, schema) in members(&description["components"]["schemas"]) {
        write_schema(page, name, schema)?;
    }
    page.push_str("<h2 id=\"problems\">Problems</h2>\n");
    let rows = KINDS.iter().map(|kind| {
        let slug = kind.slug;
        let status = kind.status;
        [
            format!("<a href=\"/problems/{slug}\"><code>{slug}</code></a>"),
            status.to_string(),
            format!("{}. {}", Escaped(kind.title), Marked(kind.about)),
        ]
    });
    write_table(page, ["Type", "Status", "Meaning"], rows)?;
    page.push_str("<h2 id=\"limits\">Limits of calculations</h2>\n");
    let rows = calc::ALL
        .iter()
        .map(|limit| limit_row(limit.name, &limit.value.to_string(), limit.about));
    write_table(page, ["Limit", "Value", "What and why"], rows)?;
    page.push_str("<h2>Limits of the service</h2>\n");
    let described = limits.described();
    let rows = described
        .iter()
        .map(|limit| limit_row(limit.name, &limit.value, limit.about));
    write_table(page, ["Limit", "Value", "What and why"], rows)?;
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

fn limit_row(name: &str, value: &str, about: &str) -> [String; 3] {
    let about = plain(about);
    [
        format!("<code>{name}</code>"),
        value.to_owned(),
        Marked(&about).to_string(),
    ]
}

fn write_operation(page: &mut String, path: &str, method: &str, operation: &Value) -> fmt::Result {
    let method = method.to_ascii_uppercase();
    writeln!(
        page,
        "<section id=\"{id}\">\n<h3><span class=\"method\">{method}</span> <code>{path}</code></h3>\n\
         <p><strong>{summary}.</strong> {description}</p>",
        id = Escaped(text(&operation["operationId"])),
        path = Escaped(path),
        summary = Escaped(text(&operation["summary"])),
        description = Marked(text(&operation["description"])),
    )?;
    let parameters = operation["parameters"].as_array();
    if let Some(parameters) = parameters {
        let rows = parameters.iter().map(|parameter| {
            let required = if parameter["required"] == true {
                ""
            } else {
                ", optional"
            };
            [
                format!("<code>{}</code>", Escaped(text(&parameter["name"]))),
                format!("{}{required}", Escaped(text(&parameter["in"]))),
                format!(
                    "{} {}",
                    Marked(text(&parameter["description"])),
                    Shape(&parameter["schema"])
                ),
            ]
        });
        write_table(page, ["Parameter", "In", "Meaning"], rows)?;
    }
    for (content_type, content) in members(&operation["requestBody"]["content"]) {
        writeln!(
            page,
            "<p>Body: <code>{}</code>, {}</p>",
            Escaped(content_type),
            Shape(&content["schema"])
        )?;
        write_example(page, &content["example"])?;
    }
    let rows = members(&operation["responses"]).map(|(status, response)| {
        let types = members(&response["content"]).map(|(name, _)| name.as_str());
        [
            status.clone(),
            format!(
                "<code>{}</code>",
                types.collect::<Vec<_>>().join("</code>, <code>")
            ),
            Marked(text(&response["description"])).to_string(),
        ]
    });
    write_table(page, ["Status", "Type", "Meaning"], rows)?;
    for (_, content) in members(&operation["responses"]["200"]["content"]) {
        write_example(page, &content["example"])?;
    }
    page.push_str("</section>\n");
    Ok(())
}

fn write_schema(page: &mut String, name: &str, schema: &Value) -> fmt::Result {
    writeln!(
        page,
        "<section id=\"{name}\">\n<h3><code>{name}</code></h3>\n<p>{description} {shape}</p>",
        name = Escaped(name),
        description = Marked(text(&schema["description"])),
        shape = Shape(schema),
    )?;
    let required = schema["required"].as_array();
    if schema["properties"].is_object() {
        let rows = members(&schema["properties"]).map(|(name, schema)| {
            let is_required = required.is_some_and(|required| required.iter().any(|it| it == name));
            [
                format!("<code>{}</code>", Escaped(name)),
                if is_required { "always" } else { "optional" }.to_owned(),
                format!("{} {}", Marked(text(&schema["description"])), Shape(schema)),
            ]
        });
        write_table(page, ["Member", "", "Meaning"], rows)?;
    }
    page.push_str("</section>\n");
    Ok(())
}

fn write_example(page: &mut String, example: &Value) -> fmt::Result {
    if example.is_null() {
        return Ok(());
    }
    writeln!(
        page,
        "<pre><code>{}</code></pre>",
        Escaped(&format!("{example:#}"))
    )
}

fn write_table(
    page: &mut String,
    head: [&str; 3],
    rows: impl Iterator<Item = [String; 3]>,
) -> fmt::Result {
    let [first, second, third] = head;
    // Wider than a phone, it scrolls by itself, also by keyboard.
    writeln!(
        page,
        "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th>{first}</th><th>{second}</th><th>{third}</th></tr></thead>\n<tbody>"
    )?;
    for [first, second, third] in rows {
        writeln!(
            page,
            "<tr><td>{first}</td><td>{second}</td><td>{third}</td></tr>"
        )?;
    }
    page.push_str("</tbody>\n</table></div>\n");
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Text among HTML.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The same, with what stands between backticks as code.
struct Marked<'a>(&'a str);

impl fmt::Display for Marked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.0.split('`').enumerate() {
            if i % 2 == 0 {
                write!(f, "{}", Escaped(part))?;
            } else {
                write!(f, "<code>{}</code>", Escaped(part))?;
            }
        }
        Ok(())
    }
}

/// What a schema allows, in a few words.
struct Shape<'a>(&'a Value);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.0;
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap_or_default();
            return write!(f, "<a href=\"#{name}\">{name}</a>");
        }
        let alternatives = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
        if let Some(alternatives) = alternatives {
            let known = alternatives
                .iter()
                .filter(|it| **it != Value::Object(Default::default()));
            for (i, alternative) in known.enumerate() {
                write!(
                    f,
                    "{}{}",
                    if i == 0 { "" } else { " or " },
                    Shape(alternative)
                )?;
            }
            return Ok(());
        }
        if let Some(values) = schema["enum"].as_array() {
            for (i, value) in values.iter().enumerate() {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                write!(
                    f,
                    "{}<code>{}</code>",
                    if i == 0 { "" } else { " " },
                    Escaped(&value)
                )?;
            }
            return Ok(());
        }
        write!(f, "<em>{}</em>", Escaped(text(&schema["type"])))?;
        if schema["items"].is_object() {
            write!(f, " of {}", Shape(&schema["items"]))?;
        }
        if !schema["minimum"].is_null() {
            write!(f, ", {} to {}", schema["minimum"], schema["maximum"])?;
        }
        for (name, unit) in [("maxLength", "characters"), ("maxItems", "items")] {
            if let Some(most) = schema[name].as_u64() {
                write!(f, ", at most {most} {unit}")?;
            }
        }
        if let Some(pattern) = schema["pattern"].as_str() {
            write!(f, ", <code>{}</code>", Escaped(pattern))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_text_and_nothing_else() {
        assert_eq!(
            Escaped("<a href=\"&\">").to_string(),
            "&lt;a href=&quot;&amp;&quot;&gt;"
        );
        assert_eq!(
            Marked("`<` is less").to_string(),
            "<code>&lt;</code> is less"
        );
    }
}
