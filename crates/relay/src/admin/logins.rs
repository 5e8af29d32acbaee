//! Signing in to accounts: a link for a person to agree at, and the code that they bring back.
//! Between the two only the desk holds the sign-in.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::Path;
use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use relay_upstream::client::tls_config;
use relay_upstream::oauth::{Flow, Pkce};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::{AccountFields, AccountItem, By, Place, item};
use super::answer::{Change, Code, Done, Note, Problem};
use super::given::{Given, Hidden};
use super::guard::Who;
use crate::randomness::random;
use crate::text::retold;
use crate::verbs::account::{self, LoggedIn, Login, LoginError, SignIn};
use crate::verbs::{VerbError, moment};

/// Sign-ins that are open at one time; the oldest gives way to one more.
const LOGINS_MAX: usize = 32;
/// How long one stays open.
const OPEN_FOR: Duration = Duration::from_mins(30);

/// The addresses of sign-ins.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(finish, cancel))
}

/// Sign-ins that have begun, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Logins(Mutex<VecDeque<Open>>);

/// A sign-in that has begun.
#[derive(Debug)]
struct Open {
    id: String,
    login: Login,
    /// What the account is called.
    name: String,
    ends_at: Timestamp,
}

impl Logins {
    fn keep(&self, open: Open, now: Timestamp) {
        let mut all = self.0.lock();
        all.retain(|it| it.ends_at > now);
        while all.len() >= LOGINS_MAX {
            all.pop_front();
        }
        all.push_back(open);
    }

    /// Takes one out, so that nobody else ends it meanwhile.
    fn take(&self, id: &str, now: Timestamp) -> Result<Open, Problem> {
        let mut all = self.0.lock();
        all.retain(|it| it.ends_at > now);
        let found = all.iter().position(|it| it.id == id).and_then(|index| all.remove(index));
        let why = "this sign-in is not open any more: begin again";
        found.ok_or_else(|| Problem::new(Code::NotFound, why))
    }
}

/// What is signed in to: an account that there is, or a new one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLogin {
    /// An account that there is: its id or name.
    #[serde(default)]
    account: Option<String>,
    /// An account that is added when the sign-in is done.
    #[serde(default)]
    new: Option<Box<AccountFields>>,
    /// Asks for a token that serves for a year and cannot be refreshed; for claude-oauth.
    #[serde(default)]
    setup_token: bool,
    /// The secret of an application of the account's own, for gemini-oauth.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    client_secret: Option<Hidden>,
}

/// A sign-in that has begun.
#[derive(Debug, Serialize, ToSchema)]
struct LoginView {
    /// What it is ended or cancelled by.
    login: String,
    /// The page on which a person agrees.
    url: String,
    /// Whose page it is: `claude`, `openai` or `gemini`.
    service: &'static str,
    /// Whether it gives a setup token.
    setup_token: bool,
    /// Until when it is open.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// What the page of the provider gave.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Pasted {
    /// The code, or the whole address to which the browser was sent.
    #[schema(value_type = String, write_only)]
    code: Hidden,
}

/// A sign-in that is done.
#[derive(Debug, Serialize, ToSchema)]
struct LoggedInView {
    /// The account.
    account: AccountItem,
    /// Whether its token can be refreshed; a setup token cannot.
    can_refresh: bool,
    /// When the token ends, if the provider said so.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    token_expires_at: Option<Timestamp>,
    /// Why the provider did not tell whose account it is; that is no fault of the sign-in.
    unidentified: Option<String>,
}

/// A sign-in that is no more.
#[derive(Debug, Serialize, ToSchema)]
struct CancelledView {
    /// Which.
    login: String,
}

