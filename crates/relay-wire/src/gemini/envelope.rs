//! The envelope of Code Assist, the interface of Gemini CLI's accounts: Google's requests and
//! answers with an object around them.

use std::ops::Range;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;
use serde::Serialize;
use serde_json::{Value, json};

use crate::json::members;
use crate::splice;
use crate::sse::Batch;

/// What stands around a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Envelope<'a> {
    /// The model, which stands in the address otherwise.
    pub model: &'a str,
    /// The project of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<&'a str>,
    /// A name of the turn; each is told apart by it.
    pub user_prompt_id: &'a str,
}

impl Envelope<'_> {
    /// A request, whose bytes stay as they are, in the envelope.
    pub fn wrap(&self, request: &[u8]) -> Vec<u8> {
        let mut body = self.bytes();
        body.pop();
        body.extend_from_slice(b",\"request\":");
        body.extend_from_slice(request);
        body.push(b'}');
        body
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts are JSON")
    }
}

/// The request in an envelope; `None` if the body has none.
pub fn request_of(body: &[u8]) -> Option<&[u8]> {
    inner(body, "request")
}

/// The answer in an envelope, or the body itself if it is in none.
pub fn answer_of(body: &[u8]) -> &[u8] {
    // Most have none: a look at the bytes spares them a reading.
    static NAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"response\""));
    NAME.find(body).is_some().then(|| inner(body, "response")).flatten().unwrap_or(body)
}

/// An answer in the envelope.
pub fn wrapped_answer(body: &[u8]) -> Vec<u8> {
    [b"{\"response\":", body.trim_ascii(), b"}"].concat()
}

/// Events whose answers are taken out of their envelopes, byte for byte.
pub fn unwrapped_events(batch: &Batch) -> Bytes {
    retold(batch, |data, out| out.extend_from_slice(answer_of(data.trim_ascii())))
}

/// Events whose answers are put into envelopes, byte for byte.
pub fn wrapped_events(batch: &Batch) -> Bytes {
    retold(batch, |data, out| {
        let data = data.trim_ascii();
        // An error stands bare.
        if is_error(data) {
            return out.extend_from_slice(data);
        }
        out.extend_from_slice(b"{\"response\":");
        out.extend_from_slice(data);
        out.extend_from_slice(b"}");
    })
}

fn is_error(data: &[u8]) -> bool {
    members(data, ["error"]).is_ok_and(|[error]| error.is_some_and(|error| error != b"null"))
}

fn retold(batch: &Batch, mut tell: impl FnMut(&[u8], &mut BytesMut)) -> Bytes {
    let mut out = BytesMut::with_capacity(batch.raw().len());
    for event in batch.events() {
        out.extend_from_slice(b"data: ");
        tell(&event.data, &mut out);
        out.extend_from_slice(b"\r\n\r\n");
    }
    out.freeze()
}

/// A count of tokens as Code Assist is asked for it, of one for the API: of the conversation alone.
pub fn count_for_code_assist(body: &[u8], model: &str) -> Vec<u8> {
    let within = inner(body, "generateContentRequest").unwrap_or(body);
    let model = format!("models/{}", model.strip_prefix("models/").unwrap_or(model));
    let request = json!({"model": model, "contents": contents_of(within)});
    json!({ "request": request }).to_string().into_bytes()
}

/// A count of tokens as the API is asked for it, of the request in an envelope of Code Assist.
pub fn count_for_api(request: &[u8]) -> Vec<u8> {
    json!({"contents": contents_of(request)}).to_string().into_bytes()
}

fn contents_of(request: &[u8]) -> Value {
    let contents = members(request, ["contents"]).ok().and_then(|[contents]| contents);
    contents.and_then(|it| serde_json::from_slice(it).ok()).unwrap_or_default()
}

