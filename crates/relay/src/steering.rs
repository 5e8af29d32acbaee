//! Which characters of a text that strangers wrote must not reach a terminal.

/// Whether a character does something else than to stand there: escape sequences, lines of its
/// own, or writing from the right to the left, by which a text can look like another.
pub fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
