//! Testing an account: what comes of it is told as it comes, and nothing of it is stored.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use relay_store::accounts::StoredAccount;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::stored;
use crate::admin::answer::{Note, Problem};
use crate::admin::given::Given;
use crate::admin::guard::Who;
use crate::app::App;
use crate::roster::Member;
use crate::text::{Language, retold};
use crate::verbs::account::{self, AccountTest, Signer, TestAsk, TestBy, Way};

/// How long an account that was just added may take to be known to who serves.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest prompt.
const PROMPT_CHARS_MAX: usize = 2_000;

/// How an account is tested.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestAsked {
    /// What is said to the model; kept nowhere.
    #[serde(default)]
    prompt: Option<String>,
    /// The model that is asked; a small one that the account serves unless given.
    #[serde(default)]
    model: Option<String>,
    /// Only asks for the list of models, which costs nothing.
    #[serde(default)]
    no_answer: bool,
    /// How long the answer may take, at most five minutes; 20 seconds are the usual.
    #[serde(default)]
    timeout_ms: Option<u64>,
}

/// A test that is done: the event `done`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestDone {
    /// What it came to.
    #[serde(flatten)]
    test: AccountTest,
    /// The verdict, for people.
    words: String,
}

/// A piece of the answer: the event `text`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestText {
    /// The piece.
    text: String,
}

/// Tests an account by its own way out. Server-sent events: `text` for each piece of the answer,
/// then `done`. Who leaves ends it.
#[utoipa::path(post, path = "/admin/accounts/{account}/test", tag = "accounts",
    operation_id = "accounts_test", request_body = TestAsked,
    params(("account" = String, Path, description = "Id or name")),
    responses(
        (status = 200, description = "Events: `text` (TestText), then `done` (TestDone)",
            body = TestDone, content_type = "text/event-stream"),
        (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn test(
    who: Who,
    Path(name): Path<String>,
    Given(asked): Given<TestAsked>,
) -> Result<Response, Problem> {
    let stored = stored(&who, &name).await?;
    let prompt = asked.prompt.filter(|prompt| !prompt.trim().is_empty());
    if prompt.as_ref().is_some_and(|prompt| prompt.chars().count() > PROMPT_CHARS_MAX) {
        let why = format!("the prompt is longer than {PROMPT_CHARS_MAX} characters");
        return Err(Problem::invalid(why).at("prompt"));
    }
    let how = TestAsk {
        model: asked.model.map(|it| it.trim().to_owned()).filter(|model| !model.is_empty()),
        by: if asked.no_answer { TestBy::Models } else { TestBy::Answer },
        within_millis: asked.timeout_ms,
        prompt,
    };
    let note = Note::of(stored.account.id, &stored.account.name);
    let (pieces, heard) = mpsc::unbounded_channel();
    let testing = Box::pin(made(Arc::clone(&who.app), stored, how, pieces));
    let events = events(Testing { heard, state: State::Asking(testing), language: who.language });
    let mut response = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    response.extensions_mut().insert(note);
    Ok(response)
}

/// A test under way. Dropping it ends it.
struct Testing {
    heard: mpsc::UnboundedReceiver<String>,
    state: State,
    language: Language,
}

enum State {
    Asking(Pin<Box<dyn Future<Output = AccountTest> + Send>>),
    Answered(Box<AccountTest>),
    Told,
}

fn events(testing: Testing) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    stream::unfold(testing, |mut testing| async move {
        if let State::Asking(asking) = &mut testing.state {
            tokio::select! {
                biased;
                Some(text) = testing.heard.recv() => return Some((Ok(piece(text)), testing)),
                test = asking => testing.state = State::Answered(Box::new(test)),
            }
        }
        if let Ok(text) = testing.heard.try_recv() {
            return Some((Ok(piece(text)), testing));
        }
        match std::mem::replace(&mut testing.state, State::Told) {
            State::Answered(test) => Some((Ok(done(*test, testing.language)), testing)),
            State::Asking(_) | State::Told => None,
        }
    })
}

fn piece(text: String) -> Event {
    event("text", &TestText { text })
}

fn done(test: AccountTest, language: Language) -> Event {
    let words = retold(test.verdict.words(), language);
    event("done", &TestDone { test: test.retold(language), words })
}

fn event<T: Serialize>(name: &str, data: &T) -> Event {
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}

/// Makes the test: with the token that calls would use, once the account is known to who serves.
async fn made(
    app: Arc<App>,
    stored: StoredAccount,
    how: TestAsk,
    pieces: mpsc::UnboundedSender<String>,
) -> AccountTest {
    let prices = app.prices.load_full();
    let Some(member) = known(&app, &stored).await else {
        return account::probe_stored(&stored, &how, &prices, app.now()).await;
    };
    let way = Way {
        account: &member.account,
        identity: member.identity.as_ref(),
        client: &member.client,
        now: app.now(),
        pieces: Some(&pieces),
    };
    account::probe(way, &how, &prices, Signer::Relay(&app, &member)).await
}

/// The account as it serves: one that was added or edited just now is known within a second.
async fn known(app: &App, stored: &StoredAccount) -> Option<Arc<Member>> {
    let is_current = |member: &Arc<Member>| member.account == stored.account;
    let found = || app.roster.find(stored.account.id);
    let came = async {
        loop {
            if let Some(member) = found().filter(is_current) {
                return member;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(KNOWN_WITHIN, came).await.ok().or_else(found)
}
