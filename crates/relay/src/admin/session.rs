//! Signing in, out, and what belongs to one's own sign-in.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::{HOST, HeaderValue, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, StatusCode};
use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use relay_store::admins::{Admin, Role};
use relay_store::audit::{Deed, Door};
use relay_store::data_dir::DataDir;
use relay_store::sessions::{NewSession, Session};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Asked;
use super::answer::{Change, Code, Done, Note, Problem, Read};
use super::guard::{self, COOKIE_NAME, Pass, Who, unauthorized};
use crate::app::App;
use crate::hex::hex;
use crate::live::SetLive;
use crate::randomness::random;
use crate::verbs::admin::password;
use crate::verbs::{VerbError, admin, moment};

/// How long a session lasts, however much it is used.
const LASTS: Duration = Duration::from_hours(7 * 24);
/// More of a user agent is not kept.
const USER_AGENT_CHARS_MAX: usize = 200;
/// The password of nobody: what is hashed for a name that there is not takes as long.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
    AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The addresses of one's own sign-in.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show, sign_in, sign_out))
        .routes(routes!(change_password))
        .routes(routes!(list))
        .routes(routes!(end))
}

/// A name and a password.
#[derive(Deserialize, ToSchema)]
struct SignIn {
    username: String,
    password: String,
    /// The code of the second factor, where one is asked for.
    #[expect(dead_code, reason = "asked for as soon as there are second factors")]
    code: Option<String>,
}

/// Who is signed in, and what the relay is called.
#[derive(Debug, Serialize, ToSchema)]
struct SessionView {
    username: String,
    #[schema(value_type = String)]
    role: Role,
    /// Whether a second factor is asked for.
    totp: bool,
    /// What changes are to be sent with, as `x-csrf-token`.
    csrf_token: String,
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "moment::serialize")]
    ends_at: Timestamp,
    /// Whether the password is still the one that was made at the first start.
    must_change_password: bool,
    version: &'static str,
    /// What the operator calls the relay.
    title: String,
    /// Its picture, as a data URL.
    logo: String,
    /// What the operator wants everybody to read.
    notice: String,
    /// The zone in which days begin.
    zone: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "moment::serialize")]
    now: Timestamp,
}

/// A session as it is shown.
#[derive(Debug, Serialize, ToSchema)]
struct OwnSession {
    /// By what it is ended.
    id: String,
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "moment::serialize")]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "moment::serialize")]
    seen_at: Timestamp,
    address: String,
    user_agent: String,
    /// Whether it is the one that asks.
    current: bool,
}

/// A password in place of another.
#[derive(Deserialize, ToSchema)]
struct PasswordChange {
    /// The present one.
    current: String,
    /// The new one: at least 8 characters.
    new: String,
}

/// Who is signed in.
#[utoipa::path(get, path = "/admin/session", tag = "session", operation_id = "session_show",
    responses((status = 200, body = SessionView), (status = 401, body = Problem)))]
async fn show(who: Who) -> Read<SessionView> {
    let session = own(&who)?;
    Ok(Json(view(&who.app, session).await?))
}

/// Signs in: the answer sets the cookie.
#[utoipa::path(post, path = "/admin/session", tag = "session", operation_id = "session_sign_in",
    request_body = SignIn,
    responses((status = 200, body = SessionView), (status = 401, body = Problem),
        (status = 429, body = Problem)))]
