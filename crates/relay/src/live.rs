//! What only a running server knows, asked over a socket in the data directory.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_core::health::RestCause;
use relay_core::id::{AccountId, KeyId};
use relay_store::data_dir::DataDir;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use crate::app::App;

/// How long a command waits for the server's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Longer paths are no address of a socket on some system.
const ADDRESS_BYTES_MAX: usize = 100;

/// The state of a running server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LiveState {
    /// Every account.
    pub accounts: Vec<AccountLive>,
    /// Every key with calls under way.
    pub keys: Vec<KeyLive>,
    /// Calls under way.
    pub calls_open: usize,
    /// Where it listens; it may have been started with other settings than a command has.
    pub address: Option<SocketAddr>,
}

/// An account in a running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLive {
    /// Which.
    pub id: AccountId,
    /// Calls under way.
    pub in_flight: u32,
    /// Its rest, if it has one.
    pub resting: Option<RestLive>,
}

/// A rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestLive {
    /// When it ends.
    pub until: Timestamp,
    /// What for.
    pub cause: RestCause,
}

/// A key in a running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLive {
    /// Which.
    pub id: KeyId,
    /// Calls under way.
    pub in_flight: u32,
}

impl LiveState {
    /// The state of this server.
    pub fn of(app: &App, address: SocketAddr) -> Self {
        let now = app.now();
        let account = |member: &Arc<crate::roster::Member>| AccountLive {
            id: member.account.id,
            in_flight: member.shared.slots.in_flight(),
            resting: member
                .shared
                .notes
                .rests(now)
                .0
                .map(|rest| RestLive { until: rest.until, cause: rest.cause }),
        };
        Self {
            accounts: app.roster.snapshot().iter().map(account).collect(),
            keys: app
                .keys
                .in_flight()
                .into_iter()
                .map(|(id, in_flight)| KeyLive { id, in_flight })
                .collect(),
            calls_open: app.shutdown.open_calls(),
            address: Some(address),
        }
    }
}

/// Opens the socket; only the owner of the directory may use it.
pub fn listen(dir: &DataDir) -> std::io::Result<UnixListener> {
    let path = dir.socket();
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = at_socket(dir, |address| UnixListener::bind(address))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Tells everyone who connects, for ever.
pub async fn run(app: Arc<App>, listener: UnixListener, address: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) => {
                let state = serde_json::to_vec(&LiveState::of(&app, address)).unwrap_or_default();
                // A command that went away needs no answer.
                let _ = tokio::time::timeout(ANSWER_WITHIN, stream.write_all(&state)).await;
            }
            Err(error) => {
                tracing::debug!(%error, "a command was not answered");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Hands over the address of the socket. Where its path is too long for one, it is named by way
/// of the open directory, as Linux allows.
fn at_socket<T>(
    dir: &DataDir,
    act: impl FnOnce(&Path) -> std::io::Result<T>,
) -> std::io::Result<T> {
    let path = dir.socket();
    match path.file_name() {
        Some(name) if path.as_os_str().len() > ADDRESS_BYTES_MAX => {
            let directory = File::open(dir.root())?;
            let opened = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
            act(&opened.join(name))
        }
        _ => act(&path),
    }
}

/// Asks the server of a data directory; `None` if none runs.
pub fn ask(dir: &DataDir) -> Option<LiveState> {
    let mut stream = at_socket(dir, |address| UnixStream::connect(address)).ok()?;
    stream.set_read_timeout(Some(ANSWER_WITHIN)).ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
