//! `crs top`: who is calling now, as the running relay tells.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use relay_testkit::{Answer, Client, FakeProvider, Fault, Moment, RelayProcess, messages_body};
use serde_json::Value;

use super::CRS;
use super::site::until;

const MESSAGES: &str = "/api/v1/messages";
const MODEL: &str = "claude-sonnet-4-6";

async fn top(relay: &RelayProcess) -> Vec<Value> {
    let output = relay.crs(&["top", "--json"], "").await;
    assert!(output.status.success(), "{output:?}");
    output.json().as_array().expect("an array").clone()
}

/// A client of a key that the relay knows by now.
async fn client(relay: &RelayProcess, key: &str) -> Client {
    let client = Client::new(relay.base_url()).anthropic(key);
    until("the key is known", Duration::from_secs(20), async || {
        client.get("/api/v1/models", &[]).await.status != 401
    })
    .await;
    client
}

/// What `top` shows once it fits.
async fn top_when(relay: &RelayProcess, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let shown = async {
        loop {
            let calls = top(relay).await;
            if fits(&calls) {
                return calls;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), shown).await.expect("it is shown")
}

#[tokio::test]
async fn open_calls_are_shown_with_all_that_is_known_of_them_until_they_end() {
    let provider = FakeProvider::start().await;
    let relay = RelayProcess::builder(CRS).start().await;
    relay.add_account("failing", &provider.base_url(), &["--priority", "1"]).await;
    relay.add_account("good", &provider.base_url(), &["--priority", "2"]).await;
    let key = relay.add_key_with("lena", &["--owner", "Lena"]).await;
    provider.answers_key("upstream-failing", Answer::status(500));
    provider.answers_key("upstream-good", Answer::well().breaks(Fault::Hang, Moment::Deltas(20)));
    assert_eq!(top(&relay).await, Vec::<Value>::new());

    let client = client(&relay, &key).await;
    let agent = [("user-agent", "claude-cli/2.1.197 (external, cli)")];
    let body = messages_body(MODEL, "[[long 2000]]").stream(true);
    let mut open = client.stream(MESSAGES, &agent, body).await;
    open.until("text_delta").await.expect("content");

    let counted = |calls: &[Value]| calls.len() == 1 && calls[0]["output_tokens"] != 0;
    let call = top_when(&relay, counted).await.remove(0);
    let fields = ["key", "owner", "account", "model", "client", "phase", "address"];
    let told: Vec<&str> = fields.iter().map(|name| call[name].as_str().unwrap_or("?")).collect();
    let expected = ["lena", "Lena", "good", MODEL, "claude_code", "streaming", "127.0.0.1"];
    assert_eq!(told, expected, "{call}");
    assert_eq!(call["attempts"], 2);
    assert!(call["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{call}");
    assert!(call["age_ms"].is_u64() && call["id"].is_string(), "{call}");

    let text = relay.crs(&["top", "--once"], "").await.stdout;
    assert!(text.contains("lena") && text.contains("streaming"), "{text}");
    open.leave();
    provider.until_cancelled(1).await;
    top_when(&relay, <[Value]>::is_empty).await;
}

#[tokio::test]
async fn the_phases_of_calls_tell_what_they_wait_for_and_the_oldest_stands_first() {
    let provider = FakeProvider::start().await;
    let relay = RelayProcess::builder(CRS).start().await;
    relay.add_account("a", &provider.base_url(), &["--max-concurrency", "1"]).await;
    let client = client(&relay, &relay.add_key("tests").await).await;
    provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Head));
    let ask = |text: &str| {
        let (client, body) = (client.clone(), messages_body(MODEL, text));
        tokio::spawn(async move { client.post(MESSAGES, &[], body).await })
    };
    let first = ask("first");
    provider.until_in_flight(1).await;
    let second = ask("second");
    let calls = top_when(&relay, |calls| calls.len() == 2).await;
    assert_eq!((&calls[0]["phase"], &calls[0]["account"]), (&"asking".into(), &"a".into()));
    assert_eq!((&calls[1]["phase"], &calls[1]["account"]), (&"waiting".into(), &Value::Null));
    assert_eq!((&calls[1]["attempts"], &calls[1]["input_tokens"]), (&0.into(), &Value::Null));
    first.abort();
    second.abort();
}

#[tokio::test]
async fn without_a_relay_it_says_so() {
    let mut relay = RelayProcess::builder(CRS).start().await;
    relay.kill_9().await;
    for arguments in [&["top", "--json"][..], &["top", "--once"], &["top"]] {
        let output = relay.crs(arguments, "").await;
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stderr.contains("no relay runs on this data directory"), "{output:?}");
    }
}

#[tokio::test]
async fn the_socket_answers_whatever_it_is_asked() {
    let relay = RelayProcess::builder(CRS).start().await;
    let path = std::fs::read_dir(relay.data_dir())
        .expect("a data directory")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|it| it == "sock"))
        .expect("a socket");
    let ask = |question: &[u8]| {
        let mut stream = UnixStream::connect(&path).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        // It may have heard enough before the end.
        let _ = stream.write_all(question);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let silent: Vec<_> = (0..70).map(|_| UnixStream::connect(&path).expect("it listens")).collect();
    assert!(ask(b"{\"ask\":\"state\"}\n").contains("calls_open"), "after those that say nothing");
    drop(silent);
    for wrong in [&b"nonsense\n"[..], b"\n", b"{\"ask\":\"secrets\"}\n", &b"x".repeat(70_000)] {
        assert!(ask(wrong).contains("refused"));
    }
    let unknown = ask(b"{\"ask\":\"test\",\"account\":\"acct_9\"}\n");
    assert!(unknown.contains("does not know this account"), "{unknown}");
}
