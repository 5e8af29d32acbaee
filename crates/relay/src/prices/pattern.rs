//! Matching rules of the `genai-prices` format, made into the relay's.

use relay_core::price::{Part, Rule, Shape};
use serde::Deserialize;

/// A rule as the format has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pattern {
    And(Vec<Self>),
    Or(Vec<Self>),
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(String),
}

/// The one look-ahead in use: names without a part `tts`.
const WITHOUT_TTS: &str = r"^(?!.*-[tT][tT][sS](?:$|-))";

impl Pattern {
    /// The rule, or `None` if a regular expression in it has no cheap form.
    pub(super) fn rule(self) -> Option<Rule> {
        let lower = |text: String| text.to_lowercase().into_boxed_str();
        Some(match self {
            Self::And(rules) => {
                Rule::All(rules.into_iter().map(Self::rule).collect::<Option<_>>()?)
            }
            Self::Or(rules) => return any(rules),
            Self::Equals(text) => Rule::Equals(lower(text)),
            Self::StartsWith(text) => Rule::StartsWith(lower(text)),
            Self::EndsWith(text) => Rule::EndsWith(lower(text)),
            Self::Contains(text) => Rule::Contains(lower(text)),
            Self::Regex(text) if text == WITHOUT_TTS => {
                let tts = vec![Rule::Contains("-tts-".into()), Rule::EndsWith("-tts".into())];
                Rule::Not(Box::new(Rule::Any(tts)))
            }
            Self::Regex(text) => Rule::Shape(shape(&text)?),
        })
    }
}

/// One of several: those without a cheap form are left out, and so are repetitions, as names that
/// differ in case only have become one.
fn any(patterns: Vec<Pattern>) -> Option<Rule> {
    let mut rules: Vec<Rule> = Vec::with_capacity(patterns.len());
    for rule in patterns.into_iter().filter_map(Pattern::rule) {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    match rules.len() {
        0 => None,
        1 => rules.pop(),
        _ => Some(Rule::Any(rules)),
    }
}

/// Reads a regular expression of plain text, `[-@]`, `\d` and `\d{8}` from the beginning.
fn shape(text: &str) -> Option<Shape> {
    let text = text.strip_prefix('^')?;
    let (mut rest, open) = text.strip_suffix('$').map_or((text, true), |text| (text, false));
    let mut parts = Vec::new();
    let mut plain = String::new();
    while !rest.is_empty() {
        let (piece, after) = next_piece(rest)?;
        rest = after;
        match piece {
            Piece::Char(char) => plain.push(char.to_ascii_lowercase()),
            Piece::Part(part) => {
                push_text(&mut parts, &mut plain);
                parts.push(part);
            }
        }
    }
    push_text(&mut parts, &mut plain);
    Some(Shape { parts, open })
}

enum Piece {
    Char(char),
    Part(Part),
}

/// The first piece of an expression and what follows it; `None` if it has another meaning than
/// those known here.
fn next_piece(text: &str) -> Option<(Piece, &str)> {
    if let Some(rest) = text.strip_prefix(r"\d") {
        let (count, rest) = match rest.strip_prefix('{') {
            Some(rest) => rest.split_once('}')?,
            None => ("1", rest),
        };
        return Some((Piece::Part(Part::Digits(count.parse().ok()?)), unrepeated(rest)?));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (set, rest) = rest.split_once(']')?;
        let known = !set.is_empty() && set.chars().all(|char| "-@_.:".contains(char));
        return known.then_some((Piece::Part(Part::OneOf(set.into())), unrepeated(rest)?));
    }
    let (escaped, rest) = match text.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let char = rest.chars().next()?;
    let itself = if escaped {
        char.is_ascii_punctuation()
    } else {
        char.is_ascii_alphanumeric() || "-/_:@".contains(char)
    };
    itself.then_some((Piece::Char(char), unrepeated(&rest[char.len_utf8()..])?))
}

/// The rest of an expression, unless it says that what came before may come otherwise than once.
fn unrepeated(rest: &str) -> Option<&str> {
    (!rest.starts_with(['*', '+', '?', '{'])).then_some(rest)
}

fn push_text(parts: &mut Vec<Part>, plain: &mut String) {
    if !plain.is_empty() {
        parts.push(Part::Text(std::mem::take(plain).into_boxed_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(text: &str) -> Option<Rule> {
        Pattern::Regex(text.to_owned()).rule()
    }

    #[test]
    fn expressions_in_use_have_a_cheap_form() {
        let dated = regex(r"^gpt-5\.6-luna-\d{4}-\d{2}-\d{2}$").expect("a form");
        assert!(dated.holds("gpt-5.6-luna-2026-08-21"));
        assert!(!dated.holds("gpt-5x6-luna-2026-08-21"));
        let either = regex(r"^claude-opus-5[-@]\d{8}$").expect("a form");
        assert!(either.holds("claude-opus-5@20260101"));
        let begun = regex(r"^gemini-4-argon-\d").expect("a form");
        assert!(begun.holds("gemini-4-argon-001") && !begun.holds("gemini-4-argon-x"));
        let spoken = regex(WITHOUT_TTS).expect("a form");
        assert!(spoken.holds("gemini-3.8-flash") && !spoken.holds("gemini-3.8-tts-preview"));
    }

    #[test]
    fn any_other_expression_has_none_rather_than_a_wrong_one() {
        for text in
            ["gpt", "^gpt.", "^gpt-\\d+$", "^(a|b)", "^o[134]", "^a?", "^a|b", "^\\w", "^a{2}"]
        {
            assert_eq!(regex(text), None, "{text}");
        }
    }

    #[test]
    fn a_rule_that_loses_a_condition_is_lost_whole() {
        let or = Pattern::Or(vec![Pattern::Regex("^a+".into()), Pattern::Equals("B".into())]);
        assert_eq!(or.rule(), Some(Rule::Equals("b".into())));
        let and = Pattern::And(vec![Pattern::Regex("^a+".into()), Pattern::Equals("B".into())]);
        assert_eq!(and.rule(), None);
    }
}
