//! The tokens of a sign-in as the text that is sealed, in the database and in the record of
//! refreshes.

use relay_core::clock::Timestamp;
use relay_core::credential::Tokens;
use relay_core::secret::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Room for names, numbers and marks beside the tokens themselves.
const FRAME_BYTES: usize = 512;

/// Tokens as they are written: of `&str` to write them, of `String` to read them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Written<T> {
    access_token: T,
    refresh_token: Option<T>,
    expires_at: Option<Timestamp>,
    obtained_at: Timestamp,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    client_secret: Option<T>,
}

impl<'t> From<&'t Tokens> for Written<&'t str> {
    fn from(tokens: &'t Tokens) -> Self {
        Self {
            access_token: tokens.access.expose(),
            refresh_token: tokens.refresh.as_ref().map(Secret::expose),
            expires_at: tokens.expires_at,
            obtained_at: tokens.obtained_at,
            client_secret: tokens.client_secret.as_ref().map(Secret::expose),
        }
    }
}

impl From<Written<String>> for Tokens {
    fn from(written: Written<String>) -> Self {
        Self {
            access: Secret::new(written.access_token),
            refresh: written.refresh_token.map(Secret::new),
            expires_at: written.expires_at,
            obtained_at: written.obtained_at,
            client_secret: written.client_secret.map(Secret::new),
        }
    }
}

/// A value that holds at most one pair of tokens, as JSON that is wiped from memory.
pub(crate) fn secret_json<T: Serialize>(value: &T, tokens: Option<&Tokens>) -> Zeroizing<Vec<u8>> {
    let length = |secret: &Option<Secret>| secret.as_ref().map_or(0, |it| it.expose().len());
    let token_bytes = tokens.map_or(0, |tokens| {
        tokens.access.expose().len() + length(&tokens.refresh) + length(&tokens.client_secret)
    });
    // Reserved at once, also for tokens of which each character needs a backslash: a buffer that
    // grows leaves copies of a secret behind.
    let mut text = Zeroizing::new(Vec::with_capacity(2 * token_bytes + FRAME_BYTES));
    serde_json::to_writer(&mut *text, value).expect("a buffer takes texts and numbers");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_their_text() {
        let at = Timestamp::from_millis;
        let pair = Tokens {
            access: Secret::new("first \"and\" last"),
            refresh: Some(Secret::new("next\n")),
            expires_at: Some(at(28_800_000)),
            obtained_at: at(7),
            client_secret: Some(Secret::new("an application's")),
        };
        let setup = Tokens { refresh: None, expires_at: None, client_secret: None, ..pair.clone() };
        for tokens in [pair, setup] {
            let text = secret_json(&Written::from(&tokens), Some(&tokens));
            let read: Written<String> = serde_json::from_slice(&text).unwrap();
            assert_eq!(Tokens::from(read), tokens);
        }
    }

    #[test]
    fn the_text_is_of_the_form_that_is_documented() {
        let tokens = Tokens {
            access: Secret::new("a"),
            refresh: Some(Secret::new("r")),
            expires_at: Some(Timestamp::from_millis(2)),
            obtained_at: Timestamp::from_millis(1),
            client_secret: None,
        };
        let text = secret_json(&Written::from(&tokens), Some(&tokens));
        let form = br#"{"access_token":"a","refresh_token":"r","expires_at":2,"obtained_at":1}"#;
        assert_eq!(*text, form);
    }
}
