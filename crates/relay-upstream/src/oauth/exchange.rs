//! What a token endpoint is asked, and what its answers mean.
//!
//! Refresh tokens are replaced with each use: of a request that was sent and whose answer was lost,
//! nobody knows which token counts now. So every answer and every silence is one of the few things
//! that [`TokenFault`] tells apart.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use relay_core::clock::Timestamp;
use relay_core::credential::{Identity, Tokens};
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{Answer, Said, Unanswered, post, post_form, retry_at, said, send};
use super::{Endpoints, Flow, Granted, Pkce, SETUP_TOKEN_LIFE, TokenFault, claims, completed};
use crate::client::Client;

/// The longest life of a token that is believed.
const LIFE_MAX: Duration = Duration::from_hours(10 * 365 * 24);

/// Codes of OAuth that refuse a code for good (RFC 6749, section 5.2). The real endpoint's
/// `invalid_request_error` ("Invalid request format") is none of them: it judges the request.
const CODE_REFUSALS: [&str; 7] = [
    "access_denied",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// Those that refuse a refresh token for good. Anthropic's real endpoint says
/// `{"error": "invalid_grant", "error_description": "Refresh token not found or invalid"}`, status
/// 400; OpenAI's tells in `error.code` what became of the token. All others judge the client or the
/// request, which an operator can set right: the token may still be good.
const TOKEN_REFUSALS: [&str; 4] =
    ["invalid_grant", "refresh_token_expired", "refresh_token_invalidated", "refresh_token_reused"];

/// Exchanges the code of a sign-in for tokens.
///
/// `pkce` has to be the one whose address gave the code.
pub async fn exchange(
    client: &Client,
    endpoints: &Endpoints,
    pkce: &Pkce,
    code: &Secret,
    now: Timestamp,
) -> Result<Granted, TokenFault> {
    let request = match endpoints.provider {
        Service::Claude => post(&endpoints.token_url, &exchange_body(endpoints, pkce, code)),
        Service::Openai | Service::Gemini => exchange_form(endpoints, pkce, code),
    };
    let answer = ask(client, request).await?;
    let state = Secret::new(pkce.state());
    let secrets = Secrets { sent: &[code, pkce.verifier(), &state], old: None, endpoints };
    read(&answer, &secrets, now)
}

/// Buys the next tokens with the refresh token. Has to be done once at a time for an account, and
/// the new tokens be written before they are used: the old refresh token ends with this.
pub async fn refresh(
    client: &Client,
    endpoints: &Endpoints,
    tokens: &Tokens,
    now: Timestamp,
) -> Result<Granted, TokenFault> {
    let Some(refresh) = tokens.refresh.as_ref() else { return Err(TokenFault::NotRefreshable) };
    let request = match endpoints.provider {
        Service::Claude => post(&endpoints.token_url, &refresh_body(endpoints, refresh)),
        Service::Openai | Service::Gemini => refresh_form(endpoints, refresh),
    };
    let answer = ask(client, request).await?;
    let secrets = Secrets { sent: &[refresh, &tokens.access], old: Some(tokens), endpoints };
    read(&answer, &secrets, now)
}

fn exchange_body(endpoints: &Endpoints, pkce: &Pkce, code: &Secret) -> Value {
    let mut body = json!({
        "grant_type": "authorization_code",
        "client_id": endpoints.client_id,
        "code": code.expose(),
        "redirect_uri": endpoints.redirect_url,
        "code_verifier": pkce.verifier().expose(),
        "state": pkce.state(),
    });
    if endpoints.flow == Flow::SetupToken {
        body["expires_in"] = json!(SETUP_TOKEN_LIFE.as_secs());
    }
    body
}

fn refresh_body(endpoints: &Endpoints, refresh: &Secret) -> Value {
    json!({
        "grant_type": "refresh_token",
        "client_id": endpoints.client_id,
        "refresh_token": refresh.expose(),
    })
}

/// RFC 6749, section 4.1.3, as OpenAI and Google want it.
fn exchange_form(
    endpoints: &Endpoints,
    pkce: &Pkce,
    code: &Secret,
) -> Result<Request<Full<Bytes>>, Unanswered> {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", endpoints.redirect_url.as_str()),
        ("client_id", endpoints.client_id.as_str()),
        ("code_verifier", pkce.verifier().expose()),
    ];
    fields.extend(client_secret(endpoints));
    post_form(&endpoints.token_url, &fields)
}

/// RFC 6749, section 6. OpenAI's clients name the scope again, Google's do not.
fn refresh_form(
    endpoints: &Endpoints,
    refresh: &Secret,
) -> Result<Request<Full<Bytes>>, Unanswered> {
    let mut fields = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.expose()),
        ("client_id", endpoints.client_id.as_str()),
    ];
    if endpoints.provider == Service::Openai {
        fields.push(("scope", endpoints.scope.as_str()));
    }
    fields.extend(client_secret(endpoints));
    post_form(&endpoints.token_url, &fields)
}

