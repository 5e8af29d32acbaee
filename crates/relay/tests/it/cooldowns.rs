//! Cool-downs: how long an account rests, for which models, how it is tried out, and who ends it.

mod scopes;

use std::sync::Arc;
use std::time::Duration;

use relay::roster::Member;
use relay::watch;
use relay_core::credential::Credential;
use relay_core::health::{Rest, RestCause};
use relay_core::secret::Secret;
use relay_store::accounts::AccountChange;
use relay_testkit::{Answer, FakeProvider, Fault, MessagesBody, Moment, Received, messages_body};
use tokio::task::JoinHandle;

use crate::kit::{TestRelay, account};

const MESSAGES: &str = "/api/v1/messages";
const SONNET: &str = "claude-sonnet-4-6";

/// Two accounts at one provider; `a` stands first.
async fn two() -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let accounts = [account("a", &provider), account("b", &provider)];
    let relay = TestRelay::start(accounts, &[]).await;
    (provider, relay)
}

fn ask(text: &str) -> MessagesBody {
    messages_body(SONNET, text).stream(true)
}

fn refusal(status: u16) -> Answer {
    Answer::anthropic_error(status, "some_error", "the words of a")
}

async fn post(relay: &TestRelay, body: MessagesBody) -> Received {
    relay.client.post(MESSAGES, &[], body).await
}

/// Makes a call of a conversation of its own and tells who answered it.
async fn served_by(relay: &TestRelay, provider: &FakeProvider, model: &str) -> String {
    let text = format!("question {}", provider.requests().len());
    let answer = post(relay, messages_body(model, &text)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let asked = provider.requests().pop().expect("asked");
    asked.api_key.trim_start_matches("upstream-").to_owned()
}

fn in_background(relay: &TestRelay, text: &str) -> JoinHandle<u16> {
    let (client, body) = (relay.client.clone(), ask(text));
    tokio::spawn(async move { client.post(MESSAGES, &[], body).await.status })
}

/// The rests of an account: of all of it, and of families of models.
async fn rests(relay: &TestRelay, name: &str) -> (Option<Rest>, Vec<(String, Rest)>) {
    let member = relay.app.roster.find(relay.account_id(name).await).expect("an account");
    let (whole, families) = member.shared.notes.rests(relay.app.now());
    (whole, families.into_iter().map(|(family, rest)| (family.to_string(), rest)).collect())
}

/// The one rest that an account has, wherever.
async fn only_rest(relay: &TestRelay, name: &str) -> Rest {
    let (whole, families) = rests(relay, name).await;
    let mut all: Vec<Rest> = whole.into_iter().chain(families.into_iter().map(|it| it.1)).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Faults in a row make longer and longer rests, up to the longest; an answer ends the row.
async fn grows(fault: Answer, cause: RestCause, seconds: &[u64]) {
    let (provider, relay) = two().await;
    provider.answers_key("upstream-a", fault.clone());
    for (round, longest) in seconds.iter().enumerate() {
        assert_eq!(served_by(&relay, &provider, SONNET).await, "b", "{cause:?} {round}");
        let rest = only_rest(&relay, "a").await;
        let longest = Duration::from_secs(*longest);
        let length = rest.until.since(relay.app.now());
        assert!(length <= longest && length >= longest * 3 / 4, "{cause:?} {round}: {length:?}");
        assert_eq!((rest.cause, rest.stated), (cause, false));
        relay.clock.set(rest.until);
    }
    let tries = provider.requests().iter().filter(|it| it.api_key == "upstream-a").count();
    assert_eq!(tries, seconds.len(), "once after each rest");
    provider.recovers();
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    assert_eq!(rests(&relay, "a").await, (None, vec![]));
    provider.answers_key("upstream-a", fault);
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    let length = only_rest(&relay, "a").await.until.since(relay.app.now());
    assert!(length <= Duration::from_secs(seconds[0]), "the row begins anew: {length:?}");
}

#[tokio::test]
async fn rests_grow_with_faults_in_a_row_and_have_a_longest() {
    let errors = [1, 2, 4, 8, 16, 32, 60, 60];
    grows(refusal(500), RestCause::Failing, &errors).await;
    grows(refusal(529), RestCause::Overloaded, &errors).await;
    let reset = Answer::well().breaks(Fault::Reset, Moment::Head);
    grows(reset, RestCause::Unreachable, &errors).await;
    grows(refusal(429), RestCause::RateLimited, &[5, 10, 20, 40, 80, 160, 300, 300]).await;
    let person = [60, 120, 240, 480, 960, 1_800, 1_800];
    grows(refusal(401), RestCause::Unauthorised, &person).await;
    grows(refusal(403), RestCause::Condemned, &person).await;
}

/// When a rest is over, one call tries the account out, and others go elsewhere meanwhile.
async fn is_tried_out_by_one(fault: Answer) {
    let (provider, relay) = two().await;
    provider.answers_key("upstream-a", fault);
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    relay.clock.set(only_rest(&relay, "a").await.until);
    provider.recovers();
    provider.answers_key("upstream-a", Answer::well().delay(Duration::from_millis(300)));
    let trial = in_background(&relay, "trial");
    provider.until_in_flight(1).await;
    for _ in 0..5 {
        assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    }
    assert_eq!(trial.await.expect("no panic"), 200);
    provider.recovers();
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    let names = relay.events_until("account_recovered").await;
    assert_eq!(names, ["account_rested", "account_recovered"]);
}

#[tokio::test]
async fn after_a_rest_one_call_tries_the_account_out_and_others_go_elsewhere() {
    is_tried_out_by_one(refusal(500)).await;
    is_tried_out_by_one(refusal(529).header("retry-after", "30")).await;
    is_tried_out_by_one(refusal(429).header("retry-after", "60")).await;
}

/// With one account, calls wait for what comes of the trial instead of being refused.
#[tokio::test]
async fn calls_wait_for_the_trial_of_the_only_account() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    provider.answers_once(refusal(429).header("retry-after", "60"));
    assert_eq!(post(&relay, ask("limited")).await.status, 429);
    relay.clock.advance(Duration::from_mins(1));
    provider.answers_once(Answer::well().delay(Duration::from_millis(400)));
    let trial = in_background(&relay, "trial");
    provider.until_in_flight(1).await;
    let waiting: Vec<_> =
        (0..5).map(|number| in_background(&relay, &format!("waiting {number}"))).collect();
    while relay.app.shutdown.open_calls() < 6 {
        tokio::task::yield_now().await;
    }
    assert_eq!(provider.requests().len(), 2, "nobody else asks meanwhile");
    assert_eq!(trial.await.expect("no panic"), 200);
    for call in waiting {
        assert_eq!(call.await.expect("no panic"), 200);
    }
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_trial_that_is_left_by_its_client_lets_the_next_call_try() {
    let (provider, relay) = two().await;
    provider.answers_once(refusal(500));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    relay.clock.set(only_rest(&relay, "a").await.until);
    provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Head));
    let trial = tokio::spawn({
        let client = relay.client.clone();
        async move { client.post(MESSAGES, &[], ask("trial")).await.status }
    });
    provider.until_in_flight(1).await;
    trial.abort();
    provider.until_cancelled(1).await;
    relay.app.shutdown.until_no_call_is_open().await;
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
}

