//! Signing in and out.

mod factor;
mod own;

use axum::Json;
use axum::extract::Extension;
use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE, USER_AGENT};
use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use relay_store::admins::Admin;
use relay_store::audit::Door;
use relay_store::data_dir::DataDir;
use relay_store::sessions::{NewSession, Session, SessionHash};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Code, Done, Note, Problem, Read};
use super::given::{Given, Hidden};
use super::guard::{self, COOKIE_NAME, IDLE, LASTS, Who};
use super::{Asked, origin};
use crate::app::App;
use crate::hex::hex;
use crate::randomness::random;
use crate::verbs::admin::staff::RoleView;
use crate::verbs::admin::{self, factor as codes, password};
use crate::verbs::{moment, setting};

/// What a browser may say of itself, in characters.
const USER_AGENT_CHARS_MAX: usize = 300;

/// The addresses of one's own sign-in.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(sign_in, show, sign_out))
        .merge(own::routes())
        .merge(factor::routes())
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
struct SignIn {
    /// The name.
    username: String,
    /// The password.
    #[schema(value_type = String)]
    password: Hidden,
    /// The code of the second factor, if one is asked for.
    code: Option<String>,
}

/// Who is signed in, and what the page shows everywhere.
#[derive(Debug, Serialize, ToSchema)]
struct SessionView {
    /// Their name.
    username: String,
    /// What they may do.
    role: RoleView,
    /// Whether a second factor is asked for when they sign in.
    totp: bool,
    /// What every change has to bring in the header `x-csrf-token`.
    csrf_token: String,
    /// When the session ends, however much it is used.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// Whether the password is still the first one, which stands in a file.
    must_change_password: bool,
    /// The relay's version.
    version: &'static str,
    /// What the page is called, if it was given a name.
    title: String,
    /// A picture of its own.
    logo: String,
    /// What everybody is to be told.
    notice: String,
    /// The zone of the relay's days.
    zone: String,
    /// For how long the relay has been running.
    uptime_seconds: u64,
    /// The relay's clock.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
}

/// The cookie of a session that begins or ends, with what was done.
type WithCookie<T> = Result<([(http::HeaderName, HeaderValue); 1], Done<T>), Problem>;

/// Signs in.
#[utoipa::path(post, path = "/admin/session", tag = "session", operation_id = "session_sign_in",
    request_body = SignIn, responses((status = 200, body = SessionView),
        (status = 401, body = Problem, description = "Wrong, or a code is asked for"),
        (status = 429, body = Problem)))]
async fn sign_in(
    Extension(asked): Extension<Asked>,
    headers: HeaderMap,
    Given(given): Given<SignIn>,
) -> WithCookie<SessionView> {
    // What it leads to is done and written down also if the browser goes away.
    let signing = tokio::spawn(async move { signed_in(asked, headers, given).await });
    signing.await.unwrap_or_else(|error| Err(Problem::ours(&error)))
}

async fn signed_in(asked: Asked, headers: HeaderMap, given: SignIn) -> WithCookie<SessionView> {
    let Asked { app, peer } = asked;
    let trusted = &app.settings.trusted_proxies;
    if origin::is_foreign(trusted, peer, &headers) {
        return Err(guard::foreign());
    }
    let address = trusted.client_address(peer, &headers);
    let (name, Hidden(secret)) = (given.username.trim(), given.password);
    app.desk.throttle.lock().begin(name, address, app.now()).map_err(throttled)?;
    let admin = recognised(&app, name, secret).await.inspect_err(|problem| {
        if !problem.is(Code::Unauthorized) {
            app.desk.throttle.lock().take_back(name, address);
        }
    })?;
    if let Some(secret) = app.store.totp(admin.id).await? {
        let code = given.code.as_deref().map(str::trim).filter(|code| !code.is_empty());
        let Some(code) = code else {
            app.desk.throttle.lock().take_back(name, address);
            let why = "the code of the second factor is needed";
            return Err(Problem::new(Code::NeedsSecondFactor, why).at("code"));
        };
        app.desk.throttle.lock().begin_code(name, address, app.now()).map_err(throttled)?;
        if !take_code(&app, admin.id, (&secret, code)).await? {
            let why = "the code is wrong, or was used before: wait for the next one";
            return Err(Problem::new(Code::NeedsSecondFactor, why).at("code"));
        }
    }
    let (session, cookie) = begin(&app, (&admin, address), &headers).await?;
    app.desk.throttle.lock().succeeded(name, address, app.now());
    let deed = guard::deed((&admin.username, Door::Page, address), "session_sign_in", None);
    guard::write_down(&app, &deed).await;
    let view = view(&app, &session).await?;
    Ok((set_cookie(&cookie, trusted.is_https(peer, &headers)), done(view)))
}

/// Who is signed in.
#[utoipa::path(get, path = "/admin/session", tag = "session", operation_id = "session_show",
    responses((status = 200, body = SessionView), (status = 401, body = Problem)))]
async fn show(who: Who) -> Read<SessionView> {
    Ok(Json(view(&who.app, who.session()?).await?))
}

/// Signs out.
#[utoipa::path(delete, path = "/admin/session", tag = "session",
    operation_id = "session_sign_out", responses((status = 200, body = ())))]
async fn sign_out(who: Who, headers: HeaderMap) -> WithCookie<()> {
    who.app.store.end_session(&who.session()?.hash).await?;
    let is_https = who.app.settings.trusted_proxies.is_https(who.peer, &headers);
    Ok((set_cookie("", is_https), done(())))
}