fn client_secret(endpoints: &Endpoints) -> Option<(&'static str, &str)> {
    endpoints.client_secret.as_ref().map(|secret| ("client_secret", secret.expose()))
}

async fn ask(
    client: &Client,
    request: Result<Request<Full<Bytes>>, Unanswered>,
) -> Result<Answer, TokenFault> {
    let answer = match request {
        Ok(request) => send(client, request).await,
        Err(unsendable) => Err(unsendable),
    };
    answer.map_err(|unanswered| match unanswered {
        Unanswered::NotSent(fault) => TokenFault::NotSent(fault),
        Unanswered::Lost(why) => TokenFault::Unclear { why },
    })
}

/// What was sent and must not be repeated, and what stays of it.
struct Secrets<'a> {
    sent: &'a [&'a Secret],
    /// The tokens that were to be replaced; their refresh token stays if no other comes.
    old: Option<&'a Tokens>,
    endpoints: &'a Endpoints,
}

/// What an answer means.
fn read(answer: &Answer, secrets: &Secrets<'_>, now: Timestamp) -> Result<Granted, TokenFault> {
    if !answer.status.is_success() {
        let is_refresh = secrets.old.is_some();
        let refusals = if is_refresh { &TOKEN_REFUSALS[..] } else { &CODE_REFUSALS[..] };
        let mut sent = secrets.sent.to_vec();
        sent.extend(&secrets.endpoints.client_secret);
        return Err(refusal(answer, &sent, refusals, now));
    }
    let unclear = |why: &str| TokenFault::Unclear { why: why.to_owned() };
    let body = answer.body.as_ref().map_err(|why| unclear(why))?;
    // What the parser has to say may quote a token.
    let given: Given = serde_json::from_slice(body).map_err(|_| unclear("it is no JSON object"))?;
    let secret = |token: Option<&Value>| {
        token.and_then(Value::as_str).filter(|text| !text.is_empty()).map(Secret::new)
    };
    let access = secret(given.access_token.as_ref())
        .ok_or_else(|| unclear("there is no access token in it"))?;
    let stated = given.expires_in.as_ref().and_then(life).map(|life| now.plus(life));
    let mut identity = given.identity();
    if secrets.endpoints.provider != Service::Claude {
        let id_token = given.id_token.as_ref().and_then(Value::as_str).unwrap_or_default();
        identity = completed(claims::identity(id_token), &claims::identity(access.expose()));
    }
    let tokens = Tokens {
        expires_at: stated.or_else(|| claims::expiry(access.expose())),
        access,
        refresh: secret(given.refresh_token.as_ref())
            .or_else(|| secrets.old.and_then(|old| old.refresh.clone())),
        obtained_at: now,
        client_secret: secrets.old.and_then(|old| old.client_secret.clone()),
    };
    Ok(Granted { tokens, identity })
}

fn refusal(answer: &Answer, sent: &[&Secret], refusals: &[&str], now: Timestamp) -> TokenFault {
    let status = answer.status.as_u16();
    let Said { code, text } = match &answer.body {
        Ok(body) => said(body, sent),
        Err(_) => Said::default(),
    };
    if matches!(status, 400 | 401 | 403) && refusals.contains(&code.as_str()) {
        return TokenFault::Refused { said: text };
    }
    let retry_at = retry_at(&answer.headers, now);
    TokenFault::Unavailable { status, retry_at, said: text }
}

/// The answer of a token endpoint. Fields are read one by one, so that one of an unexpected kind
/// does not lose the tokens beside it.
#[derive(Deserialize)]
struct Given {
    access_token: Option<Value>,
    refresh_token: Option<Value>,
    expires_in: Option<Value>,
    /// Read for what it tells, and forgotten.
    id_token: Option<Value>,
    account: Option<Value>,
    organization: Option<Value>,
}

impl Given {
    fn identity(&self) -> Identity {
        let word = |object: &Option<Value>, name: &str| {
            let value = object.as_ref().and_then(|object| object.get(name));
            super::inquiry::words(value)
        };
        Identity {
            email: word(&self.account, "email_address"),
            organisation: word(&self.organization, "name"),
            ..Identity::default()
        }
    }
}

/// Seconds, as a number or a text; none if it is neither.
fn life(seconds: &Value) -> Option<Duration> {
    let seconds = match seconds {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let bounded = seconds.min(LIFE_MAX.as_secs_f64());
    Duration::try_from_secs_f64(bounded).ok()
}

#[cfg(test)]
mod tests;
