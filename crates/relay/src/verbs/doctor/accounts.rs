//! Whether accounts serve, each reached by its own way, and whether there are keys to call with.

use relay_core::clock::Timestamp;
use relay_core::key::Key;

use super::{Check, Finding};
use crate::text::{retold, spoken, tr};
use crate::verbs::account::{AccountState, AccountTest, AccountView, Verdict};

/// Names of keys or accounts that are told, of many.
const NAMED_MAX: usize = 3;

/// An account and what came of asking it.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The account.
    pub view: AccountView,
    /// What came of asking it.
    pub asked: Asked,
}

/// What came of asking an account.
#[derive(Debug, Clone)]
pub enum Asked {
    /// It, or its proxy, answered or failed to.
    Test(Box<AccountTest>),
    /// It was not to be asked.
    Not,
    /// There was no time left.
    NoTime,
}

impl Examined {
    /// Whether it serves, as far as is known.
    fn serves(&self) -> bool {
        use Verdict::{Failing, Limited, NoToken, Refused, Unclear, Unreachable, Works};
        let answers = match &self.asked {
            Asked::Test(test) => match test.verdict {
                Works | Limited | Unclear | NoToken => true,
                Refused | Failing | Unreachable => false,
            },
            Asked::Not | Asked::NoTime => true,
        };
        answers && self.view.state == AccountState::Able
    }
}

/// Judges all accounts.
pub fn judge(accounts: &[Examined]) -> Vec<Finding> {
    if accounts.is_empty() {
        let to_do = tr!("add one with `crs account add`");
        return vec![Finding::note(Check::Accounts, tr!("there are none yet")).to_do(to_do)];
    }
    let mut findings: Vec<Finding> = Vec::new();
    let able = accounts.iter().filter(|it| it.serves()).count();
    let (count, check) = (accounts.len(), Check::Accounts);
    let has = |state| accounts.iter().any(|it| it.view.state == state);
    let what = || tr!("none of {count} serves at present", count);
    findings.push(match able {
        0 if has(AccountState::Resting) => {
            let to_do = tr!("calls are refused until the first is back; more accounts would help");
            Finding::note(check, what()).to_do(to_do)
        }
        0 if accounts.iter().all(|it| it.view.state == AccountState::Paused) => {
            Finding::note(check, what()).to_do(tr!("switch one on with `crs account resume`"))
        }
        0 => Finding::wrong(check, what(), tr!("see below what each of them wants")),
        able => Finding::well(check, tr!("{able} of {count} serve", able, count)),
    });
    findings.extend(accounts.iter().map(account));
    findings
}

/// Judges the keys at `now`.
pub fn judge_keys(keys: &[Key], now: Timestamp) -> Finding {
    let check = Check::Keys;
    if keys.is_empty() {
        let to_do = tr!("make one with `crs key add`");
        return Finding::note(check, tr!("there are none yet")).to_do(to_do);
    }
    let is_expired = |key: &&Key| key.expires_at.is_some_and(|at| at <= now);
    let good = keys.iter().filter(|key| key.enabled && !is_expired(key)).count();
    if good == 0 {
        let what = tr!("every key is disabled or expired");
        let to_do =
            tr!("see `crs key list`; `crs key enable` and `crs key set --expires` bring one back");
        return Finding::note(check, what).to_do(to_do);
    }
    let expired: Vec<&str> = keys
        .iter()
        .filter(|key| key.enabled && is_expired(key))
        .map(|key| key.name.as_str())
        .collect();
    if expired.is_empty() {
        return Finding::well(check, tr!("{good} of {count} may call", good, count = keys.len()));
    }
    let names = expired.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let what = tr!("{good} of {count} may call; expired: {names}", good, count = keys.len(), names);
    Finding::note(check, what)
}

