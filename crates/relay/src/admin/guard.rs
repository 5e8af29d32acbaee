//! Who may ask the admin API what; in front of every address of it, also of those that are not.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, Method};
use relay_core::clock::Timestamp;
use relay_store::admin_tokens::{AdminToken, Scope};
use relay_store::admins::Role;
use relay_store::audit::{Deed, Door};
use relay_store::sessions::Session;
use sha2::{Digest, Sha256};

use super::answer::{Code, Note, Problem};
use super::{Asked, session};
use crate::app::App;
use crate::text::{Language, retold};

/// The cookie of a session.
pub(super) const COOKIE_NAME: &str = "crs_session";
/// How long a session lasts that nobody uses.
pub(super) const IDLE: Duration = Duration::from_hours(12);
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

    fn may(&self, need: Need) -> bool {
        match &self.pass {
            Pass::Session(session) => need != Need::Change || session.role == Role::Admin,
            Pass::Token(token) => match need {
                Need::Look => {
                    [Scope::Read, Scope::Write].iter().any(|it| token.scopes.contains(it))
                }
                Need::Change => token.scopes.contains(&Scope::Write),
                Need::Own => false,
            },
        }
    }
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
                deed.follow(next.run(Request::from_parts(parts, body)).await).await
            }
            Err(problem) => problem.into_response(),
        }
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>()
        && language != Language::English
    {
        let said = Json(problem.retold(|text| retold(text, language))).into_response();
        *response.body_mut() = said.into_body();
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
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
        let verb = if changes { format!("{} {path}", parts.method) } else { String::new() };
        Self { who: who.clone(), changes, verb }
    }

    async fn follow(self, mut response: Response) -> Response {
        if !self.changes || !response.status().is_success() {
            return response;
        }
        let note = response.extensions_mut().remove::<Note>().unwrap_or_default();
        let door = match self.who.pass {
            Pass::Session(_) => Door::Page,
            Pass::Token(_) => Door::Token,
        };
        let deed = Deed {
            actor: self.who.name().to_owned(),
            door,
            address: self.who.address.to_string(),
            verb: self.verb,
            subject: note.subject,
            name: note.name,
            detail: note.detail,
        };
        if let Err(error) = self.who.app.store.audit(&deed, self.who.now()).await {
            tracing::error!(%error, verb = deed.verb, "a change is not in the log of changes");
        }
        response
    }
}

/// Finds out who asks, and whether they may.
async fn identify(parts: &Parts, language: Language) -> Result<Who, Problem> {
    let asked: Asked = parts.extensions.get().cloned().ok_or_else(unauthorized)?;
    let headers = &parts.headers;
    let Asked { app, peer } = asked;
    let address = app.settings.trusted_proxies.client_address(peer, headers);
    let pass = match bearer(headers) {
        Some(token) => Pass::Token(by_token(&app, token).await?),
        None => Pass::Session(by_cookie(&app, headers).await?),
    };
    let changes = !matches!(parts.method, Method::GET | Method::HEAD);
    if let Pass::Session(session) = &pass
        && changes
        && !session::is_own_page(&app, session, headers)
    {
        return Err(Problem::new(Code::Forbidden, "the request is not from the admin page"));
    }
    let who = Who { app, address, pass, language };
    if who.may(Need::of(&parts.method, parts.uri.path())) {
        Ok(who)
    } else {
        let why = "who is signed in may look at this, and not change it";
        Err(Problem::new(Code::Forbidden, why))
    }
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
    is_one.then(|| Sha256::digest(credential.as_bytes()).into())
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