/// A body for the API in which no other model is named than this: the address names it, and some
/// requests repeat it, one or each of several (`requests`).
pub fn renamed(body: &Bytes, model: &str) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else { return body.clone() };
    let name = Value::String(format!("models/{model}"));
    let rename = |request: &mut Value| match request.get_mut("model") {
        Some(named) if *named != name => {
            *named = name.clone();
            true
        }
        _ => false,
    };
    let mut is_changed = rename(&mut value);
    for request in value.get_mut("requests").and_then(Value::as_array_mut).into_iter().flatten() {
        is_changed |= rename(request);
    }
    if is_changed { Bytes::from(value.to_string()) } else { body.clone() }
}

/// Where the parts of an enveloped body stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The model's name, quotes included.
    pub model: Range<usize>,
    /// The value of `project`, if it is there.
    pub project: Option<Range<usize>>,
    /// The request, if it is there.
    pub request: Option<Range<usize>>,
}

impl Place {
    /// The request.
    pub fn request(&self, body: &Bytes) -> Bytes {
        self.request.clone().map_or_else(|| Bytes::from_static(b"{}"), |span| body.slice(span))
    }

    /// The body for another account: with its project, and the name that it knows the model by.
    pub fn addressed(&self, body: &Bytes, (model, asked): (&str, &str), project: &str) -> Bytes {
        let mut changes: Vec<(Range<usize>, String)> = Vec::new();
        if model != asked {
            let prefix =
                if body[self.model.clone()].starts_with(b"\"models/") { "models/" } else { "" };
            let name = splice::json_string(&format!("{prefix}{model}"));
            changes.push((self.model.clone(), name));
        }
        match &self.project {
            Some(span) if !project.is_empty() => {
                changes.push((span.clone(), splice::json_string(project)));
            }
            None if !project.is_empty() && self.is_conversation() => {
                let at = body.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1);
                let member = format!("\"project\":{},", splice::json_string(project));
                changes.push((at..at, member));
            }
            Some(_) | None => {}
        }
        // What stands later goes first, so that the places before it stay true.
        changes.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        let apply = |body: Bytes, (span, with): (Range<usize>, String)| {
            splice::replace(&body, span, with.as_bytes())
        };
        changes.into_iter().fold(body.clone(), apply)
    }

    /// Whether the model stands beside the request, as where an answer is asked for; a count of
    /// tokens names it within.
    fn is_conversation(&self) -> bool {
        let within = |request: &Range<usize>| request.contains(&self.model.start);
        !self.request.as_ref().is_some_and(within)
    }
}

fn inner<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let [inner] = members(body, [name]).ok()?;
    inner.filter(|inner| inner.starts_with(b"{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_out_as_it_went_in() {
        let request = br#"{ "contents": [ {"parts":[{"text":"\u4f60"}]} ]}"#;
        let envelope = Envelope { model: "gemini-x", project: Some("p\"1"), user_prompt_id: "t" };
        let body = envelope.wrap(request);
        assert_eq!(request_of(&body), Some(&request[..]));
        let head = r#"{"model":"gemini-x","project":"p\"1","user_prompt_id":"t","request":"#;
        assert!(body.starts_with(head.as_bytes()));
        let without = Envelope { project: None, ..envelope }.wrap(b"{}");
        assert_eq!(without, br#"{"model":"gemini-x","user_prompt_id":"t","request":{}}"#);
    }

    #[test]
    fn a_body_names_the_model_that_its_address_does() {
        let body = Bytes::from_static(br#"{"requests":[{"model":"models/a","x":1.0},{}]}"#);
        let told = renamed(&body, "b");
        assert_eq!(told, r#"{"requests":[{"model":"models/b","x":1.0},{}]}"#);
        assert_eq!(renamed(&told, "b"), told);
        let plain = Bytes::from_static(br#"{ "contents": [] }"#);
        assert_eq!(renamed(&plain, "b"), plain, "what names none stays as it is, byte for byte");
    }

    #[test]
    fn an_answer_may_be_in_none() {
        let bare = br#"{"candidates":[]}"#;
        assert_eq!(answer_of(bare), bare);
        assert_eq!(answer_of(br#"{"traceId":"t","response": {"candidates":[]}}"#), bare);
        for other in [&b"{\"response\":null}"[..], b"[]", b"", b"{"] {
            assert_eq!(answer_of(other), other);
            assert_eq!(request_of(other), None);
        }
    }
}