/// What is no answer shows nothing: the account stays on trial.
async fn shows_nothing(answer: Answer, path: &str) {
    let (provider, relay) = two().await;
    provider.answers_key("upstream-a", refusal(429));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    relay.clock.set(only_rest(&relay, "a").await.until);
    provider.recovers();
    provider.answers_once_when(|seen| seen.api_key == "upstream-a", answer);
    relay.client.post(path, &[], ask("no answer")).await;
    assert_eq!(provider.requests().pop().expect("asked").api_key, "upstream-a");
    provider.answers_key("upstream-a", refusal(429));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    let length = only_rest(&relay, "a").await.until.since(relay.app.now());
    assert!(length > Duration::from_secs(5), "it is the second in a row: {length:?}");
}

#[tokio::test]
async fn a_refusal_of_the_callers_mistake_or_a_count_of_tokens_ends_no_rest() {
    let mistake = Answer::anthropic_error(400, "invalid_request_error", "prompt is too long");
    shows_nothing(mistake, MESSAGES).await;
    let event = Answer::well().error_event(Moment::Events(0), "invalid_request_error", "no");
    shows_nothing(event, MESSAGES).await;
    let count = Answer::status(200).json(&serde_json::json!({"input_tokens": 3}));
    shows_nothing(count, "/api/v1/messages/count_tokens").await;
}

fn switch(on: bool) -> AccountChange {
    AccountChange { enabled: Some(on), ..AccountChange::default() }
}

