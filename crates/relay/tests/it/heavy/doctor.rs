//! `crs doctor`: what it finds, that it survives what it finds, and that it changes nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use relay_testkit::{Answer, ClosedPort, FakeProvider, Output, RelayProcess};
use serde_json::Value;
use tempfile::TempDir;

use super::CRS;
use super::site::{Served, Stream};

/// As long as the whole command may take.
const WITHIN: Duration = Duration::from_secs(30);
/// A master key that no relay here was started with.
const OTHER_KEY: &str = "71c9a0d35be8f2640917acde58b3f06d";

/// What a doctor said.
struct Said {
    code: Option<i32>,
    value: Value,
    output: Output,
}

impl Said {
    /// The findings about `check`: state and words.
    fn about(&self, check: &str) -> Vec<(&str, &str)> {
        let findings = self.value["findings"].as_array().expect("findings");
        let text = |finding: &'_ Value, field: &str| finding[field].as_str().map(str::len);
        assert!(findings.iter().all(|it| text(it, "what").is_some_and(|length| length > 0)));
        let about = findings.iter().filter(|finding| finding["check"] == check);
        about
            .map(|it| (it["state"].as_str().expect("a state"), it["what"].as_str().expect("words")))
            .collect()
    }

    /// The one finding about `check`, which is in this state.
    #[track_caller]
    fn one(&self, check: &str, state: &str) -> &str {
        match self.about(check).as_slice() {
            [(found, what)] if *found == state => what,
            other => panic!("{check} is {other:?} and not {state}"),
        }
    }

    /// The checks that are wrong, each of which says what to do.
    fn wrong(&self) -> Vec<&str> {
        let findings = self.value["findings"].as_array().expect("findings");
        let wrong: Vec<&Value> = findings.iter().filter(|it| it["state"] == "wrong").collect();
        assert_eq!(self.value["wrong"], wrong.len());
        assert!(wrong.iter().all(|it| it["what_to_do"].is_string()), "{}", self.value);
        assert_eq!(self.code, Some(i32::from(!wrong.is_empty())), "{}", self.value);
        wrong.iter().filter_map(|it| it["check"].as_str()).collect()
    }
}

/// A doctor on a directory, with these settings and nothing else.
async fn doctor(dir: &Path, settings: &[(&str, &str)]) -> Said {
    doctor_with(dir, settings, &[]).await
}

async fn doctor_with(dir: &Path, settings: &[(&str, &str)], more: &[&str]) -> Said {
    let output = run(dir, settings, &[&["--json"], more].concat()).await;
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    Said { code: output.status.code(), value: output.json(), output }
}

async fn run(dir: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let home = TempDir::new().expect("a directory");
    let free = [("PORT", "0"), ("TZ", "UTC"), ("LANG", "en_US.UTF-8")];
    let begun = Instant::now();
    let ran = tokio::process::Command::new(CRS)
        .args(["doctor", "--data-dir"])
        .arg(dir)
        .args(arguments)
        .current_dir(home.path())
        .env_clear()
        .envs(free)
        .envs(settings.iter().copied())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the doctor can be run");
    assert!(begun.elapsed() < WITHIN, "it took {:?}", begun.elapsed());
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Output { status: ran.status, stdout: text(ran.stdout), stderr: text(ran.stderr) }
}

/// Everything below a directory: path, size, time of change, mode and content.
fn listing(dir: &Path) -> Vec<(PathBuf, u64, i64, i64, u32, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).expect("an entry");
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory");
            open.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
        let content =
            if metadata.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
        let (seconds, nanos) = (metadata.mtime(), metadata.mtime_nsec());
        found.push((path, metadata.len(), seconds, nanos, metadata.mode(), content));
    }
    found.sort();
    found
}

/// A data directory that a relay has used and left in good order, with an account and a key.
async fn used(dir: &Path) -> FakeProvider {
    let mut served = Served::on(RelayProcess::builder(CRS).data_dir(dir).start().await).await;
    assert_eq!(served.ask("[[say one]]", Stream::No).await.status, 200);
    served.stop().await;
    served.provider
}

