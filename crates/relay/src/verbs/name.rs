//! What names and notes may be.

use relay_core::id::{AccountId, GroupId, KeyId};

use crate::verbs::VerbError;
use crate::verbs::key::GROUP_MARK;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 100;
/// The longest note, in characters.
const NOTE_CHARS_MAX: usize = 2_000;

/// The name without spaces around it, if it can be one: nothing that reads as an id, as a group
/// in a binding, or that a terminal would obey.
pub(super) fn checked_name(text: &str) -> Result<String, VerbError> {
    let name = text.trim();
    let refuse = |why: String| Err(VerbError::Invalid(why));
    let is_id = name.parse::<AccountId>().is_ok()
        || name.parse::<GroupId>().is_ok()
        || name.parse::<KeyId>().is_ok();
    if name.is_empty() {
        Err(VerbError::Invalid("a name cannot be empty".into()))
    } else if name.chars().count() > NAME_CHARS_MAX {
        refuse(format!("the name {name:?} is longer than {NAME_CHARS_MAX} characters"))
    } else if name.chars().any(char::is_control) {
        refuse(format!("the name {name:?} has control characters"))
    } else if is_id {
        refuse(format!("the name {name:?} has the form of an id"))
    } else if name.starts_with(GROUP_MARK) {
        refuse(format!("the name {name:?} begins like a group in a binding"))
    } else {
        Ok(name.to_owned())
    }
}

/// A note, an owner or a tag as it was given, if it can be one.
pub(super) fn checked_note(text: &str) -> Result<String, VerbError> {
    if text.chars().count() > NOTE_CHARS_MAX {
        let why = format!("a note is at most {NOTE_CHARS_MAX} characters long");
        return Err(VerbError::Invalid(why));
    }
    if text.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\t')) {
        return Err(VerbError::Invalid("a note has no control characters".into()));
    }
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_can_be_told_from_ids_and_groups() {
        assert_eq!(checked_name(" Büro 办公室 ").ok().as_deref(), Some("Büro 办公室"));
        assert_eq!(checked_name("acct_main").ok().as_deref(), Some("acct_main"));
        let long = "x".repeat(101);
        for wrong in ["", "  ", "acct_7", "key_1", "grp_12", "group:a", "a\nb", "\u{1b}[2J", &long]
        {
            assert!(matches!(checked_name(wrong), Err(VerbError::Invalid(_))), "{wrong:?}");
        }
    }

    #[test]
    fn notes_may_have_lines_but_no_escapes() {
        assert_eq!(checked_note("a\nb ").ok().as_deref(), Some("a\nb"));
        assert!(checked_note("a\u{1b}b").is_err());
        assert!(checked_note(&"x".repeat(2_001)).is_err());
    }
}
