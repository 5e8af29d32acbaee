//! The real binary in a process of its own, with an environment that cannot reach the network.

mod accounts;
mod capture;
mod interactive;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::ClosedPort;
use capture::Capture;
pub use interactive::Interactive;

/// How long a start, a command or an end may take before it fails the test.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// What stands before the port in the line that the relay prints when it is ready.
const READY: &str = "listening on http://";

/// How a relay is to be started.
#[derive(Debug, Clone)]
pub struct Builder {
    binary: PathBuf,
    data_dir: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    arguments: Vec<OsString>,
    port: u16,
}

/// A running relay. Dropping it kills its process, and removes a data directory of its own.
#[derive(Debug)]
pub struct RelayProcess {
    builder: Builder,
    site: Site,
    run: Run,
}

/// What stays over restarts.
#[derive(Debug)]
struct Site {
    data_dir: PathBuf,
    /// The empty home, and the data directory if the test brought none.
    home: TempDir,
    /// The proxy that its commands are told of.
    refusing: ClosedPort,
}

/// One process.
#[derive(Debug)]
struct Run {
    child: Child,
    pid: u32,
    base_url: String,
    stdout: Capture,
    stderr: Capture,
}

/// What a command printed.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// A start that ended before the relay was ready.
#[derive(Debug)]
pub struct StartFailure(pub Output);

impl Builder {
    /// Sets a variable of the process; it begins with PATH and what keeps it off the network.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Uses this data directory, and leaves it there at the end.
    #[must_use]
    pub fn data_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.data_dir = Some(path.as_ref().to_owned());
        self
    }

    /// Adds an argument to `serve`.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Listens on this port instead of a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the relay and waits until it listens.
    pub async fn start(self) -> RelayProcess {
        self.try_start().await.unwrap_or_else(|StartFailure(output)| {
            panic!(
                "the relay did not start: {}\n{}\n{}",
                output.status, output.stdout, output.stderr
            )
        })
    }

    /// Starts a relay that may refuse to.
    pub async fn try_start(self) -> Result<RelayProcess, StartFailure> {
        let site = Site::new(self.data_dir.as_deref()).expect("a temporary directory");
        let run = Run::start(&self, &site).await?;
        Ok(RelayProcess { builder: self, site, run })
    }
}

impl RelayProcess {
    /// Describes a relay of this binary, such as `env!("CARGO_BIN_EXE_crs")`.
    pub fn builder(binary: impl AsRef<Path>) -> Builder {
        Builder {
            binary: binary.as_ref().to_owned(),
            data_dir: None,
            environment: Vec::new(),
            arguments: Vec::new(),
            port: 0,
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        &self.run.base_url
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.run.pid
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.site.data_dir
    }

    /// What it has printed until now.
    pub fn stdout_text(&self) -> String {
        self.run.stdout.text()
    }

    /// What it has complained of until now.
    pub fn stderr_text(&self) -> String {
        self.run.stderr.text()
    }

    /// Waits until `text` stands in what it printed or complained of.
    pub async fn until_says(&self, text: &str) {
        let said = async {
            tokio::select! {
                true = self.run.stdout.wait_for(text) => {}
                true = self.run.stderr.wait_for(text) => {}
                else => panic!("the relay ended without saying {text:?}"),
            }
        };
        let waited = tokio::time::timeout(WAIT_MAX, said).await;
        assert!(waited.is_ok(), "the relay does not say {text:?}:\n{}", self.stderr_text());
    }

    /// Kills it as a crash would, and waits until it is gone.
    pub async fn kill_9(&mut self) {
        // It may have ended by itself.
        let _ = self.run.child.start_kill();
        self.wait().await;
    }

    /// Asks it to end (SIGTERM); [`Self::wait`] tells how it did.
    pub fn terminate(&self) {
        // A child that was waited for has no id, so no other process can be hit.
        let pid = self.run.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).expect("a child of this process can be signalled");
        }
    }

    /// Waits until it has ended and all it said has been read.
    pub async fn wait(&mut self) -> ExitStatus {
        self.run.wait().await
    }

    /// Starts it again on the same data directory, killing it first if it still runs. It may
    /// listen on another port.
    pub async fn restart(&mut self) {
        self.kill_9().await;
        self.run = Run::start(&self.builder, &self.site).await.unwrap_or_else(|failure| {
            panic!("the relay did not start again: {:?}", failure.0);
        });
    }

    /// Runs a command on the same data directory and in the same environment.
    pub async fn crs(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut command = self.site.command(&self.builder);
        command.args(arguments).arg("--data-dir").arg(&self.site.data_dir);
        let ran = tokio::time::timeout(WAIT_MAX, run(command, stdin)).await;
        ran.unwrap_or_else(|_| panic!("crs {arguments:?} does not end")).expect("crs can be run")
    }

    /// Adds an account of an Anthropic-compatible host, whose credential is `upstream-NAME`.
    pub async fn add_account(&self, name: &str, base_url: &str, more: &[&str]) -> Output {
        let mut arguments =
            vec!["account", "add", "--name", name, "--kind", "claude-api", "--base-url", base_url];
        arguments.extend(["--secret-stdin", "--json"]);
        arguments.extend(more);
        let output = self.crs(&arguments, &format!("upstream-{name}")).await;
        assert!(output.status.success(), "account add: {output:?}");
        output
    }

    /// Adds a key and returns it.
    pub async fn add_key(&self, name: &str) -> String {
        self.add_key_with(name, &[]).await
    }

    /// Adds a key with limits or bindings, and returns it.
    pub async fn add_key_with(&self, name: &str, more: &[&str]) -> String {
        let arguments = [&["key", "add", "--name", name, "--json"], more].concat();
        let output = self.crs(&arguments, "").await;
        assert!(output.status.success(), "key add: {output:?}");
        output.json()["key"].as_str().expect("key add prints the key").to_owned()
    }
}

