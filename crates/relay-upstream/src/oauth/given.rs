//! Tokens that an operator brings, and the form in which tokens are stored and exported.

use std::time::Duration;

use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::credential::{Identity, Tokens};
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use serde_json::{Value, json};

use super::{Granted, claims, completed};

/// How long a setup token lives from when it is made. Nothing in the token says so: for one that
/// an operator brings, it is assumed to have been made now, so that at the latest a 401 tells.
pub const SETUP_TOKEN_LIFE: Duration = Duration::from_hours(365 * 24);

/// The longest text that is looked at, in bytes.
const GIVEN_BYTES_MAX: usize = 64 * 1024;

/// How API keys of OpenAI and Google begin.
const API_KEYS: [&str; 2] = ["sk-", "AIza"];
/// How refresh tokens of Google begin.
const GOOGLE_REFRESH: &str = "1//";

/// A number below this is in seconds, any other in milliseconds: as milliseconds it would lie
/// before March 1973, as seconds after the year 5100.
const SECONDS_BELOW: f64 = 1e11;

/// The end of the year 9999, in milliseconds.
const MOMENT_MILLIS_MAX: f64 = 253_402_300_799_999.0;

/// A text that holds no tokens. The message never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GivenTokensError {
    /// Nothing was given.
    #[error("there is no token in it")]
    Missing,
    /// It is neither JSON nor one word.
    #[error("tokens are given as a JSON object, or a setup token as one word")]
    NotTokens,
    /// An API key.
    #[error("that is an API key: add an account of a kind that takes one")]
    ApiKey,
    /// An expiry that is no moment.
    #[error("expires_at is a time like 2027-01-31T12:00:00Z, or milliseconds since 1970")]
    Expiry,
}

/// Reads what an operator gives for an account of `kind`, or what [`tokens_to_json`] wrote, with
/// what it tells of whose it is.
///
/// For Claude see [`read_given_tokens`]. For the others:
///
/// - JSON as there, also in the forms that Codex keeps (`{"tokens": {"id_token", "access_token",
///   "refresh_token", "account_id"}}`) and Gemini CLI (`{"access_token", "refresh_token",
///   "expiry_date", "id_token"}`). Where nothing says when the access token ends, it may itself.
/// - A bare access token, or a bare refresh token of Google's.
pub fn read_given(
    kind: AccountKind,
    text: &str,
    now: Timestamp,
) -> Result<Granted, GivenTokensError> {
    if kind.service() == Service::Claude {
        let tokens = read_given_tokens(text, now)?;
        return Ok(Granted { tokens, identity: Identity::default() });
    }
    let text = checked(text)?;
    if !text.starts_with('{') {
        let tokens = of_other_word(text, now)?;
        let identity = claims::identity(tokens.access.expose());
        return Ok(Granted { tokens, identity });
    }
    let document: Value = serde_json::from_str(text).map_err(|_| GivenTokensError::NotTokens)?;
    let object = document.get("tokens").filter(|it| it.is_object()).unwrap_or(&document);
    let mut tokens = of_object(object, now)?;
    if tokens.expires_at.is_none() {
        tokens.expires_at = claims::expiry(tokens.access.expose());
    }
    let word = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut identity =
        completed(claims::identity(word("id_token")), &claims::identity(tokens.access.expose()));
    if !word("account_id").is_empty() {
        identity.account = super::inquiry::words(object.get("account_id"));
    }
    Ok(Granted { tokens, identity })
}

/// Reads what an operator gives for a Claude subscription, or what [`tokens_to_json`] wrote.
///
/// - JSON `{"access_token", "refresh_token", "expires_at"}`, also in the form that Claude Code keeps
///   (`{"claudeAiOauth": {"accessToken", "refreshToken", "expiresAt"}}`). The expiry is RFC 3339,
///   or milliseconds since the epoch as a number or a text; seconds are recognised. Without an
///   access token, the refresh token makes a pair that has ended, so that its first use refreshes
///   it.
/// - A bare setup token: access alone, for [`SETUP_TOKEN_LIFE`] from now. (A bare word that begins
///   as refresh tokens do is taken for one.)
pub fn read_given_tokens(text: &str, now: Timestamp) -> Result<Tokens, GivenTokensError> {
    let text = checked(text)?;
    if text.starts_with('{') { of_json(text, now) } else { of_word(text, now) }
}

/// The text without what is around it, if it is one to be looked at.
fn checked(text: &str) -> Result<&str, GivenTokensError> {
    let text = text.trim().trim_start_matches('\u{feff}').trim_start();
    match text.len() {
        0 => Err(GivenTokensError::Missing),
        bytes if bytes > GIVEN_BYTES_MAX => Err(GivenTokensError::NotTokens),
        _ => Ok(text),
    }
}

