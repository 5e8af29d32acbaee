//! Whether what a cookie comes with can only be sent by the relay's own page.
//!
//! A browser sends the cookie by itself, whoever makes it ask; so a change has to bring a token too
//! that only the page can read, and must not say that it comes from elsewhere.

use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use http::header::{HeaderName, ORIGIN};
use http::{HeaderMap, Uri};
use relay_store::sessions::SessionHash;
use sha2::Sha256;

use crate::config::TrustedProxies;
use crate::hex::hex;
use crate::randomness::random;

/// The header that brings the token.
pub(super) const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What the tokens of sessions are made under. A new one is made at every start.
pub(super) struct CsrfKey(Hmac<Sha256>);

impl Default for CsrfKey {
    fn default() -> Self {
        Self(Hmac::new(&random::<64>().into()))
    }
}

impl fmt::Debug for CsrfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfKey(…)")
    }
}

impl CsrfKey {
    /// The token of a session, in hexadecimal digits.
    pub(super) fn token(&self, session: &SessionHash) -> String {
        hex(&self.0.clone().chain_update(session).finalize().into_bytes())
    }

    /// Whether a request brings the token of this session. Compares in constant time.
    pub(super) fn is_brought(&self, headers: &HeaderMap, session: &SessionHash) -> bool {
        let brought = headers.get(CSRF_TOKEN).and_then(|value| unhex(value.as_bytes()));
        let known = self.0.clone().chain_update(session);
        brought.is_some_and(|brought| known.verify_slice(&brought).is_ok())
    }
}

/// Whether a request says that another page made the browser send it.
pub(super) fn is_foreign(trusted: &TrustedProxies, peer: IpAddr, headers: &HeaderMap) -> bool {
    let site = headers.get(FETCH_SITE);
    if site.is_some_and(|site| site != "same-origin") {
        return true;
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
    let asked = trusted.asked_host(peer, headers);
    let (Some(origin), Some(asked)) = (origin, asked) else { return true };
    let port = match origin.scheme_str() {
        Some("https") => ":443",
        Some("http") => ":80",
        _ => return true,
    };
    let bare = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    origin.authority().is_none_or(|origin| bare(origin.as_str()) != bare(asked))
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn a_token_is_of_one_session_and_one_start() {
        let (key, other) = (CsrfKey::default(), CsrfKey::default());
        let token = key.token(&[1; 32]);
        assert_eq!(token.len(), 64);
        let brings = |text: &str| key.is_brought(&headers(&[("x-csrf-token", text)]), &[1; 32]);
        assert!(brings(&token));
        for wrong in ["", "0", &token[..62], &key.token(&[2; 32]), &other.token(&[1; 32]), "zz"] {
            assert!(!brings(wrong), "{wrong}");
        }
        assert!(!key.is_brought(&HeaderMap::new(), &[1; 32]));
    }

    #[test]
    fn only_the_host_that_was_asked_is_the_pages_own() {
        let trusted = TrustedProxies::parse("10.0.0.0/8").expect("ranges");
        let foreign = |peer: &str, pairs: &[(&'static str, &str)]| {
            is_foreign(&trusted, peer.parse().expect("an address"), &headers(pairs))
        };
        let host = ("host", "relay.example:3000");
        assert!(!foreign("192.0.2.1", &[host]));
        assert!(!foreign("192.0.2.1", &[host, ("origin", "http://Relay.example:3000")]));
        assert!(!foreign("192.0.2.1", &[host, ("sec-fetch-site", "same-origin")]));
        let plain = ("host", "relay.example");
        assert!(!foreign("192.0.2.1", &[plain, ("origin", "https://relay.example:443")]));
        for origin in ["http://evil.example", "null", "http://relay.example", "relay.example:3000"]
        {
            assert!(foreign("192.0.2.1", &[host, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", "none"] {
            assert!(foreign("192.0.2.1", &[host, ("sec-fetch-site", site)]), "{site}");
        }
        // A proxy's word counts, a stranger's does not.
        let told = ("x-forwarded-host", "relay.example");
        let origin = ("origin", "https://relay.example");
        assert!(!foreign("10.0.0.1", &[("host", "inner:3000"), told, origin]));
        assert!(foreign("192.0.2.1", &[("host", "inner:3000"), told, origin]));
    }
}
