//! Accounts as a file that another relay reads: what operators set in the open, what is secret
//! sealed under a passphrase or left out.

mod sealed;

use relay_core::account::{AccountKind, ClientRule, KeyHeader, OauthSettings, Sharing, Speaks};
use relay_core::credential::Identity;
use relay_core::model::{ModelMapping, ModelPattern};
use relay_core::payload::PayloadRule;
use relay_core::quota::StopAt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::sealed::PASSPHRASE_CHARS_MIN;
pub(super) use self::sealed::{Sealed, Secrets, open, seal};
use crate::verbs::VerbError;

/// What the file says that it is.
const FORMAT: &str = "crs-accounts";
/// The version of its form.
const VERSION: u64 = 1;
/// The most accounts that are read from one file.
const ACCOUNTS_MAX: usize = 10_000;

/// Accounts as they are written to a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    format: String,
    version: u64,
    /// When it was written, in RFC 3339.
    #[serde(default)]
    pub exported_at: String,
    /// What operators set.
    pub accounts: Vec<Entry>,
    /// What is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// What an operator set for an account. Fields that are left out are as for a new one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// How it is reached.
    pub kind: AccountKind,
    /// A note for people.
    #[serde(default)]
    pub note: String,
    /// Where it is.
    pub base_url: String,
    /// How the key is sent.
    #[serde(default)]
    pub key_header: KeyHeader,
    /// Which protocol it is spoken to in.
    #[serde(default)]
    pub speaks: Speaks,
    /// The Google Cloud project that its calls are for.
    #[serde(default)]
    pub project: Option<String>,
    /// The operator's switch.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Lower goes first.
    #[serde(default = "usual_priority")]
    pub priority: i32,
    /// Share of calls among accounts of one priority.
    #[serde(default = "usual_weight")]
    pub weight: u32,
    /// Calls at one time.
    #[serde(default)]
    pub max_concurrency: Option<u32>,
    /// Who may be served.
    #[serde(default)]
    pub sharing: Sharing,
    /// Models it serves; empty is all.
    #[serde(default)]
    pub models: Vec<ModelPattern>,
    /// Names that are sent upstream under another name.
    #[serde(default)]
    pub map: Vec<ModelMapping>,
    /// Names of the headers that are added; their values are secret.
    #[serde(default)]
    pub headers: Vec<String>,
    /// What is changed in the bodies of its calls, in order.
    #[serde(default)]
    pub payload: Vec<PayloadRule>,
    /// The proxy; where it has a login, that is secret and masked here.
    #[serde(default)]
    pub proxy: Option<String>,
    /// Which clients it serves.
    #[serde(default)]
    pub clients: ClientRule,
    /// Where it is signed in to.
    #[serde(default)]
    pub oauth: OauthSettings,
    /// At how much of a quota window it rests.
    #[serde(default)]
    pub stop_at: StopAt,
    /// What its calls may cost in a day, in dollars.
    #[serde(default)]
    pub daily_cost_usd: Option<String>,
    /// When the subscription ends, in RFC 3339.
    #[serde(default)]
    pub ends_at: Option<String>,
    /// Milliseconds to the first byte of a streamed answer.
    #[serde(default)]
    pub first_byte_timeout_ms: Option<u64>,
    /// Milliseconds to the end of a unary answer.
    #[serde(default)]
    pub unary_timeout_ms: Option<u64>,
    /// Milliseconds between two bytes of a streamed answer.
    #[serde(default)]
    pub idle_timeout_ms: Option<u64>,
    /// Names of the groups that it belongs to.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whose sign-in it is.
    #[serde(default)]
    pub identity: Option<Identity>,
}

impl Bundle {
    /// Accounts to be written.
    pub(super) fn new(exported_at: String, accounts: Vec<Entry>, sealed: Option<Sealed>) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, exported_at, accounts, sealed }
    }

    /// Reads a file.
    pub fn read(text: &str) -> Result<Self, VerbError> {
        let invalid = |why: String| VerbError::Invalid(format!("not accounts to import: {why}"));
        let value: Value =
            serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(invalid(format!("its format is not {FORMAT:?}")));
        }
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => {
                let why = format!("its version is {other}, and this relay reads {VERSION}");
                return Err(invalid(why));
            }
            None => return Err(invalid("it has no version".to_owned())),
        }
        let bundle: Self =
            serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
        if bundle.accounts.len() > ACCOUNTS_MAX {
            return Err(invalid(format!("it has more than {ACCOUNTS_MAX} accounts")));
        }
        Ok(bundle)
    }

    /// Whether a passphrase is needed to read all of it.
    pub const fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }
}

const fn yes() -> bool {
    true
}

const fn usual_priority() -> i32 {
    50
}

const fn usual_weight() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_is_and_nothing_unknown() {
        let read = |text: &str| Bundle::read(text).map_err(|error| error.to_string());
        let least = r#"{"format":"crs-accounts","version":1,"accounts":
            [{"name":"a","kind":"claude-api","base_url":"https://host.example"}]}"#;
        let bundle = read(least).expect("the least there can be");
        assert!(!bundle.is_sealed() && bundle.accounts[0].enabled);
        assert_eq!((bundle.accounts[0].priority, bundle.accounts[0].weight), (50, 1));
        for wrong in ["", "[]", "{}", r#"{"format":"crs-accounts","accounts":[]}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let newer = r#"{"format":"crs-accounts","version":2,"accounts":[]}"#;
        assert!(read(newer).expect_err("refused").contains("its version is 2"));
        let typo = least.replace("\"kind\"", "\"prioritee\":1,\"kind\"");
        assert!(read(&typo).expect_err("refused").contains("prioritee"));
    }
}