/// Begins a sign-in.
#[utoipa::path(post, path = "/admin/logins", tag = "accounts", operation_id = "accounts_login",
    request_body = NewLogin,
    responses((status = 200, body = LoginView), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn begin(who: Who, Given(asked): Given<NewLogin>) -> Change<LoginView> {
    let now = who.now();
    let given = asked.client_secret.map(|Hidden(secret)| secret);
    let given = given.filter(|secret| !secret.expose().is_empty());
    let in_new = asked.new.as_ref().and_then(|new| new.client_secret());
    let how = SignIn {
        flow: if asked.setup_token { Flow::SetupToken } else { Flow::Subscription },
        pkce: Pkce::new(random(), random()),
        registration: who.app.settings.gemini_oauth.clone(),
        client_secret: given.or(in_new),
    };
    let (name, login) = match (&asked.account, &asked.new) {
        (Some(name), None) => {
            let begun = account::login_begin(&who.app.store, name, how).await;
            (name.clone(), begun.map_err(|error| Problem::from(error).at("account"))?)
        }
        (None, Some(new)) => {
            let zone = &who.app.settings.time_zone;
            let place = Place { prefix: "new.", zone, now };
            let add = new.to_new(By::Login, place)?;
            let groups = new.groups().unwrap_or_default();
            let name = add.name.clone();
            let begun = account::login_begin_new(&who.app.store, add, &groups, how).await;
            (name, begun.map_err(at_new)?)
        }
        _ => {
            let why = "name an account to sign in to, or a new one: one of the two";
            return Err(Problem::invalid(why).at("account"));
        }
    };
    let id = id();
    let view = LoginView {
        login: id.clone(),
        url: login.url(),
        service: login.service().as_str(),
        setup_token: login.flow() == Flow::SetupToken,
        expires_at: now.plus(OPEN_FOR),
    };
    let note = Note::of("", &name).with("a sign-in begins");
    let open = Open { id, login, name, ends_at: view.expires_at };
    who.app.desk.logins.keep(open, now);
    Ok(Done { note, answer: view })
}

/// Ends a sign-in by the code that a person pasted. What is no code leaves it open.
#[utoipa::path(post, path = "/admin/logins/{login}", tag = "accounts",
    operation_id = "accounts_finish_login", request_body = Pasted,
    params(("login" = String, Path, description = "The sign-in")),
    responses((status = 200, body = LoggedInView), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn finish(
    who: Who,
    Path(id): Path<String>,
    Given(Pasted { code: Hidden(code) }): Given<Pasted>,
) -> Change<LoggedInView> {
    let now = who.now();
    let open = who.app.desk.logins.take(&id, now)?;
    let (open, done) = ended(&who, open, code, now).await?;
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            if matches!(error, LoginError::Pasted(_)) {
                who.app.desk.logins.keep(open, now);
            }
            return Err(refused(error));
        }
    };
    let account = item(&who, &done.id.to_string()).await?;
    let note = Note::of(done.id, &open.name).with("signed in");
    let answer = LoggedInView {
        account,
        can_refresh: done.can_refresh,
        token_expires_at: done.expires_at,
        unidentified: done.unidentified.map(|why| retold(&why, who.language)),
    };
    Ok(Done { note, answer })
}

/// Cancels a sign-in.
#[utoipa::path(delete, path = "/admin/logins/{login}", tag = "accounts",
    operation_id = "accounts_cancel_login",
    params(("login" = String, Path, description = "The sign-in")),
    responses((status = 200, body = CancelledView), (status = 404, body = Problem)))]
async fn cancel(who: Who, Path(id): Path<String>) -> Change<CancelledView> {
    let open = who.app.desk.logins.take(&id, who.now())?;
    let note = Note::of("", open.name).with("a sign-in is cancelled");
    Ok(Done { note, answer: CancelledView { login: id } })
}

/// Exchanges the code in a task of its own: what the provider gives exists nowhere else, so it is
/// stored even if whoever asked has left.
async fn ended(
    who: &Who,
    open: Open,
    code: Secret,
    now: Timestamp,
) -> Result<(Open, Result<LoggedIn, LoginError>), Problem> {
    let store = who.app.store.clone();
    let ending = tokio::spawn(async move {
        let done = account::login_finish(&store, &open.login, &code, &tls_config(), now).await;
        (open, done)
    });
    ending.await.map_err(|error| Problem::ours(&error))
}

/// Where a new account is in the way of its sign-in.
fn at_new(error: VerbError) -> Problem {
    let field = match &error {
        VerbError::Taken(_) => "new.name",
        VerbError::NotFound { .. } => "new.groups",
        _ => "new.kind",
    };
    Problem::from(error).at(field)
}

fn refused(error: LoginError) -> Problem {
    let words = error.to_string();
    match error {
        LoginError::Verb(error) => error.into(),
        LoginError::Pasted(_) | LoginError::Refused(_) => Problem::invalid(words).at("code"),
        LoginError::NotReached(_) | LoginError::NotExchanged(_) => {
            Problem::new(Code::Unavailable, words)
        }
    }
}

/// What nobody guesses.
fn id() -> String {
    format!("{:032x}", u128::from_be_bytes(random()))
}
