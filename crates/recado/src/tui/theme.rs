//! How things look: colours for dark and light backgrounds, without faint ones, or without any.

use std::hash::{DefaultHasher, Hash, Hasher};

use ratatui::style::{Color, Modifier, Style};

use crate::cli;

/// The look of everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Theme {
    ground: Ground,
    has_colour: bool,
    /// Whether the terminal has the colours beyond the sixteen.
    has_many: bool,
    /// Whether the ground is to be what the terminal says.
    is_auto: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ground {
    Dark,
    Light,
    /// Either; nothing is faint, and nothing is told by colour alone.
    Contrast,
}

/// What something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Text,
    /// Beside what matters: times, ways, rules.
    Faint,
    /// What is written down or has arrived.
    Good,
    /// What waits.
    Waiting,
    /// What went wrong.
    Bad,
    /// A heading.
    Title,
    /// What is looked at or chosen.
    Chosen,
    /// What is new.
    New,
    /// A message that names the person who reads it.
    Mention,
    /// The sign before what is written.
    Sign,
}

/// Colours for names: each at least 4.5 to 1 against the ground.
const NAMES_DARK: [u8; 8] = [81, 114, 180, 176, 110, 222, 150, 216];
const NAMES_LIGHT: [u8; 8] = [25, 28, 94, 90, 61, 130, 23, 125];
/// Of the sixteen, those that are legible on either.
const NAMES_FEW: [Color; 4] = [Color::Cyan, Color::Magenta, Color::Green, Color::Blue];

impl Theme {
    /// As chosen, and as the terminal can do. `variable` reads the environment.
    pub(super) fn of(
        chosen: cli::Theme,
        has_colour: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let term = variable("TERM").unwrap_or_default();
        let is_true = variable("COLORTERM").is_some_and(|value| !value.is_empty());
        let many = [
            "256color",
            "kitty",
            "alacritty",
            "foot",
            "ghostty",
            "wezterm",
        ];
        let ground = match chosen {
            cli::Theme::Dark => Ground::Dark,
            cli::Theme::Light => Ground::Light,
            cli::Theme::Contrast => Ground::Contrast,
            // `15;0`: the colours of letters and ground; 7 and 15 are white.
            cli::Theme::Auto => match variable("COLORFGBG") {
                Some(value) if matches!(value.rsplit(';').next(), Some("7" | "15")) => {
                    Ground::Light
                }
                _ => Ground::Dark,
            },
        };
        Self {
            ground,
            has_colour,
            has_many: is_true || many.iter().any(|name| term.contains(name)),
            is_auto: chosen == cli::Theme::Auto,
        }
    }

    /// Whether the terminal is to be asked for its background.
    pub(super) fn asks(&self) -> bool {
        self.is_auto && self.has_colour
    }

    /// The terminal has said what its background is.
    pub(super) fn ground(&mut self, is_light: bool) {
        if self.is_auto {
            self.ground = if is_light {
                Ground::Light
            } else {
                Ground::Dark
            };
        }
    }

    pub(super) fn style(&self, role: Role) -> Style {
        let plain = Style::new();
        let attributes = match role {
            Role::Text | Role::Good | Role::Waiting => plain,
            Role::Faint => match self.ground {
                Ground::Contrast => plain,
                // Where there is no colour to tell it by.
                _ if !self.has_colour => plain.add_modifier(Modifier::DIM),
                _ => plain,
            },
            Role::Bad | Role::Title | Role::Sign => plain.add_modifier(Modifier::BOLD),
            Role::Chosen => plain.add_modifier(Modifier::REVERSED),
            Role::New => plain.add_modifier(Modifier::BOLD),
            Role::Mention if self.has_colour && self.ground != Ground::Contrast => {
                plain.add_modifier(Modifier::BOLD)
            }
            Role::Mention => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        };
        match self.colour(role) {
            Some(colour) => attributes.fg(colour),
            None => attributes,
        }
    }

