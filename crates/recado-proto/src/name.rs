//! User names: which are valid, and which are one and the same to a person who reads them.
//!
//! A [`Name`] is shown as it was typed (RFC 8265 UsernameCasePreserved) and is held to be the same
//! as every name that it shares a key with ([`NameKeys`]). Its rules: letters, marks, digits and
//! `. _ -`; a letter or digit first; 1 to [`MAX_NAME`] code points in NFC; one direction of writing
//! (RFC 5893, as RFC 8265 asks); at most [`MAX_MARKS`] marks in a row, so that no two names differ
//! only in what the sanitiser takes away; and nothing that looks like a word of [`RESERVED`].
//!
//! The letters are those of the tables that PRECIS still stands on, Unicode 6.3 (2013): letters
//! encoded since are refused, and the refusal says so. Spaces around a name are refused like any
//! others; who reads a line from a person trims it first.

use std::fmt;
use std::str::FromStr;

use precis_profiles::precis_core::profile::{PrecisFastInvocation, Rules};
use precis_profiles::precis_core::{self, DerivedPropertyValue, IdentifierClass, StringClass};
use precis_profiles::{UsernameCaseMapped, UsernameCasePreserved};
use unicode_normalization::UnicodeNormalization;

use crate::text::{MAX_MARKS, is_mark, sanitise_line};

/// The most code points that a name has, in NFC.
pub const MAX_NAME: usize = 32;

/// The most bytes that a name has: [`MAX_NAME`] code points of four bytes.
pub const MAX_NAME_BYTES: usize = 4 * MAX_NAME;

/// The words that address everyone, and that no name may resemble.
pub const RESERVED: [&str; 2] = ["all", "todos"];

/// The tables and rules that this build makes keys with; see [`NameTableVersion`].
pub const NAME_TABLE_VERSION: NameTableVersion = NameTableVersion {
    rules: 1,
    classes: precis_core::UNICODE_VERSION,
    direction: precis_profiles::UNICODE_VERSION,
    case: char::UNICODE_VERSION,
    normalisation: unicode_normalization::UNICODE_VERSION,
    skeletons: unicode_security::UNICODE_VERSION,
};

/// The most code points worth reading of what is claimed to be a name.
///
/// NFC makes one code point of four at most (U+1F82 is the longest canonical decomposition), and
/// the width mapping before it is one to one; so what is longer than this cannot become a name.
const MAX_TYPED: usize = 4 * MAX_NAME;

/// How many code points of a text [`suggest`] looks at.
const MAX_SUGGESTED_FROM: usize = 2 * MAX_TYPED;

/// What [`suggest`] puts for characters that a name cannot have.
const SEPARATOR: char = '_';

