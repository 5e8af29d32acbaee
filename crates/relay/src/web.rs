//! The web page: its files, with the headers that keep foreign code out.

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use relay_webui::File;

use crate::hex::hex;
use crate::randomness::random;

/// What stands in front of every path of the page.
const ROOT: &str = "/web";
/// The page itself; all its addresses but those of files show it.
const INDEX: &str = "index.html";
/// Where files lie whose names tell their content.
const HASHED: &str = "assets/";
/// What the page has in the place of a number that is used once.
const NONCE_PLACE: &str = "__NONCE__";
/// How files are kept beside the plain ones, the best first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Answers a request for the page or one of its files.
///
/// `pictures` is from where it may show some, beside its own.
pub(crate) fn answer(path: &str, headers: &HeaderMap, pictures: Option<&str>) -> Response<Body> {
    let within = path.strip_prefix(ROOT).unwrap_or_default().trim_start_matches('/');
    let is_file = within.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let mut response = match (is_file, relay_webui::file(INDEX)) {
        (_, None) => placeholder(),
        (false, Some(index)) => page(&index, pictures),
        (true, Some(_)) => asset(within, headers),
    };
    let safe: [(HeaderName, &'static str); 5] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ];
    for (name, value) in safe {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The page, for which styles may be made while it runs, under a number used once.
fn page(index: &File, pictures: Option<&str>) -> Response<Body> {
    let nonce = hex(&random::<16>());
    let text = String::from_utf8_lossy(&index.bytes).replace(NONCE_PLACE, &nonce);
    let pictures = pictures.map(|from| format!(" {from}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:{pictures}; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = html(text.into());
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// What is shown where no page was built.
fn placeholder() -> Response<Body> {
    let mut response = html(Bytes::from_static(include_bytes!("web/placeholder.html")));
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

fn html(text: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A file of the page, packed as the browser takes it.
fn asset(path: &str, asked: &HeaderMap) -> Response<Body> {
    let packed = ENCODINGS.into_iter().filter(|(name, _)| accepts(asked, name));
    let packed = packed.map(|(name, ending)| (Some(name), format!("{path}{ending}")));
    let mut forms = packed.chain([(None, path.to_owned())]);
    let found = forms.find_map(|(name, path)| Some((name, relay_webui::file(&path)?)));
    let Some((encoding, file)) = found else { return missing() };
    let tag = hex(&file.hash[..16]);
    let tag = HeaderValue::from_str(&format!("\"{tag}\"")).ok();
    let is_known = tag.is_some() && asked.get(IF_NONE_MATCH) == tag.as_ref();
    let mut response = Response::new(if is_known { Body::empty() } else { bytes(file).into() });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind(path)));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let lasts =
        if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(lasts));
    headers.extend(tag.map(|tag| (ETAG, tag)));
    headers.extend(encoding.map(|name| (CONTENT_ENCODING, HeaderValue::from_static(name))));
    response
}

fn bytes(file: File) -> Bytes {
    match file.bytes {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => bytes.into(),
    }
}

fn missing() -> Response<Body> {
    let mut response = Response::new(Body::from("not found"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a browser takes an encoding; `q=0` says that it does not.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|text| text.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let refused = weight.replace(' ', "").trim_end_matches(['0', '.']) == "q=";
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

/// What a file is, by the end of its name.
fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_taken_if_the_browser_takes_it() {
        let asked = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(text));
            ENCODINGS.map(|(name, _)| accepts(&headers, name))
        };
        assert_eq!(asked("gzip, deflate, br"), [true, true]);
        assert_eq!(asked("gzip;q=1.0, br;q=0"), [false, true]);
        assert_eq!(asked("br ; q=0.000"), [false, false]);
        assert_eq!(asked("br;q=0.1"), [true, false]);
        assert_eq!(asked("identity"), [false, false]);
    }

    #[test]
    fn every_address_has_the_headers_that_keep_foreign_code_out() {
        for path in ["/web", "/web/", "/web/keys/key_1", "/web/no-such-file.js"] {
            let response = answer(path, &HeaderMap::new(), None);
            let headers = response.headers();
            assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(headers["x-frame-options"], "DENY", "{path}");
            assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
            let is_page =
                headers.get(CONTENT_TYPE).is_some_and(|it| it == "text/html; charset=utf-8");
            let policy = headers.get(CONTENT_SECURITY_POLICY).map(|it| it.to_str().expect("text"));
            assert_eq!(policy.is_some(), is_page, "{path}");
            assert!(policy.is_none_or(|it| it.starts_with("default-src 'none'")), "{policy:?}");
            assert!(policy.is_none_or(|it| !it.contains("unsafe")), "{policy:?}");
        }
    }
}
