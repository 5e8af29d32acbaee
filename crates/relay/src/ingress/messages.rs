//! Anthropic Messages: conversations and counts of their tokens.

use std::sync::Arc;

use http::request::Parts;
use hyper::body::Incoming;
use relay_core::id::{KeyId, SessionId};
use relay_core::model::ModelFamily;
use relay_core::protocol::Service;
use relay_core::schedule::Hold;
use relay_core::usage::TokenUsage;
use relay_wire::peek::{self, MessagesPeek, SessionHint};
use sha2::{Digest, Sha256};

use super::Arrival;
use crate::app::App;
use crate::body;
use crate::call::{self, Answer, Call, Endpoint};
use crate::client_id::client_id;
use crate::config::UnknownPrice;
use crate::failure::{CallerFault, Unserved};
use crate::keyring::Holder;

/// The output that a call is expected to have before its key has settled calls of that model.
const FIRST_OUTPUT_TOKENS: u64 = 4_000;

/// Reads a request and serves it.
pub(super) async fn serve(
    app: &Arc<App>,
    endpoint: Endpoint,
    head: &Parts,
    incoming: Incoming,
    arrival: &Arrival,
    holder: &Arc<Holder>,
) -> Result<Answer, Unserved> {
    let limit = app.settings.calls.body_bytes_max;
    let body = body::read(&app.bodies, &head.headers, incoming, limit).await?;
    let peek = peek::messages(&body).map_err(|error| CallerFault::Malformed(error.to_string()))?;
    let service = Service::Claude;
    if app.settings.unknown_price == UnknownPrice::Refuse
        && !app.prices.load().is_known(service, &peek.model)
    {
        return Err(CallerFault::Unpriced(peek.model).into());
    }
    let call = Box::new(Call {
        id: arrival.id,
        at: arrival.at,
        started: arrival.started,
        family: arrival.family,
        service,
        endpoint,
        path: shown_path(head),
        query: head.uri.query().map(str::to_owned),
        session: session(&peek, head, holder.key.id),
        hold: if peek.names_account_state { Hold::Hard } else { Hold::Soft },
        reserved: reserved(&peek),
        model_family: ModelFamily::of(&peek.model),
        model: peek.model,
        model_span: peek.model_span,
        streamed: peek.stream && endpoint == Endpoint::Messages,
        client: client_id(&head.headers),
        address: arrival.address,
        headers: head.headers.clone(),
        lease: holder.lease(),
        open: app.shutdown.open_call(),
        holder: Arc::clone(holder),
    });
    call::serve(Arc::clone(app), call, body).await
}

/// The path as it is recorded: as it was called, but never long.
fn shown_path(head: &Parts) -> String {
    const CHARS_MAX: usize = 128;
    head.uri.path().chars().take(CHARS_MAX).collect()
}

/// What the call is expected to use.
fn reserved(peek: &MessagesPeek) -> TokenUsage {
    TokenUsage {
        input: peek.input_estimate,
        output: peek.max_tokens.unwrap_or(FIRST_OUTPUT_TOKENS).min(FIRST_OUTPUT_TOKENS),
        ..TokenUsage::default()
    }
}

/// The conversation: what the client calls it in its body or in a header, else how it begins;
/// scoped to the key, so that no key meets another's pin.
fn session(peek: &MessagesPeek, head: &Parts, key: KeyId) -> Option<SessionId> {
    let header = || {
        ["x-session-id", "x-claude-code-session-id"]
            .into_iter()
            .find_map(|name| head.headers.get(name)?.to_str().ok())
    };
    let mut hasher = Sha256::new();
    hasher.update(key.0.to_be_bytes());
    match (&peek.session, header()) {
        (SessionHint::Client(id), _) => hasher.update(id),
        (_, Some(id)) => hasher.update(id),
        (SessionHint::Conversation(beginning), None) => hasher.update(beginning),
        (SessionHint::None, None) => return None,
    }
    let hash = hasher.finalize();
    hash.first_chunk().copied().map(SessionId)
}