/// A valid user name, as typed.
///
/// Equality and order are those of the text, for maps and lists. Whether two names are the same
/// *person's* is for [`NameKeys::collides`] to say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Makes a name of what somebody typed or a peer sent. The text may be of any length and kind.
    ///
    /// Fullwidth and halfwidth forms become ordinary ones and the text NFC; parsing the result
    /// again gives the same.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().nth(MAX_TYPED).is_some() {
            return Err(NameError::TooLong(Attempt::of(text)));
        }
        let name = normalise(text);
        if name.chars().nth(MAX_NAME).is_some() {
            return Err(NameError::TooLong(Attempt::of(text)));
        }
        check_characters(&name, text)?;
        check_precis(&name, text)?;
        match reserved_word(&name) {
            Some(word) => Err(NameError::Reserved(word, Attempt::of(text))),
            None => Ok(Self(name)),
        }
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The strings under which the name is unique.
    pub fn keys(&self) -> NameKeys {
        NameKeys::of(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Name {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

/// The strings under which a name is unique. They are compared, never shown.
///
/// Two names are one if they have `folded` in common, or any skeleton of one is any skeleton of the
/// other. Skeletons are compared across the two forms on purpose: whoever reads `Ian` on a screen
/// may take it for `lan` and type that, and would reach a person called `LAN`, whose folded form it
/// is. It also lets a store keep all skeletons in one column with one unique index.
///
/// The price is a few refusals that no eye would ask for (`Ian` beside `LAN`). Accents tell names
/// apart (`José`, `Jose`), and so do numbers (`aluno1`, `aluno2`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameKeys {
    /// The name by RFC 8265 UsernameCaseMapped: what people who type it in any case mean.
    pub folded: String,
    /// The UTS 39 skeletons of the name as shown and of `folded`; one if they are the same, else two,
    /// in that order.
    pub skeletons: Vec<String>,
}

impl NameKeys {
    /// The keys of a text that once was a valid name.
    ///
    /// For a store that recomputes its keys because [`NAME_TABLE_VERSION`] changed: it must not fail
    /// even if today's rules would refuse the name. Anything else goes through [`Name::keys`].
    pub fn of(name: &str) -> Self {
        let folded = fold(name).unwrap_or_else(|_| name.to_lowercase().nfc().collect());
        let mut skeletons = vec![skeleton(name)];
        let of_folded = skeleton(&folded);
        if !skeletons.contains(&of_folded) {
            skeletons.push(of_folded);
        }
        Self { folded, skeletons }
    }

    /// Whether a person could take one name for the other.
    pub fn collides(&self, other: &NameKeys) -> bool {
        self.folded == other.folded
            || self
                .skeletons
                .iter()
                .any(|skeleton| other.skeletons.contains(skeleton))
    }
}

/// The versions of all that the keys of a name depend on.
///
/// A store writes its `Display` form (`rules 1, classes 6.3.0, …`) beside the keys, and makes them
/// anew by [`NameKeys::of`] when it differs. Names that then collide keep what they have: a table
/// does not take a claim away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTableVersion {
    /// The rules of this module; raised by hand whenever a key comes out different.
    pub rules: u32,
    /// Unicode version of PRECIS's character classes.
    pub classes: (u8, u8, u8),
    /// Unicode version of PRECIS's width and direction tables.
    pub direction: (u8, u8, u8),
    /// Unicode version of the standard library, which maps case.
    pub case: (u8, u8, u8),
    /// Unicode version of the normalisation tables.
    pub normalisation: (u8, u8, u8),
    /// Unicode version of the UTS 39 confusables.
    pub skeletons: (u64, u64, u64),
}

impl fmt::Display for NameTableVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rules {}", self.rules)?;
        for (table, (major, minor, update)) in [
            ("classes", widen(self.classes)),
            ("direction", widen(self.direction)),
            ("case", widen(self.case)),
            ("normalisation", widen(self.normalisation)),
            ("skeletons", self.skeletons),
        ] {
            write!(f, ", {table} {major}.{minor}.{update}")?;
        }
        Ok(())
    }
}

/// Why a text is not a name, one variant for each rule. `Display` names the rule, in English;
/// [`kind`](Self::kind) names it for a translation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is no text.
    #[error("a name has at least one character")]
    Empty,
    /// More than [`MAX_NAME`] code points.
    #[error("a name has at most {MAX_NAME} characters")]
    TooLong(Attempt),
    /// The first character is allowed, but not there.
    #[error("a name begins with a letter or a digit, not with {}", Shown(*.0))]
    FirstCharacter(char, Attempt),
    /// A character that no name has.
    #[error("a name has letters, digits and . _ - only, not {}", Shown(*.0))]
    Character(char, Attempt),
    /// A character that is newer than the tables by which names are judged.
    #[error("the character {} is too new to be used in a name", Shown(*.0))]
    UnknownCharacter(char, Attempt),
    /// More than [`MAX_MARKS`] combining marks in a row.
    #[error("a name has at most {MAX_MARKS} accents on one letter")]
    Marks(Attempt),
    /// Arabic digits of both series, which look alike (RFC 5892 A.8, A.9).
    #[error("a name has Arabic-Indic or extended Arabic-Indic digits, not both")]
    MixedDigits(Attempt),
    /// Letters of both directions, or digits or punctuation where they would jump (RFC 5893).
    #[error(
        "a name is written in one direction: one with right-to-left letters begins with such a \
         letter, ends with one or a digit, and has none that are written from left to right"
    )]
    Direction(Attempt),
    /// It is, or looks like, the word given, which addresses everyone.
    #[error("the name is, or looks like, “{0}”, which addresses everyone")]
    Reserved(&'static str, Attempt),
    /// PRECIS refuses it for no reason that has a rule here, or would change it again.
    #[error("the name has no stable form")]
    NotNormalisable(Attempt),
}

