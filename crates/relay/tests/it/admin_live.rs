//! What pages that are open are told as it happens, and calls that are ended by hand.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use relay::admin::gather;
use relay::shutdown::Stage;
use relay_core::usage::{Exactness, Outcome};
use relay_store::audit::AuditFilter;
use relay_testkit::{Answer, Ending, FakeProvider, Fault, Incoming, Moment, messages_body};
use serde_json::{Value, json};

use crate::admin_accounts::Door;
use crate::kit::{START, account};
use crate::oauth::until;

const MESSAGES: &str = "/api/v1/messages";

async fn door(provider: &FakeProvider, settings: &[(&str, &str)]) -> Door {
    let door = Door::start([account("a", provider)], settings).await;
    tokio::spawn(gather(Arc::clone(&door.relay.app)));
    door
}

async fn listens(door: &Door) -> Incoming {
    let listening = door.viewer.request("GET", "/admin/live", &[], "").await;
    assert_eq!(listening.status, 200);
    listening
}

/// The next event that has this in it.
async fn hears(listening: &mut Incoming, text: &str) -> Value {
    let heard = tokio::time::timeout(Duration::from_secs(10), listening.until(text)).await;
    let heard = heard.unwrap_or_else(|_| panic!("{text} is not heard")).expect("a stream");
    let heard = String::from_utf8(heard.to_vec()).expect("text");
    let line = heard.lines().rev().find_map(|line| line.strip_prefix("data: ")).expect("data");
    serde_json::from_str(line).unwrap_or_else(|_| json!({}))
}

