//! Starting: what a first start makes, and what every later one refuses before it touches a thing.

mod settings;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use relay_testkit::{Builder, Client, Output, RelayProcess, StartFailure};
use tempfile::TempDir;

use super::CRS;
use super::site::{MESSAGES, Served, Stream, body, files, holds};

/// A relay that uses `directory`, and leaves it there.
fn relay_on(directory: &Path) -> Builder {
    RelayProcess::builder(CRS).data_dir(directory)
}

/// A start that is refused with exit code 1 and without a panic.
async fn refused(builder: Builder) -> Output {
    let Err(StartFailure(output)) = builder.try_start().await else {
        panic!("the start was not refused");
    };
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    output
}

/// A data directory that a relay has used and left, in good order or by a crash.
async fn used(directory: &Path, ending: Ending) -> String {
    let mut served = Served::on(relay_on(directory).start().await).await;
    assert_eq!(served.ask("[[say one]]", Stream::No).await.status, 200);
    match ending {
        Ending::Order => served.stop().await,
        Ending::Crash => served.relay.kill_9().await,
    }
    served.key
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Order,
    Crash,
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|_| panic!("{}", path.display())).permissions().mode() & 0o777
}

fn password_in(init_file: &Path) -> String {
    let text = fs::read_to_string(init_file).expect("init.json");
    let init: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    init["adminPassword"].as_str().expect("a password").to_owned()
}

#[tokio::test]
async fn a_first_start_makes_private_files_and_says_the_password_once_on_the_console() {
    let mut relay = RelayProcess::builder(CRS).start().await;
    let dir = relay.data_dir().to_owned();
    assert_eq!(mode(&dir), 0o700);
    for name in ["master.key", "init.json", "crs.db", "crs.sock", "crs.lock"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    let password = password_in(&dir.join("init.json"));
    relay.until_says(&password).await;
    assert_eq!(relay.stdout_text().matches(&password).count(), 1, "{}", relay.stdout_text());
    let master = fs::read_to_string(dir.join("master.key")).expect("a master key");
    relay.terminate();
    assert_eq!(relay.wait().await.code(), Some(0));
    let first = relay.stderr_text();

    relay.restart().await;
    relay.terminate();
    assert_eq!(relay.wait().await.code(), Some(0));
    let said = [relay.stdout_text(), relay.stderr_text(), first].concat();
    assert!(!said.contains(&password), "only the first start's console says it:\n{said}");
    assert_eq!(password_in(&dir.join("init.json")), password);
    assert_eq!(fs::read_to_string(dir.join("master.key")).expect("still there"), master);
    for (path, content) in files(&dir) {
        assert_eq!(holds(&content, &password), path.ends_with("init.json"), "{path}");
    }
}

#[tokio::test]
async fn a_first_start_that_is_killed_at_any_moment_is_taken_up_by_the_next() {
    for millis in (0..200).step_by(15) {
        let home = TempDir::new().expect("a directory");
        let dir = home.path().join("data");
        let mut first = tokio::process::Command::new(CRS)
            .args(["serve", "--host", "127.0.0.1", "--port", "0", "--data-dir"])
            .arg(&dir)
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the relay can be run");
        tokio::time::sleep(Duration::from_millis(millis)).await;
        first.kill().await.expect("it can be killed");

        let mut served = Served::on(relay_on(&dir).start().await).await;
        assert_eq!(served.ask("[[say works]]", Stream::No).await.text(), "works");
        assert!(!password_in(&dir.join("init.json")).is_empty(), "killed after {millis} ms");
        served.stop().await;
    }
}

#[tokio::test]
async fn a_start_without_the_master_key_is_refused_and_touches_nothing() {
    for ending in [Ending::Order, Ending::Crash] {
        let home = TempDir::new().expect("a directory");
        let dir = home.path().join("data");
        let key = used(&dir, ending).await;
        let kept = home.path().join("kept.key");
        fs::rename(dir.join("master.key"), &kept).expect("moved");
        let before = files(&dir);
        let output = refused(relay_on(&dir)).await;
        assert!(output.stderr.contains("master key is missing"), "{}", output.stderr);
        assert_same_files(&before, &files(&dir), ending);

        fs::rename(&kept, dir.join("master.key")).expect("moved back");
        still_serves(&dir, &key).await;
    }
}

#[tokio::test]
async fn a_start_with_another_master_key_is_refused_and_touches_nothing() {
    const OTHER: &str = "71c9a0d35be8f2640917acde58b3f06d";
    for ending in [Ending::Order, Ending::Crash] {
        let home = TempDir::new().expect("a directory");
        let dir = home.path().join("data");
        let key = used(&dir, ending).await;
        let before = files(&dir);
        let output = refused(relay_on(&dir).env("ENCRYPTION_KEY", OTHER)).await;
        assert!(output.stderr.contains("different keys"), "{}", output.stderr);
        assert_same_files(&before, &files(&dir), ending);

        // The file is gone, and the setting gives a key that the records are not sealed under.
        let kept = home.path().join("kept.key");
        fs::rename(dir.join("master.key"), &kept).expect("moved");
        let before = files(&dir);
        let output = refused(relay_on(&dir).env("ENCRYPTION_KEY", OTHER)).await;
        assert!(output.stderr.contains("master key"), "{}", output.stderr);
        assert!(!output.stderr.contains(OTHER), "{}", output.stderr);
        assert_same_files(&before, &files(&dir), ending);

        fs::rename(&kept, dir.join("master.key")).expect("moved back");
        still_serves(&dir, &key).await;
    }
}

/// After a crash there is a log beside the database, whose index SQLite writes anew to read it.
fn assert_same_files(before: &[(String, Vec<u8>)], after: &[(String, Vec<u8>)], ending: Ending) {
    let kept = |files: &[(String, Vec<u8>)]| -> Vec<(String, Vec<u8>)> {
        let index = |path: &str| ending == Ending::Crash && path.ends_with("-shm");
        files.iter().filter(|(path, _)| !index(path)).cloned().collect()
    };
    let (before, after) = (kept(before), kept(after));
    let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        files.iter().map(|(path, _)| path.clone()).collect()
    };
    assert_eq!(names(&before), names(&after), "after {ending:?}");
    for ((path, before), (_, after)) in before.iter().zip(&after) {
        assert!(before == after, "{path} was changed, after {ending:?}");
    }
}