impl NameError {
    /// Every word that [`kind`](Self::kind) returns, for whoever translates them.
    pub const KINDS: [&'static str; 10] = [
        "empty",
        "too_long",
        "first_character",
        "character",
        "unknown_character",
        "marks",
        "mixed_digits",
        "direction",
        "reserved",
        "not_normalisable",
    ];

    /// The rule as a stable word for programs and translations.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong(_) => "too_long",
            Self::FirstCharacter(..) => "first_character",
            Self::Character(..) => "character",
            Self::UnknownCharacter(..) => "unknown_character",
            Self::Marks(_) => "marks",
            Self::MixedDigits(_) => "mixed_digits",
            Self::Direction(_) => "direction",
            Self::Reserved(..) => "reserved",
            Self::NotNormalisable(_) => "not_normalisable",
        }
    }

    /// The character that was refused, where it was one, as it may be printed: `“!” (U+0021)`, or
    /// `U+001B` alone if it cannot be seen.
    pub fn character(&self) -> Option<String> {
        match self {
            Self::FirstCharacter(c, _) | Self::Character(c, _) | Self::UnknownCharacter(c, _) => {
                Some(Shown(*c).to_string())
            }
            Self::Empty
            | Self::TooLong(_)
            | Self::Marks(_)
            | Self::MixedDigits(_)
            | Self::Direction(_)
            | Self::Reserved(..)
            | Self::NotNormalisable(_) => None,
        }
    }

    /// The nearest valid name, as [`suggest`] makes it. It may be taken.
    pub fn suggestion(&self) -> Option<Name> {
        match self {
            Self::Empty => None,
            Self::TooLong(attempt)
            | Self::FirstCharacter(_, attempt)
            | Self::Character(_, attempt)
            | Self::UnknownCharacter(_, attempt)
            | Self::Marks(attempt)
            | Self::MixedDigits(attempt)
            | Self::Direction(attempt)
            | Self::Reserved(_, attempt)
            | Self::NotNormalisable(attempt) => suggest(&attempt.0),
        }
    }
}

/// The text that was refused, or its beginning, from which a suggestion can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt(Box<str>);

impl Attempt {
    fn of(text: &str) -> Self {
        Self(beginning(text).into())
    }
}

/// The nearest valid name that can be made out of any text, or `None` if it has no letter or digit
/// that a name could have. The result always parses; whether somebody has it is another matter.
///
/// Compatibility forms become ordinary ones (`ﬁ` → `fi`, `①` → `1`), apostrophes and invisible
/// characters go, other refused characters become one `_` between letters; what follows the 32nd
/// code point is cut. Of two directions of writing, the one that leaves more stays. What is
/// reserved gets `-1` at its end.
///
/// Takes up to a millisecond for text made to annoy: a matter for the client that asks a person,
/// rather than for the hub that refuses a claim.
pub fn suggest(text: &str) -> Option<Name> {
    if let Ok(name) = Name::parse(text) {
        return Some(name);
    }
    let candidate = clean(text);
    match Name::parse(&candidate) {
        Ok(name) => Some(name),
        Err(NameError::Reserved(..)) => Name::parse(&format!("{candidate}-1")).ok(),
        Err(_) => {
            let whole = longest_valid(&candidate);
            let from_letter = candidate.trim_start_matches(|c| !char::is_alphabetic(c));
            let from_letter = longest_valid(from_letter);
            // The longer; of two alike, the one that begins as the text does.
            match (whole, from_letter) {
                (Some(a), Some(b)) if b.0.chars().count() > a.0.chars().count() => Some(b),
                (Some(a), _) => Some(a),
                (None, b) => b,
            }
        }
    }
}

