//! What the sign-ins of other providers give.

use serde_json::Value;

use crate::base64::{Alphabet, encode};

/// A token that says this and is signed by nobody (RFC 7519).
pub fn unsigned_jwt(claims: &Value) -> String {
    let part = |text: &str| encode(text.as_bytes(), Alphabet::Url);
    format!("{}.{}.{}", part(r#"{"alg":"none"}"#), part(&claims.to_string()), part("none"))
}
