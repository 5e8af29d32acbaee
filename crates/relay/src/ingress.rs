//! The clients' addresses: authenticate, peek, serve, render.

mod code_assist;
mod cors;
mod counting;
mod models;
mod peeked;
mod shape;
mod socket;
mod upstream;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use relay_core::clock::Timestamp;
use relay_core::id::{CallId, KeyId};
use relay_core::key::KeyRules;
use relay_core::limit::{self, Refusal};
use relay_core::protocol::{Family, Service};
use tokio::time::Instant;

pub use counting::Counting;
pub use socket::Sockets;

use crate::app::App;
use crate::body::{Received, decline};
use crate::call::Answer;
use crate::client_id::{ClientId, user_agent};
use crate::credential::candidates;
use crate::failure::{Busy, CallerFault, Failure, Recorded, Unserved};
use crate::keyring::Holder;
use crate::refusals::{Noted, Refused};
use crate::route::{Ask, Asked, ClientRoute, Home};
use crate::shutdown::Stage;

/// The longest query that is taken. It goes upstream, where an address has its limits too, and
/// what no address can hold must not look like a fault of the account.
const QUERY_BYTES_MAX: usize = 8 << 10;

/// What is known of a request before anything of it is looked at.
#[derive(Debug)]
pub struct Arrival {
    /// The id of the call that it may become.
    pub id: CallId,
    /// When it came.
    pub at: Timestamp,
    /// When it came, on the clock that measures spans.
    pub started: Instant,
    /// The client's address.
    pub address: IpAddr,
    /// Which program calls.
    pub client: ClientId,
    /// The shape of its errors.
    pub family: Family,
}

