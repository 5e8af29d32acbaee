//! Checks of requests: what was read is written for every provider.

use relay_core::protocol::Protocol;
use relay_wire::gemini::envelope::{Envelope, request_of};
use relay_wire::hub::{Block, DecodeError, Request};
use relay_wire::peek::MODEL_BYTES_MAX;
use relay_wire::{anthropic, chat, gemini, peek, responses};
use serde_json::Value;

use crate::is_json;

/// Models of which the writers know different things. The last is what the client asked for.
const MODELS: [&str; 8] = [
    "claude-opus-4-8",
    "claude-sonnet-4-5",
    "claude-3-5-haiku-latest",
    "gpt-5",
    "gemini-2.5-pro",
    "gemini-3-pro",
    "glm-5",
    "",
];

/// Fields that hold addresses.
const ADDRESSES: [&str; 4] = ["image_url", "image_url.url", "file_data", "file_url"];

/// Writes a request for an account of each provider. What is written can be peeked at and read.
pub fn check(mut request: Request, choice: u8) {
    let model = MODELS[usize::from(choice) % MODELS.len()];
    if !model.is_empty() {
        model.clone_into(&mut request.model);
    }
    if let Ok(written) = anthropic::request::write(&request) {
        check_body(&request, &written.body, Protocol::Messages);
        let read = anthropic::request::read(&written.body);
        check_read(&request, &read.map(|it| it.request), &written.body);
    }
    if let Ok(written) = chat::request::write(&request) {
        check_body(&request, &written.body, Protocol::Chat);
        let read = chat::request::read(&written.body);
        check_read(&request, &read.map(|it| it.request), &written.body);
    }
    for write in [responses::request::write, responses::request::write_for_chatgpt] {
        if let Ok(written) = write(&request) {
            check_body(&request, &written.body, Protocol::Responses);
            let read = responses::request::read(&written.body);
            check_read(&request, &read.map(|it| it.request), &written.body);
        }
    }
    if let Ok(written) = gemini::request::write(&request) {
        check_body(&request, &written.body, Protocol::Gemini);
    }
}

/// A body is JSON, and says to the relay what was asked for.
fn check_body(request: &Request, body: &[u8], protocol: Protocol) {
    assert!(is_json(body), "{}", body.escape_ascii());
    let told = match protocol {
        Protocol::Messages => peek::messages(body).map(|it| (it.model, it.stream)),
        Protocol::Chat => chat::peek::chat(body).map(|it| {
            assert_eq!(it.usage_splice, None, "a stream is asked for its usage");
            (it.model, it.stream)
        }),
        Protocol::Responses => {
            responses::peek::responses(body).map(|it| (it.model, it.stream || !request.streamed))
        }
        Protocol::Gemini => {
            let envelope = Envelope { model: &request.model, project: None, user_prompt_id: "t" };
            let wrapped = envelope.wrap(body);
            assert_eq!(request_of(&wrapped), Some(body));
            gemini::peek::native(body).and_then(|bare| {
                gemini::peek::enveloped(&wrapped).map(|it| {
                    assert_eq!(it.request, bare, "an envelope changes nothing");
                    (it.model, request.streamed)
                })
            })
        }
    };
    if request.model.len() <= MODEL_BYTES_MAX {
        let (model, streamed) = told.expect("what is written can be peeked at");
        assert_eq!(model, request.model);
        assert!(streamed || !request.streamed, "a stream is asked for");
    }
}

/// What is written can be read again, unless nothing is asked, or an address is none: some clients
/// send empty prompts or thoughts alone, and which addresses are good is for the provider to say.
fn check_read(request: &Request, read: &Result<Request, DecodeError>, body: &[u8]) {
    // A schema is passed on as it is, whatever its numbers, and however deep it goes.
    if serde_json::from_slice::<Value>(body).is_err() {
        return;
    }
    let mut blocks = request.turns.iter().flat_map(|turn| &turn.blocks);
    let is_excused = match read {
        Err(DecodeError::Malformed(wrong)) => {
            wrong.what == "has to say something"
                || ADDRESSES.iter().any(|address| wrong.path.ends_with(address))
                || blocks.all(|block| matches!(block, Block::Thinking { .. }))
        }
        _ => false,
    };
    assert!(read.is_ok() || is_excused, "{read:?} {}", body.escape_ascii());
}
