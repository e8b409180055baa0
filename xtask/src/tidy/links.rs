//! Links from our Markdown files to what is in the workspace.
//!
//! Checked are inline links, images and reference definitions whose target has no scheme: the file or
//! folder is there, and the heading too where the target is Markdown.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use super::Problem;
use super::files::File;

/// Checks all links of the Markdown files among `files`. `exists` is asked about a path relative to the
/// workspace's folder.
pub(super) fn check(files: &[File], exists: &dyn Fn(&Path) -> bool) -> Vec<Problem> {
    let documents: Vec<_> = files
        .iter()
        .filter(|file| file.has_extension("md"))
        .collect();
    let anchors: HashMap<&Path, HashSet<String>> = documents
        .iter()
        .map(|document| (document.path.as_path(), anchors(&document.text)))
        .collect();

    let mut problems = Vec::new();
    for document in documents {
        for (number, line) in prose(&document.text) {
            for target in targets(&line) {
                if let Err(reason) = check_target(&document.path, &target, &anchors, exists) {
                    problems.push(format!(
                        "{}:{number}: the link {target} {reason}",
                        document.path.display()
                    ));
                }
            }
        }
    }
    problems
}

fn check_target(
    document: &Path,
    target: &str,
    anchors: &HashMap<&Path, HashSet<String>>,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<(), &'static str> {
    if has_scheme(target) {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        document.to_owned()
    } else {
        resolve(document, file).ok_or("leaves the project. Write a path inside it, or a URL.")?
    };
    if !exists(&path) {
        return Err("leads nowhere. Correct the path, relative to its file.");
    }
    match anchors.get(path.as_path()) {
        Some(anchors) if !anchor.is_empty() && !anchors.contains(anchor) => {
            Err("names no heading there. Correct what follows the #.")
        }
        _ => Ok(()),
    }
}

/// `https:`, `mailto:` and the like.
fn has_scheme(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char))
    })
}

/// The path that a link means, or none if that lies outside.
fn resolve(document: &Path, link: &str) -> Option<PathBuf> {
    let mut path = document.parent()?.to_owned();
    for component in Path::new(link).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Numbered lines outside code blocks, without their code spans.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fence = None;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mark = fence_mark(line);
        match (fence, mark) {
            (None, Some(_)) => fence = mark,
            // A fence closes with its own character, at least as often, and nothing after it.
            (Some((open, least)), Some((char, length)))
                if char == open && length >= least && line.trim().chars().all(|it| it == char) =>
            {
                fence = None;
            }
            (Some(_), _) => {}
            (None, None) => lines.push((number, without_code(line))),
        }
    }
    lines
}

/// The character and the length of a code block's fence.
fn fence_mark(line: &str) -> Option<(char, usize)> {
    let line = line.trim_start();
    let char = line.chars().next().filter(|char| "`~".contains(*char))?;
    let length = line.chars().take_while(|it| *it == char).count();
    (length >= 3).then_some((char, length))
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    let mut rest = line;
    let mut out = String::new();
    while let Some(start) = rest.find('`') {
        let (before, code) = rest.split_at(start);
        let length = code.chars().take_while(|char| *char == '`').count();
        let (mark, code) = code.split_at(length);
        let Some(end) = code.find(mark) else { break };
        out.push_str(before);
        rest = &code[end + length..];
    }
    out + rest
}

