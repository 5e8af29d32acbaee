//! What people read, in their language.
//!
//! English stands in the code, where it is said; `text/zh/*.toml` together are the catalogue that
//! has the Chinese for each of these texts. What is said to one person who started the program
//! (`tr!`) is in the language that [`speak`] set; what goes elsewhere names its language.

mod clap_error;
mod help;
mod retell;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::sync::{LazyLock, OnceLock};

pub(crate) use self::clap_error::complaint;
pub(crate) use self::help::{framed, localised};
pub(crate) use self::retell::{causes, chain, retold};

/// A language that people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// As the code has it.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

/// The language of the person who started this process.
static SPOKEN: OnceLock<Language> = OnceLock::new();

/// The parts of the catalogue, by what they are about.
const CHINESE: &[(&str, &str)] = &[
    ("commands", include_str!("text/zh/commands.toml")),
    ("demo", include_str!("text/zh/demo.toml")),
    ("doctor", include_str!("text/zh/doctor.toml")),
    ("errors", include_str!("text/zh/errors.toml")),
    ("help", include_str!("text/zh/help.toml")),
    ("reasons", include_str!("text/zh/reasons.toml")),
];

/// English texts and their Chinese.
static CATALOGUE: LazyLock<HashMap<String, String>> =
    LazyLock::new(|| parts().flat_map(|(_, texts)| texts).collect());

/// The parts with their texts.
fn parts() -> impl Iterator<Item = (&'static str, HashMap<String, String>)> {
    CHINESE.iter().map(|(part, text)| (*part, read(part, text)))
}

fn read(part: &str, text: &str) -> HashMap<String, String> {
    toml::from_str(text).unwrap_or_else(|error| panic!("the catalogue's part {part}: {error}"))
}

impl Language {
    /// Reads the name of a language: `en`, `zh`, or a locale such as `zh_CN.UTF-8`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.split(['_', '-', '.', '@']).next()? {
            "en" | "C" | "POSIX" => Some(Self::English),
            "zh" => Some(Self::Chinese),
            _ => None,
        }
    }

    /// What the arguments of the program ask for, wherever `--lang` stands among them: help and
    /// mistakes are in that language too, so it has to be known before they are understood.
    pub(crate) fn of_arguments(arguments: &[OsString]) -> Option<Self> {
        let texts = arguments.iter().map(|it| it.to_str().unwrap_or_default());
        let mut texts = texts.take_while(|it| *it != "--");
        while let Some(text) = texts.next() {
            if text == "--lang" {
                return Self::from_name(texts.next()?);
            }
            if let Some(name) = text.strip_prefix("--lang=") {
                return Self::from_name(name);
            }
        }
        None
    }

    /// What the environment asks for: `CRS_LANG`, else the first that is set of `LC_ALL`,
    /// `LC_MESSAGES` and `LANG`. A language that is not spoken here is English.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let named = ["CRS_LANG", "LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        named.and_then(|name| Self::from_name(&name)).unwrap_or_default()
    }
}

/// Sets the language of this process. Only the first time counts.
pub fn speak(language: Language) {
    // A second one would change the language within a sentence.
    let _ = SPOKEN.set(language);
}

/// The language of this process; English until it is set.
pub fn spoken() -> Language {
    SPOKEN.get().copied().unwrap_or_default()
}

/// A text of the catalogue in a language; in English where there is no other.
pub fn text(english: &str, language: Language) -> &str {
    match language {
        Language::English => english,
        Language::Chinese => chinese(english).unwrap_or(english),
    }
}

/// The Chinese for a text of the catalogue.
fn chinese(english: &str) -> Option<&'static str> {
    CATALOGUE.get(english).map(String::as_str)
}

/// A text with its places, `{name}`, filled. Values are taken as they are: braces within them
/// are no places.
pub fn fill(text: &str, values: &[(&str, &dyn Display)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let place = after.split_once('}');
        let value = place.and_then(|(name, behind)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, behind))
        });
        filled.push_str(before);
        if let Some((value, behind)) = value {
            filled.push_str(&value.to_string());
            rest = behind;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled + rest
}

/// Says a text in the language of this process: `tr!("no keys yet")`, `tr!("removed {id}", id)`,
/// `tr!("{count} keys", count = keys.len())`. The text is a literal, and stands in the catalogue.
macro_rules! tr {
    ($english:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        $crate::text::fill(
            $crate::text::text($english, $crate::text::spoken()),
            &[$((stringify!($name), $crate::text::tr!(@value $name $(= $value)?))),*],
        )
    };
    (@value $name:ident) => { &$name as &dyn std::fmt::Display };
    (@value $name:ident = $value:expr) => { &$value as &dyn std::fmt::Display };
}
pub(crate) use tr;