#[tokio::test]
async fn a_healthy_directory_is_well_and_stays_as_it_was() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let provider = used(&dir).await;
    provider.clear_log();
    let before = listing(&dir);
    let said = doctor(&dir, &[]).await;
    assert_eq!(said.wrong(), [""; 0], "{}", said.value);
    for check in ["settings", "data_dir", "permissions", "owner", "master_key", "database"] {
        said.one(check, "well");
    }
    said.one("journal", "well");
    said.one("server", "note");
    said.one("first_password", "note");
    said.one("keys", "well");
    assert!(said.one("account", "well").starts_with("a: answers in "));
    said.one("clock", "well");
    let asked: Vec<String> = provider.requests().iter().map(|it| it.method.clone()).collect();
    assert_eq!(asked, ["GET"], "no tokens are spent");
    doctor_with(&dir, &[], &["--calls"]).await.one("account", "well");
    assert_eq!(provider.requests().pop().expect("a request").method, "POST");
    run(&dir, &[], &[]).await;
    assert!(before == listing(&dir), "the data directory was changed");
}

#[tokio::test]
async fn a_running_relay_is_asked_and_its_directory_read_beside_it() {
    let served = Served::with(&[("TRUST_PROXY", "loopback")]).await;
    assert_eq!(served.ask("[[say one]]", Stream::No).await.status, 200);
    let dir = served.relay.data_dir();
    let said = doctor(dir, &[("TRUST_PROXY", "loopback")]).await;
    assert_eq!(said.wrong(), [""; 0], "{}", said.value);
    let told = said.one("server", "well");
    assert!(told.contains(&format!("process {}", served.relay.pid())), "{told}");
    assert!(said.one("port", "note").starts_with("127.0.0.1:"), "{}", said.value);
    said.one("account", "well");
    said.one("journal", "well");
    assert_eq!(served.ask("[[say still here]]", Stream::No).await.text(), "still here");
}

#[tokio::test]
async fn a_running_relay_is_judged_by_what_it_was_started_with() {
    let set = [("TRUST_PROXY", "loopback"), ("TIMEZONE", "Asia/Shanghai")];
    let served = Served::with(&set).await;
    let here = [("TRUST_PROXY", "0.0.0.0/0"), ("TIMEZONE", "America/Lima"), ("HOST", "::")];
    let here = [&here[..], &[("BODY_MEMORY_MB", "1048576")]].concat();
    let said = doctor(served.relay.data_dir(), &here).await;
    assert_eq!(said.wrong(), [""; 0], "{}", said.value);
    assert!(said.one("time_zone", "well").starts_with("Asia/Shanghai: "), "{}", said.value);
    assert!(said.one("trusted_proxies", "well").contains("127.0.0.0/8"), "{}", said.value);
}

#[tokio::test]
async fn a_master_key_may_be_a_link_to_a_secret_elsewhere() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let _provider = used(&dir).await;
    let (key, elsewhere) = (dir.join("master.key"), home.path().join("secret"));
    fs::rename(&key, &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, &key).expect("a link");
    let said = doctor(&dir, &[]).await;
    assert_eq!(said.wrong(), [""; 0], "{}", said.value);
    said.one("permissions", "well");
    said.one("master_key", "well");
    fs::remove_file(&elsewhere).expect("removed");
    assert_eq!(doctor(&dir, &[]).await.wrong(), ["master_key"]);
}

#[tokio::test]
async fn secrets_that_others_may_read_are_wrong() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let _provider = used(&dir).await;
    let key = dir.join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("changed");
    let said = doctor(&dir, &[]).await;
    assert_eq!(said.wrong(), ["permissions"]);
    assert!(said.one("permissions", "wrong").contains("master.key"), "{}", said.value);
    assert_eq!(fs::metadata(&key).expect("the key").mode() & 0o777, 0o644, "it only looks");
}