    fn colour(&self, role: Role) -> Option<Color> {
        if !self.has_colour || self.ground == Ground::Contrast {
            return None;
        }
        let is_dark = self.ground == Ground::Dark;
        let of = |dark: u8, light: u8, few: Color| match (self.has_many, is_dark) {
            (true, true) => Color::Indexed(dark),
            (true, false) => Color::Indexed(light),
            (false, _) => few,
        };
        Some(match role {
            Role::Text | Role::Chosen => return None,
            Role::Faint => of(246, 241, Color::DarkGray),
            Role::Good => of(114, 28, Color::Green),
            Role::Waiting => of(222, 94, Color::Magenta),
            Role::Bad => of(210, 124, Color::Red),
            Role::Title => of(117, 25, Color::Blue),
            Role::New | Role::Sign => of(117, 25, Color::Cyan),
            Role::Mention => of(222, 130, Color::Magenta),
        })
    }

    /// A person's name: the same person has the same colour.
    pub(super) fn name(&self, name: &str, is_own: bool) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        if is_own || !self.has_colour || self.ground == Ground::Contrast {
            return if is_own { bold } else { Style::new() };
        }
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let hash = usize::try_from(hasher.finish() % 1009).unwrap_or(0);
        let of = |list: &[u8; 8]| list.get(hash % list.len()).map(|at| Color::Indexed(*at));
        let colour = match (self.has_many, self.ground) {
            (true, Ground::Dark) => of(&NAMES_DARK),
            (true, _) => of(&NAMES_LIGHT),
            (false, _) => NAMES_FEW.get(hash % NAMES_FEW.len()).copied(),
        };
        Style::new().fg(colour.unwrap_or(Color::Reset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(chosen: cli::Theme, has_colour: bool, variables: &[(&str, &str)]) -> Theme {
        Theme::of(chosen, has_colour, |name| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const ROLES: [Role; 10] = [
        Role::Text,
        Role::Faint,
        Role::Good,
        Role::Waiting,
        Role::Bad,
        Role::Title,
        Role::Chosen,
        Role::New,
        Role::Mention,
        Role::Sign,
    ];

    #[test]
    fn without_colours_there_is_none_and_with_contrast_nothing_faint() {
        for (theme, may_be_dim) in [
            (theme(cli::Theme::Auto, false, &[]), true),
            (theme(cli::Theme::Contrast, true, &[]), false),
        ] {
            for role in ROLES {
                let style = theme.style(role);
                assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
                let is_dim = style.add_modifier.contains(Modifier::DIM);
                assert!(may_be_dim || !is_dim, "{role:?}");
            }
            assert_eq!(theme.name("Alice", false).fg, None);
        }
    }

    #[test]
    fn the_ground_is_what_is_chosen_or_what_the_terminal_says() {
        let light = theme(cli::Theme::Light, true, &[]);
        let mut auto = theme(cli::Theme::Auto, true, &[("COLORFGBG", "0;15")]);
        assert_eq!(auto.ground, Ground::Light);
        assert!(auto.asks() && !light.asks());
        auto.ground(false);
        assert_eq!(auto.ground, Ground::Dark);
        let mut chosen = light;
        chosen.ground(false);
        assert_eq!(chosen, light);
    }

    #[test]
    fn letters_stand_out_from_their_ground() {
        for (chosen, ground) in [
            (cli::Theme::Dark, 0x1e_1e_1e),
            (cli::Theme::Light, 0xff_ff_ff),
        ] {
            let theme = theme(chosen, true, &[("TERM", "xterm-256color")]);
            let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
            let names = names.map(|name| theme.name(name, false));
            for style in ROLES.map(|role| theme.style(role)).into_iter().chain(names) {
                if let Some(Color::Indexed(index)) = style.fg {
                    let found = contrast(rgb(index), ground);
                    assert!(found >= 4.5, "{chosen:?} {index}: {found}");
                }
            }
        }
    }

    /// Of xterm's colours beyond the sixteen.
    fn rgb(index: u8) -> u32 {
        if index >= 232 {
            let grey = 8 + 10 * u32::from(index - 232);
            return grey << 16 | grey << 8 | grey;
        }
        let level = |part: u8| match part {
            0 => 0,
            part => 55 + 40 * u32::from(part),
        };
        let cube = index - 16;
        level(cube / 36) << 16 | level(cube / 6 % 6) << 8 | level(cube % 6)
    }

    /// WCAG 2.1.
    fn contrast(one: u32, other: u32) -> f64 {
        let luminance = |colour: u32| {
            let part = |shift: u32| {
                let value = f64::from((colour >> shift) & 0xff) / 255.0;
                if value <= 0.04045 {
                    value / 12.92
                } else {
                    ((value + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
        };
        let (a, b) = (luminance(one), luminance(other));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }
}
