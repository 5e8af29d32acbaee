//! The peeks at requests, chosen by the first byte: bodies that they take are JSON, and the places
//! that they tell are where things stand.

#![no_main]

use std::ops::Range;

use bytes::Bytes;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use relay_wire::peek::{self, MODEL_BYTES_MAX, PeekError};
use relay_wire::{chat, gemini, responses, splice};
use relay_wire_fuzz::{choice, is_formed, mutate};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::body(data, size, max_size, seed)
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = choice(input) else { return };
    let body = Bytes::copy_from_slice(body);
    let peek = match choice % 5 {
        0 => messages,
        1 => chat,
        2 => responses,
        3 => native,
        _ => enveloped,
    };
    match peek(&body) {
        Ok(Some((model, span))) => renamed(&body, &model, span, peek),
        Ok(None) => assert!(is_formed(&body), "what is taken is JSON"),
        Err(PeekError::NotJson(at)) => {
            assert!(at <= body.len() && !is_formed(&body), "what is JSON is not refused as none");
        }
        Err(_) => {}
    }
});

/// The model that a body names, and where, if its protocol has it there.
type Named = Option<(String, Range<usize>)>;

/// Another name in the model's place is what is read then.
fn renamed(
    body: &Bytes,
    model: &str,
    span: Range<usize>,
    peek: impl Fn(&Bytes) -> Result<Named, PeekError>,
) {
    assert!(is_formed(body), "what is taken is JSON");
    assert!(model.len() <= MODEL_BYTES_MAX);
    let named: String = serde_json::from_slice(&body[span.clone()]).expect("a string");
    assert_eq!(named, model);
    let other = splice::replace(body, span.clone(), splice::json_string("other\"名").as_bytes());
    let (model, place) = peek(&other).expect("as good as it was").expect("a model");
    assert_eq!((model.as_str(), place.start), ("other\"名", span.start));
}

fn messages(body: &Bytes) -> Result<Named, PeekError> {
    let peek = peek::messages(body)?;
    assert!(peek.cacheable_estimate <= peek.input_estimate, "what is cached is part of it");
    Ok(Some((peek.model, peek.model_span)))
}

fn chat(body: &Bytes) -> Result<Named, PeekError> {
    let peek = chat::peek::chat(body)?;
    if let Some(splice) = peek.usage_splice {
        assert!(peek.stream, "only streams are asked for their usage");
        let asks = splice.apply(body);
        assert!(is_formed(&asks), "{}", asks.escape_ascii());
        let again = chat::peek::chat(&asks).expect("what asks is read as before");
        assert_eq!((again.usage_splice, again.session), (None, peek.session));
    }
    Ok(Some((peek.model, peek.model_span)))
}

fn responses(body: &Bytes) -> Result<Named, PeekError> {
    let peek = responses::peek::responses(body)?;
    Ok(Some((peek.model, peek.model_span)))
}

fn native(body: &Bytes) -> Result<Named, PeekError> {
    gemini::peek::native(body).map(|_| None)
}

fn enveloped(body: &Bytes) -> Result<Named, PeekError> {
    let peek = gemini::peek::enveloped(body)?;
    for span in [&peek.project_span, &peek.request_span].into_iter().flatten() {
        assert!(is_formed(&body[span.clone()]), "a value stands there");
    }
    if let Some(span) = peek.request_span {
        let bare = gemini::peek::native(&body[span]).expect("as good as the envelope");
        assert_eq!(bare.max_tokens, peek.request.max_tokens);
        assert_eq!(bare.session, peek.request.session);
        assert_eq!(bare.names_account_state, peek.request.names_account_state);
    }
    Ok(Some((peek.model, peek.model_span)))
}
