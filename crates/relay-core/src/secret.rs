//! A value that must not show itself.

use std::fmt;

use zeroize::Zeroize;

/// A secret text: no `Display`, a `Debug` that hides it, wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The last four characters, which listings may show; nothing of a secret shorter than 12.
    pub fn last_four(&self) -> &str {
        match self.0.char_indices().rev().nth(3) {
            Some((start, _)) if self.0.chars().count() >= 12 => &self.0[start..],
            _ => "",
        }
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_text_and_short_secrets_show_no_tail() {
        let secret = Secret::new("abcdefghijkl");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.last_four(), "ijkl");
        assert_eq!(Secret::new("abcdefgh").last_four(), "");
        assert_eq!(Secret::new("密密密密密密密密一二三四").last_four(), "一二三四");
    }
}
