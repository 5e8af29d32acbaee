//! What is measured, brought up: a fast provider, nginx in front of it, the relay in front of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use relay_core::protocol::Protocol;
use tempfile::TempDir;

pub(crate) use self::relay::{Relay, Upstream};
use crate::answer::ask;
use crate::load::Measured;
use crate::process::Process;
use crate::request::{Destination, Paths, Shape, Wanted};

mod nginx;
mod relay;

/// How long nginx may take to listen, and the relay to take over a key.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Between two tries.
const TRY_EVERY: Duration = Duration::from_millis(5);

/// The programs that are started.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The relay as it is shipped.
    pub(crate) crs: PathBuf,
    /// The test kit's provider.
    pub(crate) provider: PathBuf,
    /// Debian's nginx.
    pub(crate) nginx: PathBuf,
}

/// The ways to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Straight to it.
    Direct,
    /// Through nginx.
    Nginx,
    /// Through the relay.
    Relay,
}

impl Target {
    /// In the order of tables.
    pub(crate) const ALL: [Self; 3] = [Self::Direct, Self::Nginx, Self::Relay];

    /// In the order of a round: each round begins with another, so that none always has the same
    /// one before it.
    pub(crate) fn in_round(round: usize) -> [Self; 3] {
        let mut order = Self::ALL;
        order.rotate_left(round % Self::ALL.len());
        order
    }

    /// Its name in figures and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Relay => "relay",
        }
    }
}

/// A running provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    _process: Process,
}

/// The three ways, all running.
#[derive(Debug)]
pub(crate) struct Stand {
    relay: Relay,
    key: String,
    nginx: (Process, u32, SocketAddr),
    provider: Provider,
    /// Goes last, when nothing writes into it any more.
    _folder: TempDir,
}

impl Provider {
    /// Starts one.
    pub(crate) fn start(programs: &Programs) -> anyhow::Result<Self> {
        let mut command = Command::new(&programs.provider);
        let (process, address, _) = Process::listening(command.arg("--fast"), Stdio::null())?;
        Ok(Self { address, _process: process })
    }

    /// Answers requests of a credential like this from now on: a status, `reset` or `well`.
    pub(crate) fn answers(address: SocketAddr, key: &str, how: &str) -> anyhow::Result<()> {
        let order = format!("{key}={how}");
        let request = format!(
            "POST /__failing HTTP/1.1\r\nhost: provider\r\ncontent-length: {}\r\n\r\n{order}",
            order.len()
        );
        let (status, _) = ask(address, request.as_bytes())?;
        ensure!(status == 200, "the provider did not understand {order}");
        Ok(())
    }
}

impl Stand {
    /// Brings all three up, with one account that is at home in the protocol, and one key.
    pub(crate) fn start(programs: &Programs, protocol: Protocol) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("crs-bench-").tempdir()?;
        let provider = Provider::start(programs)?;
        let nginx = nginx::start(&programs.nginx, folder.path(), provider.address)?;
        let data = folder.path().join("data");
        let relay = Relay::start(programs, &data)?;
        let upstream = Upstream::of(protocol);
        Relay::add_account(programs, &data, ("a", upstream), provider.address)?;
        let key = Relay::add_key(programs, &data, ("bench", upstream), &[])?;
        let stand = Self { relay, key, nginx, provider, _folder: folder };
        until_served(&stand.destination(Target::Relay), protocol)?;
        Ok(stand)
    }

    /// Where calls go on this way.
    pub(crate) fn destination(&self, target: Target) -> Destination {
        let address = match target {
            Target::Direct => self.provider.address,
            Target::Nginx => self.nginx.2,
            Target::Relay => return self.relay.destination(&self.key),
        };
        Destination { address, paths: Paths::Provider, key: "none".into() }
    }

    /// The process between the load and the provider.
    pub(crate) fn measured(&self, target: Target) -> Option<Measured> {
        match target {
            Target::Direct => None,
            Target::Nginx => Some(Measured { process: self.nginx.1, puts_off: false }),
            Target::Relay => Some(Measured { process: self.relay.process.id(), puts_off: true }),
        }
    }
}

/// Waits until a relay knows the account and the key that were added while it ran.
pub(crate) fn until_served(to: &Destination, protocol: Protocol) -> anyhow::Result<()> {
    let shape = Shape { protocol, wanted: Wanted::Unary, kilobytes: 1 };
    let request = shape.requests(to).swap_remove(0);
    let until = Instant::now() + READY_WITHIN;
    while Instant::now() < until {
        if ask(to.address, &request)?.0 == 200 {
            return Ok(());
        }
        thread::sleep(TRY_EVERY);
    }
    bail!("the relay does not serve the key that was just added")
}