fn done<T>(answer: T) -> Done<T> {
    Done { note: Note::default(), answer }
}

/// The administrator whose name and password these are. Names that nobody has take as long.
async fn recognised(app: &App, name: &str, secret: Secret) -> Result<Admin, Problem> {
    let found = app.store.find_admin(name).await?;
    let hash = found.as_ref().map_or(password::NOBODYS, |admin| &admin.password_hash).to_owned();
    let matches = app.desk.hashing.turn(password::matches(secret, hash)).await?;
    let able = found.filter(|admin| matches && !admin.disabled);
    able.ok_or_else(|| Problem::new(Code::Unauthorized, "the name or the password is wrong"))
}

/// Whether it is the password of who is signed in; guesses are throttled as at the door.
async fn check_own(who: &Who, secret: Secret, field: &str) -> Result<Admin, Problem> {
    let (app, name) = (&who.app, who.session()?.username.as_str());
    app.desk.throttle.lock().begin(name, who.address, app.now()).map_err(throttled)?;
    let admin = recognised(app, name, secret).await.map_err(|problem| {
        if problem.is(Code::Unauthorized) {
            return Problem::invalid("the password is wrong").at(field);
        }
        app.desk.throttle.lock().take_back(name, who.address);
        problem
    })?;
    app.desk.throttle.lock().take_back(name, who.address);
    Ok(admin)
}

/// Uses up a code; tells whether it was one that may be used.
async fn take_code(app: &App, admin: i64, given: (&Secret, &str)) -> Result<bool, Problem> {
    match codes::step(given.0, given.1, app.now()) {
        Some(step) => Ok(app.store.take_totp_step(admin, step).await?),
        None => Ok(false),
    }
}

/// Begins a session in the place of the one that the request came with, if it did. The secret is
/// made here alone: what a browser brings never becomes one.
async fn begin(
    app: &App,
    (admin, address): (&Admin, std::net::IpAddr),
    headers: &HeaderMap,
) -> Result<(Session, String), Problem> {
    let now = app.now();
    let secret = hex(&random::<32>());
    let hash: SessionHash = guard::hash(&secret).ok_or_else(guard::unauthorized)?;
    let user_agent = headers.get(USER_AGENT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let new = NewSession {
        hash,
        admin: admin.id,
        password_hash: admin.password_hash.clone(),
        ends_at: now.plus(LASTS),
        address: address.to_string(),
        user_agent: user_agent.chars().take(USER_AGENT_CHARS_MAX).collect(),
    };
    let replaced = guard::cookie(headers).and_then(guard::hash);
    app.store.forget_sessions(now.minus(IDLE), now).await?;
    if !app.store.add_session(&new, replaced.as_ref(), now).await? {
        return Err(guard::unauthorized());
    }
    let kept = app.store.find_session(&hash, now, now).await?;
    Ok((kept.ok_or_else(guard::unauthorized)?, secret))
}

/// The cookie goes back to the admin API alone, and by HTTPS alone if it came so.
fn set_cookie(secret: &str, is_https: bool) -> [(http::HeaderName, HeaderValue); 1] {
    let age = if secret.is_empty() { 0 } else { LASTS.as_secs() };
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE_NAME}={secret}; Path=/admin; HttpOnly; SameSite=Strict; Max-Age={age}{secure}"
    );
    let mut value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    [(SET_COOKIE, value)]
}

async fn view(app: &App, session: &Session) -> Result<SessionView, Problem> {
    let (store, now) = (&app.store, app.now());
    let admin = store.find_admin(&session.username).await?.ok_or_else(guard::unauthorized)?;
    let site = setting::site(store).await?;
    Ok(SessionView {
        must_change_password: has_first_password(app, &admin).await?,
        username: admin.username,
        role: admin.role.into(),
        totp: admin.has_totp,
        csrf_token: app.desk.csrf.token(&session.hash),
        ends_at: session.ends_at,
        version: env!("CARGO_PKG_VERSION"),
        title: site.title,
        logo: site.logo,
        notice: site.notice,
        zone: moment::zone_name(&app.settings.time_zone),
        uptime_seconds: now.since(app.metrics.started()).as_secs(),
        now,
    })
}

/// Whether the password is the one that a file still tells. It is found out once for each hash.
async fn has_first_password(app: &App, admin: &Admin) -> Result<bool, Problem> {
    let dir = data_dir(app)?;
    let first = admin::initial_password(&app.store, &dir, &admin.username).await?;
    let Some(first) = first else { return Ok(false) };
    let known = app.desk.initial.lock().clone();
    if let Some((_, holds)) = known.filter(|(hash, _)| *hash == admin.password_hash) {
        return Ok(holds);
    }
    let matches = password::matches(first, admin.password_hash.clone());
    let holds = app.desk.hashing.turn(matches).await?;
    *app.desk.initial.lock() = Some((admin.password_hash.clone(), holds));
    Ok(holds)
}

fn data_dir(app: &App) -> Result<DataDir, Problem> {
    DataDir::open(&app.settings.data_dir).map_err(|error| Problem::ours(&error))
}

fn throttled(wait: std::time::Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let why = "too many tries to sign in failed: wait, then try again";
    Problem::new(Code::Throttled, why).after_seconds(seconds.max(1))
}
