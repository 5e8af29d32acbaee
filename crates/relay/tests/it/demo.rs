//! `crs demo`: the real binary, looked at as whoever starts it would.

mod heavy;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use relay_testkit::{Client, Received};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const CRS: &str = env!("CARGO_BIN_EXE_crs");

/// What the last line begins with, in each language.
const LAST: [&str; 2] = ["Ctrl-C ends it", "按 Ctrl-C 结束"];
/// How long a start, a command or an end may take before it fails the test.
const WAIT_MAX: Duration = Duration::from_secs(40);

/// A directory in which demos are started: nothing else of the machine is told to them.
struct Surroundings {
    home: TempDir,
    environment: Vec<(String, String)>,
}

/// A demo that runs.
struct Demo<'a> {
    around: &'a Surroundings,
    child: Child,
    /// What follows what it printed at first; held, so that it can go on printing.
    _stdout: Lines<BufReader<ChildStdout>>,
    printed: String,
}

/// A call as a line for the shell says it.
#[derive(Debug)]
struct Curl {
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Surroundings {
    fn new(environment: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        for name in ["work", "tmp"] {
            std::fs::create_dir(home.path().join(name)).expect("a directory");
        }
        let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Self { home, environment: environment.iter().map(own).collect() }
    }

    /// Where demos are started.
    fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// Where they make their directories, if the environment says so.
    fn tmp(&self) -> PathBuf {
        self.home.path().join("tmp")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CRS);
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    async fn crs(&self, arguments: &[&str]) -> Output {
        let output = tokio::time::timeout(WAIT_MAX, self.command(arguments).output()).await;
        output.expect("it ends").expect("the binary can be run")
    }

    /// Starts a demo on a free port, and waits until it has said all.
    async fn demo(&self, more: &[&str]) -> Demo<'_> {
        let mut command = self.command(&[&["demo", "--port", "0"], more].concat());
        let mut child = command.stderr(Stdio::null()).spawn().expect("the binary can be run");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stdout = BufReader::new(stdout).lines();
        let mut printed = String::new();
        let said = async {
            while let Some(line) = stdout.next_line().await.expect("text") {
                printed += &(line.clone() + "\n");
                if line == "}" || LAST.iter().any(|last| line.starts_with(last)) {
                    return;
                }
            }
            panic!("it ended: {printed}");
        };
        tokio::time::timeout(WAIT_MAX, said).await.expect("it says what to try");
        Demo { around: self, child, _stdout: stdout, printed }
    }
}

impl Demo<'_> {
    /// The rest of the printed line that begins so.
    fn told(&self, beginning: &str) -> &str {
        let mut lines = self.printed.lines().map(str::trim);
        let rest = lines.find_map(|line| line.strip_prefix(beginning));
        rest.unwrap_or_else(|| panic!("no line {beginning:?} in:\n{}", self.printed))
    }

    fn address(&self) -> &str {
        self.told("listening on ")
    }

    fn data_dir(&self) -> PathBuf {
        self.told("data directory: ").into()
    }

    /// A client with the printed key.
    fn client(&self) -> Client {
        Client::new(self.address()).anthropic(self.told("key: "))
    }

    /// The printed calls, in their order.
    fn curls(&self) -> Vec<Curl> {
        let lines = self.printed.lines().filter_map(|line| line.trim().strip_prefix("curl "));
        lines.map(Curl::read).collect()
    }

    /// Runs a command on its data, and reads the answer.
    async fn json(&self, command: &str) -> Value {
        let dir = self.data_dir();
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.extend(["--json", "--data-dir", dir.to_str().expect("text")]);
        let output = self.around.crs(&arguments).await;
        assert!(output.status.success(), "{command}: {output:?}");
        serde_json::from_slice(&output.stdout).expect("one JSON value")
    }

    /// The state of each account.
    async fn states(&self) -> Vec<(String, String)> {
        let accounts = self.json("account list").await;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let state = |account: &Value| (text(&account["name"]), text(&account["state"]));
        accounts.as_array().expect("an array").iter().map(state).collect()
    }

    async fn end(self) -> ExitStatus {
        self.end_by(Signal::TERM).await
    }

    async fn end_by(mut self, sent: Signal) -> ExitStatus {
        signal(&self.child, sent);
        ended(&mut self.child).await
    }
}

impl Curl {
    /// Reads the line as a shell would: words, some of them in single quotes.
    fn read(line: &str) -> Self {
        let mut words = Vec::new();
        let mut rest = line.trim();
        while !rest.is_empty() {
            let (word, after) = match rest.strip_prefix('\'') {
                Some(quoted) => quoted.split_once('\'').expect("the quote ends"),
                None => rest.split_once(' ').unwrap_or((rest, "")),
            };
            words.push(word.to_owned());
            rest = after.trim_start();
        }
        let after = |flag: &str| -> Vec<String> {
            let pairs = words.windows(2).filter(|pair| pair[0] == flag);
            pairs.map(|pair| pair[1].clone()).collect()
        };
        let header = |line: String| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_owned(), value.to_owned())
        };
        let url = words.iter().find(|word| word.starts_with("http://")).expect("a URL").clone();
        let headers = after("-H").into_iter().map(header).collect();
        Self { url, headers, body: after("-d").remove(0) }
    }

    async fn run(&self) -> Received {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Client::new(&self.url).post("", &headers, self.body.clone()).await
    }
}

/// Sends a signal to a process.
fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    kill_process(pid.expect("it runs"), signal).expect("a child can be signalled");
}

async fn ended(child: &mut Child) -> ExitStatus {
    let ended = tokio::time::timeout(Duration::from_secs(10), child.wait()).await;
    ended.expect("it ends within seconds").expect("a child can be waited for")
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}
