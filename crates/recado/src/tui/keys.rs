//! What a terminal sends, decoded: keys, pastes, whether it has the focus, what its background is. Pure.
//!
//! Whatever comes, nothing is kept without bound, and a sequence that means nothing here leaves no trace.

use recado_proto::limits::MAX_TEXT;

/// A key, and what was held down with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Press {
    pub(super) key: Key,
    pub(super) ctrl: bool,
    pub(super) alt: bool,
    pub(super) shift: bool,
}

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Char(char),
    Enter,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Escape,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
}

/// What was heard from the terminal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    Press(Press),
    /// Letters that came together: what is joined must stay together.
    Typed(String),
    /// A text that was pasted, cut behind the longest message.
    Paste(String),
    /// The terminal has the focus, or has it no more.
    Focus(bool),
    /// Whether the background is light.
    Background {
        is_light: bool,
    },
}

impl From<Key> for Press {
    fn from(key: Key) -> Self {
        Self {
            key,
            ctrl: false,
            alt: false,
            shift: false,
        }
    }
}

/// Puts letters that come together into one.
#[derive(Debug, Default)]
pub(super) struct Together(String);

impl Together {
    /// Takes what was heard; gives what is to be told before it, and itself.
    pub(super) fn take(&mut self, heard: Heard) -> [Option<Heard>; 2] {
        match heard {
            Heard::Press(Press {
                key: Key::Char(c),
                ctrl: false,
                alt: false,
                ..
            }) => {
                self.0.push(c);
                [None, None]
            }
            other => [self.end(), Some(other)],
        }
    }

    /// Nothing more comes for now.
    pub(super) fn end(&mut self) -> Option<Heard> {
        let typed = std::mem::take(&mut self.0);
        (!typed.is_empty()).then_some(Heard::Typed(typed))
    }
}

/// The longest sequence that means something here; a longer one is passed over.
const MAX_SEQUENCE: usize = 64;

/// Bytes kept of a paste: more than fit a message, so that it is seen to be too long.
const MAX_PASTE: usize = MAX_TEXT + 4;

/// What ends a paste.
const PASTE_END: &[u8] = b"\x1b[201~";

/// The decoder of a terminal's bytes.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
    /// What has come of the sequence or character that is under way.
    bytes: Vec<u8>,
    /// Whether the sequence came behind ESC.
    alt: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Ground,
    /// After ESC.
    Escape,
    /// After ESC and `[`.
    Csi,
    /// After ESC and `O`.
    Ss3,
    /// Within a string (OSC, DCS, APC, PM, SOS), which BEL or ST ends.
    String { is_osc: bool },
    /// Within a paste.
    Paste,
    /// Within a character of more than one byte.
    Utf8,
}

