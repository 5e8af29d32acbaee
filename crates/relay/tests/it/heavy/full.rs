//! Promise 1 on a full disk: first for the database alone, then for the journal too.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use relay_testkit::{Client, Incoming, Received, RelayProcess};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

use super::CRS;
use super::books::Books;
use super::site::{MESSAGES, Served, Stream, body, until};

/// Makes the log of the database long.
const PADDING: &str = "create table padding (bytes blob) strict;
                       insert into padding values (zeroblob(400000));
                       drop table padding";

#[tokio::test]
async fn a_database_without_space_leaves_records_in_the_journal_until_there_is_some() {
    let home = TempDir::new().expect("a directory");
    let binary = crs_that_outlives_a_limit(home.path());
    let mut served = Served::on(RelayProcess::builder(binary).start().await).await;
    let data_dir = served.relay.data_dir().to_owned();
    let mut books = Books::open(&data_dir).await;
    // The log of the database has to be longer than the journal for a limit to lie between.
    books.run(PADDING).await;
    let mut made = 0;
    for _ in 0..5 {
        call(&served).await;
        made += 1;
    }
    books.until_calls(made, Duration::from_secs(10)).await;

    limit_files(&served, Some(200_000));
    for _ in 0..40 {
        call(&served).await;
        made += 1;
    }
    until("the relay is degraded", Duration::from_secs(15), async || {
        served.health().await == (200, "degraded".to_owned())
    })
    .await;
    assert!(books.calls().await < made, "the limit did not hold");
    limit_files(&served, None);
    books.until_calls(made, Duration::from_secs(20)).await;
    until("the relay is well again", Duration::from_secs(10), async || {
        served.health().await == (200, "ok".to_owned())
    })
    .await;

    // The same, with a crash before there is space again.
    limit_files(&served, Some(200_000));
    for _ in 0..40 {
        call(&served).await;
        made += 1;
    }
    served.relay.restart().await;
    books.until_calls(made, Duration::from_secs(20)).await;
    served.stop().await;
    assert_eq!(books.calls().await, made);
    books.assert_sums().await;
    books.assert_nothing_is_left_in_the_journal(&data_dir).await;
}

async fn call(served: &Served) {
    let answer = served.ask("[[say something short]]", Stream::Yes).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "something short"));
}

/// Limits the length of files that the relay may write to, or lifts the limit.
fn limit_files(served: &Served, bytes: Option<u64>) {
    let pid = i32::try_from(served.relay.pid()).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(pid, Resource::Fsize, limit).expect("the limit of a child can be set");
}

/// A write over the limit is an error to the relay, as on a full disk, and not its end.
fn crs_that_outlives_a_limit(directory: &Path) -> PathBuf {
    let path = directory.join("crs");
    fs::write(&path, format!("#!/bin/sh\ntrap '' XFSZ\nexec {CRS} \"$@\"\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own file");
    path
}

#[tokio::test]
async fn a_full_disk_refuses_new_calls_settles_open_ones_and_recovers() {
    let Some(disk) = SmallDisk::mount(32 << 20) else {
        println!("skipped: only root can mount a small disk");
        return;
    };
    let data_dir = disk.path().join("data");
    let relay = RelayProcess::builder(CRS).data_dir(&data_dir).start().await;
    let mut served = Served::on(relay).await;
    let mut made = 0;
    for _ in 0..5 {
        call(&served).await;
        made += 1;
    }
    let client = served.client();
    let shorter = opened(&client, "[[paced 100 20]]").await;
    let longer = opened(&client, "[[paced 700 20]]").await;
    made += 2;

    disk.fill();
    let refused = until_refused(&client, &mut made).await;
    let seconds = refused.header("retry-after").parse::<u64>();
    assert!(seconds.is_ok_and(|it| it > 0), "retry-after: {:?}", refused.header("retry-after"));
    assert_eq!(refused.json()["type"], "error", "{:?}", refused.body);
    assert_eq!(served.health().await.0, 503);
    // The space that was held back is for calls under way.
    assert_eq!(last_event(shorter).await, "message_stop");
    let mut books = Books::open(&data_dir).await;
    books.until_calls(made - 1, Duration::from_secs(20)).await;
    assert_eq!(served.health().await.0, 503, "the space that was held back is not for new calls");
    disk.free();
    until_taken_again(&served, &mut made).await;
    assert_eq!(served.provider.in_flight(), 1, "no call had to end for that");

    // With the space that was held back gone too, what is known waits in memory.
    disk.fill();
    until_refused(&client, &mut made).await;
    disk.fill();
    assert_eq!(last_event(longer).await, "message_stop");
    disk.free();
    until_taken_again(&served, &mut made).await;
    books.until_calls(made, Duration::from_secs(20)).await;
    served.stop().await;
    assert_eq!(books.calls().await, made);
    let exact = "select count(*) from usage where exactness = 'exact' and outcome = 'completed'";
    assert_eq!(books.number(exact).await, made, "all of them were served and settled");
    books.assert_sums().await;
    books.assert_nothing_is_left_in_the_journal(&data_dir).await;
    drop(served);
}

/// Waits, with a call each time, until calls are taken.
async fn until_taken_again(served: &Served, made: &mut i64) {
    until("calls are taken again", Duration::from_secs(8), async || {
        let answer = served.ask("[[say again]]", Stream::No).await;
        *made += i64::from(answer.status == 200);
        answer.status == 200
    })
    .await;
    assert_eq!(served.health().await.0, 200);
}

/// A stream whose first words were read.
async fn opened(client: &Client, text: &str) -> Incoming {
    let mut stream = client.stream(MESSAGES, &[], body(text, Stream::Yes)).await;
    stream.until("content_block_delta").await.expect("it begins");
    stream
}

async fn last_event(stream: Incoming) -> String {
    let received = stream.collect().await;
    received.events().last().map(|event| event.event.clone()).unwrap_or_default()
}

/// Calls until one is refused for want of space; those before it are served.
async fn until_refused(client: &Client, made: &mut i64) -> Received {
    for _ in 0..2_000 {
        let answer = client.post(MESSAGES, &[], body("[[say more]]", Stream::No)).await;
        match answer.status {
            200 => *made += 1,
            503 => return answer,
            other => panic!("status {other}: {:?}", answer.body),
        }
    }
    panic!("calls are served although there is no space for their records");
}

/// A file system of its own, unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount(bytes: u64) -> Option<Self> {
        let directory = TempDir::new().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "crs-test"])
            .arg(directory.path())
            .output();
        mounted.is_ok_and(|it| it.status.success()).then(|| Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the space there is.
    fn fill(&self) {
        let options = fs::OpenOptions::new().create(true).append(true).clone();
        let mut file = options.open(self.path().join("filler")).expect("a file");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    /// Gives it back.
    fn free(&self) {
        fs::remove_file(self.path().join("filler")).expect("the filler is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what still has a file open there does not hold up the end of the test.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
