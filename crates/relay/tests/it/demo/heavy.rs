use std::fs;
use std::time::Duration;

use relay_testkit::{Client, FakeProvider};
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

use super::{Demo, Surroundings, ended, names_in, signal};

const LIMITED: &str = "limited-account";

fn sum(rows: &Value, field: &str) -> i64 {
    let rows = rows["rows"].as_array().expect("rows");
    rows.iter().map(|row| row[field].as_i64().expect("a whole number")).sum()
}

fn dollars(rows: &Value) -> f64 {
    let rows = rows["rows"].as_array().expect("rows");
    rows.iter().map(|row| row["cost_usd"].as_f64().expect("a number")).sum()
}

/// What the records in the database come to: calls, tokens by kind, and millionths of a dollar.
async fn recorded(demo: &Demo<'_>) -> [i64; 5] {
    let file = demo.data_dir().join("crs.db");
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut database = options.connect().await.expect("a database");
    let query = "select count(*), sum(input), sum(output), sum(cache_read), \
                 sum(cost_nanos) / 1000 from usage";
    let row = sqlx::query(query).fetch_one(&mut database).await.expect("a row");
    [0, 1, 2, 3, 4].map(|at: usize| row.get(at))
}

#[tokio::test]
async fn with_an_empty_environment_everything_that_is_printed_works() {
    let around = Surroundings::new(&[]);
    let demo = around.demo(&["--quiet"]).await;

    let curls = demo.curls();
    let [whole, streamed, counted, failing_over] = curls.as_slice() else {
        panic!("four calls are shown: {}", demo.printed)
    };
    let answer = whole.run().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text().to_lowercase().contains("simulated"), "{}", answer.text());
    let stream = streamed.run().await;
    assert_eq!(stream.events().last().expect("events").event, "message_stop");
    assert!(stream.text().to_lowercase().contains("simulated"), "{}", stream.text());
    let count = counted.run().await.json()["input_tokens"].as_u64();
    assert_eq!(count, Some(answer.usage().input));

    let able = |name: &str| (name.to_owned(), "able".to_owned());
    assert!(demo.states().await.contains(&able(LIMITED)));
    let answer = failing_over.run().await;
    assert_eq!((answer.status, answer.text().is_empty()), (200, false));
    let states = demo.states().await;
    let not_able: Vec<(&str, &str)> = states
        .iter()
        .filter(|(_, state)| state != "able")
        .map(|(name, state)| (name.as_str(), state.as_str()))
        .collect();
    assert_eq!(not_able, [(LIMITED, "resting"), ("old-reseller", "paused")], "{states:?}");
    assert_eq!(states.len(), 5);

    // The forms in which clients are given the key.
    let (base, token) = demo.told("export ANTHROPIC_BASE_URL=").split_once(' ').expect("two");
    let token = token.strip_prefix("ANTHROPIC_AUTH_TOKEN=").expect("a token");
    let claude_code = [
        ("authorization", &*format!("Bearer {token}")),
        ("user-agent", "claude-cli/2.1.197 (external, cli)"),
        ("anthropic-version", "2023-06-01"),
        ("content-type", "application/json"),
    ];
    for streams in [false, true] {
        let mut body: Value = serde_json::from_str(&whole.body).expect("JSON");
        body["stream"] = json!(streams);
        let sent = body.to_string();
        let answer = Client::new(base).post("/v1/messages", &claude_code, sent).await;
        assert_eq!((answer.status, answer.text().is_empty()), (200, false));
    }
    for sdk in ["Anthropic(base_url=", "new Anthropic({ baseURL: "] {
        let words: Vec<&str> = demo.told(sdk).split('"').collect();
        let (base, key) = (words[1], words[3]);
        let answer = Client::new(base).anthropic(key).get("/v1/models", &[]).await;
        assert!(answer.json().to_string().contains("claude-sonnet-4-6"), "{answer:?}");
    }
    let windows = &demo.json("account show team-max").await["windows"];
    assert_eq!(windows.as_array().map(Vec::len), Some(3), "{windows}");

    let dir = demo.data_dir();
    assert!(dir.starts_with(std::env::temp_dir()) && dir.is_dir());
    assert!(demo.end().await.success());
    assert!(!dir.exists());
    assert_eq!(names_in(&around.work()), [""; 0]);
}