impl Decoder {
    /// Whether it waits for more: an ESC that nothing follows is the key.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(
            self.state,
            State::Escape | State::Csi | State::Ss3 | State::String { .. }
        )
    }

    /// Nothing more comes of what is under way.
    pub(super) fn give_up(&mut self) -> Option<Heard> {
        let state = std::mem::take(&mut self.state);
        let alt = std::mem::take(&mut self.alt);
        self.bytes.clear();
        let press = |key: Key| {
            let press = Press {
                alt,
                ..Press::from(key)
            };
            Some(Heard::Press(press))
        };
        let alt_char = |c| {
            let press = Press {
                alt: true,
                ..Press::from(Key::Char(c))
            };
            Some(Heard::Press(press))
        };
        match state {
            State::Escape => press(Key::Escape),
            State::Csi => alt_char('['),
            State::Ss3 => alt_char('O'),
            State::String { is_osc: true } => alt_char(']'),
            State::String { is_osc: false } | State::Ground | State::Paste | State::Utf8 => None,
        }
    }

    /// Takes a byte.
    pub(super) fn take(&mut self, byte: u8) -> Option<Heard> {
        match self.state {
            State::Ground => self.ground(byte),
            State::Utf8 => self.utf8(byte),
            State::Escape => self.escape(byte),
            State::Csi => self.csi(byte),
            State::Ss3 => {
                self.state = State::Ground;
                let key = match byte {
                    b'P'..=b'S' => Key::F(byte - b'P' + 1),
                    b'M' => Key::Enter,
                    _ => letter(byte)?,
                };
                self.press(key)
            }
            State::String { is_osc } => self.string(byte, is_osc),
            State::Paste => self.paste(byte),
        }
    }

    fn press(&mut self, key: Key) -> Option<Heard> {
        let alt = std::mem::take(&mut self.alt);
        let press = Press {
            alt,
            ..Press::from(key)
        };
        Some(Heard::Press(press))
    }

    fn ground(&mut self, byte: u8) -> Option<Heard> {
        self.state = State::Ground;
        match byte {
            0x1b => {
                self.state = State::Escape;
                None
            }
            b'\r' => self.press(Key::Enter),
            b'\t' => self.press(Key::Tab),
            0x7f | 0x08 => self.press(Key::Backspace),
            0x01..=0x1a => {
                let alt = std::mem::take(&mut self.alt);
                let c = char::from(byte - 1 + b'a');
                Some(Heard::Press(Press {
                    key: Key::Char(c),
                    ctrl: true,
                    alt,
                    shift: false,
                }))
            }
            0x20..0x7f => self.press(Key::Char(char::from(byte))),
            0x80.. => {
                self.state = State::Utf8;
                self.bytes.clear();
                self.utf8(byte)
            }
            _ => {
                self.alt = false;
                None
            }
        }
    }

    fn utf8(&mut self, byte: u8) -> Option<Heard> {
        self.bytes.push(byte);
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => {
                let c = text.chars().next()?;
                self.state = State::Ground;
                self.press(Key::Char(c))
            }
            Err(error) if error.error_len().is_some() => {
                self.state = State::Ground;
                self.alt = false;
                // What broke it off may be a key of its own.
                if self.bytes.len() > 1 && byte < 0x80 {
                    return self.ground(byte);
                }
                None
            }
            Err(_) => None,
        }
    }

    fn escape(&mut self, byte: u8) -> Option<Heard> {
        self.bytes.clear();
        match byte {
            b'[' => self.state = State::Csi,
            b'O' => self.state = State::Ss3,
            b']' => self.state = State::String { is_osc: true },
            b'P' | b'X' | b'^' | b'_' => self.state = State::String { is_osc: false },
            // Twice: the key, or the beginning of a sequence with Alt.
            0x1b => self.alt = true,
            _ => {
                self.alt = true;
                return self.ground(byte);
            }
        }
        None
    }

    fn csi(&mut self, byte: u8) -> Option<Heard> {
        match byte {
            0x20..0x40 => {
                if self.bytes.len() < MAX_SEQUENCE {
                    self.bytes.push(byte);
                }
                None
            }
            0x40..0x7f => {
                self.state = State::Ground;
                let parameters = std::mem::take(&mut self.bytes);
                let alt = std::mem::take(&mut self.alt);
                if parameters.len() >= MAX_SEQUENCE {
                    return None;
                }
                if (parameters.as_slice(), byte) == (b"200", b'~') {
                    self.state = State::Paste;
                    return None;
                }
                sequence(&parameters, byte, alt)
            }
            // It was broken off.
            _ => {
                self.alt = false;
                self.ground(byte)
            }
        }
    }

    fn string(&mut self, byte: u8, is_osc: bool) -> Option<Heard> {
        let is_over = match byte {
            0x07 => true,
            b'\\' => self.bytes.last() == Some(&0x1b),
            _ => false,
        };
        if !is_over {
            if self.bytes.len() < MAX_SEQUENCE {
                self.bytes.push(byte);
            } else if let Some(last) = self.bytes.last_mut() {
                // Only so that its end is seen.
                *last = byte;
            }
            return None;
        }
        (self.state, self.alt) = (State::Ground, false);
        let text = std::mem::take(&mut self.bytes);
        let text = std::str::from_utf8(&text).ok()?;
        let colour = text.strip_prefix("11;").filter(|_| is_osc)?;
        let is_light = is_light(colour.trim_end_matches('\x1b'))?;
        Some(Heard::Background { is_light })
    }

    fn paste(&mut self, byte: u8) -> Option<Heard> {
        self.bytes.push(byte);
        if self.bytes.ends_with(PASTE_END) {
            self.state = State::Ground;
            let bytes = std::mem::take(&mut self.bytes);
            let text = bytes.strip_suffix(PASTE_END).unwrap_or(&bytes);
            // What was cut in the middle of a character loses that; a text that never was UTF-8 shows where.
            let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
            return Some(Heard::Paste(text.replace('\r', "\n")));
        }
        let bound = MAX_PASTE + PASTE_END.len();
        if self.bytes.len() > 2 * bound {
            self.bytes
                .drain(MAX_PASTE..self.bytes.len() - PASTE_END.len());
        }
        None
    }
}

