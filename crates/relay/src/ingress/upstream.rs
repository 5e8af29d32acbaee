//! What accounts are asked: reads a request, finds whose accounts serve it, and what it may use.

use std::sync::Arc;

use http::request::Parts;
use hyper::body::Incoming;
use relay_core::endpoint::Endpoint;
use relay_core::id::{KeyId, SessionId};
use relay_core::limit::{allow_model, allow_service};
use relay_core::model::ModelFamily;
use relay_core::protocol::Service;
use relay_core::schedule::Hold;
use relay_wire::peek::SessionHint;
use sha2::{Digest, Sha256};

use super::Arrival;
use super::peeked::Peeked;
use super::shape::{Shaped, shape};
use crate::app::App;
use crate::body::{self, Received};
use crate::call::{self, Answer, Call, missing};
use crate::config::UnknownPrice;
use crate::expectation::{self, Size};
use crate::failure::{CallerFault, Failure, Unserved};
use crate::keyring::Holder;
use crate::route::{Asked, Home};

/// Reads a request and serves it.
pub(super) async fn serve(
    app: &Arc<App>,
    asked: &Asked,
    (head, incoming): (&Parts, Incoming),
    arrival: &Arrival,
    holder: &Arc<Holder>,
) -> Result<Answer, Unserved> {
    if asked.google.is_some() && asked.endpoint.may_stream() {
        check_form(head, asked)?;
    }
    let rules = &holder.key.rules;
    let limit = app.settings.calls.body_bytes_max;
    let own = rules.body_bytes_max.and_then(|bytes| usize::try_from(bytes).ok());
    let limit = own.map_or(limit, |own| own.min(limit));
    let received = body::read(&app.bodies, &head.headers, incoming, limit).await;
    let received = received.map_err(|failure| of_key(failure, own))?;
    received_by(app, asked, (head, received), arrival, holder.key.id).await
}

/// Serves a request whose body has arrived.
pub(super) async fn received_by(
    app: &Arc<App>,
    asked: &Asked,
    (head, received): (&Parts, Received),
    arrival: &Arrival,
    key: KeyId,
) -> Result<Answer, Unserved> {
    let endpoint = asked.endpoint;
    // A body may take minutes, in which the key may have been edited, or removed.
    let holder = &app.keys.by_id(key).ok_or(CallerFault::UnknownKey)?;
    let now = app.now();
    holder.admit(now).map_err(|refusal| Failure::Key { refusal, at: now })?;
    let rules = &holder.key.rules;
    let home = asked.home;
    let shaped = shape(asked, rules, received.bytes(), missing(endpoint))?;
    let Shaped { changed, peek, asked } = shaped;
    if endpoint == Endpoint::Images && peek.stream {
        let why = "pictures are not served as streams: leave `stream` out".to_owned();
        return Err(CallerFault::Malformed(why).into());
    }
    let body = received.keep(changed);
    let service = service(home, &asked, &peek.model);
    allow_service(rules, service)
        .and_then(|()| allow_model(rules, &peek.model))
        .map_err(|refusal| Failure::Key { refusal, at: arrival.at })?;
    let prices = app.prices.load_full();
    if app.settings.unknown_price == UnknownPrice::Refuse && !prices.is_known(service, &peek.model)
    {
        return Err(CallerFault::Unpriced(peek.model).into());
    }
    let session = session(&peek, head, holder.key.id);
    let model_family = ModelFamily::of(&peek.model);
    let expected = {
        let mean = holder.allowance.mean(&asked);
        let usage = expectation::usage(
            size(&peek),
            mean,
            app.caches.of((session, &model_family), arrival.at),
        );
        expectation::expect(&prices, (service, &peek.model), usage, mean, arrival.at)
    };
    // It is open from here on: it may wait for its turn.
    let open = app.shutdown.open_call();
    let permit = if endpoint.only_counts() {
        None
    } else {
        Some(call::admit(app, holder, (arrival, &model_family), &expected).await?)
    };
    let call = Box::new(Call {
        id: arrival.id,
        at: arrival.at,
        started: arrival.started,
        family: arrival.family,
        service,
        endpoint,
        path: shown_path(head),
        query: head.uri.query().map(str::to_owned),
        session,
        hold: if peek.names_account_state { Hold::Hard } else { Hold::Soft },
        expected,
        permit,
        model_family,
        asked,
        model: peek.model,
        form: peek.form,
        streamed: peek.stream && endpoint.may_stream(),
        client: arrival.client.clone(),
        address: arrival.address,
        headers: head.headers.clone(),
        open,
        holder: Arc::clone(holder),
    });
    call::serve(Arc::clone(app), call, body).await
}

/// A body that is too large, told as what it is: for this key, or for anybody.
fn of_key(failure: Failure, own: Option<usize>) -> Failure {
    match failure {
        Failure::Caller(CallerFault::TooLarge { limit }) if own == Some(limit) => {
            CallerFault::TooLargeForKey { limit }.into()
        }
        other => other,
    }
}

/// The path as it is recorded: as it was called, but never long.
fn shown_path(head: &Parts) -> String {
    const CHARS_MAX: usize = 128;
    head.uri.path().chars().take(CHARS_MAX).collect()
}

/// What a request says of its size.
const fn size(peek: &Peeked) -> Size {
    Size {
        input: peek.input_estimate,
        cacheable: peek.cacheable_estimate,
        output_max: peek.max_tokens,
    }
}

/// Headers in which clients name their conversation: Claude Code, Codex in either spelling, others.
const SESSION_HEADERS: [&str; 5] =
    ["x-session-id", "x-claude-code-session-id", "session-id", "session_id", "conversation_id"];

/// Whose accounts serve a call: those that the address names, or those that have the model. An alias
/// that stands for a model of another family leads to that family's.
fn service(home: Home, asked: &str, model: &str) -> Service {
    let of_model = Service::of_model(model);
    match home {
        Home::ByModel => of_model.unwrap_or(Service::Openai),
        Home::Of(service) if asked == model => service,
        Home::Of(service) => of_model.unwrap_or(service),
    }
}

/// Google's API streams a JSON array unless it is asked for events; the relay streams events alone.
fn check_form(head: &Parts, asked: &Asked) -> Result<(), CallerFault> {
    let streamed = asked.google.as_ref().is_some_and(|google| google.streamed);
    let asks_for_events = |pair: &str| pair == "alt=sse" || pair == "$alt=sse";
    let asks = head.uri.query().is_some_and(|query| query.split('&').any(asks_for_events));
    if streamed && !asks {
        let why = "streams are served as events: ask with ?alt=sse".to_owned();
        return Err(CallerFault::Malformed(why));
    }
    Ok(())
}

/// The conversation: what the client calls it in its body or in a header, else how it begins;
/// scoped to the key, so that no key meets another's pin.
fn session(peek: &Peeked, head: &Parts, key: KeyId) -> Option<SessionId> {
    let header =
        || SESSION_HEADERS.into_iter().find_map(|name| head.headers.get(name)?.to_str().ok());
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
