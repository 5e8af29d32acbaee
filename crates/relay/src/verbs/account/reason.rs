//! Why an account does not serve, or soon will not, in words and in the operator's time zone.

use std::time::Duration;

use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, SignedOut, Tokens};
use relay_core::health::RestCause;
use relay_core::model::ModelFamily;
use relay_core::quota::{StopAt, WindowKind};
use relay_store::accounts::StoredAccount;

use super::view::{Known, RestView, WindowView};
use crate::live::RestLive;
use crate::upkeep::WARNED_AHEAD;
use crate::verbs::moment;

/// Rests that end within this time are told to the second.
const SECONDS_WITHIN: Duration = Duration::from_mins(10);

/// Everything that keeps an account from serving or soon will, what a person did first; empty if
/// there is nothing.
pub(super) fn reason(stored: &StoredAccount, rests: &[RestView], known: &Known<'_>) -> String {
    let paused = (!stored.account.enabled).then(|| "paused by an operator".to_owned());
    let rests = rests.iter().map(|rest| rest.words.clone());
    let said = [paused, subscription(stored, known), sign_in(stored, known)];
    said.into_iter().flatten().chain(rests).collect::<Vec<_>>().join("; ")
}

/// Whether only a sign-in, or a secret, can make the account serve again.
pub(super) fn has_to_sign_in(stored: &StoredAccount, now: Timestamp) -> bool {
    match &stored.credential {
        Credential::Missing => true,
        Credential::ApiKey(_) => false,
        Credential::Tokens(tokens) => {
            stored.signed_out.is_some() || (tokens.refresh.is_none() && has_ended(tokens, now))
        }
    }
}

/// What a rest is for and until when. `windows` and `marks` are the account's.
pub(super) fn rest(
    rest: &RestLive,
    windows: &[WindowView],
    marks: StopAt,
    known: &Known<'_>,
) -> String {
    let until = time(rest.until, known.now, known.zone);
    match rest.cause {
        RestCause::WindowMark => stopped(rest, windows, marks, &until),
        RestCause::DailyCost => format!("daily cost reached until {until}"),
        RestCause::TokenNotRefreshed => {
            format!("its token ended and was not refreshed; tried again at {until}")
        }
        cause => {
            let cause =
                if rest.stated { format!("{cause}, stated by it") } else { cause.to_string() };
            let family = rest.family.as_deref().filter(|family| !family.is_empty());
            match (rest.scope == RestLive::HOST, family) {
                (true, Some(family)) => {
                    format!("its host rests for {family} until {until}: {cause}")
                }
                (true, None) => format!("its host rests until {until}: {cause}"),
                (false, Some(family)) => format!("rests for {family} until {until}: {cause}"),
                (false, None) => format!("rests until {until}: {cause}"),
            }
        }
    }
}

/// A moment as people say it: the time alone if it is today.
pub(super) fn time(moment: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let text = moment::in_zone(moment, zone);
    let today = moment::in_zone(now, zone);
    let (Some((day, time)), Some((this_day, _))) = (text.split_once(' '), today.split_once(' '))
    else {
        return text;
    };
    let to_the_minute = &time[..time.len().saturating_sub(":00".len())];
    let is_close = moment > now && moment.since(now) < SECONDS_WITHIN;
    match (day == this_day, is_close) {
        (true, true) => time.to_owned(),
        (true, false) => to_the_minute.to_owned(),
        (false, _) => format!("{day} {to_the_minute}"),
    }
}

/// The window that is used past the operator's mark.
fn stopped(rest: &RestLive, windows: &[WindowView], marks: StopAt, until: &str) -> String {
    let past = windows.iter().filter_map(|window| {
        let kind: WindowKind = window.window.parse().ok()?;
        let mark = if kind.is_short() { marks.five_hour } else { marks.seven_day }?;
        let covers = match (kind.family(), rest.family.as_deref()) {
            (None, _) => true,
            (Some(_), Some(rests)) => kind.covers(&ModelFamily::named(rests)),
            (Some(_), None) => false,
        };
        (covers && window.used_percent >= f64::from(mark)).then_some((window, mark))
    });
    // Of several that are past their marks, the one whose reset the rest waits for.
    match past.max_by_key(|(window, _)| (window.resets_at == Some(rest.until), window.resets_at)) {
        Some((window, mark)) => format!(
            "stopped at {} % of the {} window until {until} (mark {mark} %)",
            window.used_percent, window.window
        ),
        None => format!("stopped at the mark of a quota window until {until}"),
    }
}

fn subscription(stored: &StoredAccount, known: &Known<'_>) -> Option<String> {
    let at = stored.account.ends_at.filter(|at| *at <= known.now.plus(WARNED_AHEAD))?;
    let day = ending(at, known.zone);
    Some(if at <= known.now {
        format!("subscription ended on {day}")
    } else {
        format!("subscription ends on {day}")
    })
}

fn sign_in(stored: &StoredAccount, known: &Known<'_>) -> Option<String> {
    let account = &stored.account;
    let login = || format!("crs account login {}", word(stored));
    match &stored.credential {
        Credential::Missing if account.kind.is_oauth() => {
            Some(format!("not signed in yet; sign in: {}", login()))
        }
        Credential::Missing => {
            Some(format!("it has no secret: crs account set {} --secret-stdin", word(stored)))
        }
        Credential::ApiKey(_) => None,
        Credential::Tokens(tokens) => match stored.signed_out {
            Some(signed_out) => Some(signed_out_since(signed_out, tokens, &login(), known)),
            None => setup_token(tokens, &login(), known),
        },
    }
}

fn signed_out_since(out: SignedOut, tokens: &Tokens, login: &str, known: &Known<'_>) -> String {
    let since = time(out.at, known.now, known.zone);
    let cause = out.cause;
    match tokens.expires_at {
        Some(at) if at > known.now => {
            let until = time(at, known.now, known.zone);
            format!(
                "signed out since {since}: {cause}; sign in again: {login}; until {until} its \
                 last token serves"
            )
        }
        _ => format!("signed out since {since}: {cause}; sign in again: {login}"),
    }
}

/// What is to be said of a token that cannot be refreshed.
fn setup_token(tokens: &Tokens, login: &str, known: &Known<'_>) -> Option<String> {
    if tokens.refresh.is_some() {
        return None;
    }
    let at = tokens.expires_at.filter(|at| *at <= known.now.plus(WARNED_AHEAD))?;
    let day = ending(at, known.zone);
    Some(if at <= known.now {
        format!("setup token ended on {day} and cannot be refreshed; sign in again: {login}")
    } else {
        format!("setup token ends on {day} and cannot be refreshed; sign in again: {login}")
    })
}

fn has_ended(tokens: &Tokens, now: Timestamp) -> bool {
    tokens.expires_at.is_some_and(|at| at <= now)
}

/// When something ends, for people: a midnight is the end of the day before it.
pub fn ending(at: Timestamp, zone: &TimeZone) -> String {
    let text = moment::in_zone(at, zone);
    match text.strip_suffix(" 00:00:00") {
        Some(_) => {
            let before = moment::in_zone(at.minus(Duration::from_millis(1)), zone);
            before.split(' ').next().unwrap_or_default().to_owned()
        }
        None => text[..text.len().saturating_sub(":00".len())].to_owned(),
    }
}

/// The account as a word of a command: its name if a shell takes that as it is, else its id.
fn word(stored: &StoredAccount) -> String {
    let account = &stored.account;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    if account.name.bytes().all(plain) && !account.name.starts_with('-') {
        account.name.clone()
    } else {
        account.id.to_string()
    }
}
