//! The side of the command.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use relay_core::id::AccountId;
use relay_store::data_dir::DataDir;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Ask, LiveState, at_socket};
use crate::open_calls::CallLive;
use crate::tokens::REFRESH_WAIT;
use crate::verbs::account::{AccountTest, TestAsk};

/// How long a command waits for an answer that the server has at hand.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long it waits for a test beyond the answer to one question: a token may have to be
/// refreshed before it, and once more after it.
const TEST_GRACE: Duration = REFRESH_WAIT.saturating_mul(2).saturating_add(Duration::from_secs(10));
/// Questions of one test one after the other, each of which may take as long as the test says: the
/// first, the same with another token, and whose the sign-in is.
const QUESTIONS_MAX: u32 = 3;
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Why a server did not answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is none.
    #[error("no relay runs on this data directory")]
    NoServer,
    /// It does not want to.
    #[error("{0}")]
    Refused(String),
    /// Its answer did not come or makes no sense.
    #[error("the running relay did not answer: {0}")]
    Unclear(String),
}

/// Asks the server of a data directory for its state; `None` if none runs.
pub fn ask(dir: &DataDir) -> Option<LiveState> {
    exchange(dir, &Ask::State, ANSWER_WITHIN).ok()
}

/// Asks the server who is calling now.
pub fn ask_calls(dir: &DataDir) -> Result<Vec<CallLive>, NoAnswer> {
    exchange(dir, &Ask::Calls, ANSWER_WITHIN)
}

/// Has the server test an account. Waits as long as that takes, so call it off the runtime.
pub fn ask_test(dir: &DataDir, account: AccountId, how: &TestAsk) -> Result<AccountTest, NoAnswer> {
    let within = how.within().saturating_mul(QUESTIONS_MAX).saturating_add(TEST_GRACE);
    exchange(dir, &Ask::Test { account, how: how.clone() }, within)
}

fn exchange<T: DeserializeOwned>(
    dir: &DataDir,
    ask: &Ask,
    within: Duration,
) -> Result<T, NoAnswer> {
    let stream = at_socket(dir, |address| UnixStream::connect(address));
    let mut stream = stream.map_err(|_| NoAnswer::NoServer)?;
    let unclear = |error: io::Error| NoAnswer::Unclear(error.to_string());
    let text = (|| {
        stream.set_read_timeout(Some(within))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(format!("{}\n", serde_json::to_string(ask)?).as_bytes())?;
        let mut text = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut text)?;
        Ok(text)
    })();
    let text = text.map_err(unclear)?;
    let answer: Value = serde_json::from_slice(&text).map_err(|error| unclear(error.into()))?;
    if let Some(why) = answer.get("refused").and_then(Value::as_str) {
        return Err(NoAnswer::Refused(why.to_owned()));
    }
    serde_json::from_value(answer).map_err(|error| unclear(error.into()))
}
