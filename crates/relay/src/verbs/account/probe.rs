//! Testing an account: one tiny request that costs nothing.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use relay_core::credential::Credential;
use relay_core::id::AccountId;
use relay_store::Store;
use relay_store::accounts::StoredAccount;
use relay_upstream::auth::authenticate;
use relay_upstream::client::Client;
use relay_upstream::headers;
use relay_upstream::target::target;
use serde::Serialize;

use super::find;
use crate::verbs::VerbError;

/// How long a test may take.
pub const TEST_DEADLINE: Duration = Duration::from_secs(10);

/// What a test came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The upstream answered and accepts the secret.
    Works,
    /// The upstream answered and does not accept the secret.
    Refused,
    /// The upstream is there, but what it answered does not tell whether it accepts the secret:
    /// some compatible hosts have no list of models.
    Unclear,
    /// The upstream answered with an error of its own.
    Failing,
    /// No answer came in time, or no connection.
    Unreachable,
}

/// The result of a test.
#[derive(Debug, Clone, Serialize)]
pub struct AccountTest {
    /// Which account.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// What the test came to.
    pub verdict: Verdict,
    /// The upstream's status, if it answered.
    pub status: Option<u16>,
    /// Milliseconds to the head of the answer, or until the attempt was given up.
    pub millis: u64,
    /// What was in the way, if there was no answer.
    pub fault: Option<String>,
}

/// Asks an account's upstream for its models, with the account's secret.
pub async fn test(
    store: &Store,
    client: &Client,
    id_or_name: &str,
) -> Result<AccountTest, VerbError> {
    let stored = find(store, id_or_name).await?;
    let request = request(&stored)?;
    let begun = Instant::now();
    let answer = tokio::time::timeout(TEST_DEADLINE, client.send(request)).await;
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, fault) = match answer {
        Ok(Ok(answer)) => (Some(answer.status()), None),
        Ok(Err(fault)) => (None, Some(fault.to_string())),
        Err(_) => (None, Some(format!("no answer within {} s", TEST_DEADLINE.as_secs()))),
    };
    let account = stored.account;
    Ok(AccountTest {
        id: account.id,
        name: account.name,
        verdict: verdict(status),
        status: status.map(|status| status.as_u16()),
        millis,
        fault,
    })
}

fn request(stored: &StoredAccount) -> Result<Request<Full<Bytes>>, VerbError> {
    let account = &stored.account;
    let invalid = |error: &dyn std::error::Error| VerbError::Invalid(error.to_string());
    let address = target(&account.base_url, "/v1/models", None).map_err(|error| invalid(&error))?;
    let mut headers =
        headers::request(account.kind.protocol(), &HeaderMap::new(), &account.extra_headers);
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(concat!("crs/", env!("CARGO_PKG_VERSION"))));
    let secret = match &stored.credential {
        Credential::ApiKey(key) => key.clone(),
        Credential::Tokens(tokens) => tokens.access.clone(),
        Credential::Missing => return Err(VerbError::Invalid("the account is signed out".into())),
    };
    authenticate(&mut headers, account, &secret).map_err(|error| invalid(&error))?;
    let mut request = Request::new(Full::default());
    *request.uri_mut() = address;
    *request.headers_mut() = headers;
    Ok(request)
}

fn verdict(status: Option<StatusCode>) -> Verdict {
    match status {
        None => Verdict::Unreachable,
        Some(status) if status.is_success() => Verdict::Works,
        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Verdict::Refused,
        Some(status) if status.is_server_error() => Verdict::Failing,
        Some(_) => Verdict::Unclear,
    }
}