/// What a person set goes before what the provider says: an account that is off is not asked.
fn account(examined: &Examined) -> Finding {
    let (view, check) = (&examined.view, Check::Account);
    let name = &view.name;
    let reason = || retold(&view.reason, spoken());
    match view.state {
        AccountState::Paused => {
            let to_do = tr!("switch it on with `crs account resume {word}`", word = word(view));
            Finding::note(check, tr!("{name}: switched off by an operator", name)).to_do(to_do)
        }
        AccountState::Ended => {
            let what = tr!("{name}: {why}", name, why = reason());
            let to_do = tr!(
                "renew it and set the new end with `crs account set {word} --ends`, or pause it",
                word = word(view)
            );
            Finding::wrong(check, what, to_do)
        }
        AccountState::SignedOut => {
            let what = tr!("{name}: {why}", name, why = reason());
            let to_do = if view.kind.is_oauth() {
                tr!("sign in again with `crs account login {word}`", word = word(view))
            } else {
                tr!(
                    "give it its secret with `crs account set {word} --secret-stdin`",
                    word = word(view)
                )
            };
            Finding::wrong(check, what, to_do)
        }
        AccountState::Resting | AccountState::Able => answered(examined),
    }
}

/// Judges an account that may serve by what came of asking it.
fn answered(examined: &Examined) -> Finding {
    let (view, check) = (&examined.view, Check::Account);
    let name = &view.name;
    let reason = retold(&view.reason, spoken());
    let test = match &examined.asked {
        Asked::Test(test) => test,
        Asked::NoTime => {
            return Finding::skipped(check, tr!("{name}: no time was left to ask it", name));
        }
        Asked::Not => return Finding::skipped(check, tr!("{name}: not asked", name)),
    };
    let fault = test.fault.as_deref().map(|fault| retold(fault, spoken())).unwrap_or_default();
    let said = test.said.as_ref().map(|said| tr!(" ({said})", said)).unwrap_or_default();
    let (exit, millis) = (&test.exit, test.millis);
    match test.verdict {
        Verdict::Works | Verdict::Limited | Verdict::Unclear if !reason.is_empty() => {
            Finding::note(check, tr!("{name}: {why}", name, why = reason))
        }
        Verdict::Works if view.has_proxy => Finding::well(
            check,
            tr!("{name}: answers in {millis} ms through {exit}", name, millis, exit),
        ),
        Verdict::Works => Finding::well(check, tr!("{name}: answers in {millis} ms", name, millis)),
        Verdict::Limited => {
            Finding::note(check, tr!("{name}: at its limit; its secret is accepted", name))
        }
        Verdict::Unclear => {
            let to_do = tr!("ask it for an answer: `crs account test {word}`", word = word(view));
            let what =
                tr!("{name}: it is there; whether it works cannot be told: {fault}", name, fault);
            Finding::note(check, what).to_do(to_do)
        }
        Verdict::Unreachable if view.has_proxy => {
            let what = tr!("{name}: not reached through {exit}: {fault}", name, exit, fault);
            let to_do = tr!(
                "see whether the proxy runs and lets you in; `crs account set {word} --proxy-file` \
                 names another",
                word = word(view)
            );
            Finding::wrong(check, what, to_do)
        }
        Verdict::Unreachable => {
            let what = tr!("{name}: not reached: {fault}", name, fault);
            let to_do = tr!(
                "see whether this machine reaches {host}; a proxy may be needed",
                host = view.base_url
            );
            Finding::wrong(check, what, to_do)
        }
        Verdict::Refused => {
            let what = tr!("{name}: {fault}{said}", name, fault, said);
            let to_do = if view.kind.is_oauth() {
                tr!("sign in again with `crs account login {word}`", word = word(view))
            } else {
                tr!("look at the account at its provider, or give it another secret")
            };
            Finding::wrong(check, what, to_do)
        }
        Verdict::Failing => {
            let what = tr!("{name}: {fault}{said}", name, fault, said);
            let to_do = tr!("try again later; see the status page of the provider");
            Finding::wrong(check, what, to_do)
        }
        // Whoever is signed out was told above: what is left is a token that nobody refreshed.
        Verdict::NoToken => Finding::note(check, tr!("{name}: {fault}", name, fault)),
    }
}

/// The account as a word of a command: its name if a shell takes that as it is, else its id.
fn word(view: &AccountView) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    if view.name.bytes().all(plain) && !view.name.starts_with('-') {
        view.name.clone()
    } else {
        view.id.to_string()
    }
}
