//! How a request proves whose it is.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use relay_core::account::{Account, KeyHeader};
use relay_core::secret::Secret;

use crate::profile::{Auth, profile};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The account's secret has characters that no header can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the account's secret cannot be sent in a header")]
pub struct UnsendableSecret;

/// Puts the account's credential into the headers of a request.
pub fn authenticate(
    headers: &mut HeaderMap,
    account: &Account,
    secret: &Secret,
) -> Result<(), UnsendableSecret> {
    match profile(account.kind).auth {
        Auth::ApiKey => api_key(headers, account.key_header, secret),
    }
}

/// Anthropic's own keys begin with `sk-ant-` and go in `x-api-key`; compatible hosts mostly want
/// a bearer token. The account may say which.
fn api_key(
    headers: &mut HeaderMap,
    how: KeyHeader,
    secret: &Secret,
) -> Result<(), UnsendableSecret> {
    let in_x_api_key = match how {
        KeyHeader::XApiKey => true,
        KeyHeader::Bearer => false,
        KeyHeader::Auto => secret.expose().starts_with("sk-ant-"),
    };
    let (name, text) = if in_x_api_key {
        (X_API_KEY, secret.expose().to_owned())
    } else {
        (AUTHORIZATION, format!("Bearer {}", secret.expose()))
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| UnsendableSecret)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(how: KeyHeader, secret: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        api_key(&mut headers, how, &Secret::new(secret)).expect("a plain secret");
        headers
    }

    #[test]
    fn the_form_of_the_key_decides_unless_the_account_does() {
        let anthropic = concat!("sk-ant-", "example");
        assert_eq!(sent(KeyHeader::Auto, anthropic)[&X_API_KEY], anthropic);
        assert_eq!(sent(KeyHeader::Auto, "other")[AUTHORIZATION], "Bearer other");
        assert_eq!(sent(KeyHeader::XApiKey, "other")[&X_API_KEY], "other");
        let bearer = sent(KeyHeader::Bearer, anthropic);
        assert!(bearer[AUTHORIZATION].is_sensitive() && !bearer.contains_key(&X_API_KEY));
    }

    #[test]
    fn a_secret_with_a_line_break_is_refused() {
        let mut headers = HeaderMap::new();
        let secret = Secret::new("a\r\nb");
        assert_eq!(api_key(&mut headers, KeyHeader::Auto, &secret), Err(UnsendableSecret));
    }
}