#[tokio::test]
async fn the_sample_week_adds_up_in_every_way_it_is_looked_at() {
    let around = Surroundings::new(&[("TZ", "UTC")]);
    let demo = around.demo(&["--quiet"]).await;
    let by_day = demo.json("usage --by day --since 8d").await;
    let days = by_day["rows"].as_array().expect("rows");
    assert!((7..=8).contains(&days.len()), "{by_day}");
    let told = demo.told("sample data: ").split(' ').next().expect("a number");
    let [calls, input, output, cache_read, micros] = recorded(&demo).await;
    assert_eq!(told.parse::<i64>().expect("a number"), calls);
    let is_ample = (2_000..20_000).contains(&calls) && micros > 1_000_000;
    assert!(is_ample, "{calls} calls, {micros} millionths of a dollar");
    let cost = f64::from(u32::try_from(micros).expect("not too much")) / 1e6;
    for by in ["day", "key", "account", "model"] {
        let rows = demo.json(&format!("usage --by {by} --since 8d")).await;
        let sums = ["calls", "input_tokens", "output_tokens", "cache_read_tokens"];
        let sums = sums.map(|field| sum(&rows, field));
        assert_eq!(sums, [calls, input, output, cache_read], "{by}");
        assert!((dollars(&rows) - cost).abs() < 2e-6, "{by}");
    }
    assert!(demo.end().await.success());
}

#[tokio::test]
async fn a_real_relays_settings_and_data_are_left_alone() {
    let key = "a master key of somebody's own relay";
    let real = tempfile::tempdir().expect("a directory");
    let real_data = real.path().join("data");
    let around = Surroundings::new(&[
        ("DATA_DIR", real_data.to_str().expect("text")),
        ("ENCRYPTION_KEY", key),
        ("ADMIN_USERNAME", "root"),
        ("ADMIN_PASSWORD", "a password of mine"),
        ("HOST", "0.0.0.0"),
    ]);
    fs::create_dir(around.work().join("data")).expect("a directory");
    fs::write(around.work().join(".env"), "DATA_DIR=./data\nENCRYPTION_KEY=x\n").expect("a file");
    fs::write(around.work().join("crs.toml"), "nonsense = 1\n").expect("a file");
    let demo = around.demo(&["--quiet"]).await;
    assert!(demo.address().starts_with("http://127.0.0.1:"), "{}", demo.printed);
    assert_eq!(demo.told("unset "), "ENCRYPTION_KEY");
    assert!(!demo.printed.contains("a password of mine"));
    let dir = demo.data_dir();
    assert!(fs::read(dir.join("master.key")).is_ok_and(|it| it != key.as_bytes()));
    assert!(demo.end().await.success());
    assert_eq!(names_in(&around.work()), [".env", "crs.toml", "data"]);
    assert_eq!(names_in(&around.work().join("data")), [""; 0]);
    assert!(!real_data.exists() && !dir.exists());
}

#[tokio::test]
async fn a_directory_that_is_not_a_demos_is_refused() {
    let around = Surroundings::new(&[]);
    let data = around.work().join("data");
    fs::create_dir(&data).expect("a directory");
    fs::write(data.join("crs.db"), "of a relay").expect("a file");
    let output = around.crs(&["demo", "--data-dir", data.to_str().expect("text")]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a demo's"), "{output:?}");
    assert_eq!(names_in(&data), ["crs.db"]);
}

#[tokio::test]
async fn a_named_directory_stays_and_the_next_demo_goes_on_with_it() {
    let around = Surroundings::new(&[]);
    let first = around.demo(&["--quiet", "--data-dir", "kept"]).await;
    let old_key = first.told("key: ").to_owned();
    let calls = first.told("sample data: ").to_owned();
    assert_eq!(first.client().get("/api/v1/models", &[]).await.status, 200);
    let second = around.crs(&["demo", "--port", "0", "--data-dir", "kept"]).await;
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server"), "{second:?}");
    // The provider's port is taken when the next one comes.
    let provider = first.told("simulated provider: http://").to_owned();
    assert!(first.end().await.success());
    let _taken = std::net::TcpListener::bind(provider).expect("the port is free");

    let next = around.demo(&["--quiet", "--data-dir", "kept"]).await;
    assert_eq!(next.told("sample data: "), calls);
    assert!(!next.printed.contains("password"), "{}", next.printed);
    assert_eq!(next.curls()[0].run().await.status, 200);
    let old = Client::new(next.address()).anthropic(&old_key);
    assert_eq!(old.get("/api/v1/models", &[]).await.status, 401);
    assert!(next.end().await.success());
    assert!(around.work().join("kept/crs.db").is_file());
}

#[tokio::test]
async fn a_signal_during_the_start_leaves_nothing_behind() {
    let around = Surroundings::new(&[]);
    let tmp = around.tmp();
    let mut child = around
        .command(&["demo", "--port", "0"])
        .env("TMPDIR", &tmp)
        .spawn()
        .expect("the binary can be run");
    let begun = async {
        while names_in(&tmp).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), begun).await.expect("it makes a directory");
    signal(&child, Signal::TERM);
    assert!(ended(&mut child).await.success());
    assert_eq!(names_in(&tmp), [""; 0]);
}

#[tokio::test]
async fn a_terminal_that_is_closed_takes_the_data_with_it() {
    let around = Surroundings::new(&[]);
    for sent in [Signal::HUP, Signal::QUIT] {
        let demo = around.demo(&["--quiet"]).await;
        let dir = demo.data_dir();
        assert!(dir.is_dir());
        assert!(demo.end_by(sent).await.success(), "{sent:?}");
        assert!(!dir.exists(), "{sent:?}");
    }
}

