//! One's own second factor.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::answer::{Change, Problem};
use super::super::given::{Given, Hidden};
use super::super::guard::Who;
use super::{check_own, codes, done};

/// What apps show beside the name, unless the page has a name of its own.
const ISSUER: &str = "crs";

/// The addresses of one's own second factor.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(begin, confirm, drop_it))
}

/// A second factor that has begun.
#[derive(Serialize, ToSchema)]
struct FactorView {
    /// What codes are made from, in Base32.
    secret: String,
    /// The same as a link for apps.
    url: String,
    /// The link as a picture to scan.
    qr: Option<Qr>,
}

/// A picture to scan, of squares.
#[derive(Serialize, ToSchema)]
#[schema(as = QrCode)]
struct Qr {
    /// How many squares it is wide and high, without a margin.
    size: usize,
    /// The dark ones, as the path of an SVG in which a square is one unit.
    path: String,
}

impl Qr {
    fn of(text: &str) -> Option<Self> {
        let code = qrcode::QrCode::new(text).ok()?;
        let size = code.width();
        let dark = code.to_colors().into_iter().enumerate();
        let dark = dark.filter(|(_, colour)| *colour == qrcode::Color::Dark);
        let square = |(at, _)| format!("M{} {}h1v1h-1z", at % size, at / size);
        Some(Self { size, path: dark.map(square).collect() })
    }
}

/// A code of the second factor.
#[derive(Deserialize, ToSchema)]
struct GivenCode {
    /// Six digits.
    code: String,
}

/// The password of who is signed in.
#[derive(Deserialize, ToSchema)]
struct GivenPassword {
    /// The password.
    #[schema(value_type = String)]
    password: Hidden,
}

/// Begins a second factor; it is asked for once a first code has confirmed it.
#[utoipa::path(post, path = "/admin/session/totp", tag = "session",
    operation_id = "session_begin_totp",
    responses((status = 200, body = FactorView), (status = 400, body = Problem)))]
async fn begin(who: Who) -> Change<FactorView> {
    let (app, session) = (&who.app, who.session()?);
    check_none(&who).await?;
    let title = app.store.setting("site_title").await?.filter(|title| !title.trim().is_empty());
    let begun = codes::begin(&session.username, title.as_deref().unwrap_or(ISSUER));
    let failed = || Problem::invalid("no second factor can be made for this name");
    let begun = begun.ok_or_else(failed)?;
    let (secret, url) = (begun.secret.expose().to_owned(), begun.url.expose().to_owned());
    app.desk.factors.begin(session.admin, begun.secret, app.now());
    Ok(done(FactorView { qr: Qr::of(&url), secret, url }))
}

/// Confirms the second factor that was begun, by its first code.
#[utoipa::path(put, path = "/admin/session/totp", tag = "session",
    operation_id = "session_confirm_totp", request_body = GivenCode,
    responses((status = 200, body = ()), (status = 400, body = Problem)))]
async fn confirm(who: Who, Given(given): Given<GivenCode>) -> Change<()> {
    let (app, session) = (&who.app, who.session()?);
    check_none(&who).await?;
    let now = app.now();
    let none = || Problem::invalid("no second factor was begun lately: begin it again");
    let secret = app.desk.factors.begun(session.admin, now).ok_or_else(none)?;
    let wrong =
        || Problem::invalid("the code is wrong: is the clock of the device right?").at("code");
    let step = codes::step(&secret, &given.code, now).ok_or_else(wrong)?;
    app.store.set_totp(session.admin, &secret, (step, now)).await?;
    app.desk.factors.end(session.admin);
    Ok(done(()))
}

/// Asks for no second factor any more.
#[utoipa::path(delete, path = "/admin/session/totp", tag = "session",
    operation_id = "session_drop_totp", request_body = GivenPassword,
    responses((status = 200, body = ()), (status = 400, body = Problem)))]
async fn drop_it(who: Who, Given(given): Given<GivenPassword>) -> Change<()> {
    let admin = check_own(&who, given.password.0, "password").await?;
    who.app.store.drop_totp(admin.id, who.now()).await?;
    Ok(done(()))
}

/// One that is asked for is not replaced: who found an open page could shut the owner out.
async fn check_none(who: &Who) -> Result<(), Problem> {
    match who.app.store.totp(who.session()?.admin).await? {
        Some(_) => Err(Problem::invalid("there is a second factor: turn it off first")),
        None => Ok(()),
    }
}
