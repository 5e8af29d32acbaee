//! Who may ask the admin API what; in front of every address of it, also of those that are not.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, Method};
use relay_core::clock::Timestamp;
use relay_store::StoreError;
use relay_store::admin_tokens::{AdminToken, Scope};
use relay_store::admins::Role;
use relay_store::audit::{Deed, Door};
use relay_store::sessions::Session;
use utoipa::openapi::PathItem;

use super::answer::{Code, Note, Problem};
use super::{Asked, ROUTES, origin};
use crate::app::App;
use crate::text::{Language, retold};
use crate::verbs::admin::token;

/// The cookie of a session.
pub(super) const COOKIE_NAME: &str = "crs_session";
/// How long a session lasts that nobody uses.
pub(super) const IDLE: Duration = Duration::from_hours(12);
/// How long a session lasts, however much it is used.
pub(super) const LASTS: Duration = Duration::from_hours(7 * 24);
/// Longer credentials are nobody's, and are not hashed.
const CREDENTIAL_BYTES_MAX: usize = 256;
/// How exactly it is noted when a credential was last used.
const SEEN_EVERY: Duration = Duration::from_mins(1);

/// By what somebody is known.
#[derive(Debug, Clone)]
pub(super) enum Pass {
    /// A cookie.
    Session(Session),
    /// A token.
    Token(AdminToken),
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Who {
    /// The program.
    pub app: Arc<App>,
    /// From where.
    pub address: IpAddr,
    /// By what they are known.
    pub pass: Pass,
    /// Whose connection it came by, for what proxies tell.
    pub peer: IpAddr,
    /// What they read.
    pub language: Language,
}

impl Who {
    /// The present.
    pub(super) fn now(&self) -> Timestamp {
        self.app.now()
    }

    /// What the log calls them.
    pub(super) fn name(&self) -> &str {
        match &self.pass {
            Pass::Session(session) => &session.username,
            Pass::Token(token) => &token.name,
        }
    }

    /// Their session, for what is their own.
    pub(super) fn session(&self) -> Result<&Session, Problem> {
        match &self.pass {
            Pass::Session(session) => Ok(session),
            Pass::Token(_) => Err(beyond_token()),
        }
    }

    /// Whether they may still look: their session or token has not ended.
    pub(super) async fn is_still_known(&self) -> Result<bool, StoreError> {
        let (store, now) = (&self.app.store, self.now());
        match &self.pass {
            Pass::Session(session) => {
                let found = store.find_session(&session.hash, now.minus(IDLE), now).await?;
                Ok(found.is_some())
            }
            Pass::Token(token) => {
                let is_good = |it: &AdminToken| it.expires_at.is_none_or(|end| now < end);
                let tokens = store.admin_tokens().await?;
                Ok(tokens.iter().any(|it| it.id == token.id && is_good(it)))
            }
        }
    }

    fn check(&self, need: Need) -> Result<(), Problem> {
        let has = |token: &AdminToken, scope| token.scopes.contains(&scope);
        match (&self.pass, need) {
            (Pass::Session(session), Need::Change) if session.role != Role::Admin => {
                let why = "who is signed in may look at this, and not change it";
                Err(Problem::new(Code::Forbidden, why))
            }
            (Pass::Session(_), _) => Ok(()),
            (Pass::Token(token), Need::Change) if has(token, Scope::Write) => Ok(()),
            (Pass::Token(token), Need::Look)
                if has(token, Scope::Read) || has(token, Scope::Write) =>
            {
                Ok(())
            }
            (Pass::Token(_), _) => Err(beyond_token()),
        }
    }
}

fn beyond_token() -> Problem {
    Problem::new(Code::Forbidden, "this token is not good for that: see its scopes")
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(unauthorized)
    }
}

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Looking: everybody who is known may.
    Look,
    /// Changing something: not for viewers.
    Change,
    /// One's own sign-in: whoever has a session may.
    Own,
}

