//! What only a running server knows or can do, asked over a socket in the data directory.
//!
//! A command writes one line of JSON, the server answers with one JSON value and closes.

mod client;
mod state;

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use relay_core::id::AccountId;
use relay_store::data_dir::DataDir;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use self::client::{NoAnswer, ask, ask_calls, ask_test};
pub use self::state::{AccountLive, KeyLive, LiveState, RestLive, SetLive, WindowLive};
use crate::app::App;
use crate::open_calls;
use crate::verbs::account::{self, TestAsk};

/// How long a command may take to say what it wants, and to take the answer.
const SPEAK_WITHIN: Duration = Duration::from_secs(2);
/// The longest question.
const ASK_BYTES_MAX: u64 = 64 * 1_024;
/// Commands that are answered at one time; more wait until one of them is.
const COMMANDS_MAX: usize = 64;
/// Longer paths are no address of a socket on some system.
const ADDRESS_BYTES_MAX: usize = 100;

/// What a command wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// The state of accounts and keys: a [`LiveState`].
    State,
    /// Who is calling now: a list of [`open_calls::CallLive`].
    Calls,
    /// Whether an account works: an [`account::AccountTest`].
    Test {
        /// Which.
        account: AccountId,
        /// How it is tested.
        #[serde(flatten)]
        how: TestAsk,
    },
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

/// Answers everyone who connects, for ever; who is being answered goes with it.
pub async fn run(app: Arc<App>, listener: UnixListener, address: SocketAddr) {
    let mut answering = JoinSet::new();
    loop {
        while answering.len() >= COMMANDS_MAX {
            answering.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    answering.spawn(converse(Arc::clone(&app), stream, address));
                }
                Err(error) => {
                    tracing::debug!(%error, "a command was not answered");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = answering.join_next() => {}
        }
    }
}

/// Reads one question and answers it. A command that went away needs no answer.
async fn converse(app: Arc<App>, mut stream: UnixStream, address: SocketAddr) {
    let (reader, mut writer) = stream.split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(ASK_BYTES_MAX));
    let read = timeout(SPEAK_WITHIN, reader.read_until(b'\n', &mut line)).await;
    if !matches!(read, Ok(Ok(_))) {
        return;
    }
    let answer = match serde_json::from_slice(&line) {
        Ok(ask) => answer(&app, ask, address).await,
        Err(_) => refusal("the running relay does not know this question; is it another version?"),
    };
    let _ = timeout(SPEAK_WITHIN, writer.write_all(answer.to_string().as_bytes())).await;
}

async fn answer(app: &Arc<App>, ask: Ask, address: SocketAddr) -> Value {
    match ask {
        Ask::State => value(&LiveState::of(app, address)),
        Ask::Calls => value(&open_calls::list(app)),
        Ask::Test { account, how } => test(app, account, &how).await,
    }
}

/// Tests an account through its own way out, with the token that calls would use.
async fn test(app: &Arc<App>, id: AccountId, how: &TestAsk) -> Value {
    let Some(member) = app.roster.find(id) else {
        return refusal("the running relay does not know this account yet");
    };
    let way = account::Way {
        account: &member.account,
        identity: member.identity.as_ref(),
        client: &member.client,
        now: app.now(),
        pieces: None,
    };
    let prices = app.prices.load_full();
    value(&account::probe(way, how, &prices, account::Signer::Relay(app, &member)).await)
}

fn value<T: Serialize>(answer: &T) -> Value {
    serde_json::to_value(answer).unwrap_or(Value::Null)
}

/// What a command is told that gets no answer.
fn refusal(why: &str) -> Value {
    json!({"refused": why})
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_one_line_each_and_read_back() {
        let how = TestAsk { model: Some("m".into()), ..TestAsk::default() };
        for ask in [Ask::State, Ask::Calls, Ask::Test { account: AccountId(3), how }] {
            let line = serde_json::to_string(&ask).expect("JSON");
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Ask>(&line).expect("a question"), ask);
        }
        let short = r#"{"ask":"test","account":"acct_3"}"#;
        let read: Ask = serde_json::from_str(short).expect("a question");
        assert_eq!(read, Ask::Test { account: AccountId(3), how: TestAsk::default() });
        assert!(serde_json::from_str::<Ask>(r#"{"ask":"secrets"}"#).is_err());
    }
}
