//! Promise 7: no secret, prompt or answer in anything that is written, and lines of calls as the
//! contract has them.

use std::path::Path;
use std::time::{Duration, Instant};

use relay_testkit::{Answer, Client, Fault, Moment, messages_body};
use serde_json::Value;

use super::books::Books;
use super::site::{MESSAGES, SONNET, Served, Stream, body, files, holds, until};

const PROMPT: &str = "prompt-marker-7f3a19";
const ANSWER: &str = "answer-marker-c2d481";
const SECRET: &str = "sk-ant-upstream-secret-55e0b7";
const STRANGER: &str = "cr_a_key_that_nobody_gave_out_81f2";

/// A relay whose account has a secret of its own.
async fn relay(level: &str) -> Served {
    let served = Served::with(&[("LOG_LEVEL", level), ("API_KEY_PREFIX", "cr_")]).await;
    let address = served.provider.base_url();
    let add = ["account", "add", "--name", "main", "--kind", "claude-api", "--base-url", &address];
    let more = ["--priority", "1", "--secret-stdin", "--json"];
    let added = served.relay.crs(&[&add[..], &more].concat(), SECRET).await;
    assert!(added.status.success(), "{added:?}");
    assert!(!(added.stdout + &added.stderr).contains(SECRET));
    // Each asks otherwise: the same conversation would stay with the account that it began on.
    let mut asked = 0;
    until("the account serves", Duration::from_secs(5), async || {
        asked += 1;
        let _ = served.ask(&format!("[[say ready {asked}]]"), Stream::No).await;
        served.provider.served().iter().any(|it| it.api_key == SECRET)
    })
    .await;
    served
}

/// Calls that go well, are refused, fail and break off, with texts that must not be kept.
async fn varied_calls(served: &Served) {
    let client = served.client();
    let say = format!("{PROMPT} [[say {ANSWER}]]");
    for stream in [Stream::No, Stream::Yes] {
        let answer = client.post(MESSAGES, &[], body(&say, stream)).await;
        assert_eq!(answer.text(), ANSWER);
    }
    for (word, status) in [("400", 400), ("413", 413), ("500", 500)] {
        // The provider's message repeats what the caller sent.
        let text = format!("[[status {word} {PROMPT} is refused]]");
        let answer = client.post(MESSAGES, &[], body(&text, Stream::No)).await;
        assert_eq!(answer.status, status, "{:?}", answer.body);
        reset_accounts(served).await;
    }
    let breaks = Answer::well().breaks(Fault::Reset, Moment::Deltas(1));
    served.provider.answers_once(breaks);
    client.post(MESSAGES, &[], body(&say, Stream::Yes)).await;
    let mut left = client.stream(MESSAGES, &[], body(&say, Stream::Yes)).await;
    let _ = left.chunk().await;
    left.leave();
    let malformed = [
        format!("{{\"model\":{PROMPT}}}"),
        format!("{{\"model\":\"{SONNET}\",\"messages\":\"{PROMPT}\",\"stream\":\"{PROMPT}\"}}"),
        format!("{{\"model\":\"{SONNET}\",\"max_tokens\":\"{PROMPT}\",\"messages\":[]}}"),
        format!("{{\"model\":7,\"system\":\"{PROMPT}\"}}"),
        PROMPT.to_owned(),
    ];
    for text in malformed {
        client.post(MESSAGES, &[], text).await;
    }
    let stranger = Client::new(served.relay.base_url()).anthropic(STRANGER);
    assert_eq!(stranger.post(MESSAGES, &[], body(&say, Stream::No)).await.status, 401);
    let bare = Client::new(served.relay.base_url()).header("anthropic-version", "2023-06-01");
    for path in ["/v1/messages", "/api/v1/models", "/api/v1/nothing", "/api//v1/messages"] {
        let with_key = format!("{path}?key={}&x={PROMPT}", served.key);
        bare.post(&with_key, &[], body(&say, Stream::No)).await;
        bare.get(&with_key, &[]).await;
    }
    bare.post(
        "/v1/messages/count_tokens",
        &[("authorization", &served.key)],
        body(&say, Stream::No),
    )
    .await;
    served.provider.until_idle().await;
}

async fn reset_accounts(served: &Served) {
    for name in ["main", "a"] {
        let reset = served.relay.crs(&["account", "reset", name], "").await;
        assert!(reset.status.success(), "{reset:?}");
    }
    until("no account rests", Duration::from_secs(5), async || {
        let listed = served.relay.crs(&["account", "list", "--json"], "").await.json();
        listed.as_array().is_some_and(|all| all.iter().all(|it| it["state"] == "able"))
    })
    .await;
}

#[tokio::test]
async fn no_secret_prompt_or_answer_is_written_anywhere() {
    for level in ["info", "trace"] {
        let mut served = relay(level).await;
        let dir = served.relay.data_dir().to_owned();
        varied_calls(&served).await;
        let init = std::fs::read_to_string(dir.join("init.json")).expect("init.json");
        let init: Value = serde_json::from_str(&init).expect("JSON");
        let password = init["adminPassword"].as_str().expect("a password").to_owned();
        let master = std::fs::read_to_string(dir.join("master.key")).expect("a key");
        let master = master.lines().last().expect("a key").to_owned();
        // Both what stands in the journal now and what the end leaves in the database.
        let key = served.key.clone();
        let secret = [PROMPT, ANSWER, &key, SECRET, STRANGER, &password, &master];
        assert_none_is_written(&dir, &secret);
        served.stop().await;
        assert_none_is_written(&dir, &secret);
        let said = [served.relay.stdout_text(), served.relay.stderr_text()];
        for word in secret {
            let times: usize = said.iter().map(|text| text.matches(word).count()).sum();
            assert_eq!(times, usize::from(word == password), "{word} on the console at {level}");
        }
        let log = std::fs::read_to_string(dir.join("logs/crs.log")).expect("a log");
        assert!(log.lines().count() > 20, "the log is too short to prove anything");
    }
}