impl Need {
    /// Nothing is open to viewers unless it is written here.
    fn of(method: &Method, path: &str) -> Self {
        let own = path == "/admin/session" || path.starts_with("/admin/session/");
        match *method {
            _ if own => Self::Own,
            Method::GET | Method::HEAD => Self::Look,
            _ => Self::Change,
        }
    }
}

/// Lets in who may, writes down what they changed, and answers in their language.
pub(super) async fn admit(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let language = language(&parts.headers);
    let signs_in = parts.method == Method::POST && parts.uri.path() == "/admin/session";
    let mut response = if signs_in {
        next.run(Request::from_parts(parts, body)).await
    } else {
        match identify(&parts, language).await {
            Ok(who) => {
                let deed = Deeds::of(&who, &parts);
                parts.extensions.insert(who);
                deed.follow(next.run(Request::from_parts(parts, body))).await
            }
            Err(problem) => problem.into_response(),
        }
    };
    say_in(&mut response, language);
    secured(response)
}

/// Says in a language what went wrong.
fn say_in(response: &mut Response, language: Language) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>()
        && language != Language::English
    {
        let said = Json(problem.retold(|text| retold(text, language))).into_response();
        *response.body_mut() = said.into_body();
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
    }
}

/// The same, in the language that a request asks for.
pub(super) fn in_language_of(mut response: Response, headers: &HeaderMap) -> Response {
    say_in(&mut response, language(headers));
    response
}

/// Answers are for who asked alone, and nothing in them is run or framed.
pub(super) fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let alone = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, alone);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// What is to be written down of a request if it changes something.
struct Deeds {
    who: Who,
    changes: bool,
    verb: String,
}

impl Deeds {
    fn of(who: &Who, parts: &Parts) -> Self {
        let changes = !matches!(parts.method, Method::GET | Method::HEAD);
        let path = parts.extensions.get::<MatchedPath>();
        let path = path.map_or_else(|| parts.uri.path(), MatchedPath::as_str);
        let verb = if changes { operation(&parts.method, path) } else { String::new() };
        Self { who: who.clone(), changes, verb }
    }

    /// Answers. What changes something is done and written down also if who asked goes away.
    async fn follow(self, answer: impl Future<Output = Response> + Send + 'static) -> Response {
        if !self.changes {
            return answer.await;
        }
        let done = tokio::spawn(async move { self.written_down(answer.await).await });
        done.await.unwrap_or_else(|_| {
            let why = "the relay failed to do it; its log says why";
            Problem::new(Code::Internal, why).into_response()
        })
    }

    async fn written_down(self, mut response: Response) -> Response {
        let note = response.extensions_mut().remove::<Note>();
        if response.status().is_success() {
            let door = match self.who.pass {
                Pass::Session(_) => Door::Page,
                Pass::Token(_) => Door::Token,
            };
            let deed = deed((self.who.name(), door, self.who.address), self.verb, note);
            write_down(&self.who.app, &deed).await;
            // Somebody may have been shut out by it.
            self.who.app.desk.live.look_again();
        }
        response
    }
}

/// A line for the log of changes.
pub(super) fn deed(
    (actor, door, address): (&str, Door, IpAddr),
    verb: impl Into<String>,
    note: Option<Note>,
) -> Deed {
    let note = note.unwrap_or_default();
    Deed {
        actor: actor.to_owned(),
        door,
        address: address.to_string(),
        verb: verb.into(),
        subject: note.subject,
        name: note.name,
        detail: note.detail,
    }
}

/// Writes a line into the log of changes. What was done is not undone for a line that is missing.
pub(super) async fn write_down(app: &App, deed: &Deed) {
    if let Err(error) = app.store.audit(deed, app.now()).await {
        tracing::error!(%error, verb = deed.verb, "a change is not in the log of changes");
    }
}

