//! Trying a way out: whether a host is reached, directly or through a proxy.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::{Request, Uri};
use http_body_util::Full;
use relay_core::proxy::Proxy;
use relay_upstream::client::{Client, tls_config};
use relay_upstream::oauth;
use relay_upstream::target::normalise_base_url;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::probe::first_hop;
use crate::text::{Language, retold};
use crate::verbs::VerbError;

/// How long a way may take to lead somewhere.
pub const WAY_WITHIN: Duration = Duration::from_secs(10);

/// What became of trying a way out.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WayTest {
    /// Whether the host answered.
    pub ok: bool,
    /// Milliseconds to its answer, or until it was given up.
    pub millis: u64,
    /// Where the way leads first, if its name can be looked up: the proxy, or the host itself.
    #[schema(value_type = Option<String>)]
    pub exit_address: Option<SocketAddr>,
    /// What became of it, for people.
    pub words: String,
}

impl WayTest {
    /// The same for people who read another language.
    #[must_use]
    pub fn retold(mut self, language: Language) -> Self {
        self.words = retold(&self.words, language);
        self
    }
}

/// Asks the host of `base_url` for nothing in particular, without any secret: that it answers, and
/// by TLS where the address wants that, is all that is looked at.
pub async fn try_way(proxy: Option<&Proxy>, base_url: &str) -> Result<WayTest, VerbError> {
    let invalid = |why: String| VerbError::Invalid(why);
    let base_url = normalise_base_url(base_url).map_err(|error| invalid(error.to_string()))?;
    let uri: Uri = format!("{base_url}/")
        .parse()
        .map_err(|_| invalid("the base URL makes no address".to_owned()))?;
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = uri;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(oauth::USER_AGENT));
    let client = Client::connecting_within(&tls_config(), proxy, WAY_WITHIN);
    let begun = Instant::now();
    let asked = timeout(WAY_WITHIN, client.send(request));
    let (answer, exit_address) = tokio::join!(asked, first_hop(proxy, &base_url));
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (ok, words) = match answer {
        Ok(Ok(_)) => (true, format!("{host} answers")),
        Ok(Err(fault)) => (false, fault.to_string()),
        Err(_) => (false, format!("{host} does not answer within {WAY_WITHIN:?}")),
    };
    Ok(WayTest { ok, millis, exit_address, words })
}
