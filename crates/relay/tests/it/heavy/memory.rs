//! Memory of the real binary: bounded under a burst, given back after it, and flat over many
//! calls and long streams.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use relay_testkit::{Client, FastProvider, Incoming, Received, RelayProcess, messages_body};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::CRS;
use super::site::{MESSAGES, SONNET, Stream, body, resident_mib, until};

/// The limit of a small container.
const LIMIT: u64 = 256 << 20;
/// Uploads at the same time: far more than the limit holds. A debug build reads bodies slowly.
const UPLOADS: usize = if cfg!(debug_assertions) { 20 } else { 64 };
const UPLOAD_BYTES: usize = 20 << 20;

/// Calls of which memory has to be flat, after as many to warm up.
const ROUND_CALLS: usize = 4_000;
const CALLERS: usize = 8;
/// Events of a long stream: some 20 MB.
const EVENTS: usize = 100_000;
/// What a client may take that does not read.
const SILENT_MIB_MAX: u64 = 2;
/// What memory may vary by.
const GROWTH_MIB_MAX: u64 = 8;

/// What a first start may take beside, though it hashes a password in 19 MiB.
const FIRST_START_MIB_MAX: u64 = 6;
/// What an idle relay takes at the most, a debug build among them.
const IDLE_MIB_MAX: u64 = 64;

/// A relay before a provider that costs next to nothing.
struct Site {
    relay: RelayProcess,
    client: Client,
    _provider: FastProvider,
}

impl Site {
    async fn start(binary: impl AsRef<Path>, settings: &[(&str, &str)]) -> Self {
        let provider = FastProvider::start_on(0).await.expect("a port");
        let builder = RelayProcess::builder(binary);
        let relay = settings.iter().fold(builder, |it, (name, value)| it.env(name, value));
        let relay = relay.start().await;
        relay.add_account("a", &provider.base_url(), &[]).await;
        let client = Client::new(relay.base_url()).anthropic(&relay.add_key("tests").await);
        until("the key is known", Duration::from_secs(5), async || {
            client.get("/api/v1/models", &[]).await.status != 401
        })
        .await;
        Self { relay, client, _provider: provider }
    }

    fn resident_mib(&self) -> u64 {
        resident_mib(self.relay.pid())
    }

    /// Makes so many calls, a few at a time.
    async fn calls(&self, count: usize) {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let client = self.client.clone();
            callers.spawn(async move {
                for _ in 0..count / CALLERS {
                    let answer = client.post(MESSAGES, &[], body("hello", Stream::No)).await;
                    assert_eq!(answer.status, 200, "{:?}", answer.body);
                }
            });
        }
        while let Some(done) = callers.join_next().await {
            done.expect("no panic");
        }
    }

    /// A stream of many events, as fast as it can go.
    async fn long_stream(&self) -> Incoming {
        let text = format!("[[paced {EVENTS} 0]]");
        let stream = self.client.stream(MESSAGES, &[], body(&text, Stream::Yes)).await;
        assert_eq!(stream.status, 200);
        stream
    }

    async fn assert_it_serves(&self) {
        let answer = self.client.post(MESSAGES, &[], body("hello", Stream::No)).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
}

