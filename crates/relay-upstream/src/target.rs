//! The address of a request: the account's base, the protocol's path, the client's query.

use http::Uri;
use percent_encoding::percent_decode_str;

/// Parameters in which clients send their key, in lower case.
const CREDENTIALS: [&str; 6] = ["access_token", "api-key", "api_key", "apikey", "key", "x-api-key"];

/// A base URL that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Not an absolute `http` or `https` URL.
    #[error("a base URL begins with http:// or https:// and names a host")]
    NotAbsolute,
    /// It has a query, a fragment, or a user name and password.
    #[error("a base URL has no query, no fragment and no credentials")]
    TooMuch,
}

/// Checks a base URL and takes off trailing slashes, and a trailing `/v1` that the paths of
/// requests bring themselves.
pub fn normalise_base_url(text: &str) -> Result<String, BaseUrlError> {
    let text = text.trim();
    if text.contains(['?', '#', '@']) {
        return Err(BaseUrlError::TooMuch);
    }
    let uri: Uri = text.parse().map_err(|_| BaseUrlError::NotAbsolute)?;
    let absolute = matches!(uri.scheme_str(), Some("http" | "https"));
    if !absolute || uri.host().is_none_or(str::is_empty) {
        return Err(BaseUrlError::NotAbsolute);
    }
    let base = text.trim_end_matches('/');
    Ok(base.strip_suffix("/v1").unwrap_or(base).trim_end_matches('/').to_owned())
}

/// The address of `path` (which begins with a slash) under a base URL.
///
/// The client's query goes along, except for the parameters in which clients send their key,
/// however their names are written.
pub fn target(
    base_url: &str,
    path: &str,
    query: Option<&str>,
) -> Result<Uri, http::uri::InvalidUri> {
    let mut address = String::with_capacity(base_url.len() + path.len() + 16);
    address.push_str(base_url);
    address.push_str(path);
    let kept =
        query.unwrap_or("").split('&').filter(|pair| !pair.is_empty() && !is_credential(pair));
    for (index, pair) in kept.enumerate() {
        address.push(if index == 0 { '?' } else { '&' });
        address.push_str(pair);
    }
    address.parse()
}

fn is_credential(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or(pair);
    let name = percent_decode_str(name).decode_utf8_lossy();
    CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_lose_what_the_path_brings() {
        let normal = |text| normalise_base_url(text);
        assert_eq!(normal(" https://host/api/ "), Ok("https://host/api".into()));
        assert_eq!(normal("https://host/v1"), Ok("https://host".into()));
        assert_eq!(normal("http://127.0.0.1:9/v1/"), Ok("http://127.0.0.1:9".into()));
        assert_eq!(normal("host/api"), Err(BaseUrlError::NotAbsolute));
        assert_eq!(normal("ftp://host"), Err(BaseUrlError::NotAbsolute));
        assert_eq!(normal("https://user:pass@host"), Err(BaseUrlError::TooMuch));
    }

    #[test]
    fn the_query_goes_along_without_the_key() {
        let address =
            |query| target("http://host/x", "/v1/messages", query).map(|uri| uri.to_string());
        assert_eq!(
            address(Some("beta=true")).ok().as_deref(),
            Some("http://host/x/v1/messages?beta=true")
        );
        assert_eq!(
            address(Some("key=k&beta=true&key=")).ok().as_deref(),
            Some("http://host/x/v1/messages?beta=true")
        );
        assert_eq!(
            address(Some("%6Bey=k&Key=k&API_key=k&monkey=1&keys")).ok().as_deref(),
            Some("http://host/x/v1/messages?monkey=1&keys")
        );
        assert_eq!(address(None).ok().as_deref(), Some("http://host/x/v1/messages"));
    }
}