#[tokio::test]
async fn a_wrong_master_key_is_told_and_what_needs_it_is_skipped() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let _provider = used(&dir).await;
    let disagrees = doctor(&dir, &[("ENCRYPTION_KEY", OTHER_KEY)]).await;
    assert_eq!(disagrees.wrong(), ["master_key"]);
    assert!(disagrees.one("master_key", "wrong").contains("different keys"));
    disagrees.one("database", "well");

    fs::rename(dir.join("master.key"), home.path().join("kept.key")).expect("moved");
    let missing = doctor(&dir, &[]).await;
    assert_eq!(missing.wrong(), ["master_key"]);
    assert!(missing.one("master_key", "wrong").contains("missing"));
    let before = listing(&dir);
    let wrong = doctor(&dir, &[("ENCRYPTION_KEY", OTHER_KEY)]).await;
    assert_eq!(wrong.wrong(), ["master_key"]);
    assert!(wrong.one("master_key", "wrong").contains("not the one"), "{}", wrong.value);
    assert!(!wrong.output.stdout.contains(OTHER_KEY));
    wrong.one("accounts", "skipped");
    wrong.one("keys", "skipped");
    assert!(before == listing(&dir), "no key is made and nothing else is changed");
}

#[tokio::test]
async fn a_port_that_another_program_has_is_told_with_that_program() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let _provider = used(&dir).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let settings = [("HOST", "127.0.0.1"), ("PORT", port.as_str())];
    let said = doctor(&dir, &settings).await;
    assert_eq!(said.wrong(), ["port"]);
    let what = said.one("port", "wrong");
    assert!(what.contains(&format!("(process {})", std::process::id())), "{what}");
    drop(taken);
    assert_eq!(doctor(&dir, &settings).await.wrong(), [""; 0]);
}

#[tokio::test]
async fn a_damaged_line_of_the_journal_is_found_after_a_crash() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let mut served = Served::on(RelayProcess::builder(CRS).data_dir(&dir).start().await).await;
    assert_eq!(served.ask("[[say one]]", Stream::No).await.status, 200);
    served.relay.kill_9().await;
    assert_eq!(doctor(&dir, &[]).await.wrong(), [""; 0]);

    let segments = fs::read_dir(dir.join("journal")).expect("the journal");
    let segments = segments.map(|entry| entry.expect("an entry").path());
    let holds_lines = |path: &PathBuf| {
        path.extension().is_some_and(|it| it == "log")
            && fs::metadata(path).is_ok_and(|found| found.len() > 0)
    };
    let path = segments.into_iter().find(holds_lines).expect("a segment");
    let mut bytes = fs::read(&path).expect("a segment");
    bytes[30] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let kept = |listing: Vec<_>| -> Vec<_> {
        // To read the log that a crash left, SQLite makes its index anew.
        let is_index = |path: &Path| path.ends_with("crs.db-shm") || path == dir;
        listing.into_iter().filter(|it: &(PathBuf, _, _, _, _, _)| !is_index(&it.0)).collect()
    };
    let before: Vec<_> = kept(listing(&dir));
    let said = doctor(&dir, &[]).await;
    assert_eq!(said.wrong(), ["journal"]);
    assert_eq!(said.about("journal")[0].1, "damaged lines: 1; what they recorded is lost");
    assert!(before == kept(listing(&dir)), "the journal is only read");
}

#[tokio::test]
async fn an_account_behind_a_dead_proxy_is_told_without_the_proxys_password() {
    let dead = ClosedPort::reserve().expect("a port");
    let password = "hidden words of a proxy".replace(' ', "-");
    let mut served = Served::with(&[]).await;
    let base = served.provider.base_url();
    let proxy = format!("socks5://someone:{password}@127.0.0.1:{}", dead.port());
    served.relay.add_account("behind", &base, &["--proxy", &proxy]).await;
    served.relay.add_account("off", &base, &[]).await;
    let paused = served.relay.crs(&["account", "pause", "off"], "").await;
    assert!(paused.status.success(), "{paused:?}");
    served.relay.terminate();
    served.relay.wait().await;
    let said = doctor(served.relay.data_dir(), &[]).await;
    assert_eq!(said.wrong(), ["account"]);
    let accounts = said.about("account");
    let states: Vec<&str> = accounts.iter().map(|(state, _)| *state).collect();
    assert_eq!(states, ["well", "wrong", "note"], "{accounts:?}");
    assert!(accounts[1].1.starts_with("behind: not reached through socks5://"), "{accounts:?}");
    assert!(said.one("accounts", "well").starts_with("1 of 3"), "{}", said.value);
    let text = run(served.relay.data_dir(), &[], &[]).await.stdout;
    for printed in [&said.output.stdout, &text] {
        assert!(!printed.contains(&password) && !printed.contains("upstream-"), "{printed}");
    }
}

