//! What a body says to the relay, whichever protocol it is in.

use bytes::Bytes;
use relay_core::endpoint::Endpoint;
use relay_core::key::KeyRules;
use relay_core::payload::PayloadRule;
use relay_wire::edit::{self, EditError, Missing};
use relay_wire::gemini::envelope::Place;
use relay_wire::peek::{self, MODEL_BYTES_MAX, PeekError, SessionHint};
use relay_wire::{chat, gemini, responses, splice};

use crate::call::Form;
use crate::route::Asked;

/// What a body, and the address that it came to, say.
#[derive(Debug)]
pub(super) struct Peeked {
    /// The model that is asked for.
    pub(super) model: String,
    /// What of the body changes from account to account.
    pub(super) form: Form,
    /// Whether the answer is to be streamed.
    pub(super) stream: bool,
    /// The most output tokens that are asked for.
    pub(super) max_tokens: Option<u64>,
    /// What tells the conversation apart.
    pub(super) session: SessionHint,
    /// Whether it names what only one account has.
    pub(super) names_account_state: bool,
    /// The estimated tokens of the prompt.
    pub(super) input_estimate: u64,
    /// How many of them are to be cached.
    pub(super) cacheable_estimate: u64,
}

/// Reads a body as far as the relay must.
pub(super) fn look(asked: &Asked, body: &[u8]) -> Result<Peeked, PeekError> {
    match asked.endpoint {
        Endpoint::Messages | Endpoint::CountTokens => of_messages(body),
        Endpoint::Chat | Endpoint::Completions | Endpoint::Embeddings | Endpoint::Images => {
            of_chat(asked.endpoint, body)
        }
        Endpoint::Responses | Endpoint::Compact | Endpoint::CountInput => of_responses(body),
        Endpoint::Generate | Endpoint::CountContents | Endpoint::Embed | Endpoint::EmbedBatch => {
            of_google(asked, body)
        }
    }
}

fn of_messages(body: &[u8]) -> Result<Peeked, PeekError> {
    let peek = peek::messages(body)?;
    Ok(Peeked {
        model: peek.model,
        form: Form::Named(peek.model_span),
        stream: peek.stream,
        max_tokens: peek.max_tokens,
        session: peek.session,
        names_account_state: peek.names_account_state,
        input_estimate: peek.input_estimate,
        cacheable_estimate: peek.cacheable_estimate,
    })
}

fn of_chat(endpoint: Endpoint, body: &[u8]) -> Result<Peeked, PeekError> {
    let peek = chat::peek::chat(body)?;
    let talks = matches!(endpoint, Endpoint::Chat | Endpoint::Completions);
    let form = if talks {
        Form::Chat { model: peek.model_span, usage: peek.usage_splice }
    } else {
        Form::Named(peek.model_span)
    };
    Ok(Peeked {
        model: peek.model,
        form,
        stream: peek.stream,
        max_tokens: peek.max_tokens.or((!talks).then_some(0)),
        session: if talks { peek.session } else { SessionHint::None },
        names_account_state: peek.names_account_state,
        input_estimate: peek.input_estimate,
        cacheable_estimate: 0,
    })
}

fn of_responses(body: &[u8]) -> Result<Peeked, PeekError> {
    let peek = responses::peek::responses(body)?;
    Ok(Peeked {
        model: peek.model,
        form: Form::Named(peek.model_span),
        stream: peek.stream,
        max_tokens: peek.max_tokens,
        session: peek.session,
        names_account_state: peek.names_account_state,
        input_estimate: peek.input_estimate,
        cacheable_estimate: 0,
    })
}

fn of_google(asked: &Asked, body: &[u8]) -> Result<Peeked, PeekError> {
    let google = asked.google.as_ref();
    let named = google.and_then(|google| google.model.as_deref());
    let stream = google.is_some_and(|google| google.streamed);
    let (model, form, request) = match named {
        Some(model) if model.len() > MODEL_BYTES_MAX => return Err(PeekError::ModelTooLong),
        Some(model) => (model.to_owned(), Form::Google, gemini::peek::native(body)?),
        None => {
            let peek = gemini::peek::enveloped(body)?;
            let place = Place {
                model: peek.model_span,
                project: peek.project_span,
                request: peek.request_span,
            };
            (peek.model, Form::Enveloped(place), peek.request)
        }
    };
    let model = model.strip_prefix("models/").map(str::to_owned).unwrap_or(model);
    let max_tokens = match asked.endpoint {
        Endpoint::Embed | Endpoint::EmbedBatch => Some(0),
        _ => request.max_tokens,
    };
    Ok(Peeked {
        model,
        form,
        stream,
        max_tokens,
        session: request.session,
        names_account_state: request.names_account_state,
        input_estimate: request.input_estimate,
        cacheable_estimate: 0,
    })
}

impl Peeked {
    /// The body with another name of the model, where it stands in it.
    pub(super) fn renamed(&self, body: &Bytes, model: &str) -> Option<Bytes> {
        match &self.form {
            Form::Named(span) | Form::Chat { model: span, .. } => {
                let name = splice::json_string(model);
                Some(splice::replace(body, span.clone(), name.as_bytes()))
            }
            Form::Google => None,
            Form::Enveloped(place) => Some(place.addressed(body, (model, &self.model), "")),
        }
    }
}

/// The body in which no more output is asked for than a key may have. In protocols in which a limit
/// that is left out means the model's own, it is put in.
pub(super) fn capped(
    asked: &Asked,
    rules: &KeyRules,
    peeked: &Peeked,
    body: &Bytes,
) -> Result<Option<Bytes>, EditError> {
    let Some(most) = rules.output_tokens_max else { return Ok(None) };
    let is_within = peeked.max_tokens.is_some_and(|asked| asked <= most);
    let put = |path: &str| {
        let Ok(path) = path.parse() else { return Ok(None) };
        edit::apply(body, &[PayloadRule::Set { path, json: most.to_string() }], Missing::Add)
    };
    match asked.endpoint {
        Endpoint::Messages | Endpoint::CountTokens => edit::cap(body, &["max_tokens"], most),
        Endpoint::Chat | Endpoint::Completions => {
            match edit::cap(body, &["max_tokens", "max_completion_tokens"], most)? {
                None if peeked.max_tokens.is_none() && asked.endpoint == Endpoint::Chat => {
                    put("max_completion_tokens")
                }
                None if peeked.max_tokens.is_none() => put("max_tokens"),
                changed => Ok(changed),
            }
        }
        _ if is_within => Ok(None),
        Endpoint::Responses => put("max_output_tokens"),
        Endpoint::Generate if matches!(peeked.form, Form::Enveloped(_)) => {
            put("request.generationConfig.maxOutputTokens")
        }
        Endpoint::Generate => put("generationConfig.maxOutputTokens"),
        _ => Ok(None),
    }
}