/// What a sequence means.
fn sequence(parameters: &[u8], last: u8, alt: bool) -> Option<Heard> {
    let mut numbers = parameters.split(|byte| *byte == b';').map(|number| {
        // What follows a colon refines it.
        let number = number.split(|byte| *byte == b':').next()?;
        std::str::from_utf8(number).ok()?.parse::<u32>().ok()
    });
    let first = numbers.next().flatten();
    let mut modifiers = numbers.next().flatten();
    let key = match last {
        b'I' => return Some(Heard::Focus(true)),
        b'O' => return Some(Heard::Focus(false)),
        b'Z' => Key::BackTab,
        b'~' => match first? {
            1 | 7 => Key::Home,
            3 => Key::Delete,
            4 | 8 => Key::End,
            5 => Key::PageUp,
            6 => Key::PageDown,
            number @ 11..=15 => Key::F(u8::try_from(number - 10).ok()?),
            number @ 17..=21 => Key::F(u8::try_from(number - 11).ok()?),
            // A key by its character, as xterm tells it.
            27 => by_character(numbers.next().flatten()?)?,
            _ => return None,
        },
        // The same, as kitty tells it.
        b'u' => by_character(first?)?,
        b'P'..=b'S' if first == Some(1) => Key::F(last - b'P' + 1),
        _ => letter(last)?,
    };
    // One more than the sum of shift 1, alt 2, ctrl 4.
    let held = modifiers.take().unwrap_or(1).saturating_sub(1);
    Some(Heard::Press(Press {
        key,
        shift: held & 1 != 0,
        alt: alt || held & 2 != 0,
        ctrl: held & 4 != 0,
    }))
}

fn letter(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => return None,
    })
}

fn by_character(number: u32) -> Option<Key> {
    Some(match number {
        9 => Key::Tab,
        13 => Key::Enter,
        27 => Key::Escape,
        127 => Key::Backspace,
        _ => Key::Char(char::from_u32(number).filter(|c| !c.is_control())?),
    })
}