#[tokio::test]
async fn pausing_and_resuming_neither_ends_a_rest_nor_is_done_by_one() {
    let (provider, relay) = two().await;
    provider.answers_key("upstream-a", refusal(429).header("retry-after", "600"));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    let rest = only_rest(&relay, "a").await;
    relay.edit_account("a", &switch(false)).await;
    relay.edit_account("a", &switch(true)).await;
    assert_eq!(only_rest(&relay, "a").await, rest);
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");

    // What a person switched off stays off when the rest is over.
    provider.recovers();
    relay.edit_account("a", &switch(false)).await;
    relay.clock.set(rest.until);
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    relay.edit_account("a", &switch(true)).await;
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
}

#[tokio::test]
async fn a_reset_clears_rests_families_host_and_windows() {
    let (provider, relay) = two().await;
    let later = relay.app.now().plus(Duration::from_hours(2)).as_millis() / 1_000;
    provider.answers_once(Answer::limited("five_hour", later));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    provider.answers_always(refusal(529));
    assert_eq!(post(&relay, messages_body("claude-opus-4-8", "hello")).await.status, 503);
    provider.recovers();

    for member in relay.app.roster.snapshot().iter() {
        member.reset();
        let now = relay.app.now();
        assert_eq!(member.shared.notes.rests(now), (None, vec![]));
        assert_eq!(member.shared.notes.quota().windows(now).count(), 0);
        assert_eq!(member.host.rests(now), vec![]);
        assert!(member.account.enabled);
    }
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
    assert_eq!(served_by(&relay, &provider, "claude-opus-4-8").await, "a");
}

/// An edit ends the rests that may have been for what it changed, and no others.
#[tokio::test]
async fn another_proxy_ends_what_was_unreachable_and_another_key_all_of_the_account() {
    let (provider, relay) = two().await;
    tokio::spawn(watch::run(Arc::clone(&relay.app), relay.changes_seen));
    let id = relay.account_id("a").await;
    let edit = async |change: AccountChange, done: &dyn Fn(&Member) -> bool| {
        relay.app.store.change_account(id, &change, relay.app.now()).await.expect("changed");
        let comes = async {
            while !relay.app.roster.find(id).is_some_and(|member| done(&member)) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), comes).await.expect("the edit comes");
    };
    let later = relay.app.now().plus(Duration::from_hours(2)).as_millis() / 1_000;
    provider.answers_once(Answer::limited("seven_day_sonnet", later).unified(10, 20, later));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    let limits = rests(&relay, "a").await;
    let reset = Answer::well().breaks(Fault::Reset, Moment::Head);
    provider.answers_once_when(|seen| seen.api_key == "upstream-a", reset);
    assert_eq!(served_by(&relay, &provider, "claude-opus-4-8").await, "b");
    assert_ne!(rests(&relay, "a").await, limits);
    // Its host rests too: nothing of an account's edit is news of it.
    provider.answers_model("claude-haiku-4-5", refusal(529).header("retry-after", "600"));
    let host_rests = || relay.app.roster.find(id).expect("a").host.rests(relay.app.now()).len();
    relay.clock.advance(Duration::from_secs(5));
    assert_eq!(post(&relay, messages_body("claude-haiku-4-5", "hello")).await.status, 529);
    assert_eq!(host_rests(), 1);

    let proxy = Some(Some("http://127.0.0.1:9".parse().expect("a proxy")));
    edit(AccountChange { proxy, ..AccountChange::default() }, &|it| it.account.proxy.is_some())
        .await;
    let (whole, families) = rests(&relay, "a").await;
    assert_eq!(whole, None);
    assert!(limits.1.iter().all(|limit| families.contains(limit)), "{families:?}");
    let windows = |member: &Member| member.shared.notes.quota().windows(relay.app.now()).count();
    assert!(windows(&relay.app.roster.find(id).expect("a")) > 0);

    let credential = Some(Credential::ApiKey(Secret::new("another")));
    let change = AccountChange { credential, ..AccountChange::default() };
    edit(change, &|it| windows(it) == 0).await;
    assert_eq!(rests(&relay, "a").await, (None, vec![]));
    assert_eq!(host_rests(), 1);
}

#[tokio::test]
async fn rests_survive_a_restart_and_end_when_they_would_have() {
    let (provider, relay) = two().await;
    provider.answers_once(refusal(429).header("retry-after", "600"));
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    let rest = only_rest(&relay, "a").await;
    let relay = relay.restart(&[]).await;
    assert_eq!(only_rest(&relay, "a").await, rest);
    assert_eq!(served_by(&relay, &provider, SONNET).await, "b");
    relay.clock.set(rest.until);
    assert_eq!(served_by(&relay, &provider, SONNET).await, "a");
}
