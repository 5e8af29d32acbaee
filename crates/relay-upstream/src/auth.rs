//! How a request proves whose it is.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use relay_core::account::{Account, KeyHeader};
use relay_core::credential::Identity;
use relay_core::secret::Secret;

use crate::oauth::OAUTH_BETA;
use crate::profile::{Auth, profile};

const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const CHATGPT_ACCOUNT: HeaderName = HeaderName::from_static("chatgpt-account-id");

/// The account's secret has characters that no header can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the account's secret cannot be sent in a header")]
pub struct UnsendableSecret;

/// Puts the account's credential into the headers of a request.
pub fn authenticate(
    headers: &mut HeaderMap,
    (account, identity): (&Account, Option<&Identity>),
    secret: &Secret,
) -> Result<(), UnsendableSecret> {
    let named = identity.map_or("", |identity| &identity.account);
    by(profile(account.kind).auth, headers, (account.key_header, named), secret)
}

fn by(
    auth: Auth,
    headers: &mut HeaderMap,
    (how, named): (KeyHeader, &str),
    secret: &Secret,
) -> Result<(), UnsendableSecret> {
    match auth {
        Auth::AnthropicKey => api_key(headers, how, secret),
        Auth::Bearer => api_key(headers, KeyHeader::Bearer, secret),
        Auth::ChatGpt => {
            if !named.is_empty() {
                let mut named = HeaderValue::from_str(named).map_err(|_| UnsendableSecret)?;
                named.set_sensitive(true);
                headers.insert(CHATGPT_ACCOUNT, named);
            }
            api_key(headers, KeyHeader::Bearer, secret)
        }
        Auth::GoogleKey => {
            let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| UnsendableSecret)?;
            value.set_sensitive(true);
            headers.insert(X_GOOG_API_KEY, value);
            Ok(())
        }
        Auth::ClaudeOauth => {
            headers.remove(X_API_KEY);
            add_beta(headers, OAUTH_BETA);
            api_key(headers, KeyHeader::Bearer, secret)
        }
    }
}

/// Adds a beta to those that the client asks for, which may stand in several lines: all of them
/// in their order, each once, in one line.
fn add_beta(headers: &mut HeaderMap, beta: &'static str) {
    let mut betas: Vec<&[u8]> = Vec::new();
    let asked = headers.get_all(ANTHROPIC_BETA).iter();
    let asked = asked.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    for name in asked.map(<[u8]>::trim_ascii).chain([beta.as_bytes()]) {
        if !name.is_empty() && !betas.contains(&name) {
            betas.push(name);
        }
    }
    let line = HeaderValue::from_bytes(&betas.join(&b","[..]))
        .expect("pieces of header values and commas make a header value");
    headers.insert(ANTHROPIC_BETA, line);
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
    fn an_access_token_goes_as_bearer_with_its_beta_whatever_its_form() {
        let mut headers = HeaderMap::new();
        headers.insert(X_API_KEY, HeaderValue::from_static("other"));
        let access = concat!("sk-ant-", "oat01-example");
        by(Auth::ClaudeOauth, &mut headers, (KeyHeader::XApiKey, ""), &access.into())
            .expect("a token");
        assert_eq!(headers[AUTHORIZATION], format!("Bearer {access}"));
        assert!(headers[AUTHORIZATION].is_sensitive() && !headers.contains_key(&X_API_KEY));
        assert_eq!(headers[ANTHROPIC_BETA], OAUTH_BETA);
    }

    fn proven(auth: Auth, named: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let how = (KeyHeader::XApiKey, named);
        by(auth, &mut headers, how, &Secret::new("secret")).expect("a plain secret");
        headers
    }

    #[test]
    fn each_provider_is_shown_the_secret_where_it_looks_for_it() {
        let google = proven(Auth::GoogleKey, "");
        assert_eq!(google[&X_GOOG_API_KEY], "secret");
        assert!(google.len() == 1 && google[&X_GOOG_API_KEY].is_sensitive());
        let bearer = proven(Auth::Bearer, "account");
        assert_eq!(bearer[AUTHORIZATION], "Bearer secret");
        assert!(bearer.len() == 1 && bearer[AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn chatgpt_is_told_the_account_if_it_is_known() {
        let known = proven(Auth::ChatGpt, "account");
        assert_eq!(known[&CHATGPT_ACCOUNT], "account");
        assert!(known[&CHATGPT_ACCOUNT].is_sensitive());
        assert_eq!(known[AUTHORIZATION], "Bearer secret");
        assert!(!proven(Auth::ChatGpt, "").contains_key(&CHATGPT_ACCOUNT));
        let mut headers = HeaderMap::new();
        let broken = (KeyHeader::Auto, "a\nb");
        let outcome = by(Auth::ChatGpt, &mut headers, broken, &Secret::new("secret"));
        assert_eq!(outcome, Err(UnsendableSecret));
    }

    fn betas(lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ANTHROPIC_BETA, HeaderValue::from_bytes(line).expect("a header value"));
        }
        add_beta(&mut headers, OAUTH_BETA);
        assert_eq!(headers.get_all(ANTHROPIC_BETA).iter().count(), 1);
        headers
    }

    #[test]
    fn the_beta_joins_those_of_the_client_in_their_order_and_once() {
        assert_eq!(betas(&[])[ANTHROPIC_BETA], OAUTH_BETA);
        assert_eq!(betas(&[b"b, a", b"", b" ,c,a "])[ANTHROPIC_BETA], "b,a,c,oauth-2025-04-20");
        let first: &[u8] = b"oauth-2025-04-20,a";
        assert_eq!(betas(&[first, first])[ANTHROPIC_BETA], "oauth-2025-04-20,a");
        let strange: &[u8] = b"\xff,a";
        assert_eq!(betas(&[strange])[ANTHROPIC_BETA].as_bytes(), b"\xff,a,oauth-2025-04-20");
    }

    #[test]
    fn a_secret_with_a_line_break_is_refused() {
        let mut headers = HeaderMap::new();
        let secret = Secret::new("a\r\nb");
        assert_eq!(api_key(&mut headers, KeyHeader::Auto, &secret), Err(UnsendableSecret));
    }
}