/// Of a colour as terminals tell it, `rgb:RRRR/GGGG/BBBB`: whether dark letters would stand out.
fn is_light(colour: &str) -> Option<bool> {
    let mut parts = colour.strip_prefix("rgb:")?.split('/').map(|part| {
        let value = u32::from_str_radix(part, 16).ok()?;
        let most = 16u32
            .checked_pow(u32::try_from(part.len()).ok()?)?
            .checked_sub(1)?;
        (value <= most && most > 0).then(|| value.saturating_mul(1000) / most)
    });
    let mut part = || parts.next().flatten();
    let (red, green, blue) = (part()?, part()?, part()?);
    // ITU-R BT.601, in thousandths.
    Some((red * 299 + green * 587 + blue * 114) / 1000 > 500)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hear(bytes: &[u8]) -> Vec<Heard> {
        let mut decoder = Decoder::default();
        let mut heard: Vec<_> = bytes
            .iter()
            .filter_map(|byte| decoder.take(*byte))
            .collect();
        if decoder.is_waiting() {
            heard.extend(decoder.give_up());
        }
        heard
    }

    fn press(key: Key) -> Heard {
        Heard::Press(key.into())
    }

    fn held(key: Key, with: &str) -> Heard {
        Heard::Press(Press {
            key,
            ctrl: with.contains('c'),
            alt: with.contains('a'),
            shift: with.contains('s'),
        })
    }

    #[test]
    fn keys_as_terminals_send_them() {
        for (bytes, expected) in [
            ("a", press(Key::Char('a'))),
            ("é", press(Key::Char('é'))),
            ("你", press(Key::Char('你'))),
            ("\r", press(Key::Enter)),
            ("\n", held(Key::Char('j'), "c")),
            ("\t", press(Key::Tab)),
            ("\u{7f}", press(Key::Backspace)),
            ("\u{3}", held(Key::Char('c'), "c")),
            ("\u{1b}", press(Key::Escape)),
            ("\u{1b}\u{1b}", held(Key::Escape, "a")),
            ("\u{1b}\r", held(Key::Enter, "a")),
            ("\u{1b}a", held(Key::Char('a'), "a")),
            ("\u{1b}[", held(Key::Char('['), "a")),
            ("\u{1b}[A", press(Key::Up)),
            ("\u{1b}OB", press(Key::Down)),
            ("\u{1b}\u{1b}[A", held(Key::Up, "a")),
            ("\u{1b}[1;5C", held(Key::Right, "c")),
            ("\u{1b}[1;3D", held(Key::Left, "a")),
            ("\u{1b}[H", press(Key::Home)),
            ("\u{1b}[4~", press(Key::End)),
            ("\u{1b}[3~", press(Key::Delete)),
            ("\u{1b}[5~", press(Key::PageUp)),
            ("\u{1b}[6;2~", held(Key::PageDown, "s")),
            ("\u{1b}[Z", press(Key::BackTab)),
            ("\u{1b}OP", press(Key::F(1))),
            ("\u{1b}[11~", press(Key::F(1))),
            ("\u{1b}[13;2u", held(Key::Enter, "s")),
            ("\u{1b}[27;2;13~", held(Key::Enter, "s")),
            ("\u{1b}[I", Heard::Focus(true)),
            ("\u{1b}[O", Heard::Focus(false)),
        ] {
            assert_eq!(hear(bytes.as_bytes()), [expected], "{bytes:?}");
        }
    }

    #[test]
    fn letters_that_come_together_stay_together() {
        let mut together = Together::default();
        let mut told = Vec::new();
        for heard in hear("a👩\u{200d}💻\r".as_bytes()) {
            told.extend(together.take(heard).into_iter().flatten());
        }
        assert_eq!(together.end(), None);
        let letters = Heard::Typed("a👩\u{200d}💻".into());
        assert_eq!(told, [letters, press(Key::Enter)]);
        assert_eq!(together.take(press(Key::Char('b'))), [None, None]);
        assert_eq!(together.end(), Some(Heard::Typed("b".into())));
    }

    #[test]
    fn a_paste_is_text_whatever_is_in_it() {
        let text = "/quit\n\ttab\u{1b}[A and \u{1b}[200~ é";
        let bytes = "a\u{1b}[200~/quit\r\n\ttab\u{1b}[A and \u{1b}[200~ é\u{1b}[201~b";
        let expected = [
            press(Key::Char('a')),
            Heard::Paste(text.into()),
            press(Key::Char('b')),
        ];
        assert_eq!(hear(bytes.as_bytes()), expected);
    }

    #[test]
    fn a_paste_has_a_bound_and_an_end_all_the_same() {
        let mut decoder = Decoder::default();
        let mut heard = Vec::new();
        let long = vec![b'x'; 5 * MAX_TEXT];
        for byte in [b"\x1b[200~", &long[..], PASTE_END].concat() {
            heard.extend(decoder.take(byte));
            assert!(decoder.bytes.len() <= 2 * MAX_PASTE + 64);
        }
        match &heard[..] {
            [Heard::Paste(text)] => assert!(text.len() > MAX_TEXT && text.len() < 3 * MAX_TEXT),
            other => panic!("{} heard", other.len()),
        }
    }

    #[test]
    fn what_terminals_answer_is_no_key() {
        let light = |is_light| vec![Heard::Background { is_light }];
        assert_eq!(hear(b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\"), light(true));
        assert_eq!(hear(b"\x1b]11;rgb:1e/1e/2e\x07"), light(false));
        for nothing in [
            &b"\x1b]11;rgb:zz/0/0\x07"[..],
            b"\x1b]11;#ffffff\x07",
            b"\x1b]0;title\x07",
            b"\x1bPdata\x1b\\",
            b"\x1b[?62;22c",
            b"\x1b[24;80R",
            b"\xff\xfe",
            b"\0\x1c\x1f",
        ] {
            assert_eq!(hear(nothing), [], "{nothing:?}");
        }
        let mut long = b"\x1b]11;".to_vec();
        long.extend([b'x'; 10_000]);
        long.extend(b"\x1b\\a");
        assert_eq!(hear(&long), [press(Key::Char('a'))]);
    }

    #[test]
    fn what_is_broken_off_does_not_take_the_next_key_with_it() {
        assert_eq!(hear(b"\x1b[1;\r"), [press(Key::Enter)]);
        assert_eq!(hear(b"\xc3a"), [press(Key::Char('a'))]);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_is_kept_without_bound(
            bytes in prop::collection::vec(prop::sample::select(b"\x1b[]O;~12u\x07\\aP\xc3\xa9\r".to_vec()), 0..200)
        ) {
            let mut decoder = Decoder::default();
            for byte in bytes {
                decoder.take(byte);
                prop_assert!(decoder.bytes.len() <= 200);
            }
        }
    }
}
