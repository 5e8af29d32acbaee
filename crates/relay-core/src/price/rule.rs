//! Rules that say which names are a model's: cheap forms of what the catalogues state.

use serde::{Deserialize, Serialize};

/// A rule over a model's name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The name is this.
    Equals(Box<str>),
    /// The name begins so.
    StartsWith(Box<str>),
    /// The name ends so.
    EndsWith(Box<str>),
    /// The name has this somewhere.
    Contains(Box<str>),
    /// The name has this form.
    Shape(Shape),
    /// One of the rules holds.
    Any(Vec<Self>),
    /// All of the rules hold.
    All(Vec<Self>),
    /// The rule does not hold.
    Not(Box<Self>),
}

/// A form of names, such as `claude-opus-5-` and eight digits: all that catalogues use of regular
/// expressions, without the price of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// What the name consists of, from its beginning.
    pub parts: Vec<Part>,
    /// Whether anything may follow.
    pub open: bool,
}

/// A part of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// This text.
    Text(Box<str>),
    /// One of these characters.
    OneOf(Box<str>),
    /// So many decimal digits.
    Digits(u8),
}

impl Rule {
    /// Whether the rule holds for `name`, which is in lower case.
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::Equals(text) => name == &**text,
            Self::StartsWith(text) => name.starts_with(&**text),
            Self::EndsWith(text) => name.ends_with(&**text),
            Self::Contains(text) => name.contains(&**text),
            Self::Shape(shape) => shape.fits(name),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(name)),
            Self::All(rules) => rules.iter().all(|rule| rule.holds(name)),
            Self::Not(rule) => !rule.holds(name),
        }
    }
}

impl Shape {
    fn fits(&self, name: &str) -> bool {
        let rest = self.parts.iter().try_fold(name, |rest, part| part.strip(rest));
        rest.is_some_and(|rest| self.open || rest.is_empty())
    }
}

impl Part {
    /// What follows the part at the beginning of `text`.
    fn strip<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text(start) => text.strip_prefix(&**start),
            Self::OneOf(set) => text.strip_prefix(|first| set.contains(first)),
            Self::Digits(count) => {
                let (digits, rest) = text.split_at_checked(usize::from(*count))?;
                digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_holds_from_beginning_to_end() {
        let parts = vec![Part::Text("opus-5".into()), Part::OneOf("-@".into()), Part::Digits(8)];
        let closed = Rule::Shape(Shape { parts: parts.clone(), open: false });
        assert!(closed.holds("opus-5-20260101") && closed.holds("opus-5@20260101"));
        for other in ["opus-5-2026010", "opus-5-202601011", "opus-5_20260101", "x-opus-5-20260101"]
        {
            assert!(!closed.holds(other), "{other}");
        }
        assert!(Rule::Shape(Shape { parts, open: true }).holds("opus-5-20260101-v1:0"));
        assert!(!closed.holds("opus-5-2026010日"));
    }

    #[test]
    fn rules_combine() {
        let rule = Rule::All(vec![
            Rule::StartsWith("gemini".into()),
            Rule::Not(Box::new(Rule::Any(vec![
                Rule::Contains("-tts-".into()),
                Rule::EndsWith("-tts".into()),
            ]))),
        ]);
        assert!(rule.holds("gemini-3.8-flash"));
        assert!(!rule.holds("gemini-3.8-flash-tts"));
    }
}