impl Output {
    /// What was printed, as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or(serde_json::Value::Null)
    }
}

impl Site {
    fn new(data_dir: Option<&Path>) -> io::Result<Self> {
        let home = TempDir::with_prefix("crs-test-")?;
        let data_dir = data_dir.map_or_else(|| home.path().join("data"), Path::to_owned);
        std::fs::create_dir(home.path().join("home"))?;
        Ok(Self { data_dir, home, refusing: ClosedPort::reserve()? })
    }

    /// The binary with nothing of the test's own environment, in an empty directory.
    fn command(&self, builder: &Builder) -> Command {
        let nowhere = self.refusing.url();
        let home = self.home.path().join("home");
        let mut command = Command::new(&builder.binary);
        command
            .current_dir(&home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("LANG", "en_US.UTF-8")
            .env("TZ", "UTC")
            .envs(
                ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]
                    .map(|name| (name, &nowhere)),
            )
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
            .envs(builder.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

impl Run {
    async fn start(builder: &Builder, site: &Site) -> Result<Self, StartFailure> {
        let mut command = site.command(builder);
        command.args(["serve", "--host", "127.0.0.1", "--port", &builder.port.to_string()]);
        command.arg("--data-dir").arg(&site.data_dir).args(&builder.arguments);
        let mut child = command.spawn().expect("the relay's binary can be run");
        let stdout = Capture::of(child.stdout.take().expect("stdout is piped"));
        let stderr = Capture::of(child.stderr.take().expect("stderr is piped"));
        let pid = child.id().expect("a child that nobody waited for has an id");
        let mut run = Self { child, pid, base_url: String::new(), stdout, stderr };
        let ready = async {
            tokio::select! {
                Some(port) = run.stdout.port_after(READY) => Some(port),
                Some(port) = run.stderr.port_after(READY) => Some(port),
                else => None,
            }
        };
        let ready = tokio::time::timeout(WAIT_MAX, ready).await;
        let port = ready.unwrap_or_else(|_| {
            panic!("the relay is not ready:\n{}\n{}", run.stdout.text(), run.stderr.text())
        });
        if let Some(port) = port {
            run.base_url = format!("http://127.0.0.1:{port}");
            return Ok(run);
        }
        let status = run.wait().await;
        let (stdout, stderr) = (run.stdout.text(), run.stderr.text());
        Err(StartFailure(Output { status, stdout, stderr }))
    }

    async fn wait(&mut self) -> ExitStatus {
        let ended = async {
            let status = self.child.wait().await.expect("a child can be waited for");
            self.stdout.until_closed().await;
            self.stderr.until_closed().await;
            status
        };
        let waited = tokio::time::timeout(WAIT_MAX, ended).await;
        waited.unwrap_or_else(|_| panic!("the relay does not end"))
    }
}

/// Runs a command to its end; its stdin is written beside the reading, so that neither blocks.
async fn run(mut command: Command, stdin: &str) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let mut pipe = child.stdin.take().expect("stdin is piped");
    let write = async move {
        // A command that reads no stdin closes it, which is no fault.
        let _ = pipe.write_all(stdin.as_bytes()).await;
    };
    let ((), output) = tokio::join!(write, child.wait_with_output());
    let output = output?;
    Ok(Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