#[tokio::test]
async fn an_account_that_somebody_adds_serves_no_sample_call_and_no_next_demo_takes_it_over() {
    let real = FakeProvider::start().await;
    let address = real.base_url();
    let around = Surroundings::new(&[("SECRET", "of-a-real-account")]);
    let demo = around.demo(&["--quiet", "--data-dir", "kept"]).await;
    demo.json(&format!(
        "account add --kind claude-api --name real --priority 1 --base-url {address} \
         --secret-env SECRET"
    ))
    .await;
    let own = demo.json("key add --name own --bind claude=real").await;
    let own = own["key"].as_str().expect("a secret").to_owned();
    let own = Client::new(demo.address()).anthropic(&own);
    let body = &demo.curls()[0].body;
    let serves = async {
        while own.post("/api/v1/messages", &[], body.clone()).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), serves).await.expect("its own key reaches it");
    let before = real.requests().len();
    for call in demo.curls() {
        assert_eq!(call.run().await.status, 200, "{call:?}");
    }
    assert_eq!(real.requests().len(), before, "a sample key reaches it");
    let keys = demo.json("key list").await;
    let is_free = |key: &&Value| key["bindings"]["claude"].is_null();
    let free: Vec<_> = keys.as_array().expect("keys").iter().filter(is_free).collect();
    assert!(free.is_empty(), "{free:?}");
    assert!(demo.end().await.success());

    let next = around.crs(&["demo", "--port", "0", "--data-dir", "kept"]).await;
    assert_eq!(next.status.code(), Some(1), "{next:?}");
    let said = format!("the account real is not one of the demo: it leads to {address}");
    assert!(String::from_utf8_lossy(&next.stderr).contains(&said), "{next:?}");
}

#[tokio::test]
async fn sample_people_call_unless_it_is_to_be_quiet() {
    let around = Surroundings::new(&[("TZ", "UTC")]);
    let lively = around.demo(&[]).await;
    let before = lively.told("sample data: ").split(' ').next().expect("a number");
    let before: i64 = before.parse().expect("a number");
    let calling = async {
        // Each look is a process of its own, which paces the asking.
        while sum(&lively.json("usage --by model --since 8d").await, "calls") <= before {}
    };
    tokio::time::timeout(Duration::from_secs(30), calling).await.expect("somebody calls");
    assert!(lively.end().await.success());
}

#[tokio::test]
async fn both_languages_say_all_of_it_and_programs_get_one_value() {
    let english = [
        "nothing leaves this machine",
        "listening on http://127.0.0.1:",
        "simulated provider: http://127.0.0.1:",
        "data directory: /",
        "sample data: ",
        "administrator: ",
        "password: ",
        "key: cr_",
        "# an answer",
        "# the same, word by word",
        "# what a call would count",
        "# fails over: the account limited-account answers 429",
        "# Claude Code",
        "usage --by model --data-dir /",
        "usage --by day --data-dir /",
        "account list --data-dir /",
        "account show team-max --data-dir /",
        "account reset limited-account --data-dir /",
        "key list --data-dir /",
        "top --data-dir /",
        "Ctrl-C ends it and removes its data.",
    ];
    let chinese = [
        "没有任何数据离开这台机器",
        "监听地址：http://127.0.0.1:",
        "模拟的上游：http://127.0.0.1:",
        "数据目录：/",
        "示例数据：最近 7 天的 ",
        "管理员：",
        "密码：",
        "密钥：cr_",
        "# 得到一个回答",
        "# 同样的回答，逐字输出",
        "# 一次调用会计为多少 token",
        "# 自动切换：账户 limited-account 返回 429",
        "# Claude Code",
        "\"content\":\"你好\"",
        "# 哪些账户可用，哪些在冷却、到什么时候",
        "account reset limited-account --data-dir /",
        "top --data-dir /",
        "按 Ctrl-C 结束，并删除它的数据。",
    ];
    for (language, lines) in [("en_US.UTF-8", &english[..]), ("zh_CN.UTF-8", &chinese[..])] {
        let around = Surroundings::new(&[("LANG", language)]);
        let demo = around.demo(&["--quiet"]).await;
        for line in lines {
            assert!(demo.printed.contains(line), "{line} is missing in:\n{}", demo.printed);
        }
        if language.starts_with("zh") {
            let answer = demo.curls()[0].run().await.text();
            assert!(answer.contains("模拟"), "{answer}");
        }
        assert!(demo.end().await.success());
    }
    let around = Surroundings::new(&[]);
    let demo = around.demo(&["--quiet", "--json"]).await;
    let told: Value = serde_json::from_str(&demo.printed).expect("one JSON value");
    let text = |name: &str| told[name].as_str().expect("a text");
    let client = Client::new(text("address")).anthropic(text("key"));
    assert_eq!(client.get("/api/v1/models", &[]).await.status, 200);
    assert!(demo.end().await.success());
}