async fn still_serves(dir: &Path, key: &str) {
    let relay = relay_on(dir).start().await;
    let client = Client::new(relay.base_url()).anthropic(key);
    let answer = client.post(MESSAGES, &[], body("[[say two]]", Stream::No)).await;
    // Its account's provider is gone; its key and its account are not.
    assert_eq!(answer.status, 502, "{:?}", answer.body);
}

#[tokio::test]
async fn the_key_of_the_file_may_stand_in_the_setting_beside_it_or_instead_of_it() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let key = used(&dir, Ending::Order).await;
    let file = fs::read_to_string(dir.join("master.key")).expect("a master key");
    let text = file.lines().last().expect("the key").to_owned();
    for _ in 0..2 {
        let relay = relay_on(&dir).env("ENCRYPTION_KEY", &text).start().await;
        let client = Client::new(relay.base_url()).anthropic(&key);
        assert_eq!(client.post(MESSAGES, &[], body("x", Stream::No)).await.status, 502);
        drop(relay);
        let _ = fs::remove_file(dir.join("master.key"));
    }
    assert!(!dir.join("master.key").exists(), "a given key is not written down");
}

#[tokio::test]
async fn a_sample_encryption_key_is_refused_before_anything_is_made() {
    for sample in ["your-encryption-key-here-32-chars-long", "12345678901234567890123456789012"] {
        let home = TempDir::new().expect("a directory");
        let dir = home.path().join("data");
        let output = refused(relay_on(&dir).env("ENCRYPTION_KEY", sample)).await;
        assert!(output.stderr.contains("sample"), "{}", output.stderr);
        assert!(!dir.join("crs.db").exists() && !dir.join("init.json").exists());
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused_and_told_who_has_it() {
    let served = Served::with(&[]).await;
    let dir = served.relay.data_dir().to_owned();
    let lock = fs::read(dir.join("crs.lock")).expect("the lock");
    let output = refused(relay_on(&dir)).await;
    let process = format!("process {}", served.relay.pid());
    assert!(output.stderr.contains(&process), "{}", output.stderr);
    assert_eq!(fs::read(dir.join("crs.lock")).expect("the lock"), lock);
    assert_eq!(served.ask("[[say still here]]", Stream::No).await.text(), "still here");
    let live = served.relay.crs(&["account", "list", "--json"], "").await;
    assert!(live.status.success(), "{live:?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let output = refused(relay_on(&dir).port(port)).await;
    let words = format!("cannot listen on 127.0.0.1:{port}");
    assert!(output.stderr.contains(&words), "{}", output.stderr);
    // The password was made and shown, or the next start shows it: nobody is locked out.
    let password = password_in(&dir.join("init.json"));
    let relay = relay_on(&dir).start().await;
    let said = output.stdout + &relay.stdout_text();
    assert_eq!(said.matches(&password).count(), 1, "{said}");
}

#[tokio::test]
async fn ten_thousand_keys_do_not_hold_up_a_start() {
    let mut served = Served::with(&[]).await;
    let mut last = String::new();
    for batch in 0..20 {
        let name = format!("batch-{batch}");
        let add = ["key", "add", "--name", &name, "--count", "500", "--json"];
        let added = served.relay.crs(&add, "").await.json();
        assert_eq!(added.as_array().map(Vec::len), Some(500), "{added}");
        added[499]["key"].as_str().expect("a key").clone_into(&mut last);
    }
    served.stop().await;
    let begun = Instant::now();
    served.relay.restart().await;
    let ready = begun.elapsed();
    println!("ready after {ready:?} with 10,000 keys");
    assert!(ready < Duration::from_secs(5), "ready after {ready:?}");
    let client = Client::new(served.relay.base_url()).anthropic(&last);
    let answer = client.post(MESSAGES, &[], body("[[say the last]]", Stream::No)).await;
    assert_eq!(answer.text(), "the last");
}