/// A character in an error text: itself, if it can be seen, and its number.
struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = u32::from(self.0);
        let mut buffer = [0; 4];
        let text: &str = self.0.encode_utf8(&mut buffer);
        if self.0.is_whitespace() || sanitise_line(text) != text {
            write!(f, "U+{code:04X}")
        } else {
            write!(f, "“{text}” (U+{code:04X})")
        }
    }
}

/// The width mapping of RFC 8265, then NFC.
fn normalise(text: &str) -> String {
    match UsernameCasePreserved::new().width_mapping_rule(text) {
        Ok(mapped) => mapped.nfc().collect(),
        // Not possible: every mapping leads to a character. What is left is refused by its class.
        Err(_) => text.nfc().collect(),
    }
}

fn check_characters(name: &str, typed: &str) -> Result<(), NameError> {
    let mut marks: usize = 0;
    for c in name.chars() {
        match class(c) {
            Class::Letter | Class::Separator => marks = 0,
            Class::Mark => marks = marks.saturating_add(1),
            Class::Refused => return Err(NameError::Character(c, Attempt::of(typed))),
            Class::Unknown => return Err(NameError::UnknownCharacter(c, Attempt::of(typed))),
        }
        if marks > MAX_MARKS {
            return Err(NameError::Marks(Attempt::of(typed)));
        }
    }
    match name.chars().next() {
        Some(first) if class(first) != Class::Letter => {
            Err(NameError::FirstCharacter(first, Attempt::of(typed)))
        }
        Some(_) => Ok(()),
        None => Err(NameError::Empty),
    }
}

/// What both PRECIS profiles ask of the whole name: digits of one series, direction, stability.
fn check_precis(name: &str, typed: &str) -> Result<(), NameError> {
    // PRECIS has nothing to say of the ASCII that a name may have, and most names are no more.
    if name.is_ascii() {
        return Ok(());
    }
    let profile = UsernameCasePreserved::new();
    if let Err(precis_core::Error::BadCodepoint(bad)) = IdentifierClass::default().allows(name) {
        return Err(match char::from_u32(bad.cp) {
            Some('\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}') => {
                NameError::MixedDigits(Attempt::of(typed))
            }
            Some(c) => NameError::Character(c, Attempt::of(typed)),
            None => NameError::NotNormalisable(Attempt::of(typed)),
        });
    }
    if profile.directionality_rule(name).is_err() {
        return Err(NameError::Direction(Attempt::of(typed)));
    }
    match UsernameCasePreserved::enforce(name) {
        Ok(enforced) if enforced == name && fold(name).is_ok() => Ok(()),
        _ => Err(NameError::NotNormalisable(Attempt::of(typed))),
    }
}

/// What a character is to a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A letter or a digit.
    Letter,
    Mark,
    Separator,
    Refused,
    /// Not in the tables yet.
    Unknown,
}

fn class(c: char) -> Class {
    match c {
        '.' | '_' | '-' => return Class::Separator,
        c if c.is_ascii_alphanumeric() => return Class::Letter,
        c if c.is_ascii() => return Class::Refused,
        _ => {}
    }
    match IdentifierClass::default().get_value_from_char(c) {
        // PRECIS also lets in a few signs that are no letters; CONTEXTO are the Arabic digits and
        // some punctuation, CONTEXTJ the joiners, which cannot be seen.
        DerivedPropertyValue::PValid
        | DerivedPropertyValue::SpecClassPval
        | DerivedPropertyValue::ContextO => {
            if is_mark(c) {
                Class::Mark
            } else if c.is_alphanumeric() {
                Class::Letter
            } else {
                Class::Refused
            }
        }
        // Unknown to PRECIS, known to the standard library: a letter that came later.
        DerivedPropertyValue::Unassigned if c.is_alphanumeric() || is_mark(c) => Class::Unknown,
        DerivedPropertyValue::Unassigned
        | DerivedPropertyValue::ContextJ
        | DerivedPropertyValue::SpecClassDis
        | DerivedPropertyValue::Disallowed => Class::Refused,
    }
}