fn assert_none_is_written(dir: &Path, secret: &[&str]) {
    for (path, content) in files(dir) {
        for word in secret {
            let allowed = path.ends_with("init.json") || path.ends_with("master.key");
            assert!(allowed || !holds(&content, word), "{path} holds {word}");
        }
    }
}

#[tokio::test]
async fn the_lines_of_calls_have_the_fields_of_the_contract() {
    let mut served = relay("info").await;
    let agent = [("user-agent", "claude-cli/2.1.0 (external, cli)")];
    let prompt = messages_body(SONNET, "[[say hello]]")
        .stream(true)
        .cached_system(&"Kept for an hour. ".repeat(100), "1h");
    let answer = served.client().post(MESSAGES, &agent, prompt).await;
    let good = answer.header("x-crs-request-id").to_owned();
    let refusal = served.client().post(MESSAGES, &agent, "{}").await;
    let refused = refusal.header("x-crs-request-id").to_owned();
    assert_eq!(refusal.status, 400);
    served.stop().await;

    let log = std::fs::read_to_string(served.relay.data_dir().join("logs/crs.log"));
    let lines: Vec<Value> = log
        .expect("a log")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    let line_of = |call: &str| {
        let found: Vec<&Value> = lines.iter().filter(|line| line["call"] == call).collect();
        assert_eq!(found.len(), 1, "one line for a call: {found:?}");
        found[0].clone()
    };
    let line = line_of(&good);
    let usage = answer.usage();
    for (field, value) in [
        ("level", Value::from("INFO")),
        ("key", "tests".into()),
        ("client", "claude_code".into()),
        ("user_agent", "claude-cli/2.1.0 (external, cli)".into()),
        ("address", "127.0.0.1".into()),
        ("path", MESSAGES.into()),
        ("model", SONNET.into()),
        ("account", "main".into()),
        ("status", 200.into()),
        ("attempts", 1.into()),
        ("input", usage.input.into()),
        ("output", usage.output.into()),
        ("cache_read", 0.into()),
        ("cache_write", usage.cache_write_1h.into()),
    ] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    assert!(line["timestamp"].as_str().is_some_and(|at| at.contains('T')), "{line}");
    assert!(line["first_byte_ms"].is_u64() && line["total_ms"].is_u64(), "{line}");
    let cost = line["cost_usd"].as_str().and_then(|cost| cost.parse::<f64>().ok());
    assert!(cost.is_some_and(|cost| cost > 0.0), "{line}");

    let line = line_of(&refused);
    for field in ["key", "client", "user_agent", "address", "path", "status", "reason", "total_ms"]
    {
        assert!(!line[field].is_null(), "{field} in {line}");
    }
    assert_eq!(line["status"], 400);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_counted_and_fills_no_log() {
    const FLOOD: usize = 2_000;
    const AT_ONCE: usize = 20;
    let begun = Instant::now();
    let mut served = Served::with(&[]).await;
    let guessers = (0..AT_ONCE).map(|guesser| {
        let base_url = served.relay.base_url().to_owned();
        tokio::spawn(async move {
            for guess in 0..FLOOD / AT_ONCE {
                let client =
                    Client::new(&base_url).anthropic(&format!("cr_guess_{guesser}_{guess}"));
                let answer = client.post(MESSAGES, &[], body("hello", Stream::No)).await;
                assert_eq!(answer.status, 401);
            }
        })
    });
    for guesser in guessers.collect::<Vec<_>>() {
        guesser.await.expect("every guess is answered");
    }
    let seconds = begun.elapsed().as_secs() + 2;
    let dir = served.relay.data_dir().to_owned();
    let mut books = Books::open(&dir).await;
    let counted = "select sum(calls) from refusals";
    until("the refusals are counted", Duration::from_secs(12), async || {
        books.number(counted).await >= i64::try_from(FLOOD).expect("few")
    })
    .await;
    served.stop().await;
    // Calls with which the start waited for its key are among them.
    let lines = |text: &str| text.lines().filter(|line| line.contains("refused")).count() as u64;
    let log = std::fs::read_to_string(dir.join("logs/crs.log")).expect("a log");
    println!("{FLOOD} guesses in {:?}: {} lines", begun.elapsed(), lines(&log));
    assert!(lines(&log) >= 1 && lines(&log) <= 10 * seconds, "{} lines", lines(&log));
    assert!(lines(&served.relay.stderr_text()) <= 10 * seconds);
    assert_eq!(books.number("select count(*) from usage").await, 0);
    assert!(books.number("select count(*) from refusals").await <= 4, "counters, not rows");
    // So are those that the start waited with.
    let refused = books.number(counted).await;
    assert!((2_000..2_100).contains(&refused), "{refused} refusals are counted");
}