async fn sign_in(
    Extension(asked): Extension<Asked>,
    headers: HeaderMap,
    Json(given): Json<SignIn>,
) -> Result<Response, Problem> {
    let Asked { app, peer } = asked;
    let trusted = &app.settings.trusted_proxies;
    let address = trusted.client_address(peer, &headers);
    let admin = known(&app, &given, address).await?;
    // The one before is over: a browser has one session.
    if let Some(before) = guard::cookie(&headers).and_then(guard::hash) {
        app.store.end_session(&before).await?;
    }
    let now = app.now();
    let secret = hex(&random::<32>());
    let hash = guard::hash(&secret).ok_or_else(unauthorized)?;
    let agent = headers.get(USER_AGENT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let new = NewSession {
        hash,
        admin: admin.id,
        ends_at: now.plus(LASTS),
        address: address.to_string(),
        user_agent: agent.chars().take(USER_AGENT_CHARS_MAX).collect(),
    };
    app.store.forget_sessions(now.minus(guard::IDLE), now).await?;
    app.store.add_session(&new, now).await?;
    let deed = Deed {
        actor: admin.username,
        door: Door::Page,
        address: address.to_string(),
        verb: "session_sign_in".into(),
        subject: String::new(),
        name: String::new(),
        detail: String::new(),
    };
    app.store.audit(&deed, now).await?;
    let session = app.store.find_session(&hash, now, now).await?.ok_or_else(unauthorized)?;
    let is_https = trusted.is_https(peer, &headers);
    let mut response = Json(view(&app, &session).await?).into_response();
    response.headers_mut().insert(SET_COOKIE, cookie(&secret, LASTS, is_https)?);
    Ok(response)
}

/// Signs out.
#[utoipa::path(delete, path = "/admin/session", tag = "session",
    operation_id = "session_sign_out", responses((status = 204), (status = 401, body = Problem)))]
async fn sign_out(
    who: Who,
    Extension(asked): Extension<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    who.app.store.end_session(&own(&who)?.hash).await?;
    let is_https = who.app.settings.trusted_proxies.is_https(asked.peer, &headers);
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(SET_COOKIE, cookie("", Duration::ZERO, is_https)?);
    Ok(response)
}

/// Changes one's own password. All sessions end but the one that asks.
#[utoipa::path(put, path = "/admin/session/password", tag = "session",
    operation_id = "session_change_password", request_body = PasswordChange,
    responses((status = 200, body = SessionView), (status = 400, body = Problem)))]
async fn change_password(who: Who, Json(change): Json<PasswordChange>) -> Change<SessionView> {
    let session = own(&who)?.clone();
    let known = SignIn { username: session.username.clone(), password: change.current, code: None };
    known_password(&who, &known).await?;
    let dir = data_dir(&who.app)?;
    let (store, new) = (&who.app.store, Secret::new(change.new));
    let username = Some(session.username.as_str());
    admin::reset_password(store, &dir, username, Some(new), who.now())
        .await
        .map_err(|error| Problem::from(error).at("new"))?;
    // The verb ended them all.
    let again = NewSession {
        hash: session.hash,
        admin: session.admin,
        ends_at: session.ends_at,
        address: session.address.clone(),
        user_agent: session.user_agent.clone(),
    };
    store.add_session(&again, who.now()).await?;
    let answer = view(&who.app, &session).await?;
    Ok(Done { note: Note::of("", &session.username), answer })
}

/// One's own sessions.
#[utoipa::path(get, path = "/admin/session/sessions", tag = "session",
    operation_id = "session_list", responses((status = 200, body = Vec<OwnSession>)))]
async fn list(who: Who) -> Read<Vec<OwnSession>> {
    let own = own(&who)?;
    let idle_since = who.now().minus(guard::IDLE);
    let all = who.app.store.sessions_of(own.admin).await?;
    let live = all.into_iter().filter(|it| it.seen_at >= idle_since && it.ends_at > who.now());
    let shown = live.map(|session| OwnSession {
        id: public_id(&session),
        created_at: session.created_at,
        seen_at: session.seen_at,
        current: session.hash == own.hash,
        address: session.address,
        user_agent: session.user_agent,
    });
    Ok(Json(shown.collect()))
}

/// Ends one of one's own sessions.
#[utoipa::path(delete, path = "/admin/session/sessions/{id}", tag = "session",
    operation_id = "session_end", params(("id" = String, Path)),
    responses((status = 200), (status = 404, body = Problem)))]
async fn end(who: Who, Path(id): Path<String>) -> Change<()> {
    let all = who.app.store.sessions_of(own(&who)?.admin).await?;
    let found = all.iter().find(|session| public_id(session) == id);
    let found = found.ok_or_else(|| Problem::new(Code::NotFound, "there is no such session"))?;
    who.app.store.end_session(&found.hash).await?;
    Ok(Done { note: Note::of("", &found.username).with(&found.address), answer: () })
}

/// The session that asks; tokens have none.
fn own(who: &Who) -> Result<&Session, Problem> {
    match &who.pass {
        Pass::Session(session) => Ok(session),
        Pass::Token(_) => Err(unauthorized()),
    }
}