/// Answers a request to a client's address.
pub async fn serve(
    app: Arc<App>,
    route: ClientRoute,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Response<Body> {
    if app.settings.cors && request.method() == Method::OPTIONS {
        return cors::preflight(request.headers());
    }
    if app.settings.trusted_proxies.is_strange(peer, request.headers()) {
        app.stranger_warning.call_once(|| {
            tracing::warn!(%peer, "a forwarded address of a peer that is not in TRUST_PROXY is ignored");
        });
    }
    let at = app.now();
    let arrival = Arrival {
        id: app.new_call_id(at),
        at,
        started: Instant::now(),
        address: app.settings.trusted_proxies.client_address(peer, request.headers()),
        client: app.settings.clients.of(request.headers()),
        family: route.family,
    };
    let (id, family, started) = (arrival.id, arrival.family, arrival.started);
    let answer = match answer(&app, route.ask, request, arrival).await {
        Ok(answer) => answer,
        Err(Unserved { failure, upstream, .. }) => {
            Answer { response: failure.render(family, &id.to_string()), upstream }
        }
    };
    let Answer { mut response, upstream } = answer;
    let own = started.elapsed().saturating_sub(upstream);
    stamp(response.headers_mut(), &id.to_string(), own, upstream);
    if app.settings.cors {
        cors::open(response.headers_mut());
    }
    response
}

/// The marks that every answer to a call carries.
fn stamp(
    headers: &mut HeaderMap,
    id: &str,
    own: std::time::Duration,
    upstream: std::time::Duration,
) {
    let millis = |span: std::time::Duration| span.as_secs_f64() * 1_000.0;
    let timing = format!("relay;dur={:.2}, upstream;dur={:.2}", millis(own), millis(upstream));
    for (name, text) in [("x-crs-request-id", id), ("server-timing", &timing)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
}

async fn answer(
    app: &Arc<App>,
    ask: Ask,
    mut request: Request<Incoming>,
    arrival: Arrival,
) -> Result<Answer, Unserved> {
    let upgrade = matches!(ask, Ask::Socket(_)).then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    if ask == Ask::Greeting {
        return Ok(Answer::own(greeting()));
    }
    let holder = match identify(app, &ask, &head, arrival.address) {
        Ok(holder) => holder,
        Err(failure) => {
            decline(&head.headers, body);
            refused(app, &failure, &head, &arrival, None);
            return Err(failure.into());
        }
    };
    let served = match admit(app, &ask, &holder, &arrival) {
        Ok(()) => match (&ask, upgrade) {
            (Ask::Socket(asked), Some(upgrade)) => {
                let opened = socket::open(app, asked, (&head, upgrade), &arrival, &holder);
                opened.map(Answer::own).map_err(Unserved::from)
            }
            _ => ask_key(app, &ask, (&head, body), &arrival, &holder).await,
        },
        Err(failure) => {
            decline(&head.headers, body);
            Err(failure.into())
        }
    };
    served.inspect_err(|unserved| {
        if unserved.recorded == Recorded::No {
            refused(app, &unserved.failure, &head, &arrival, Some(&holder));
        }
    })
}

/// Serves one message of a socket, whose key was found when that was opened: rules and limits are
/// looked at anew, and a refusal is counted as any other.
async fn turn(
    app: &Arc<App>,
    asked: &Asked,
    (head, received): (&Parts, Received),
    arrival: &Arrival,
    key: KeyId,
) -> Result<Answer, Unserved> {
    let holder = app.keys.by_id(key).ok_or(CallerFault::UnknownKey)?;
    if app.shutdown.stage() > Stage::Serving {
        return Err(Busy::Stopping.into());
    }
    let ask = Ask::Socket(asked.clone());
    let served = match admit(app, &ask, &holder, arrival) {
        Ok(()) => {
            let request = (head, received);
            Box::pin(upstream::received_by(app, asked, request, arrival, key)).await
        }
        Err(failure) => Err(failure.into()),
    };
    served.inspect_err(|unserved| {
        if unserved.recorded == Recorded::No {
            refused(app, &unserved.failure, head, arrival, Some(&holder));
        }
    })
}

/// What a key may ask.
async fn ask_key(
    app: &Arc<App>,
    ask: &Ask,
    (head, body): (&Parts, Incoming),
    arrival: &Arrival,
    holder: &Arc<Holder>,
) -> Result<Answer, Unserved> {
    match ask {
        Ask::Upstream(asked) => {
            Box::pin(upstream::serve(app, asked, (head, body), arrival, holder)).await
        }
        Ask::Models(home) => {
            Ok(Answer::own(models::list(app, holder, (*home, arrival.family)).await))
        }
        Ask::Model(home, wanted) => {
            let found = models::one(app, holder, (*home, arrival.family), wanted, arrival.at);
            Ok(Answer::own(found.await?))
        }
        Ask::CodeAssist(method) => Ok(Answer::own(code_assist::answer(method)?)),
        Ask::Greeting | Ask::Socket(_) | Ask::Unknown | Ask::WrongMethod => {
            Err(CallerFault::NoSuchPath.into())
        }
    }
}

/// Whose request this is.
fn identify(app: &App, ask: &Ask, head: &Parts, address: IpAddr) -> Result<Arc<Holder>, Failure> {
    match ask {
        Ask::Unknown => return Err(CallerFault::NoSuchPath.into()),
        Ask::WrongMethod if is_upgrade(&head.headers) => {
            return Err(CallerFault::NoWebSocket.into());
        }
        Ask::WrongMethod => return Err(CallerFault::WrongMethod.into()),
        Ask::Upstream(_)
        | Ask::Socket(_)
        | Ask::CodeAssist(_)
        | Ask::Models(_)
        | Ask::Model(..)
        | Ask::Greeting => {}
    }
    if head.uri.query().is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
        let why = format!("the query is longer than {QUERY_BYTES_MAX} bytes");
        return Err(CallerFault::Malformed(why).into());
    }
    if app.shutdown.stage() > Stage::Serving {
        return Err(Busy::Stopping.into());
    }
    let presented = candidates(&head.headers, head.uri.query());
    if presented.is_empty() {
        return Err(CallerFault::NoKey.into());
    }
    let now = app.now();
    let known = presented.into_iter().find_map(|text| app.keys.find(text, now));
    let Some(holder) = known else {
        app.guesses.unknown(address, now)?;
        return Err(CallerFault::UnknownKey.into());
    };
    if holder.admit(now).is_ok() {
        app.guesses.good(address, now);
    }
    Ok(holder)
}

/// Whose accounts are asked, where the address alone tells: an alias may lead to another family's.
fn service_of(ask: &Ask, rules: &KeyRules, family: Family) -> Option<Service> {
    let home = match ask {
        Ask::Upstream(asked) | Ask::Socket(asked) if rules.aliases.is_empty() => asked.home,
        Ask::CodeAssist(_) => Home::Of(Service::Gemini),
        Ask::Models(Home::ByModel) | Ask::Model(Home::ByModel, _)
            if family == Family::Anthropic =>
        {
            Home::Of(Service::Claude)
        }
        Ask::Models(home) | Ask::Model(home, _) => *home,
        _ => return None,
    };
    match home {
        Home::Of(service) => Some(service),
        Home::ByModel => None,
    }
}

/// Whether its key may ask that now. Limits and rules that go by the head alone are checked here.
fn admit(app: &App, ask: &Ask, holder: &Holder, arrival: &Arrival) -> Result<(), Failure> {
    let now = arrival.at;
    let who = (arrival.address, arrival.client.as_str());
    let rules = &holder.key.rules;
    holder
        .admit(now)
        .and_then(|()| limit::allow_from(rules, who))
        .and_then(|()| {
            service_of(ask, rules, arrival.family)
                .map_or(Ok(()), |it| limit::allow_service(rules, it))
        })
        .map_err(|refusal| Failure::Key { refusal, at: now })?;
    match ask {
        Ask::Upstream(asked) if asked.endpoint.only_counts() => {
            Ok(app.counting.admit(holder.key.id, now)?)
        }
        Ask::Upstream(_) | Ask::Socket(_) if app.journal.is_full() => Err(Busy::JournalFull.into()),
        _ => Ok(()),
    }
}

/// Counts and logs a request that was refused, or that no account could answer.
fn refused(app: &App, failure: &Failure, head: &Parts, arrival: &Arrival, holder: Option<&Holder>) {
    let face = failure.face(arrival.family);
    let noted = app.refusals.note(Refused {
        at: arrival.at,
        key: holder.map(|holder| holder.key.id),
        reason: face.reason,
        address: arrival.address,
    });
    if let Failure::Ours(error) = failure {
        tracing::error!(call = %arrival.id, error = format!("{error:#}"), "a fault of the relay");
    }
    if noted == Noted::Aloud {
        tracing::info!(
            target: "call",
            call = %arrival.id,
            key = holder.map_or("", |holder| &holder.key.name),
            client = arrival.client.as_str(),
            user_agent = user_agent(&head.headers),
            allowed = allowed_clients(failure),
            address = %arrival.address,
            path = head.uri.path(),
            status = face.status.as_u16(),
            reason = face.reason,
            total_ms = u64::try_from(arrival.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "refused"
        );
    }
}

/// The clients that a key is for, where it is refused for another.
fn allowed_clients(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Key { refusal: Refusal::Client { allowed }, .. } => Some(allowed.join(", ")),
        _ => None,
    }
}

/// Whether a request wants to become a WebSocket.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    let names = |name, word: &str| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    names(UPGRADE, "websocket") && names(CONNECTION, "upgrade")
}

/// Some clients look whether anyone is there before they call.
fn greeting() -> Response<Body> {
    let mut response = Response::new(Body::from(r#"{"status":"ok"}"#));
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
