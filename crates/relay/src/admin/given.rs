//! What is asked, read: who asks wrongly is told which field it is.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use http::request::Parts;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::money::Money;
use relay_core::secret::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use super::answer::Problem;

/// The body of a request.
#[derive(Debug)]
pub(super) struct Given<T>(pub T);

/// The query of a request.
#[derive(Debug)]
pub(super) struct Sought<T>(pub T);

/// A secret in a request.
#[derive(Debug, Clone)]
pub(super) struct Hidden(pub Secret);

/// A field of a change: not named, null, or a value.
pub(super) type Named<T> = Option<Option<T>>;

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = Json::<T>::from_request(request, state).await;
        read.map(|Json(value)| Self(value)).map_err(|why| refusal(&why.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Sought<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(value)| Self(value)).map_err(|why| refusal(&why.body_text()))
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Secret::new(text)))
    }
}

/// For `deserialize_with`: a field that is named, though it may be null.
pub(super) fn named<'de, D, T>(from: D) -> Result<Named<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(from).map(Some)
}

/// A sum in dollars that is not below nothing, to the billionth of one.
pub(super) fn money(dollars: &Number) -> Option<Money> {
    let text = dollars.to_string();
    let text = match dollars.as_f64() {
        // Small sums come as 1e-6.
        Some(number) if text.contains(['e', 'E']) => format!("{number:.9}"),
        _ => text,
    };
    text.parse().ok().filter(|sum| *sum >= Money::ZERO)
}

/// A moment (RFC 3339), or the end of a day (2026-12-31) in a zone.
pub(super) fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let at = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let day: Date = text.parse().ok()?;
        Some(day.tomorrow().ok()?.to_zoned(zone.clone()).ok()?.timestamp())
    })?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

/// What was wrong, with the field if it is named: the library's text is `words: path: why`.
fn refusal(text: &str) -> Problem {
    let (_, told) = text.split_once(": ").unwrap_or(("", text));
    let is_path = |path: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte);
        !path.is_empty() && path.bytes().all(fits)
    };
    let problem = |why: &str| Problem::invalid(format!("the request cannot be read: {why}"));
    match told.split_once(": ") {
        Some((path, why)) if is_path(path) => problem(why).at(path),
        _ => problem(told),
    }
}