/// A name for a session by which nobody can take it: half of a hash of what it is found by.
fn public_id(session: &Session) -> String {
    let hash = guard::hash(&hex(&session.hash)).unwrap_or_default();
    hex(&hash[..16])
}

/// The administrator whose name and password these are.
async fn known(app: &App, given: &SignIn, address: IpAddr) -> Result<Admin, Problem> {
    let name = given.username.trim();
    let wait = app.desk.throttle.lock().wait(name, address, app.now());
    if !wait.is_zero() {
        return Err(throttled(wait));
    }
    let found = app.store.find_admin(name).await?.filter(|admin| !admin.disabled);
    let hash = found.as_ref().map_or(NOBODY, |admin| &admin.password_hash).to_owned();
    let matched = matches(app, &given.password, hash).await?;
    let mut throttle = app.desk.throttle.lock();
    if let Some(admin) = found.filter(|_| matched) {
        throttle.succeeded(name, address, app.now());
        return Ok(admin);
    }
    throttle.failed(name, address, app.now());
    drop(throttle);
    tracing::warn!(%address, "a sign-in to the admin page was refused");
    Err(Problem::new(Code::Unauthorized, "the name or the password is wrong"))
}

/// Whether who is signed in knows their password: a wrong one counts as a wrong sign-in does.
async fn known_password(who: &Who, given: &SignIn) -> Result<(), Problem> {
    match known(&who.app, given, who.address).await {
        Ok(_) => Ok(()),
        Err(problem) if problem.is(Code::Unauthorized) => {
            Err(Problem::invalid("the present password is wrong").at("current"))
        }
        Err(problem) => Err(problem),
    }
}

/// Whether it is the password of a hash, in turn with others.
async fn matches(app: &App, password: &str, hash: String) -> Result<bool, Problem> {
    let Ok(_place) = app.desk.waiting.try_acquire() else {
        return Err(throttled(Duration::from_secs(2)));
    };
    let Ok(_turn) = app.desk.hashing.acquire().await else { return Ok(false) };
    Ok(password::matches(Secret::new(password), hash).await)
}

fn throttled(wait: Duration) -> Problem {
    let seconds = wait.as_secs().max(1);
    Problem::new(Code::Throttled, format!("too many attempts: try again in {seconds} s"))
        .after_seconds(seconds)
}

async fn view(app: &App, session: &Session) -> Result<SessionView, Problem> {
    let (store, now) = (&app.store, app.now());
    let set = |name| async move { store.setting(name).await.map(Option::unwrap_or_default) };
    let found = store.find_admin(&session.username).await?;
    Ok(SessionView {
        username: session.username.clone(),
        role: session.role,
        totp: found.is_some_and(|admin| admin.has_totp),
        csrf_token: app.desk.csrf_token(&session.hash),
        ends_at: session.ends_at,
        must_change_password: data_dir(app)?.init_file().exists(),
        version: env!("CARGO_PKG_VERSION"),
        title: set("site_title").await?,
        logo: set("site_logo").await?,
        notice: set("site_notice").await?,
        zone: SetLive::of(&app.settings, now).zone,
        now,
    })
}

fn data_dir(app: &App) -> Result<DataDir, Problem> {
    Ok(DataDir::open(&app.settings.data_dir).map_err(VerbError::from)?)
}

fn cookie(value: &str, lasts: Duration, is_https: bool) -> Result<HeaderValue, Problem> {
    let (secure, seconds) = (if is_https { "; Secure" } else { "" }, lasts.as_secs());
    let text = format!(
        "{COOKIE_NAME}={value}; Path=/admin; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::from_str(&text).map_err(|_| unauthorized())
}

/// Whether what changes something comes from the relay's own page.
pub(super) fn is_own_page(app: &App, session: &Session, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let token = text("x-csrf-token").unwrap_or_default();
    let is_own_site = text("sec-fetch-site").is_none_or(|it| it == "same-origin");
    let is_own_origin = text("origin").is_none_or(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host);
        let asked = [text("x-forwarded-host"), headers.get(HOST).and_then(|it| it.to_str().ok())];
        asked.into_iter().flatten().any(|it| Some(it) == host)
    });
    is_own_site && is_own_origin && app.desk.is_csrf_token(&session.hash, token)
}
