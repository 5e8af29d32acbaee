//! Taking over accounts that another relay wrote down.

mod told;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use relay_core::account::{Deadlines, ExtraHeader};
use relay_core::clock::Timestamp;
use relay_core::credential::Credential;
use relay_core::id::GroupId;
use relay_core::money::Money;
use relay_core::proxy::Proxy;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::{AccountChange, NewAccount, StoredAccount};

pub use self::told::Imported;
use self::told::{Incomplete, Skipped};

use super::bundle::{Bundle, Entry, Secrets, open};
use super::reason::has_to_sign_in;
use super::{add, change_found, check, check_addition, checked_group, credential};
use crate::verbs::{VerbError, group};

/// How a masked proxy shows that it has a login.
const MASKED_LOGIN: &str = "…@";

/// What a file without secrets lacks, in words.
const SIGN_IN: &str = "its sign-in";
const SECRET: &str = "its secret";
const PROXY_LOGIN: &str = "the login of its proxy";

/// What becomes of accounts whose names are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They stay as they are.
    Stay,
    /// They become as the file says.
    Change,
}

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// It is.
    Real,
    /// It is only told what would be.
    Dry,
}

/// Takes accounts over. A passphrase is needed if the file has a sealed part; nothing is written
/// before that is open.
pub async fn import(
    store: &Store,
    bundle: Bundle,
    passphrase: Option<&Secret>,
    (existing, run): (Existing, Run),
    now: Timestamp,
) -> Result<Imported, VerbError> {
    let secrets = match (&bundle.sealed, passphrase) {
        (None, _) => Vec::new(),
        (Some(sealed), Some(passphrase)) => open(sealed, passphrase).await?,
        (Some(_), None) => {
            let why = "the file has secrets sealed under a passphrase, and none is given";
            return Err(VerbError::Invalid(why.to_owned()));
        }
    };
    let secrets: HashMap<_, _> = secrets.into_iter().map(|it| (it.name.clone(), it)).collect();
    let mut done = Imported::default();
    let mut seen = HashSet::new();
    for entry in bundle.accounts {
        let name = entry.name.clone();
        let taken = if seen.insert(name.clone()) {
            one(store, entry, secrets.get(&name), (existing, run), now).await
        } else {
            Err(VerbError::Invalid("the file names it twice".to_owned()))
        };
        match taken {
            Ok(taken) => done.note(name, taken),
            // The account's own fault: others may be good.
            Err(VerbError::Invalid(why)) => done.skipped.push(Skipped { name, why }),
            Err(error @ (VerbError::Taken(_) | VerbError::NotFound { .. })) => {
                done.skipped.push(Skipped { name, why: error.to_string() });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// How one account was taken over.
struct Taken {
    is_new: bool,
    missing: Vec<String>,
    sign_in: SignIn,
}

/// What became of the sign-in of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignIn {
    /// There is none.
    Missing,
    /// It came along.
    Taken,
    /// The account keeps a newer one.
    Kept,
}

impl Imported {
    fn note(&mut self, name: String, taken: Taken) {
        let count = if taken.is_new { &mut self.imported } else { &mut self.updated };
        *count += 1;
        match taken.sign_in {
            SignIn::Missing => {}
            SignIn::Taken => self.sign_ins.push(name.clone()),
            SignIn::Kept => self.kept_sign_ins.push(name.clone()),
        }
        if !taken.missing.is_empty() {
            self.incomplete.push(Incomplete { name, missing: taken.missing });
        }
    }
}

async fn one(
    store: &Store,
    entry: Entry,
    secrets: Option<&Secrets>,
    (existing, run): (Existing, Run),
    now: Timestamp,
) -> Result<Taken, VerbError> {
    if secrets.is_some_and(|it| it.base_url != entry.base_url || it.oauth != entry.oauth) {
        let why = "its addresses are not those that its secret was sealed for";
        return Err(VerbError::Invalid(why.to_owned()));
    }
    let (mut new, mut missing) = complete(&entry, secrets, now)?;
    let mut sign_in = match &new.credential {
        Credential::Tokens(tokens) if tokens.refresh.is_some() => SignIn::Taken,
        _ => SignIn::Missing,
    };
    let found = store.find_account(entry.name.trim()).await?;
    let is_new = found.is_none();
    match found {
        None => {
            if !missing.is_empty() {
                new.enabled = false;
                new.note = noted(&new.note, &missing);
            }
            let groups = check_addition(store, &mut new, &entry.groups).await?;
            if run == Run::Real {
                add(store, new, &groups, now).await?;
            }
        }
        Some(_) if existing == Existing::Stay => return Err(VerbError::Taken(entry.name)),
        Some(stored) => {
            missing.retain(|what| lacks_still(&stored, &entry, what));
            if keeps_sign_in(&stored, &new.credential, now) {
                if new.credential != stored.credential {
                    sign_in = SignIn::Kept;
                }
                new.credential = stored.credential.clone();
            }
            let change = change(&stored, &entry, new, secrets)?;
            if run == Run::Real {
                change_found(store, stored.account.id, &change, now).await?;
                regroup(store, &stored, &entry.groups, now).await?;
            }
        }
    }
    Ok(Taken { is_new, missing, sign_in })
}

/// The account as the file says it, and what it lacks.
fn complete(
    entry: &Entry,
    secrets: Option<&Secrets>,
    now: Timestamp,
) -> Result<(NewAccount, Vec<String>), VerbError> {
    let mut missing = Vec::new();
    let given = secrets.and_then(|secrets| secrets.credential.as_ref());
    let (credential, told) = if let Some(given) = given {
        credential(entry.kind, given, now)?
    } else {
        missing.push(if entry.kind.is_oauth() { SIGN_IN } else { SECRET }.to_owned());
        (Credential::Missing, None)
    };
    let proxy = proxy(entry, secrets, &mut missing)?;
    let headers: &[ExtraHeader] = secrets.map_or(&[], |secrets| &secrets.headers);
    let lacks = |name: &&String| headers.iter().all(|header| header.name != **name);
    missing.extend(entry.headers.iter().filter(lacks).map(|name| format!("its header {name}")));
    let new = NewAccount {
        note: entry.note.clone(),
        key_header: entry.key_header,
        speaks: entry.speaks,
        project: entry.project.clone(),
        enabled: entry.enabled,
        priority: entry.priority,
        weight: entry.weight,
        concurrency_max: entry.max_concurrency,
        sharing: entry.sharing,
        models: entry.models.clone(),
        model_map: entry.map.clone(),
        extra_headers: headers.to_vec(),
        payload: entry.payload.clone(),
        proxy,
        clients: entry.clients,
        oauth: entry.oauth.clone(),
        stop_at: entry.stop_at,
        daily_cost_max: entry.daily_cost_usd.as_deref().map(money).transpose()?,
        ends_at: entry.ends_at.as_deref().map(moment).transpose()?,
        deadlines: Deadlines {
            first_byte: entry.first_byte_timeout_ms.map(Duration::from_millis),
            unary: entry.unary_timeout_ms.map(Duration::from_millis),
            idle: entry.idle_timeout_ms.map(Duration::from_millis),
        },
        identity: entry.identity.clone().filter(|_| given.is_some()).or(told),
        ..NewAccount::signed_in(&entry.name, entry.kind, &entry.base_url, credential)
    };
    Ok((new, missing))
}

/// The proxy. What is sealed tells alone which it is, as anybody can edit the rest of a file. One
/// whose login is missing is kept without: it refuses, and nothing goes past it.
fn proxy(
    entry: &Entry,
    secrets: Option<&Secrets>,
    missing: &mut Vec<String>,
) -> Result<Option<Proxy>, VerbError> {
    let read = |text: &str| {
        let read = text.parse::<Proxy>();
        read.map(Some).map_err(|error| VerbError::Invalid(error.to_string()))
    };
    if let Some(secrets) = secrets {
        return secrets.proxy.as_ref().map_or(Ok(None), |url| read(url.expose()));
    }
    match &entry.proxy {
        None => Ok(None),
        Some(shown) if shown.contains(MASKED_LOGIN) => {
            missing.push(PROXY_LOGIN.to_owned());
            read(&shown.replacen(MASKED_LOGIN, "", 1))
        }
        Some(shown) => read(shown),
    }
}

/// What makes an account as the file says. What the file lacks stays as it was.
fn change(
    stored: &StoredAccount,
    entry: &Entry,
    mut new: NewAccount,
    secrets: Option<&Secrets>,
) -> Result<AccountChange, VerbError> {
    if stored.account.kind != new.kind {
        let why = format!("there is one of that name and of kind {}", stored.account.kind.as_str());
        return Err(VerbError::Invalid(why));
    }
    check::new_account(&mut new)?;
    for group in &entry.groups {
        checked_group(group)?;
    }
    let names_headers = secrets.is_some() || entry.headers.is_empty();
    let is_news = |given: &Credential| *given != Credential::Missing && *given != stored.credential;
    let keeps = secrets.is_none() && keeps_proxy(stored, entry, new.proxy.as_ref());
    let or_lifted = |span: Option<Duration>| Some(span.unwrap_or_default());
    Ok(AccountChange {
        name: None,
        note: Some(new.note),
        base_url: Some(new.base_url),
        key_header: Some(new.key_header),
        speaks: Some(new.speaks),
        project: Some(new.project.unwrap_or_default()),
        enabled: Some(new.enabled),
        priority: Some(new.priority),
        weight: Some(new.weight),
        concurrency_max: Some(new.concurrency_max.unwrap_or(0)),
        sharing: Some(new.sharing),
        models: Some(new.models),
        model_map: Some(new.model_map),
        extra_headers: names_headers.then_some(new.extra_headers),
        payload: Some(new.payload),
        first_byte: or_lifted(new.deadlines.first_byte),
        unary: or_lifted(new.deadlines.unary),
        idle: or_lifted(new.deadlines.idle),
        proxy: (!keeps).then_some(new.proxy),
        clients: Some(new.clients),
        oauth: Some(new.oauth),
        stop_at: Some(new.stop_at),
        daily_cost_max: Some(new.daily_cost_max.unwrap_or(Money::ZERO)),
        ends_at: Some(new.ends_at),
        credential: Some(new.credential).filter(is_news),
    })
}

/// Whether an account that there is has a sign-in that serves and is no older than the file's,
/// whose refresh token is used up then.
fn keeps_sign_in(stored: &StoredAccount, given: &Credential, now: Timestamp) -> bool {
    let (Credential::Tokens(stored_tokens), Credential::Tokens(given)) =
        (&stored.credential, given)
    else {
        return false;
    };
    !has_to_sign_in(stored, now) && given.obtained_at <= stored_tokens.obtained_at
}

/// Whether an account that there is lacks what the file lacks.
fn lacks_still(stored: &StoredAccount, entry: &Entry, what: &str) -> bool {
    let account = &stored.account;
    match what {
        SIGN_IN | SECRET => stored.credential == Credential::Missing,
        PROXY_LOGIN => account.proxy.as_ref().map(Proxy::masked) != entry.proxy,
        header => {
            !account.extra_headers.iter().any(|it| header.ends_with(&format!(" {}", it.name)))
        }
    }
}

/// Whether an account has the proxy of the file already, with the login that the file lacks.
fn keeps_proxy(stored: &StoredAccount, entry: &Entry, new: Option<&Proxy>) -> bool {
    let same = stored.account.proxy.as_ref().map(Proxy::masked) == entry.proxy;
    same && new.is_some_and(|proxy| proxy.login.is_none())
}

/// Lets an account belong to these groups and no others.
pub(super) async fn regroup(
    store: &Store,
    stored: &StoredAccount,
    names: &[String],
    now: Timestamp,
) -> Result<(), VerbError> {
    let mut wanted: Vec<GroupId> = Vec::new();
    for name in names {
        wanted.push(group::find_or_add(store, &checked_group(name)?, now).await?);
    }
    let (id, had) = (stored.account.id, &stored.account.groups);
    for group in wanted.iter().filter(|group| !had.contains(group)) {
        store.join_group(*group, id, now).await?;
    }
    for group in had.iter().filter(|group| !wanted.contains(group)) {
        store.leave_group(*group, id, now).await?;
    }
    Ok(())
}

/// The note of an account that lacks something.
fn noted(note: &str, missing: &[String]) -> String {
    let lacks = format!("imported without {}", missing.join(", "));
    if note.is_empty() { lacks } else { format!("{note}\n{lacks}") }
}

fn money(text: &str) -> Result<Money, VerbError> {
    let read = text.parse();
    read.map_err(|_| VerbError::Invalid("its daily cost is no amount of dollars".to_owned()))
}

fn moment(text: &str) -> Result<Timestamp, VerbError> {
    let read: Result<jiff::Timestamp, _> = text.parse();
    let wrong = || VerbError::Invalid("its end is no time like 2027-01-31T12:00:00Z".to_owned());
    read.map(|at| Timestamp::from_millis(at.as_millisecond())).map_err(|_| wrong())
}