/// The name by RFC 8265 UsernameCaseMapped.
fn fold(name: &str) -> Result<String, precis_core::Error> {
    UsernameCaseMapped::enforce(name).map(|folded| folded.into_owned())
}

fn skeleton(text: &str) -> String {
    unicode_security::skeleton(text).collect()
}

/// The reserved word that the name is or looks like.
///
/// Reserved words are reserved in every case, so skeletons are compared without it: `AlI` looks like
/// `All`, and `t0dos` has the skeleton `tOdos`.
fn reserved_word(name: &str) -> Option<&'static str> {
    let keys = NameKeys::of(name);
    RESERVED.into_iter().find(|word| {
        keys.folded == *word
            || keys
                .skeletons
                .iter()
                .any(|skeleton| skeleton.to_lowercase() == *word)
    })
}

/// What of a text can stand in a name, in NFC, at most [`MAX_NAME`] code points.
fn clean(text: &str) -> String {
    let line = beginning(text);
    let line = sanitise_line(line);
    let mut kept = String::new();
    // Whether something was left out since the last character kept.
    let mut gap = false;
    for c in line.chars().nfkc() {
        match (class(c), kept.chars().next_back().map(class)) {
            (Class::Letter, before) => {
                if gap && matches!(before, Some(Class::Letter | Class::Mark)) {
                    kept.push(SEPARATOR);
                }
                kept.push(c);
                gap = false;
            }
            (Class::Mark, Some(Class::Letter | Class::Mark)) if !gap => kept.push(c),
            (Class::Mark, _) => {}
            (Class::Separator, Some(_)) => {
                kept.push(c);
                gap = false;
            }
            (Class::Separator, None) => {}
            (Class::Refused | Class::Unknown, _) => gap |= !is_dropped(c),
        }
    }
    kept.nfc().take(MAX_NAME).collect()
}

/// Refused characters that stand inside words: apostrophes, middle dots and joiners.
fn is_dropped(c: char) -> bool {
    matches!(
        c,
        '\'' | '"' | '`' | '‘'..='‟' | '·' | '\u{200C}' | '\u{200D}'
    )
}

/// The valid name that comes of taking a text's characters in order and leaving out each that does
/// not go with those before it.
fn longest_valid(text: &str) -> Option<Name> {
    let mut taken = String::new();
    let mut longest = None;
    for c in text.chars().take(MAX_NAME) {
        let mut longer = taken.clone();
        longer.push(c);
        match Name::parse(&longer) {
            Ok(name) => {
                longest = Some(name);
                taken = longer;
            }
            // A separator may not stand at the end of a right-to-left name, but before its end.
            Err(NameError::Reserved(..)) => taken = longer,
            Err(NameError::Direction(_)) if class(c) == Class::Separator => taken = longer,
            Err(_) => {}
        }
    }
    longest
}

