//! Changes one field of a body and leaves every other byte as the client sent it.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// A copy of `body` in which the bytes of `span` are `with`.
///
/// `span` comes from a peek at the same body ([`crate::peek::MessagesPeek::model_span`]); a span
/// that does not lie in it is a bug and panics.
pub fn replace(body: &Bytes, span: Range<usize>, with: &[u8]) -> Bytes {
    let (before, after) = (&body[..span.start], &body[span.end..]);
    let mut spliced = BytesMut::with_capacity(before.len() + with.len() + after.len());
    spliced.extend_from_slice(before);
    spliced.extend_from_slice(with);
    spliced.extend_from_slice(after);
    spliced.freeze()
}

/// `text` as a JSON string, with its quotes.
pub fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_span_changes() {
        let body = Bytes::from_static(br#"{ "model" : "a" , "x": 1.0e2 }"#);
        let spliced = replace(&body, 12..15, json_string("b\"c").as_bytes());
        assert_eq!(&spliced[..], br#"{ "model" : "b\"c" , "x": 1.0e2 }"#);
    }
}
