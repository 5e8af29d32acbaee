//! What tokens that are JWTs say of themselves (RFC 7519). Nothing of it is verified: it came over
//! TLS from who issued it, or from the operator, and decides nothing but what is shown and named.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use relay_core::clock::Timestamp;
use relay_core::credential::Identity;
use serde_json::Value;

use super::inquiry::words;

/// The longest token that is read, in bytes.
const TOKEN_BYTES_MAX: usize = 32 * 1024;

/// Where OpenAI's tokens tell of the ChatGPT account.
const OPENAI_AUTH: &str = "https://api.openai.com/auth";
/// Where its access tokens tell of the person.
const OPENAI_PROFILE: &str = "https://api.openai.com/profile";

/// The latest end that is believed, in seconds: the end of the year 9999.
const EXPIRY_SECONDS_MAX: i64 = 253_402_300_799;

/// Whose a token is, as far as it says so.
pub(super) fn identity(token: &str) -> Identity {
    let Some(claims) = read(token) else { return Identity::default() };
    let auth = &claims[OPENAI_AUTH];
    let email = claims.get("email").or_else(|| claims[OPENAI_PROFILE].get("email"));
    Identity {
        email: words(email),
        organisation: organisation(auth),
        plan: words(auth.get("chatgpt_plan_type")),
        account: words(auth.get("chatgpt_account_id")),
        ..Identity::default()
    }
}

/// When a token ends, if it says so.
pub(super) fn expiry(token: &str) -> Option<Timestamp> {
    let seconds = read(token)?.get("exp")?.as_i64()?;
    (0..=EXPIRY_SECONDS_MAX).contains(&seconds).then(|| Timestamp::from_seconds(seconds))
}

/// The organisation that is used unless another is named; of those without a mark, the first.
fn organisation(auth: &Value) -> String {
    let all = auth.get("organizations").and_then(Value::as_array);
    let mut all = all.into_iter().flatten().peekable();
    let first = all.peek().copied();
    let named = all.find(|it| it.get("is_default").and_then(Value::as_bool) == Some(true));
    words(named.or(first).and_then(|it| it.get("title")))
}

fn read(token: &str) -> Option<Value> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let mut parts = token.split('.');
    let (_head, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    (parts.next().is_none() && claims.is_object()).then_some(claims)
}

/// A token without a signature that says this.
#[cfg(test)]
pub(super) fn token_saying(claims: &Value) -> String {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        part("{\"alg\":\"none\"}".into()),
        part(claims.to_string()),
        part("s".into())
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_tells_account_plan_and_person() {
        let token = token_saying(&json!({
            "email": "a@example.com", "exp": 1_800_000_000,
            OPENAI_AUTH: {
                "chatgpt_account_id": "acc-1", "chatgpt_plan_type": "plus",
                "organizations": [
                    {"title": "Other"}, {"title": "Example", "is_default": true},
                ],
            },
        }));
        let expected = Identity {
            email: "a@example.com".into(),
            organisation: "Example".into(),
            plan: "plus".into(),
            account: "acc-1".into(),
            ..Identity::default()
        };
        assert_eq!(identity(&token), expected);
        assert_eq!(expiry(&token), Some(Timestamp::from_seconds(1_800_000_000)));
        let access = token_saying(&json!({OPENAI_PROFILE: {"email": "b@example.com"}}));
        assert_eq!(identity(&access).email, "b@example.com");
        assert_eq!(expiry(&access), None);
    }

    #[test]
    fn what_is_no_such_token_tells_nothing() {
        let four = token_saying(&json!({"email": "a@example.com"})) + ".x";
        for token in ["", "word", "a.b.c", "..", &four, &token_saying(&json!("text"))] {
            assert_eq!((identity(token), expiry(token)), (Identity::default(), None), "{token}");
        }
        let far = token_saying(&json!({"exp": i64::MAX}));
        assert_eq!(expiry(&far), None);
    }

    proptest! {
        #[test]
        fn no_token_breaks_the_reader(token in ".{0,60}", claims in ".{0,60}") {
            let _ = (identity(&token), expiry(&token));
            let token = format!("a.{}.c", URL_SAFE_NO_PAD.encode(claims));
            let _ = (identity(&token), expiry(&token));
        }
    }
}