/// What the OpenAPI document calls each change.
static OPERATIONS: LazyLock<HashMap<(Method, &str), &str>> = LazyLock::new(|| {
    let paths = ROUTES.1.paths.paths.iter();
    paths
        .flat_map(|(path, item)| changes(item).map(move |(method, id)| ((method, &**path), id)))
        .collect()
});

fn changes(item: &PathItem) -> impl Iterator<Item = (Method, &str)> {
    let all = [
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| {
        let id = operation.as_ref()?.operation_id.as_deref()?;
        Some((method, id))
    })
}

fn operation(method: &Method, path: &str) -> String {
    let known = OPERATIONS.get(&(method.clone(), path));
    known.map_or_else(|| format!("{method} {path}"), |id| (*id).to_owned())
}

/// Finds out who asks, and whether they may.
async fn identify(parts: &Parts, language: Language) -> Result<Who, Problem> {
    let asked: Asked = parts.extensions.get().cloned().ok_or_else(unauthorized)?;
    let headers = &parts.headers;
    let Asked { app, peer } = asked;
    let trusted = &app.settings.trusted_proxies;
    let address = trusted.client_address(peer, headers);
    let pass = match bearer(headers) {
        Some(token) => Pass::Token(by_token(&app, token).await?),
        None => Pass::Session(by_cookie(&app, headers).await?),
    };
    if let Pass::Session(session) = &pass
        && !matches!(parts.method, Method::GET | Method::HEAD)
        && (origin::is_foreign(trusted, peer, headers)
            || !app.desk.csrf.is_brought(headers, &session.hash))
    {
        return Err(foreign());
    }
    let who = Who { app, address, pass, peer, language };
    who.check(Need::of(&parts.method, parts.uri.path()))?;
    Ok(who)
}

/// Lets in who may read the figures for a system that watches.
pub(super) async fn may_read_figures(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let token = by_token(app, bearer(headers).ok_or_else(unauthorized)?).await?;
    if token.scopes.contains(&Scope::Metrics) { Ok(()) } else { Err(beyond_token()) }
}

/// The request may come from another page than the relay's.
pub(super) fn foreign() -> Problem {
    let why = "the request does not prove that the admin page sent it: load the page again; \
        behind a proxy, name it in TRUST_PROXY and let it pass on the host that was asked";
    Problem::new(Code::Forbidden, why)
}

async fn by_token(app: &App, token: &str) -> Result<AdminToken, Problem> {
    let now = app.now();
    let hash = hash(token).ok_or_else(unauthorized)?;
    let found = app.store.find_admin_token(&hash, now).await?.ok_or_else(unauthorized)?;
    if found.last_used_at.is_none_or(|at| now.since(at) >= SEEN_EVERY) {
        app.store.touch_admin_token(found.id, now).await?;
    }
    Ok(found)
}

async fn by_cookie(app: &App, headers: &HeaderMap) -> Result<Session, Problem> {
    let now = app.now();
    let hash = cookie(headers).and_then(hash).ok_or_else(unauthorized)?;
    let idle_since = now.minus(IDLE);
    let found = app.store.find_session(&hash, idle_since, now).await?.ok_or_else(unauthorized)?;
    if now.since(found.seen_at) >= SEEN_EVERY {
        app.store.touch_session(&hash, now).await?;
    }
    Ok(found)
}

/// What a credential is found by. What is too long, or nothing, is nobody's.
pub(super) fn hash(credential: &str) -> Option<[u8; 32]> {
    let is_one = !credential.is_empty() && credential.len() <= CREDENTIAL_BYTES_MAX;
    is_one.then(|| token::hash(credential))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The value of the session's cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|it| it.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE_NAME).map(|(_, value)| value.trim())
}

fn language(headers: &HeaderMap) -> Language {
    let asked = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    asked.and_then(Language::from_name).unwrap_or_default()
}

pub(super) fn unauthorized() -> Problem {
    Problem::new(Code::Unauthorized, "sign in first")
}
