//! Where clients put their key.

use http::header::{AUTHORIZATION, HeaderMap};

/// Every text of a request that may be its key, in the order in which they are tried.
pub fn candidates<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Vec<&'a str> {
    let plain = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(|text| {
        match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token,
            _ => text,
        }
    });
    let in_query =
        query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("key=")));
    [plain("x-api-key"), bearer, plain("x-goog-api-key"), plain("api-key"), in_query]
        .into_iter()
        .flatten()
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn found(pairs: &[(&'static str, &'static str)], query: Option<&str>) -> Vec<String> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        candidates(&headers, query).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn every_place_is_looked_at_in_order() {
        let all = [
            ("api-key", "d"),
            ("x-goog-api-key", "c"),
            ("authorization", "bearer  b"),
            ("x-api-key", "a"),
        ];
        assert_eq!(found(&all, Some("beta=true&key=e")), ["a", "b", "c", "d", "e"]);
        assert_eq!(found(&[("authorization", "bare")], None), ["bare"]);
        assert!(found(&[("authorization", "Bearer "), ("x-api-key", "")], Some("key=")).is_empty());
    }
}
