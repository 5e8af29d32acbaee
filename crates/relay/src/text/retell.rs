//! Says in another language what the program has already said in English.
//!
//! Errors are made where nobody knows of languages, with their values filled in. The catalogue has
//! their templates: a message is matched against the literal parts of each, what stands in the
//! places is taken out and, if it is a message itself, said again in the same way. What matches
//! nothing, as words of the system or of a provider, stays as it is.

use std::cmp::Reverse;
use std::sync::LazyLock;

use super::{Language, parts};

/// The parts of the catalogue whose texts arrive filled in.
pub(super) const RETOLD: &[&str] = &["errors", "reasons"];
/// How deep messages are looked for within messages.
const DEPTH_MAX: usize = 5;

/// A text of the catalogue, cut at its places.
struct Template {
    /// What stands before the first place, between two, and behind the last.
    literals: Vec<String>,
    names: Vec<String>,
    chinese: String,
}

/// The most specific first: a short template would take a longer one's text for a value.
static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let texts = parts().filter(|(part, _)| RETOLD.contains(part));
    let mut templates: Vec<_> = texts
        .flat_map(|(_, texts)| texts)
        .map(|(english, chinese)| Template::new(&english, chinese))
        .collect();
    templates.sort_by_cached_key(|it| {
        let letters: usize = it.literals.iter().map(String::len).sum();
        (it.names.len().min(1), Reverse(letters), it.literals.clone())
    });
    templates
});

/// A message in a language.
pub(crate) fn retold(message: &str, language: Language) -> String {
    match language {
        Language::English => message.to_owned(),
        Language::Chinese => lines(message, DEPTH_MAX),
    }
}

/// An error and its causes in a language.
pub(crate) fn chain(error: &anyhow::Error, language: Language) -> String {
    if language == Language::English {
        return format!("{error:#}");
    }
    let layers = error.chain().map(|layer| retold(&layer.to_string(), language));
    layers.collect::<Vec<_>>().join("：")
}

/// A message of several lines is one of several messages, unless one template is all of it.
fn lines(message: &str, depth: usize) -> String {
    if let Some(whole) = matched(message, depth) {
        return whole;
    }
    let line = |line: &str| {
        let text = line.trim_start_matches([' ', '-']);
        let indent = &line[..line.len() - text.len()];
        format!("{indent}{}", one(text, depth))
    };
    message.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// One message; or several behind one another, as the reasons of an account; or a name and a
/// message behind a colon, as of a setting.
fn one(message: &str, depth: usize) -> String {
    if let Some(whole) = matched(message, depth) {
        return whole;
    }
    // The longest first: a message may have such a mark within.
    for (at, mark) in message.rmatch_indices("; ") {
        if let Some(said) = matched(&message[..at], depth) {
            return format!("{said}；{}", one(&message[at + mark.len()..], depth));
        }
    }
    for (at, colon) in message.match_indices(": ") {
        let (name, behind) = (&message[..at], &message[at + colon.len()..]);
        let (said, told) = (matched(name, depth), matched(behind, depth));
        if said.is_some() || told.is_some() {
            let name = said.unwrap_or_else(|| name.to_owned());
            return format!("{name}：{}", told.unwrap_or_else(|| one(behind, depth)));
        }
    }
    message.to_owned()
}

fn matched(message: &str, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    TEMPLATES.iter().find_map(|template| {
        let values = template.values(message)?;
        let values: Vec<String> = values.into_iter().map(|value| lines(value, depth)).collect();
        let values: Vec<(&str, &dyn std::fmt::Display)> = template
            .names
            .iter()
            .zip(&values)
            .map(|(name, value)| (name.as_str(), value as &dyn std::fmt::Display))
            .collect();
        Some(super::fill(&template.chinese, &values))
    })
}

impl Template {
    fn new(english: &str, chinese: String) -> Self {
        let (mut literals, mut names) = (Vec::new(), Vec::new());
        let mut rest = english;
        while let Some((before, (name, behind))) =
            rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
        {
            literals.push(before.to_owned());
            names.push(name.to_owned());
            rest = behind;
        }
        literals.push(rest.to_owned());
        Self { literals, names, chinese }
    }

    /// What stands in the places, if the message is of this template.
    fn values<'a>(&self, message: &'a str) -> Option<Vec<&'a str>> {
        let [first, between @ ..] = self.literals.as_slice() else { return None };
        let mut rest = message.strip_prefix(first.as_str())?;
        let Some((last, between)) = between.split_last() else {
            return rest.is_empty().then(Vec::new);
        };
        let mut values = Vec::with_capacity(self.names.len());
        for literal in between {
            let (value, behind) = rest.split_once(literal.as_str())?;
            values.push(value);
            rest = behind;
        }
        values.push(rest.strip_suffix(last.as_str())?);
        // What stands before a colon, or behind a semicolon, is a message of its own.
        let before = first.is_empty() && values.first().is_some_and(|it| it.contains(": "));
        let is_list = self.literals.iter().any(|literal| literal.ends_with('\n'));
        let semicolon = values.last().is_some_and(|it| it.contains("; "));
        let behind = last.is_empty() && !is_list && semicolon;
        (!before && !behind).then_some(values)
    }
}
