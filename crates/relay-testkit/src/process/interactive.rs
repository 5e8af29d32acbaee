//! A command that asks, and waits for what is typed.

use std::io;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

use super::capture::Capture;
use super::{Output, WAIT_MAX};

/// A command that runs and reads its stdin; dropping it kills it.
#[derive(Debug)]
pub struct Interactive {
    child: Child,
    stdin: ChildStdin,
    stdout: Capture,
    stderr: Capture,
}

impl Interactive {
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = Capture::of(child.stdout.take().expect("stdout is piped"));
        let stderr = Capture::of(child.stderr.take().expect("stderr is piped"));
        Ok(Self { child, stdin, stdout, stderr })
    }

    /// Waits for a whole line with `text` in what it printed or complained of, and returns it.
    pub async fn line_with(&self, text: &str) -> String {
        let line = async {
            tokio::select! {
                Some(line) = self.stdout.line_with(text) => Some(line),
                Some(line) = self.stderr.line_with(text) => Some(line),
                else => None,
            }
        };
        let line = tokio::time::timeout(WAIT_MAX, line).await;
        line.ok().flatten().unwrap_or_else(|| panic!("it does not say {text:?}:\n{}", self.said()))
    }

    /// Waits for the first line that holds an address of the web, and returns that address.
    pub async fn address(&self) -> String {
        let line = self.line_with("http").await;
        let word = line.split_whitespace().find(|word| word.starts_with("http"));
        word.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned()
    }

    /// Types a line.
    pub async fn types(&mut self, line: &str) {
        let typed = self.stdin.write_all(format!("{line}\n").as_bytes()).await;
        typed.unwrap_or_else(|error| panic!("it does not read: {error}\n{}", self.said()));
    }

    /// Ends its stdin, waits until it has ended, and returns all that it said.
    pub async fn end(self) -> Output {
        let Self { mut child, stdin, stdout, stderr } = self;
        drop(stdin);
        let ended = async {
            let status = child.wait().await.expect("a child can be waited for");
            stdout.until_closed().await;
            stderr.until_closed().await;
            status
        };
        let status = tokio::time::timeout(WAIT_MAX, ended).await;
        let (stdout, stderr) = (stdout.text(), stderr.text());
        let status = status.unwrap_or_else(|_| panic!("it does not end:\n{stdout}\n{stderr}"));
        Output { status, stdout, stderr }
    }

    fn said(&self) -> String {
        format!("{}\n{}", self.stdout.text(), self.stderr.text())
    }
}