/// The part of a text that suggestions are made from.
fn beginning(text: &str) -> &str {
    match text.char_indices().nth(MAX_SUGGESTED_FROM) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

fn widen((major, minor, update): (u8, u8, u8)) -> (u64, u64, u64) {
    (major.into(), minor.into(), update.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[track_caller]
    fn name(text: &str) -> Name {
        Name::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    #[track_caller]
    fn refused(text: &str, kind: &str, suggestion: Option<&str>) {
        let Err(error) = Name::parse(text) else {
            panic!("{text:?} was accepted")
        };
        assert_eq!(error.kind(), kind, "for {text:?}: {error}");
        assert_eq!(
            error.suggestion().as_ref().map(Name::as_str),
            suggestion,
            "for {text:?}"
        );
    }

    fn collide(a: &str, b: &str) -> bool {
        let (a, b) = (name(a).keys(), name(b).keys());
        assert_eq!(a.collides(&b), b.collides(&a));
        a.collides(&b)
    }

    /// Texts that are names, or nearly.
    fn nearly() -> impl Strategy<Value = String> {
        let character = prop_oneof![
            4 => "[a-zA-Z0-9._-]".prop_map(|text| text.chars().next().unwrap_or('a')),
            1 => any::<char>(),
            4 => prop::sample::select(
                "áçÉÑßİıſŉΣσςΩάАаЖרשאبمञकि्ไท日本한글ªº①ﬁＡ１ｱﾟ٣۴९\u{301}\u{345}\u{313}\u{327}\u{483}\
                 ' !@\n\u{1b}\u{200d}\u{202e}\u{34f}ᾈᲐაꭰᎠ\u{1e900}\u{10400}〇་۽·ǅẞⅣ"
                    .chars()
                    .collect::<Vec<_>>()
            ),
        ];
        prop::collection::vec(character, 0..40).prop_map(String::from_iter)
    }

    #[test]
    fn names_are_kept_as_typed() {
        for text in [
            "A",
            "a",
            "7",
            "Ana",
            "ana.maria",
            "Ana_Maria-2",
            "João",
            "Ñandú",
            "Ωμέγα",
            "Андрей",
            "日本",
            "はるか",
            "שרה",
            "مريم",
            "สมชาย",
            "देवी",
            "김철수",
            "a.",
            "a__b",
            "O_o",
            "abcdefghijklmnopqrstuvwxyz012345",
        ] {
            assert_eq!(name(text).as_str(), text);
            assert_eq!(name(text).to_string(), text);
            assert_eq!(text.parse(), Ok(name(text)));
        }
    }

    #[test]
    fn names_are_normalised() {
        assert_eq!(name("Jose\u{301}").as_str(), "José");
        assert_eq!(name("Ａｎａ１").as_str(), "Ana1");
        assert_eq!(name("ﾊﾟ").as_str(), "パ");
        assert_eq!(name("Å").as_str(), "Å"); // the sign of Ångström
        // Thirty-two of them, each typed as four code points, are still 32.
        let long = "α\u{313}\u{300}\u{345}".repeat(MAX_NAME);
        assert_eq!(name(&long).as_str(), "ᾂ".repeat(MAX_NAME));
        assert_eq!(name(&"𐐨".repeat(MAX_NAME)).as_str().len(), MAX_NAME_BYTES);
    }

    #[test]
    fn each_rule_refuses_and_offers() {
        refused("", "empty", None);
        refused(&"x".repeat(33), "too_long", Some(&"x".repeat(32)));
        refused(&"x".repeat(1 << 20), "too_long", Some(&"x".repeat(32)));
        refused(&"e'\u{301}".repeat(32), "too_long", Some(&"é".repeat(32)));
        refused("_ana", "first_character", Some("ana"));
        refused("-", "first_character", None);
        refused("\u{301}a", "first_character", Some("a"));
        refused("Ana Maria", "character", Some("Ana_Maria"));
        refused(" Ana ", "character", Some("Ana"));
        refused("D'Ávila", "character", Some("DÁvila"));
        refused("ana@casa.br", "character", Some("ana_casa.br"));
        refused("ana\u{202e}", "character", Some("ana"));
        refused("a\u{200d}b", "character", Some("ab"));
        refused("!!!", "character", None);
        refused("\u{1b}[31m", "character", Some("31m"));
        refused("ﬁona①", "character", Some("fiona1"));
        refused("🙂 Ana 🙂", "character", Some("Ana"));
        refused("l·l", "character", Some("ll"));
        refused("a\u{6fd}", "character", Some("a"));
        refused("a〇\u{0f0b}", "character", Some("a〇"));
        refused("Ა", "unknown_character", None); // Georgian capital, Unicode 11
        refused(
            &format!("a{}b", "\u{300}".repeat(10)),
            "marks",
            Some(&format!("à{}b", "\u{300}".repeat(7))),
        );
        refused("مريم٣۴", "mixed_digits", Some("مريم٣"));
        refused("anaשרה", "direction", Some("ana"));
        refused("1שרה", "direction", Some("שרה"));
        refused("שרה-", "direction", Some("שרה"));
        refused("שר-הana", "direction", Some("שר-ה"));
        refused("all", "reserved", Some("all-1"));
    }

    #[test]
    fn reserved_words_and_their_look_alikes_are_refused() {
        for text in [
            "all",
            "ALL",
            "All",
            "aIl",
            "AlI",
            "a11",
            "аll",
            "АLL",
            "ａｌｌ",
            "todos",
            "TODOS",
            "t0dos",
            "T0D0S",
            "tоdоs",
            "Тodos",
        ] {
            let Err(error) = Name::parse(text) else {
                panic!("{text:?} was accepted")
            };
            assert_eq!(error.kind(), "reserved", "for {text:?}");
            assert!(error.suggestion().is_some());
        }
        for text in ["al", "alla", "tall", "todo", "todos2", "ali", "àll"] {
            name(text);
        }
    }

    #[test]
    fn look_alikes_collide_and_others_do_not() {
        assert!(collide("A", "a"), "case");
        assert!(collide("ÉLAN", "élan"), "case, accented");
        assert!(collide("AI", "Al"), "as displayed");
        assert!(collide("A", "А"), "Cyrillic");
        assert!(
            collide("a", "А"),
            "Cyrillic and case, through the folded forms"
        );
        assert!(collide("arne", "ame"), "rn and m");
        assert!(collide("O", "0"));
        assert!(collide("Ian", "LAN"), "across the forms");
        assert!(!collide("Jose", "José"));
        assert!(!collide("Conceicao", "Conceição"));
        assert!(!collide("João", "Joao"));
        assert!(!collide("A", "B"));
        assert!(!collide("AI", "AL"));
        assert!(!collide("ana.b", "ana-b"));
    }

    #[test]
    fn numbered_names_stay_apart() {
        let mut seen = BTreeSet::new();
        for number in 0..1000 {
            for skeleton in name(&format!("aluno{number}")).keys().skeletons {
                assert!(seen.insert(skeleton), "{number}");
            }
        }
    }

    #[test]
    fn keys_are_what_they_say() {
        let keys = name("AI").keys();
        assert_eq!(keys.folded, "ai");
        assert_eq!(keys.skeletons, ["Al", "ai"]);
        let keys = name("ana").keys();
        assert_eq!(keys.folded, "ana");
        assert_eq!(keys.skeletons, ["ana"]);
    }

    #[test]
    fn refusals_read_well_and_hold_nothing_hostile() {
        let text =
            |text| Name::parse(text).map_or_else(|error| error.to_string(), |_| "valid".into());
        assert_eq!(
            text("a!"),
            "a name has letters, digits and . _ - only, not “!” (U+0021)"
        );
        assert_eq!(
            text("a\u{1b}"),
            "a name has letters, digits and . _ - only, not U+001B"
        );
        assert_eq!(
            text("a b"),
            "a name has letters, digits and . _ - only, not U+0020"
        );
        assert_eq!(
            text("a\u{202e}"),
            "a name has letters, digits and . _ - only, not U+202E"
        );
        assert_eq!(
            text("\u{301}"),
            "a name begins with a letter or a digit, not with U+0301"
        );
        assert_eq!(
            text("Todos"),
            "the name is, or looks like, “todos”, which addresses everyone"
        );
        let error = Name::parse("a!").map_or_else(|error| error.character(), |_| None);
        assert_eq!(error.as_deref(), Some("“!” (U+0021)"));
    }

    #[test]
    fn kinds_are_listed() {
        let none = || Attempt::of("");
        let all = [
            NameError::Empty,
            NameError::TooLong(none()),
            NameError::FirstCharacter('a', none()),
            NameError::Character('a', none()),
            NameError::UnknownCharacter('a', none()),
            NameError::Marks(none()),
            NameError::MixedDigits(none()),
            NameError::Direction(none()),
            NameError::Reserved("all", none()),
            NameError::NotNormalisable(none()),
        ];
        assert_eq!(all.map(|error| error.kind()), NameError::KINDS);
    }

    #[test]
    fn the_table_version_names_every_table() {
        let version = NAME_TABLE_VERSION.to_string();
        assert!(
            version.starts_with("rules 1, classes 6.3.0, direction "),
            "{version}"
        );
        assert_eq!(version.split(", ").count(), 6);
    }

    #[test]
    fn every_character_is_judged_without_a_panic() {
        // The planes that have characters; the others are unassigned or private.
        for c in ('\u{0}'..='\u{1FFFF}').chain('\u{E0000}'..='\u{E0FFF}') {
            let text = format!("a{c}b");
            match Name::parse(&text) {
                Ok(name) => {
                    assert_eq!(sanitise_line(name.as_str()), name.as_str());
                    assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(&name));
                    assert!(UsernameCaseMapped::enforce(name.as_str()).is_ok());
                }
                Err(error) => {
                    assert!(error.suggestion().is_some(), "{text:?}");
                    assert_ne!(error.kind(), "not_normalisable", "{text:?}");
                    let shown = error.to_string();
                    assert_eq!(sanitise_line(&shown), shown);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn parsing_is_stable(text in nearly()) {
            if let Ok(name) = Name::parse(&text) {
                prop_assert_eq!(Name::parse(name.as_str()), Ok(name.clone()));
                prop_assert!(name.as_str().chars().count() <= MAX_NAME);
                prop_assert!(name.as_str().len() <= MAX_NAME_BYTES);
                let enforced = UsernameCasePreserved::enforce(name.as_str());
                prop_assert_eq!(enforced.as_deref(), Ok(name.as_str()));
            }
        }

        #[test]
        fn a_name_is_shown_whole(text in nearly()) {
            // Else two names could look the same after the sanitiser.
            if let Some(name) = suggest(&text) {
                prop_assert_eq!(sanitise_line(name.as_str()), name.as_str());
            }
        }

        #[test]
        fn every_suggestion_parses(text in nearly()) {
            if let Some(name) = suggest(&text) {
                prop_assert_eq!(Name::parse(name.as_str()), Ok(name.clone()));
            }
            match Name::parse(&text) {
                // A valid name needs no change.
                Ok(name) => prop_assert_eq!(suggest(name.as_str()), Some(name)),
                Err(error) => prop_assert_eq!(error.suggestion(), suggest(&text)),
            }
        }

        #[test]
        fn something_is_offered_for_every_letter(text in nearly()) {
            if text.contains(|c: char| c.is_ascii_alphanumeric()) {
                prop_assert!(suggest(&text).is_some());
            }
        }

        #[test]
        fn keys_are_stable_under_case(text in nearly()) {
            if let Some(name) = suggest(&text) {
                let keys = name.keys();
                prop_assert!(keys.collides(&keys));
                prop_assert!(matches!(keys.skeletons.len(), 1 | 2));
                if let Ok(lower) = Name::parse(&keys.folded) {
                    prop_assert_eq!(&lower.keys().folded, &keys.folded);
                    prop_assert!(lower.keys().collides(&keys));
                }
                if name.as_str().is_ascii() {
                    let upper = Name::parse(&name.as_str().to_ascii_uppercase());
                    prop_assert_eq!(upper.map(|upper| upper.keys().folded), Ok(keys.folded));
                }
            }
        }

        #[test]
        fn anything_may_come(text in any::<String>()) {
            let _ = Name::parse(&text).map_err(|error| error.to_string());
            let _ = suggest(&text);
            let _ = NameKeys::of(&text);
        }
    }
}
