//! What a user has set at the prompt. It lasts from look to look: a look tells the program, which tells the next one.

use std::fmt;
use std::ops::RangeInclusive;

/// What a user has set at the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Columns of a line; the terminal's own where none is set.
    pub width: Option<u16>,
    /// Colours; where the terminal and `NO_COLOR` allow them if nothing is set.
    pub colour: Option<bool>,
    /// Whether long answers wait for a key after each screenful.
    pub paging: bool,
    /// Rows of a table whose command was given no number; as many as fit the screen where none is set.
    pub rows: Option<u32>,
    /// The program's own frames that stand below a call stack in a table.
    pub frames: u32,
    /// Whether names are whole in every answer, as with `--full`.
    pub full: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            width: None,
            colour: None,
            paging: true,
            rows: None,
            frames: 4,
            full: false,
        }
    }
}

/// A setting: how it is called, what it takes, what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it may be set to; a word in capitals stands for a number.
    pub values: &'static [&'static str],
    /// What it does.
    pub help: &'static str,
}

/// Every setting, in the order in which `set` lists them.
pub const SETTINGS: [Setting; 6] = [
    Setting {
        name: "width",
        values: &["auto", "COLUMNS"],
        help: "columns of a line, 40 to 1000; auto is the terminal's",
    },
    Setting {
        name: "colour",
        values: &["auto", "on", "off"],
        help: "colours; auto heeds NO_COLOR and TERM",
    },
    Setting {
        name: "paging",
        values: &["on", "off"],
        help: "whether a long answer waits for a key at each screenful",
    },
    Setting {
        name: "rows",
        values: &["auto", "N"],
        help: "rows of a table; auto is as many as fit the screen",
    },
    Setting {
        name: "frames",
        values: &["N"],
        help: "frames below each call stack of a table",
    },
    Setting {
        name: "names",
        values: &["short", "full"],
        help: "whether every answer is as with --full",
    },
];

/// The widths that may be set: what is written for, and what no terminal exceeds.
const WIDTHS: RangeInclusive<u16> = 40..=1000;

impl Settings {
    /// How a setting stands. None if there is no such setting.
    pub fn get(&self, name: &str) -> Option<String> {
        let or_auto = |set: Option<String>| set.unwrap_or_else(|| "auto".to_owned());
        let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
        Some(match name {
            "width" => or_auto(self.width.map(|n| n.to_string())),
            "colour" => or_auto(self.colour.map(switch)),
            "paging" => switch(self.paging),
            "rows" => or_auto(self.rows.map(|n| n.to_string())),
            "frames" => self.frames.to_string(),
            "names" => if self.full { "full" } else { "short" }.to_owned(),
            _ => return None,
        })
    }

    /// Changes a setting. None, and no change, if there is no such setting or it cannot be set so.
    pub fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match (name, value) {
            ("width", "auto") => self.width = None,
            ("width", n) => self.width = Some(n.parse().ok().filter(|n| WIDTHS.contains(n))?),
            ("colour", "auto") => self.colour = None,
            ("colour", value) => self.colour = Some(switch(value)?),
            ("paging", value) => self.paging = switch(value)?,
            ("rows", "auto") => self.rows = None,
            ("rows", n) => self.rows = Some(n.parse().ok().filter(|n| *n > 0)?),
            ("frames", n) => self.frames = n.parse().ok()?,
            ("names", "short") => self.full = false,
            ("names", "full") => self.full = true,
            _ => return None,
        }
        Some(())
    }

    /// Reads what [`Display`](fmt::Display) wrote. None for anything else.
    pub fn read(text: &str) -> Option<Self> {
        let mut settings = Settings::default();
        for line in text.lines() {
            let (name, value) = line.split_once(' ')?;
            settings.set(name, value)?;
        }
        Some(settings)
    }
}

/// A line for each setting: its name and how it stands.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Setting { name, .. } in SETTINGS {
            writeln!(f, "{name} {}", self.get(name).unwrap_or_default())?;
        }
        Ok(())
    }
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_set_is_read_back() {
        let mut settings = Settings::default();
        for line in [
            "width 132",
            "colour off",
            "paging off",
            "rows 7",
            "frames 0",
            "names full",
        ] {
            let (name, value) = line.split_once(' ').unwrap();
            assert_eq!(settings.set(name, value), Some(()), "{line}");
            assert_eq!(settings.get(name).as_deref(), Some(value));
        }
        assert_eq!(Settings::read(&settings.to_string()), Some(settings));
        let before = Settings::default();
        assert_eq!(Settings::read(&before.to_string()), Some(before));
    }

    #[test]
    fn every_listed_setting_is_one_and_takes_what_it_lists() {
        for Setting { name, values, .. } in SETTINGS {
            assert!(Settings::default().get(name).is_some(), "{name}");
            for value in values {
                let value = if value.starts_with(char::is_uppercase) {
                    "50"
                } else {
                    value
                };
                assert_eq!(
                    Settings::default().set(name, value),
                    Some(()),
                    "{name} {value}"
                );
            }
        }
    }

    #[test]
    fn nonsense_changes_nothing() {
        let mut settings = Settings::default();
        for (name, value) in [
            ("width", "39"),
            ("width", "1001"),
            ("width", "70000"),
            ("rows", "0"),
            ("rows", "-1"),
            ("colour", "red"),
            ("names", ""),
            ("nothing", "on"),
        ] {
            assert_eq!(settings.set(name, value), None, "{name} {value}");
        }
        assert_eq!(settings, Settings::default());
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "it draws any letter, slowly")]
        fn no_text_panics(text: String) {
            _ = Settings::read(&text);
        }
    }
}