/// Where the links of a line lead.
fn targets(line: &str) -> Vec<String> {
    let inline = line.match_indices("](").filter_map(|(start, mark)| {
        let rest = &line[start + mark.len()..];
        let mut depth = 1;
        let end = rest.find(|char| {
            depth += match char {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        })?;
        Some(&rest[..end])
    });
    // `[^1]:` is a footnote.
    let definition = line
        .trim_start()
        .strip_prefix('[')
        .filter(|rest| !rest.starts_with('^'))
        .and_then(|rest| Some(rest.split_once("]:")?.1));
    inline
        .chain(definition)
        .filter_map(|target| target.split_whitespace().next())
        .map(|target| {
            target
                .trim_start_matches('<')
                .trim_end_matches('>')
                .to_owned()
        })
        .collect()
}

/// The anchors of a document: those that the usual hosts make of its headings, and its own `id`s.
fn anchors(text: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut seen = HashMap::<String, usize>::new();
    // Numbers of the lines outside code blocks; headings keep the words of their code spans.
    let numbers: HashSet<usize> = prose(text).into_iter().map(|(number, _)| number).collect();
    for (_, line) in (1..)
        .zip(text.lines())
        .filter(|(number, _)| numbers.contains(number))
    {
        for (start, mark) in line.match_indices("id=\"") {
            anchors.extend(
                line[start + mark.len()..]
                    .split('"')
                    .next()
                    .map(str::to_owned),
            );
        }
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        if !(1..=6).contains(&level) || !title.starts_with(' ') {
            continue;
        }
        let slug = slug(title);
        let count = seen.entry(slug.clone()).or_default();
        anchors.insert(match *count {
            0 => slug,
            count => format!("{slug}-{count}"),
        });
        *count += 1;
    }
    anchors
}

/// A heading as an anchor: lower case, without punctuation, and hyphens for spaces.
fn slug(title: &str) -> String {
    let mut shown = String::new();
    let mut rest = title.trim();
    // Of a link, the text is shown and the target is not.
    while let Some((before, link)) = rest.split_once("](") {
        shown.push_str(before);
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    shown.push_str(rest);
    shown
        .to_lowercase()
        .chars()
        .filter(|char| char.is_alphanumeric() || " -_".contains(*char))
        .map(|char| if char == ' ' { '-' } else { char })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems of a document `docs/a.md` beside `docs/b.md` and `src/lib.rs`.
    fn problems(text: &str) -> Vec<Problem> {
        let files = [
            File {
                path: "docs/a.md".into(),
                text: text.to_owned(),
            },
            File {
                path: "docs/b.md".into(),
                text: "# Olá, *Ana* & `Bia`!\n## Twice\n## Twice\n```\n# code\n```\n<a id=\"own\"></a>\n"
                    .to_owned(),
            },
        ];
        let there = ["docs", "docs/a.md", "docs/b.md", "src/lib.rs"];
        check(&files, &|path| there.iter().any(|it| path == Path::new(it)))
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        for text in [
            "[b](b.md) and ![lib](../src/lib.rs \"title\")",
            "[b](./b.md#olá-ana--bia), [b](b.md#twice), [b](b.md#twice-1), [b](b.md#own)",
            "# Here\n\n[here](#here)",
            "[b]: <b.md>\n[^1]: a footnote",
            "[site](https://example.org/x.md#y), [mail](mailto:ana@example.org)",
            "`[no](nowhere.md)` and ``[`no`](nowhere.md)``",
            "```md\n[no](nowhere.md)\n```\n~~~~\n~~~\n[no](nowhere.md)\n~~~~",
            "[folder](../docs)",
        ] {
            assert_eq!(problems(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_told_with_their_line() {
        for (text, reason) in [
            ("\n[x](c.md)", "a.md:2: the link c.md leads nowhere"),
            ("[x](b.md) [y](lib.rs)", "lib.rs leads nowhere"),
            ("[`x`](c.md)", "c.md leads nowhere"),
            ("[x]: c.md", "c.md leads nowhere"),
            ("[x](../../other/b.md)", "leaves the project"),
            ("[x](/docs/b.md)", "leaves the project"),
            ("[x](#here)", "names no heading"),
            ("[x](b.md#thrice)", "names no heading"),
            ("[x](b.md#twice-2)", "names no heading"),
            ("[x](b.md#code)", "names no heading"),
            ("```\n```\n[x](c.md)", "a.md:3:"),
        ] {
            let problems = problems(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].contains(reason), "{text}: {problems:?}");
        }
    }
}