/// The id of the one open call.
async fn only_call(door: &Door) -> String {
    until("a call streams", async || {
        let calls = door.get("live/calls").await;
        calls[0]["phase"] == "streaming" || calls[0]["phase"] == "asking"
    })
    .await;
    let calls = door.get("live/calls").await;
    assert_eq!(calls.as_array().map(Vec::len), Some(1), "{calls}");
    assert_eq!((&calls[0]["key"], &calls[0]["account"]), (&json!("tests"), &json!("a")));
    calls[0]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_page_is_told_how_it_stands_and_what_changes() {
    let provider = FakeProvider::start().await;
    let door = door(&provider, &[]).await;
    let mut listening = listens(&door).await;
    let state = hears(&mut listening, "\n\n").await;
    assert_eq!(state["accounts"], json!({"able": 1, "resting": 0, "failing": 0, "paused": 0}));
    assert_eq!(state["calls_open"], 0);
    assert_eq!(state["calls_per_minute"].as_array().map(Vec::len), Some(60));
    assert_eq!(state["finished"], json!({"calls": 0, "failed": 0}));

    let body = messages_body("claude-sonnet-4-6", "hello");
    assert_eq!(door.relay.client.post(MESSAGES, &[], body).await.status, 200);
    let state = hears(&mut listening, "\"finished\":{\"calls\":1,\"failed\":0}}\n\n").await;
    assert_eq!(state["calls_per_minute"][59], 1);
    assert!(state["tokens_per_minute"][59].as_u64().expect("tokens") > 0);

    door.post("accounts/a/pause", Value::Null).await;
    assert_eq!(hears(&mut listening, "\"account\"}\n\n").await, json!({"subject": "account"}));
    hears(&mut listening, "\"paused\":1").await;
    // By another door than the page's.
    let store = &door.relay.app.store;
    store.set_setting("site_title", "Ours", START).await.expect("set");
    assert_eq!(hears(&mut listening, "\"setting\"}\n\n").await, json!({"subject": "setting"}));
    door.relay.add_secret("another").await;
    assert_eq!(hears(&mut listening, "\"key\"}\n\n").await, json!({"subject": "key"}));
    let price = json!({"input": 1, "output": 2});
    door.ask(Method::PUT, "prices/my-model", &price).await;
    assert_eq!(hears(&mut listening, "\"price\"}\n\n").await, json!({"subject": "price"}));
}

#[tokio::test]
async fn listening_ends_with_the_session_and_with_the_server() {
    let provider = FakeProvider::start().await;
    let door = door(&provider, &[]).await;
    let mut listening = listens(&door).await;
    hears(&mut listening, "\n\n").await;
    let tokens = door.relay.app.store.admin_tokens().await.expect("tokens");
    let reader = tokens.iter().find(|token| token.name == "reader").expect("it");
    door.relay.app.store.remove_admin_token(reader.id).await.expect("removed");
    // Any change by the door looks who is still there.
    let other = door.client.request("GET", "/admin/live", &[], "").await;
    door.post("groups", json!({"name": "team"})).await;
    let ended = tokio::time::timeout(Duration::from_secs(5), listening.collect()).await;
    assert_eq!(ended.expect("it ends").ending, Ending::Whole);

    door.relay.app.shutdown.advance(Stage::Draining);
    let ended = tokio::time::timeout(Duration::from_secs(5), other.collect()).await;
    assert_eq!(ended.expect("it ends").ending, Ending::Whole);
}

#[tokio::test]
async fn no_more_than_so_many_listen() {
    let provider = FakeProvider::start().await;
    let door = door(&provider, &[]).await;
    let mut all = Vec::new();
    for _ in 0..64 {
        all.push(listens(&door).await);
    }
    let (status, code, _) = door.refused(Method::GET, "live", Value::Null).await;
    assert_eq!((status, code.as_str()), (429, "throttled"));
    all.pop().expect("one").leave();
    until("there is room again", async || {
        let one = door.viewer.request("GET", "/admin/live", &[], "").await;
        let heard = one.status == 200;
        one.leave();
        heard
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_cancelled_is_settled_and_gives_its_place_back() {
    for streams in ["[[paced 500 20]]", "[[long 400000]]"] {
        let provider = FakeProvider::start().await;
        let door = door(&provider, &[]).await;
        let body = messages_body("claude-sonnet-4-6", streams).stream(true);
        let mut open = door.relay.client.stream(MESSAGES, &[], body).await;
        open.until("text_delta").await.expect("content");
        // Its client reads on, as fast as it can.
        let reading = tokio::spawn(open.collect());
        let id = only_call(&door).await;
        let cancelled = door.post(&format!("live/calls/{id}/cancel"), Value::Null).await;
        assert_eq!((&cancelled["call"]["id"], &cancelled["ended"]), (&json!(id), &json!(true)));
        let rest = reading.await.expect("no panic");
        assert_eq!(rest.ending, Ending::Whole);
        let last = rest.events().pop().expect("an event");
        assert_eq!(last.event, "error");
        assert_eq!(last.json()["error"]["type"], "permission_error");
        assert_eq!(last.json()["error"]["message"], "an administrator ended this call");
        let record = door.relay.only_record().await;
        assert_eq!((record.outcome, record.exactness), (Outcome::Cancelled, Exactness::Estimated));
        assert!(record.usage.input > 0 && record.usage.output > 0, "{record:?}");
        assert_eq!(record.attempts[0].fault.as_deref(), Some("cancelled"));
        provider.until_cancelled(1).await;
        door.relay.until_all_is_given_back().await;
        assert_eq!(door.get("live/calls").await, json!([]));
        assert!(!door.relay.rests("a").await, "the account is not to blame");
        let gone = format!("live/calls/{id}/cancel");
        assert_eq!(door.refused(Method::POST, &gone, Value::Null).await.0, 404);
        let deeds = &door.relay.app.store;
        let deeds = deeds.audit_lines(&AuditFilter::default(), (0, 9)).await.expect("a query").0;
        assert_eq!(
            (deeds[0].deed.verb.as_str(), deeds[0].deed.subject.as_str()),
            ("live_cancel", &*id)
        );
        assert_eq!(deeds.len(), 1, "{deeds:?}");
    }
}

#[tokio::test]
async fn calls_without_an_answer_are_cancelled_too() {
    for (streamed, settings) in
        [(true, &[][..]), (true, &[("KEEPALIVE_AFTER", "0.1")]), (false, &[])]
    {
        let provider = FakeProvider::start().await;
        let door = door(&provider, settings).await;
        provider.answers_once(Answer::well().breaks(Fault::Hang, Moment::Head));
        let client = door.relay.client.clone();
        let body = messages_body("claude-sonnet-4-6", "hi").stream(streamed);
        let call = tokio::spawn(async move { client.stream(MESSAGES, &[], body).await });
        provider.until_in_flight(1).await;
        let id = only_call(&door).await;
        if settings.is_empty() {
            door.post(&format!("live/calls/{id}/cancel"), Value::Null).await;
            let answer = call.await.expect("an answer").collect().await;
            assert_eq!((answer.status, answer.header("x-should-retry")), (403, "false"));
            assert_eq!(answer.json()["error"]["type"], "permission_error");
        } else {
            let kept_alive = call.await.expect("a head");
            door.post(&format!("live/calls/{id}/cancel"), Value::Null).await;
            let events = kept_alive.collect().await.events();
            assert_eq!(events.last().expect("an event").event, "error");
        }
        let record = door.relay.only_record().await;
        assert_eq!((record.outcome, record.status), (Outcome::Cancelled, 403));
        assert!(record.usage.input > 0, "{record:?}");
        door.relay.until_all_is_given_back().await;
    }
}

#[tokio::test]
async fn what_is_no_open_call_is_not_cancelled_and_viewers_cancel_nothing() {
    let provider = FakeProvider::start().await;
    let door = door(&provider, &[]).await;
    for id in ["none", "019ac0de-0000-7000-8000-000000000000"] {
        let path = format!("live/calls/{id}/cancel");
        assert_eq!(door.refused(Method::POST, &path, Value::Null).await.0, 404);
        let viewer = door.viewer.request("POST", &format!("/admin/{path}"), &[], "").await;
        assert_eq!(viewer.status, 403);
    }
}