#[tokio::test]
async fn a_clock_that_no_provider_agrees_with_is_wrong() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let provider = used(&dir).await;
    let models = Answer::status(200).json(&serde_json::json!({"data": []}));
    let models = models.header("date", "Mon, 01 Jan 2035 00:00:00 GMT");
    provider.answers_when(|seen| seen.method == "GET", models);
    let said = doctor(&dir, &[]).await;
    assert_eq!(said.wrong(), ["clock"], "{}", said.value);
    assert!(said.one("clock", "wrong").contains("behind the providers'"), "{}", said.value);
}

#[tokio::test]
async fn mistakes_in_the_settings_are_listed_and_the_rest_is_looked_at() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let _provider = used(&dir).await;
    let settings = [
        ("LOG_LEVEL", "loud"),
        ("REQUEST_TIMEOUT", "soon"),
        ("REDIS_URL", "redis://:secret-of-redis@host"),
        ("TRUST_PROXY", "0.0.0.0/0"),
    ];
    let said = doctor(&dir, &settings).await;
    assert_eq!(said.wrong(), ["settings", "settings", "settings", "trusted_proxies"]);
    let mistakes = said.about("settings");
    for name in ["LOG_LEVEL", "REQUEST_TIMEOUT", "REDIS_URL"] {
        assert!(mistakes.iter().any(|(_, what)| what.starts_with(name)), "{mistakes:?}");
    }
    assert!(!said.output.stdout.contains("secret-of-redis"));
    said.one("database", "well");
    said.one("account", "well");
    let remarked = doctor(&dir, &[("CRS_UNKNOWN", "1")]).await;
    assert_eq!(remarked.wrong(), [""; 0]);
    assert!(remarked.one("settings", "note").contains("CRS_UNKNOWN"));
}

#[tokio::test]
async fn a_directory_that_is_missing_or_broken_is_told_and_not_made() {
    let home = TempDir::new().expect("a directory");
    let missing = home.path().join("none");
    let said = doctor(&missing, &[]).await;
    assert_eq!(said.wrong(), ["data_dir"]);
    said.one("database", "skipped");
    assert!(!missing.exists());

    let file = home.path().join("file");
    fs::write(&file, "").expect("written");
    assert_eq!(doctor(&file, &[]).await.wrong(), ["data_dir"]);

    let empty = home.path().join("empty");
    fs::create_dir(&empty).expect("made");
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o700)).expect("private");
    let said = doctor(&empty, &[]).await;
    assert_eq!(said.wrong(), [""; 0], "{}", said.value);
    said.one("database", "note");
    for check in ["first_password", "keys", "accounts"] {
        assert!(said.one(check, "skipped").contains("none yet"), "{}", said.value);
    }
    assert_eq!(fs::read_dir(&empty).expect("a directory").count(), 0);

    let broken = home.path().join("broken");
    let _provider = used(&broken).await;
    fs::write(broken.join("crs.db"), "this is no database".repeat(999)).expect("written");
    let said = doctor(&broken, &[]).await;
    assert_eq!(said.wrong(), ["database"], "{}", said.value);
    assert_eq!(said.one("database", "wrong").matches("not a database").count(), 1);
    said.one("accounts", "skipped");
    said.one("journal", "well");
}

#[tokio::test]
async fn people_read_it_in_their_language_and_programs_in_english() {
    let home = TempDir::new().expect("a directory");
    let missing = home.path().join("none");
    let chinese = [("LANG", "zh_CN.UTF-8")];
    let text = run(&missing, &chinese, &[]).await;
    assert_eq!(text.status.code(), Some(1));
    assert!(text.stdout.contains("数据目录") && text.stdout.contains("错误"), "{}", text.stdout);
    let said = doctor(&missing, &chinese).await;
    assert!(said.one("data_dir", "wrong").starts_with("there is none at"), "{}", said.value);
    let misused = run(&missing, &[], &["--loud"]).await;
    assert_eq!(misused.status.code(), Some(2), "{misused:?}");
}
