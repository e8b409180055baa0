//! Names of files as another person gave them, made fit for a disk: whatever is in one, what comes out is the name of
//! one ordinary, visible file, on any system, and shows as what it is.

use recado_proto::text::sanitise_line;

/// Bytes of a name at most, so that a number fits behind it within the 255 that file systems take.
pub const MAX_NAME: usize = 230;

/// Bytes of an ending (`.tar`) that is kept when a name is cut; a longer one is no ending.
const MAX_ENDING: usize = 16;

/// What a file without a name is called.
const NAMELESS: &str = "file";

/// What stands for a character that some system has a use of its own for.
const SUBSTITUTE: char = '_';

/// Makes a name: of what stands behind the last separator, without anything that hides, moves text around, or means
/// something to a system or a shell. Doing so twice is the same as doing it once.
pub fn safe_name(name: &str) -> String {
    let separators = |c| matches!(c, '/' | '\\');
    let name = name.trim_end_matches(separators);
    component(name.rsplit(separators).next().unwrap_or_default())
}

/// The same of one part of a path, in which a backslash is a character like others.
pub(super) fn component(name: &str) -> String {
    let visible = sanitise_line(name);
    let mut safe = String::with_capacity(visible.len());
    for c in visible.chars() {
        match c {
            // Many spaces push an ending out of sight; other spaces look alike and are not.
            c if c.is_whitespace() => {
                if !safe.ends_with(' ') && !safe.is_empty() {
                    safe.push(' ');
                }
            }
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{2424}' | '\u{FFFD}' => {
                safe.push(SUBSTITUTE);
            }
            // Look like separators.
            '\u{2044}' | '\u{2215}' | '\u{29F8}' | '\u{FF0F}' | '\u{FF3C}' | '\u{2216}' => {
                safe.push(SUBSTITUTE);
            }
            c => safe.push(c),
        }
    }
    // Windows drops these at the end, so that two names would be one.
    let end = safe.trim_end_matches([' ', '.']).len();
    safe.truncate(end);
    // Hidden, or an option, or a home.
    if safe.starts_with(['.', '-', '~']) {
        safe.replace_range(..1, "_");
    }
    if is_device(&safe) {
        safe.insert(0, SUBSTITUTE);
    }
    if safe.is_empty() {
        safe.push_str(NAMELESS);
    }
    cut(safe)
}

/// The name with a number, as `photo (2).jpg`.
pub fn numbered(name: &str, number: u32) -> String {
    let (stem, ending) = split(name);
    format!("{stem} ({number}){ending}")
}

/// Before and from the last point, if an ending follows it.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 && name.len().saturating_sub(at) <= MAX_ENDING => {
            name.split_at_checked(at).unwrap_or((name, ""))
        }
        _ => (name, ""),
    }
}

/// Shortens the part before the ending, between two characters.
fn cut(name: String) -> String {
    if name.len() <= MAX_NAME {
        return name;
    }
    let (stem, ending) = split(&name);
    let room = MAX_NAME.saturating_sub(ending.len());
    let mut end = 0;
    for (at, c) in stem.char_indices() {
        let behind = at.saturating_add(c.len_utf8());
        if behind > room {
            break;
        }
        end = behind;
    }
    let stem = stem.get(..end).unwrap_or_default();
    format!("{}{ending}", stem.trim_end_matches([' ', '.']))
}

/// What Windows takes for a device, whatever its ending.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_lowercase();
    if matches!(
        stem.as_str(),
        "con" | "prn" | "aux" | "nul" | "conin$" | "conout$" | "clock$"
    ) {
        return true;
    }
    let number = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"));
    number.is_some_and(|number| {
        let mut digits = number.chars();
        let digit = digits.next();
        let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³');
        digit.is_some_and(is_digit) && digits.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_of_every_script_stay_as_they_are() {
        for name in [
            "photo.jpg",
            "férias de verão.tar.gz",
            "資料.pdf",
            "файл.txt",
            "ملف.txt",
            "קובץ.txt",
            "ไฟล์.doc",
            "नमस्ते.txt",
            "👩‍💻.png",
            "a.b.c",
            "Makefile",
            "100% (final) [v2], it's +1 & more!.txt",
        ] {
            assert_eq!(safe_name(name), name);
        }
    }

    #[test]
    fn a_name_is_a_name_and_no_path() {
        for (name, safe) in [
            ("/etc/passwd", "passwd"),
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("..\\..\\evil.exe", "evil.exe"),
            ("C:\\Windows\\notepad.exe", "notepad.exe"),
            ("folder/", "folder"),
            ("..", "file"),
            (".", "file"),
            ("", "file"),
            ("///", "file"),
            ("a\0b", "a_b"),
            ("file.txt:stream", "file.txt_stream"),
            ("a∕b⁄c／d", "a_b_c_d"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
    }

    #[test]
    fn nothing_hides_or_poses_as_something_else() {
        for (name, safe) in [
            (".bashrc", "_bashrc"),
            ("-rf", "_rf"),
            ("~", "_"),
            ("photo\u{202E}gpj.exe", "photogpj.exe"),
            ("pho\u{200B}to.jpg", "photo.jpg"),
            ("\u{FEFF}a.txt", "a.txt"),
            ("photo.jpg                    .exe", "photo.jpg .exe"),
            ("photo.jpg\u{00A0}\u{3000}.exe", "photo.jpg .exe"),
            ("two\nlines", "two_lines"),
            ("\u{1B}[31mred", "_[31mred"),
            ("a. . .", "a"),
            ("  a", "a"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
    }

    #[test]
    fn devices_are_files() {
        for (name, safe) in [
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("Com1.tar.gz", "_Com1.tar.gz"),
            ("lpt¹", "_lpt¹"),
            ("aux .txt", "_aux .txt"),
            ("com10.txt", "com10.txt"),
            ("console.log", "console.log"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
    }

    #[test]
    fn long_names_keep_their_ending() {
        let long = safe_name(&format!("{}.tar", "ã".repeat(300)));
        assert!(long.len() <= MAX_NAME && long.ends_with("ã.tar"), "{long}");
        let no_ending = safe_name(&format!("a.{}", "b".repeat(300)));
        assert_eq!(no_ending.len(), MAX_NAME);
        assert_eq!(numbered("photo.jpg", 2), "photo (2).jpg");
        assert_eq!(numbered("Makefile", 3), "Makefile (3)");
    }

    proptest! {
        #[test]
        fn whatever_comes_a_name_comes_out(name in "\\PC{0,40}|.{0,300}") {
            let safe = safe_name(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= MAX_NAME);
            prop_assert!(!safe.contains(['/', '\\', '\0']), "{:?}", safe);
            prop_assert!(!safe.chars().any(char::is_control));
            prop_assert!(!safe.starts_with(['.', '-', '~', ' ']));
            prop_assert!(!safe.ends_with(['.', ' ']));
            prop_assert_eq!(safe_name(&safe), safe.clone(), "{:?}", name);
            let numbered = numbered(&safe, u32::MAX);
            prop_assert!(numbered.len() <= 255);
        }
    }
}
