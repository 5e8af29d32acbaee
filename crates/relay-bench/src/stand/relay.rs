//! The relay, its accounts and its keys, by its command line alone.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use relay_core::protocol::{Protocol, Service};
use serde_json::Value;

use super::Programs;
use crate::process::Process;
use crate::request::{Destination, Paths, model};

/// A running relay and what its commands say.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// From its start until it said that it listens.
    pub(crate) ready: Duration,
}

/// An account, by its kind and by what it is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// `claude-api`.
    Claude,
    /// `openai-api`, spoken to as clients speak.
    Openai,
    /// The same, spoken to in Chat alone.
    OpenaiChat,
    /// The same, spoken to in Responses alone.
    OpenaiResponses,
    /// `gemini-api`.
    Gemini,
}

impl Upstream {
    /// The account that a protocol's clients are at home on.
    pub(crate) const fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Messages => Self::Claude,
            Protocol::Chat | Protocol::Responses => Self::Openai,
            Protocol::Gemini => Self::Gemini,
        }
    }

    /// Its name in figures, and that of such an account.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Openai => "openai",
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::Gemini => "gemini",
        }
    }

    /// The model that calls there are made for.
    pub(crate) const fn model(self) -> &'static str {
        match self.service() {
            Service::Claude => model(Protocol::Messages),
            Service::Openai => model(Protocol::Chat),
            Service::Gemini => model(Protocol::Gemini),
        }
    }

    pub(crate) const fn service(self) -> Service {
        match self {
            Self::Claude => Service::Claude,
            Self::Openai | Self::OpenaiChat | Self::OpenaiResponses => Service::Openai,
            Self::Gemini => Service::Gemini,
        }
    }

    /// What `account add` is told of it.
    const fn described(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["--kind", "claude-api"],
            Self::Openai => &["--kind", "openai-api"],
            Self::OpenaiChat => &["--kind", "openai-api", "--speaks", "chat"],
            Self::OpenaiResponses => &["--kind", "openai-api", "--speaks", "responses"],
            Self::Gemini => &["--kind", "gemini-api"],
        }
    }
}

/// The limits and rules of the key that calls are measured with, beside those of its service.
#[rustfmt::skip]
const EVERY_LIMIT: [&str; 22] = [
    "--window", "5h", "--requests", "1000000000", "--tokens", "1000000000000", "--cost", "1000000",
    "--daily-cost", "1000000", "--weekly-cost", "1000000", "--monthly-cost", "1000000",
    "--total-cost", "1000000", "--concurrency", "100000", "--allow-ip", "127.0.0.0/8",
    "--max-output-tokens", "1000000",
];

/// Those that name the service's own models.
#[rustfmt::skip]
const fn limits_of(service: Service) -> [&'static str; 10] {
    let (name, family, allowed, denied) = match service {
        Service::Claude => ("claude", "sonnet=1000000/week", "claude-*", "*opus*"),
        Service::Openai => ("openai", "gpt-5.1=1000000/week", "gpt-*", "*codex*"),
        Service::Gemini => ("gemini", "gemini-2.5=1000000/week", "gemini-*", "*flash*"),
    };
    ["--service", name, "--family-budget", family, "--allow-model", allowed,
     "--deny-model", denied, "--expires-after-first-use", "30d"]
}

impl Relay {
    /// Starts one on this data directory. Its console goes to a file, as nginx writes one too.
    pub(crate) fn start(programs: &Programs, data: &Path) -> anyhow::Result<Self> {
        let console = data.with_extension("console");
        let console = fs::OpenOptions::new().create(true).append(true).open(console)?;
        let mut command = plain(&programs.crs, data);
        command.args(["serve", "--host", "127.0.0.1", "--port", "0", "--data-dir"]).arg(data);
        let (process, address, ready) = Process::listening(&mut command, console.into())?;
        Ok(Self { process, address, ready })
    }

    /// Adds an account of this name at the provider; its credential is `upstream-NAME`.
    pub(crate) fn add_account(
        programs: &Programs,
        data: &Path,
        (name, upstream): (&str, Upstream),
        provider: SocketAddr,
    ) -> anyhow::Result<()> {
        let base_url = format!("http://{provider}");
        let secret = data.with_extension(format!("{name}.secret"));
        fs::write(&secret, format!("upstream-{name}"))?;
        let asked = ["account", "add", "--name", name, "--base-url", &base_url, "--secret-stdin"];
        command(programs, data, &asked, upstream.described(), Some(&secret))?;
        Ok(())
    }

    /// Gives out a key for calls on such accounts with every kind of limit, none of which is reached,
    /// and with what else is said.
    pub(crate) fn add_key(
        programs: &Programs,
        data: &Path,
        (name, upstream): (&str, Upstream),
        more: &[&str],
    ) -> anyhow::Result<String> {
        let asked = ["key", "add", "--name", name];
        let limits = [&EVERY_LIMIT[..], &limits_of(upstream.service()), more].concat();
        let shown = command(programs, data, &asked, &limits, None)?;
        let key = shown["key"].as_str().context("a new key was not shown")?;
        Ok(key.to_owned())
    }

    /// Gives out so many keys, named `PREFIX-1` and so on.
    pub(crate) fn add_keys(
        programs: &Programs,
        data: &Path,
        prefix: &str,
        count: u32,
    ) -> anyhow::Result<()> {
        let count = count.to_string();
        command(programs, data, &["key", "add", "--name", prefix, "--count", &count], &[], None)?;
        Ok(())
    }

    /// Where calls with this key go.
    pub(crate) fn destination(&self, key: &str) -> Destination {
        Destination { address: self.address, paths: Paths::Relay, key: key.to_owned() }
    }
}

/// A command of the relay, with its answer as JSON.
fn command(
    programs: &Programs,
    data: &Path,
    words: &[&str],
    more: &[&str],
    stdin: Option<&Path>,
) -> anyhow::Result<Value> {
    let mut command = plain(&programs.crs, data);
    command.args(words).args(more).arg("--json").arg("--data-dir").arg(data);
    command.stdin(match stdin {
        Some(file) => Stdio::from(fs::File::open(file)?),
        None => Stdio::null(),
    });
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "crs {} did not succeed: {said}", words.join(" "));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A program without anything of this process's environment that could change what it does.
fn plain(program: &Path, data: &Path) -> Command {
    let mut command = Command::new(program);
    let home = data.parent().unwrap_or(data);
    command.env_clear().env("HOME", home).env("TZ", "UTC").current_dir(home);
    command
}