#[tokio::test]
async fn the_first_start_takes_no_more_memory_than_a_later_one() {
    let mut relay = RelayProcess::builder(CRS).start().await;
    let first = resident_mib(relay.pid());
    relay.restart().await;
    let later = resident_mib(relay.pid());
    println!("{first} MiB at the first start, {later} at a later one");
    assert!(first <= later + FIRST_START_MIB_MAX, "{first} MiB, later {later} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_large_uploads_stays_within_the_limit_of_a_small_container() {
    let home = TempDir::new().expect("a directory");
    let group = Group::limited_to(LIMIT);
    let (binary, settings) = match &group {
        Some(group) => (group.joining(home.path()), vec![]),
        None => (CRS.into(), vec![("BODY_MEMORY_MB", "64")]),
    };
    println!("a real limit: {}", group.is_some());
    let site = Site::start(binary, &settings).await;
    let upload = picture(UPLOAD_BYTES);
    let begun = Instant::now();
    let mut answers = JoinSet::new();
    for _ in 0..UPLOADS {
        let (client, upload) = (site.client.clone(), upload.clone());
        answers.spawn(async move { uploaded(&client, upload).await });
    }
    let mut served = 0;
    while let Some(answer) = answers.join_next().await {
        let answer = answer.expect("no panic").expect("an answer, and no broken connection");
        let told_when = answer.header("retry-after").parse::<u64>().is_ok_and(|it| it > 0);
        match answer.status {
            200 => served += 1,
            503 | 529 => assert!(told_when, "{:?}", answer.body),
            other => panic!("status {other}: {:?}", answer.body),
        }
    }
    let peak = peak_mib(site.relay.pid());
    println!("{served} of {UPLOADS} in {:?}; peak {peak} MiB", begun.elapsed());
    assert!(served > 0);
    assert!(peak < LIMIT >> 20, "{peak} MiB");
    site.assert_it_serves().await;
    // While nobody calls, what the burst took goes back to the system.
    until("memory is given back", Duration::from_secs(5), async || {
        site.resident_mib() < IDLE_MIB_MAX
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_the_number_of_calls() {
    let site = Site::start(CRS, &[]).await;
    // What is made once has been made after these: buffers, statements, pages of the database.
    site.calls(ROUND_CALLS).await;
    let before = site.resident_mib();
    site.calls(2 * ROUND_CALLS).await;
    let after = site.resident_mib();
    println!("{before} MiB after {ROUND_CALLS} calls, {after} after three times as many");
    assert!(after <= before + GROWTH_MIB_MAX, "grown from {before} to {after} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_stream_takes_no_more_memory_than_a_short_one() {
    let site = Site::start(CRS, &[]).await;
    site.assert_it_serves().await;
    let before = site.resident_mib();
    let mut stream = site.long_stream().await;
    let half = events_up_to(&mut stream, EVENTS / 2).await;
    let middle = site.resident_mib();
    let all = half + events_up_to(&mut stream, usize::MAX).await;
    let end = site.resident_mib();
    println!("{before} MiB before, {middle} after {half} events, {end} after {all}");
    assert!(all > EVENTS, "{all} events");
    assert!(middle.max(end) <= before + GROWTH_MIB_MAX, "from {before} to {middle}, {end} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read_their_long_streams_take_little_memory() {
    const SILENT: u64 = 8;
    let site = Site::start(CRS, &[]).await;
    site.assert_it_serves().await;
    let before = site.resident_mib();
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let mut stream = site.long_stream().await;
        stream.until("content_block_delta").await.expect("it begins");
        silent.push(stream);
    }
    // By the time this one is at its end, the others could be too.
    let mut read = site.long_stream().await;
    assert!(events_up_to(&mut read, usize::MAX).await > EVENTS);
    let after = site.resident_mib();
    println!("{before} MiB before, {after} with {SILENT} clients that do not read");
    assert!(after <= before + SILENT * SILENT_MIB_MAX, "grown from {before} to {after} MiB");
    drop(silent);
    site.assert_it_serves().await;
}

/// Reads until so many events have come, or to the end; returns how many it were.
async fn events_up_to(stream: &mut Incoming, count: usize) -> usize {
    let (mut events, mut last) = (0, 0);
    while events < count
        && let Some(piece) = stream.chunk().await.expect("a stream that is not cut")
    {
        for &byte in &piece {
            events += usize::from((last, byte) == (b'\n', b'\n'));
            last = byte;
        }
    }
    events
}

/// A request that is large as most large ones are: for a picture.
fn picture(bytes: usize) -> Bytes {
    let source = json!({"type": "base64", "media_type": "image/png", "data": "A".repeat(bytes)});
    let content = json!([{"type": "image", "source": source}, {"type": "text", "text": "what?"}]);
    let messages = json!([{"role": "user", "content": content}]);
    messages_body(SONNET, "").set("messages", messages).bytes()
}

async fn uploaded(client: &Client, upload: Bytes) -> std::io::Result<Received> {
    Ok(client.try_request("POST", MESSAGES, &[], upload).await?.collect().await)
}

/// The most memory that a process had in RAM, in MiB.
fn peak_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its memory");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    kib.expect("a number") / 1_024
}

/// A group of processes whose memory is limited, below the one that this process is in.
struct Group(PathBuf);

impl Group {
    /// `None` where none can be made; it takes root, and files of groups that can be written.
    fn limited_to(bytes: u64) -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let of = |prefix: &str| groups.lines().find_map(|it| Some(it.split_once(prefix)?.1));
        let (root, within, file) = match of(":memory:/") {
            Some(within) => ("/sys/fs/cgroup/memory", within, "memory.limit_in_bytes"),
            None => ("/sys/fs/cgroup", of("0::/")?, "memory.max"),
        };
        let name = format!("crs-test-{}", std::process::id());
        let path = Path::new(root).join(within).join(name);
        fs::create_dir(&path).ok()?;
        let group = Self(path);
        fs::write(group.0.join(file), bytes.to_string()).ok().map(|()| group)
    }

    /// A program that is the relay, in this group.
    fn joining(&self, directory: &Path) -> PathBuf {
        let path = directory.join("crs");
        let group = self.0.display();
        let script = format!("#!/bin/sh\necho $$ > {group}/cgroup.procs\nexec {CRS} \"$@\"\n");
        fs::write(&path, script).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own file");
        path
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It is empty soon after its last process was killed.
        for _ in 0..100 {
            match fs::remove_dir(&self.0) {
                Err(error) if error.raw_os_error() == Some(BUSY) => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => return,
            }
        }
    }
}

/// What the system says of a group that still has processes.
const BUSY: i32 = 16;