/// The form in which tokens are stored and exported; [`read_given_tokens`] reads it back to the
/// millisecond.
pub fn tokens_to_json(tokens: &Tokens) -> Secret {
    let mut stored = json!({
        "access_token": tokens.access.expose(),
        "obtained_at": tokens.obtained_at.as_millis(),
    });
    if let Some(refresh) = &tokens.refresh {
        stored["refresh_token"] = json!(refresh.expose());
    }
    if let Some(expires_at) = tokens.expires_at {
        stored["expires_at"] = json!(expires_at.as_millis());
    }
    if let Some(client_secret) = &tokens.client_secret {
        stored["client_secret"] = json!(client_secret.expose());
    }
    Secret::new(stored.to_string())
}

fn of_json(text: &str, now: Timestamp) -> Result<Tokens, GivenTokensError> {
    let document: Value = serde_json::from_str(text).map_err(|_| GivenTokensError::NotTokens)?;
    of_object(document.get("claudeAiOauth").unwrap_or(&document), now)
}

fn of_object(object: &Value, now: Timestamp) -> Result<Tokens, GivenTokensError> {
    let field = |names: [&str; 2]| {
        names.iter().find_map(|name| object.get(name)).filter(|value| !value.is_null())
    };
    let token = |names| match field(names) {
        None => Ok(None),
        Some(Value::String(token)) => Ok(Some(token.trim()).filter(|token| !token.is_empty())),
        Some(_) => Err(GivenTokensError::NotTokens),
    };
    let access = token(["access_token", "accessToken"])?;
    let refresh = token(["refresh_token", "refreshToken"])?;
    let client_secret = token(["client_secret", "clientSecret"])?.map(Secret::new);
    if access.is_none() && refresh.is_none() {
        return Err(GivenTokensError::Missing);
    }
    let refresh = refresh.map(Secret::new);
    let expiry = field(["expires_at", "expiresAt"]).or_else(|| object.get("expiry_date"));
    // Our own form says when the tokens were obtained, and its numbers are all milliseconds.
    if let Some(obtained_at) = object.get("obtained_at").and_then(Value::as_i64) {
        return Ok(Tokens {
            access: Secret::new(access.unwrap_or("")),
            refresh,
            expires_at: expiry.map(own_moment).transpose()?,
            obtained_at: Timestamp::from_millis(obtained_at),
            client_secret,
        });
    }
    let Some(access) = access else {
        return Ok(Tokens { client_secret, ..ended(refresh, now) });
    };
    let expires_at = expiry.map(moment).transpose()?;
    Ok(Tokens { access: Secret::new(access), refresh, expires_at, obtained_at: now, client_secret })
}

/// A token as one word.
fn word(text: &str) -> Result<&str, GivenTokensError> {
    let word = text.trim_matches(['"', '\'', '`']);
    // The characters of a bearer token (RFC 6750, section 2.1).
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let is_one = !word.is_empty() && word.bytes().all(fits);
    is_one.then_some(word).ok_or(GivenTokensError::NotTokens)
}

fn of_other_word(text: &str, now: Timestamp) -> Result<Tokens, GivenTokensError> {
    let word = word(text)?;
    if API_KEYS.iter().any(|start| word.starts_with(start)) {
        return Err(GivenTokensError::ApiKey);
    }
    if word.starts_with(GOOGLE_REFRESH) {
        return Ok(ended(Some(Secret::new(word)), now));
    }
    Ok(Tokens {
        access: Secret::new(word),
        refresh: None,
        expires_at: claims::expiry(word),
        obtained_at: now,
        client_secret: None,
    })
}

fn of_word(text: &str, now: Timestamp) -> Result<Tokens, GivenTokensError> {
    let word = word(text)?;
    if word.starts_with("sk-ant-api") {
        return Err(GivenTokensError::ApiKey);
    }
    if word.starts_with("sk-ant-ort") {
        return Ok(ended(Some(Secret::new(word)), now));
    }
    Ok(Tokens {
        access: Secret::new(word),
        refresh: None,
        expires_at: Some(now.plus(SETUP_TOKEN_LIFE)),
        obtained_at: now,
        client_secret: None,
    })
}

/// Tokens of which only the refresh token is known.
fn ended(refresh: Option<Secret>, now: Timestamp) -> Tokens {
    Tokens {
        access: Secret::new(""),
        refresh,
        expires_at: Some(now),
        obtained_at: now,
        client_secret: None,
    }
}

/// A moment of our own form: milliseconds, or a time that somebody wrote in their place.
fn own_moment(value: &Value) -> Result<Timestamp, GivenTokensError> {
    value.as_i64().map_or_else(|| moment(value), |millis| Ok(Timestamp::from_millis(millis)))
}

fn moment(value: &Value) -> Result<Timestamp, GivenTokensError> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let text = text.trim();
            if let Ok(moment) = text.parse::<jiff::Timestamp>() {
                return Ok(Timestamp::from_millis(moment.as_millisecond()));
            }
            text.parse().ok()
        }
        _ => None,
    };
    let number = number.filter(|number| *number >= 0.0).ok_or(GivenTokensError::Expiry)?;
    let millis = if number < SECONDS_BELOW { number * 1_000.0 } else { number };
    if millis > MOMENT_MILLIS_MAX {
        return Err(GivenTokensError::Expiry);
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the year 9999 just before")]
    let millis = millis.round() as i64;
    Ok(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests;
