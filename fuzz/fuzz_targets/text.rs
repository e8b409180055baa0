//! Any text before a terminal, and as a name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recado_proto::name::{Name, suggest};
use recado_proto::text::{sanitise_block, sanitise_line};

fuzz_target!(|text: &str| {
    let line = sanitise_line(text);
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert_eq!(sanitise_line(&line), line, "what is clean stays");
    for line in sanitise_block(text) {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    if let Ok(name) = Name::parse(text) {
        assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(&name));
        assert_eq!(sanitise_line(name.as_str()), name.as_str());
        let _ = name.keys();
    }
    if let Some(name) = suggest(text) {
        assert!(Name::parse(name.as_str()).is_ok());
    }
});
