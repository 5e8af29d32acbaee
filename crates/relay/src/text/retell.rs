//! Says in another language what the program has already said in English.
//!
//! Errors are made where nobody knows of languages, with their values filled in. The catalogue has
//! their templates: a message is matched against the literal parts of each, and what stands in the
//! places is taken out. The name of a place in the catalogue tells what stands there: a message,
//! which is said again in the same way, or a value, which stays as it is. So does what matches
//! nothing, as words of the system or of a provider.

use std::cmp::Reverse;
use std::error::Error;
use std::iter::successors;
use std::sync::LazyLock;

use super::{Language, parts};

/// The parts of the catalogue whose texts arrive filled in.
pub(super) const RETOLD: &[&str] = &["errors", "reasons"];
/// The places of these names hold messages.
const MESSAGES: &[&str] = &["cause", "error", "process", WHAT, "why"];
/// The place that single words are put into, such as the kind of a thing, or a list of things.
const WHAT: &str = "what";
/// A text that begins with this place says something of a file, and of nothing else.
const PATH: &str = "path";
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
        Language::Chinese => word(message, DEPTH_MAX),
    }
}

/// An error and its causes in a language.
pub(crate) fn chain(error: &anyhow::Error, language: Language) -> String {
    causes(error.as_ref(), language)
}

/// The same of an error that is known.
pub(crate) fn causes(error: &(dyn Error + 'static), language: Language) -> String {
    let layers: Vec<_> = layers(error).iter().map(|layer| retold(layer, language)).collect();
    layers.join(match language {
        Language::English => ": ",
        Language::Chinese => "：",
    })
}

/// What an error and each of its causes say. Some libraries put the cause into their own words
/// too: it is left out then, as it would be said twice.
fn layers(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut layers: Vec<String> = Vec::new();
    for layer in successors(Some(error), |error| (*error).source()) {
        let text = layer.to_string();
        if !layers.last().is_some_and(|before| before.ends_with(&text)) {
            layers.push(text);
        }
    }
    layers
}

/// A message, or a single word that is put into one.
fn word(message: &str, depth: usize) -> String {
    let words = TEMPLATES.iter().filter(|template| template.is_word());
    let mut said = words.filter(|template| template.literals[0] == message);
    said.next().map_or_else(|| lines(message, depth), |word| word.chinese.clone())
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
        // Words of others may end in a message by chance.
        if said.is_some() || (told.is_some() && !name.contains(' ')) {
            let name = said.unwrap_or_else(|| name.to_owned());
            return format!("{name}：{}", told.unwrap_or_else(|| one(behind, depth)));
        }
    }
    message.to_owned()
}

fn matched(message: &str, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let messages = TEMPLATES.iter().filter(|template| !template.is_word());
    let mut messages = messages.filter_map(|template| Some((template, template.values(message)?)));
    messages.next().map(|(template, values)| {
        let values = template.names.iter().zip(values);
        let values: Vec<String> = values.map(|(name, value)| told(name, value, depth)).collect();
        let values: Vec<(&str, &dyn std::fmt::Display)> = template
            .names
            .iter()
            .zip(&values)
            .map(|(name, value)| (name.as_str(), value as &dyn std::fmt::Display))
            .collect();
        super::fill(&template.chinese, &values)
    })
}

/// What stands in a place of this name.
fn told(name: &str, value: &str, depth: usize) -> String {
    match name {
        WHAT => {
            let things = value.split(", ").map(|thing| word(thing, depth));
            things.collect::<Vec<_>>().join("、")
        }
        name if MESSAGES.contains(&name) => lines(value, depth),
        _ => value.to_owned(),
    }
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

    /// Whether it is a single word, which by itself may be anything: a name, a value.
    fn is_word(&self) -> bool {
        self.names.is_empty() && self.literals.iter().all(|it| !it.contains(' '))
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
        // What stands before a colon or on a line, or behind a semicolon, is a message of its own.
        let is_more = |value: &&str| value.contains(": ") || value.contains('\n');
        let before = first.is_empty() && values.first().is_some_and(is_more);
        let is_list = self.literals.iter().any(|literal| literal.ends_with('\n'));
        let semicolon = values.last().is_some_and(|it| it.contains("; "));
        let behind = last.is_empty() && !is_list && semicolon;
        let names_no_file = first.is_empty()
            && self.names.first().is_some_and(|name| name == PATH)
            && values.first().is_some_and(|value| !value.contains('/'));
        (!before && !behind && !names_no_file).then_some(values)
    }
}
