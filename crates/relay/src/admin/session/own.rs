//! One's own password, and where one is signed in.

use axum::Json;
use axum::extract::Path;
use http::HeaderMap;
use relay_core::clock::Timestamp;
use relay_store::sessions::Session;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::answer::{Change, Code, Done, Note, Problem, Read};
use super::super::given::{Given, Hidden};
use super::super::guard::{IDLE, Who};
use super::{SessionView, WithCookie, begin, check_own, data_dir, done, set_cookie, view};
use crate::hex::hex;
use crate::verbs::admin::staff::{self, StaffChange};
use crate::verbs::moment;

/// How many bytes of its hash tell a session apart; they open nothing.
const ID_BYTES: usize = 8;

/// The addresses of one's own password and sessions.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(set_password)).routes(routes!(list)).routes(routes!(end))
}

/// A new password.
#[derive(Deserialize, ToSchema)]
struct NewPassword {
    /// The present one.
    #[schema(value_type = String)]
    current: Hidden,
    /// The new one, of 8 characters at least.
    #[schema(value_type = String)]
    new: Hidden,
}

/// Where one is signed in.
#[derive(Debug, Serialize, ToSchema)]
struct PlaceView {
    /// Which it is.
    id: String,
    /// When they signed in.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last used, to the minute.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    seen_at: Timestamp,
    /// When it ends, however much it is used.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// From where they signed in.
    address: String,
    /// With what.
    user_agent: String,
    /// Whether it is this one.
    current: bool,
}

/// Sets one's own password. Every session ends; the answer brings a new one.
#[utoipa::path(put, path = "/admin/session/password", tag = "session",
    operation_id = "session_set_password", request_body = NewPassword,
    responses((status = 200, body = SessionView), (status = 400, body = Problem)))]
async fn set_password(
    who: Who,
    headers: HeaderMap,
    Given(given): Given<NewPassword>,
) -> WithCookie<SessionView> {
    let app = &who.app;
    let admin = check_own(&who, given.current.0, "current").await?;
    let change = StaffChange { password: Some(given.new.0), ..StaffChange::default() };
    let (store, dir, now) = (app.store.clone(), data_dir(app)?, app.now());
    let username = admin.username.clone();
    let changing = async move { staff::change(&store, &dir, &username, change, now).await };
    app.desk.hashing.turn(changing).await?.map_err(|error| Problem::from(error).at("new"))?;
    let missing = || Problem::new(Code::Unauthorized, "sign in with the new password");
    let admin = app.store.find_admin(&admin.username).await?.ok_or_else(missing)?;
    let (session, cookie) = begin(app, (&admin, who.address), &headers).await?;
    let is_https = app.settings.trusted_proxies.is_https(who.peer, &headers);
    Ok((set_cookie(&cookie, is_https), done(view(app, &session).await?)))
}

/// Where one is signed in.
#[utoipa::path(get, path = "/admin/session/sessions", tag = "session",
    operation_id = "session_list", responses((status = 200, body = Vec<PlaceView>)))]
async fn list(who: Who) -> Read<Vec<PlaceView>> {
    let own = who.session()?;
    let all = sessions(&who).await?.into_iter();
    Ok(Json(all.map(|session| PlaceView::of(session, own)).collect()))
}

/// Ends one of one's own sessions.
#[utoipa::path(delete, path = "/admin/session/sessions/{id}", tag = "session",
    operation_id = "session_end", params(("id" = String, Path)),
    responses((status = 200, body = ()), (status = 404, body = Problem)))]
async fn end(who: Who, Path(id): Path<String>) -> Change<()> {
    let found = sessions(&who).await?.into_iter().find(|session| id_of(session) == id);
    let missing = || Problem::new(Code::NotFound, "there is no such session");
    let session = found.ok_or_else(missing)?;
    who.app.store.end_session(&session.hash).await?;
    Ok(Done { note: Note::of(id, session.address), answer: () })
}

async fn sessions(who: &Who) -> Result<Vec<Session>, Problem> {
    let (now, own) = (who.now(), who.session()?);
    Ok(who.app.store.sessions_of(own.admin, now.minus(IDLE), now).await?)
}

fn id_of(session: &Session) -> String {
    hex(&session.hash[..ID_BYTES])
}

impl PlaceView {
    fn of(session: Session, own: &Session) -> Self {
        Self {
            id: id_of(&session),
            created_at: session.created_at,
            seen_at: session.seen_at,
            ends_at: session.ends_at,
            current: session.hash == own.hash,
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}
