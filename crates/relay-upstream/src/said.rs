//! What the body of a refusal says, as far as it is the provider's own words: types, codes and
//! reasons of its errors, never a search in text.

use std::borrow::Cow;

use serde_json::Value;

/// The longest message that is kept of a refusal.
const MESSAGE_MAX: usize = 2_000;

/// An error as a provider states it in a body, or in an event of a stream.
#[derive(Debug, Default)]
pub(crate) struct Said {
    error: Value,
}

impl Said {
    /// Reads a body. One that is no JSON says nothing.
    pub(crate) fn of(body: &[u8]) -> Self {
        let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
        // Google's streams that are no event streams are lists.
        if let Some(first) = body.as_array_mut().and_then(|list| list.first_mut()) {
            body = first.take();
        }
        // A stream of Responses ends with a response that failed; Codex also nests errors in
        // `detail`, which may be a text.
        let nested = ["/error", "/response/error", "/detail"].into_iter().find(|place| {
            body.pointer(place).is_some_and(|error| error.is_object() || error.is_string())
        });
        let error = match nested.and_then(|place| body.pointer_mut(place)) {
            Some(error) => error.take(),
            None => body,
        };
        Self { error }
    }

    /// `message` of the error, or the error itself if it is a text.
    pub(crate) fn message(&self) -> &str {
        self.error.as_str().unwrap_or_else(|| self.text("message"))
    }

    /// A text of the error.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.error.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of the error.
    pub(crate) fn number(&self, field: &str) -> Option<f64> {
        let number = self.error.get(field)?;
        number.as_f64().or_else(|| number.as_str()?.trim().parse().ok())
    }

    /// Google's details of a type, such as `RetryInfo`.
    pub(crate) fn details<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        let all = self.error.get("details").and_then(Value::as_array).into_iter().flatten();
        all.filter(move |detail| {
            let named = detail.get("@type").and_then(Value::as_str).unwrap_or_default();
            named.rsplit('.').next() == Some(kind)
        })
    }

    /// Whether the error is of one of these kinds, by its type, code, status or reasons.
    pub(crate) fn is_one_of(&self, words: &[&str]) -> bool {
        let is = |word: &str| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        ["type", "code", "status"].into_iter().any(|field| is(self.text(field)))
            || self
                .details("ErrorInfo")
                .any(|info| info.get("reason").and_then(Value::as_str).is_some_and(is))
    }
}

/// How words begin by which providers call an account by name.
const NAMES: [&str; 6] = ["org-", "proj_", "user-", "project_number:", "projects/", "api_key:"];

/// A message without the names of the account, for clients that share it with others.
pub(crate) fn veiled(message: &str) -> String {
    let end = message.floor_char_boundary(MESSAGE_MAX);
    let words = message[..end].split_inclusive(|letter: char| !is_of_name(letter));
    words.map(veiled_word).collect()
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || "-_:/".contains(letter)
}

fn veiled_word(word: &str) -> Cow<'_, str> {
    let name = word.trim_end_matches(|letter: char| !is_of_name(letter));
    // Names have numbers in them; `user-agent` is a word.
    let has_number = name.bytes().any(|byte| byte.is_ascii_digit());
    match NAMES.iter().find(|start| has_number && name.starts_with(**start)) {
        Some(start) => Cow::Owned(format!("{start}…{}", &word[name.len()..])),
        None => Cow::Borrowed(word),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_are_found_where_providers_put_them() {
        for body in [
            r#"{"error":{"code":"slow_down","message":"m"}}"#,
            r#"{"type":"error","status":429,"error":{"type":"slow_down","message":"m"}}"#,
            r#"{"type":"error","code":"slow_down","message":"m"}"#,
            r#"{"type":"response.failed","response":{"error":{"code":"slow_down","message":"m"}}}"#,
            r#"{"detail":{"code":"slow_down","message":"m"}}"#,
            r#"[{"error":{"status":"SLOW_DOWN","message":"m"}}]"#,
            r#"{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",
                "reason":"SLOW_DOWN"}],"message":"m"}}"#,
        ] {
            let said = Said::of(body.as_bytes());
            assert!(said.is_one_of(&["slow_down"]), "{body}");
            assert_eq!(said.message(), "m", "{body}");
        }
        assert_eq!(Said::of(br#"{"detail":"no"}"#).message(), "no");
        assert_eq!(Said::of(br#"{"error":"no"}"#).message(), "no");
        for body in ["", "<html>slow_down</html>", "[]", "7", "null", r#"{"error":null}"#] {
            let said = Said::of(body.as_bytes());
            assert!(!said.is_one_of(&["slow_down"]) && said.message().is_empty(), "{body}");
        }
    }

    #[test]
    fn what_a_text_echoes_is_no_word_of_the_provider() {
        let echo = br#"{"error":{"type":"invalid_request_error","code":null,
            "message":"no tool insufficient_quota","param":"insufficient_quota"}}"#;
        assert!(!Said::of(echo).is_one_of(&["insufficient_quota"]));
    }

    #[test]
    fn the_names_of_an_account_are_left_out() {
        let limit = "Rate limit reached for gpt-5 in organization org-aBc123 on tokens per min.";
        assert_eq!(
            veiled(limit),
            "Rate limit reached for gpt-5 in organization org-… on tokens per min."
        );
        assert_eq!(
            veiled("for consumer 'project_number:681255809395'. (org-x1)"),
            "for consumer 'project_number:…'. (org-…)"
        );
        assert_eq!(veiled("Project `proj_9` has no access."), "Project `proj_…` has no access.");
        assert_eq!(
            veiled("user-agent, org-wide, cross-org-1"),
            "user-agent, org-wide, cross-org-1"
        );
        assert!(veiled(&"é".repeat(5_000)).len() <= MESSAGE_MAX);
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reading_fail(body in any::<Vec<u8>>(), text in any::<String>()) {
            let said = Said::of(&body);
            let _ = (said.message(), said.number("code"), said.is_one_of(&["x"]), veiled(&text));
        }
    }
}
