//! What is said of accounts that do not serve.

use relay_core::quota::StopAt;

use super::*;
use crate::live::WindowLive;

/// An account of a subscription with these tokens.
fn subscription(tokens: &Tokens) -> NewAccount {
    let credential = Credential::Tokens(tokens.clone());
    NewAccount::signed_in("main", AccountKind::ClaudeOauth, "http://127.0.0.1:1", credential)
}

fn tokens(refresh: Option<&str>, lives: Duration) -> Tokens {
    Tokens {
        access: Secret::new("access words wxyz".replace(' ', "-")),
        refresh: refresh.map(Secret::new),
        expires_at: Some(NOW.plus(lives)),
        obtained_at: NOW,
        client_secret: None,
    }
}

fn hours(count: u64) -> Duration {
    Duration::from_hours(count)
}

/// What is shown of the only account, at `now`, in Shanghai.
async fn shown(store: &Store, live: Option<&LiveState>, now: Timestamp) -> AccountView {
    let zone = TimeZone::get("Asia/Shanghai").expect("a zone");
    let known = Known { live, now, zone: &zone };
    list(store, &known).await.expect("accounts").remove(0)
}

async fn check(store: &Store, now: Timestamp, state: AccountState, reason: &str) {
    let shown = shown(store, None, now).await;
    assert_eq!((shown.state, shown.reason.as_str()), (state, reason));
}

#[tokio::test]
async fn a_subscription_ends_and_is_announced() {
    let Scratch { store, .. } = &Scratch::new().await;
    let mut new = new_account("main");
    new.ends_at = Some(NOW.plus(hours(24 * 20)));
    add(store, new, &[], NOW).await.expect("an account");
    check(store, NOW, AccountState::Able, "").await;
    let soon = NOW.plus(hours(24 * 7));
    check(store, soon, AccountState::Able, "subscription ends on 2027-02-04 16:00").await;
    let then = NOW.plus(hours(24 * 20));
    check(store, then, AccountState::Ended, "subscription ended on 2027-02-04 16:00").await;
    let midnight = NOW.plus(hours(8));
    let day = AccountChange { ends_at: Some(Some(midnight)), ..AccountChange::default() };
    let edit = AccountEdit { fields: day, ..AccountEdit::default() };
    set(store, &main_one(), edit.clone(), NOW).await.expect("changed");
    check(store, midnight, AccountState::Ended, "subscription ended on 2027-01-15").await;
    let twenty = AccountChange { ends_at: Some(Some(then)), ..AccountChange::default() };
    set(store, &main_one(), AccountEdit { fields: twenty, ..edit }, NOW).await.expect("changed");
    pause(store, &main_one(), NOW).await.expect("paused");
    let both = "paused by an operator; subscription ended on 2027-02-04 16:00";
    check(store, then, AccountState::Paused, both).await;
}

#[tokio::test]
async fn a_sign_out_says_since_when_why_and_what_to_do() {
    let Scratch { store, .. } = &Scratch::new().await;
    let new = subscription(&tokens(Some("refresh"), hours(1)));
    let id = add(store, new, &[], NOW).await.expect("an account");
    let out = SignedOut { at: NOW, cause: SignOutCause::RefreshRefused };
    let version = store.account(id).await.expect("a query").expect("it").credential_version;
    assert!(store.sign_out(id, version, out, NOW).await.expect("an edit"));
    let words = "signed out since 16:00: the provider refused the refresh token; \
                 sign in again: crs account login main";
    let then = NOW.plus(hours(2));
    check(store, then, AccountState::SignedOut, words).await;
    let still = format!("{words}; until 17:00 its last token serves");
    check(store, NOW.plus(hours(0)), AccountState::SignedOut, &still).await;
    let known = shown(store, None, then).await;
    assert_eq!((known.signed_out_at, known.can_refresh), (Some(NOW), Some(true)));
    let secret = Secret::new(r#"{"access_token":"a-new-access-token","refresh_token":"r"}"#);
    let edit = AccountEdit { secret: Some(secret), ..AccountEdit::default() };
    set(store, &main_one(), edit, NOW).await.expect("signed in");
    check(store, then, AccountState::Able, "").await;
}

#[tokio::test]
async fn a_setup_token_ends_and_is_announced_two_weeks_ahead() {
    let Scratch { store, .. } = &Scratch::new().await;
    let mut new = subscription(&tokens(None, hours(24 * 30)));
    new.name = "two words".into();
    add(store, new, &[], NOW).await.expect("an account");
    check(store, NOW, AccountState::Able, "").await;
    let words = |verb: &str| {
        format!(
            "setup token {verb} on 2027-02-14 16:00 and cannot be refreshed; \
             sign in again: crs account login acct_1"
        )
    };
    check(store, NOW.plus(hours(24 * 17)), AccountState::Able, &words("ends")).await;
    check(store, NOW.plus(hours(24 * 30)), AccountState::SignedOut, &words("ended")).await;
}

#[tokio::test]
async fn an_account_without_a_secret_says_how_it_gets_one() {
    let Scratch { store, .. } = &Scratch::new().await;
    let mut new = subscription(&tokens(None, hours(1)));
    new.credential = Credential::Missing;
    add(store, new, &[], NOW).await.expect("an account");
    let words = "not signed in yet; sign in: crs account login main";
    check(store, NOW, AccountState::SignedOut, words).await;
}

fn resting(scope: &str, cause: RestCause, stated: bool, lives: Duration) -> RestLive {
    let rest = RestLive::of_account(Rest { until: NOW.plus(lives), cause, stated });
    let family = (scope != "account").then(|| "opus".to_owned());
    RestLive { scope: scope.to_owned(), family, ..rest }
}

fn window(window: &str, used_permille: u16, resets: Duration) -> WindowLive {
    let resets_at = Some(NOW.plus(resets));
    WindowLive { window: window.to_owned(), used_permille, resets_at, seen_at: NOW }
}

#[tokio::test]
async fn rests_are_told_by_scope_cause_and_end() {
    let Scratch { store, .. } = &Scratch::new().await;
    let mut new = new_account("main");
    new.stop_at = StopAt { five_hour: Some(90), seven_day: Some(95) };
    let id = add(store, new, &[], NOW).await.expect("an account");
    let rests = [
        (
            resting("account", RestCause::RateLimited, true, hours(1)),
            "rests until 17:00: the provider's limit (429), stated by it",
        ),
        (
            resting("account", RestCause::Overloaded, false, Duration::from_secs(3)),
            "rests until 16:00:03: the provider is overloaded (529)",
        ),
        (
            resting("opus", RestCause::RateLimited, true, hours(30)),
            "rests for opus until 2027-01-16 22:00: the provider's limit (429), stated by it",
        ),
        (
            resting("host", RestCause::Failing, false, hours(1)),
            "its host rests for opus until 17:00: the provider has errors of its own",
        ),
        (
            resting("account", RestCause::DailyCost, true, hours(8)),
            "daily cost reached until 2027-01-16 00:00",
        ),
        (
            resting("account", RestCause::WindowMark, true, hours(2)),
            "stopped at 92.5 % of the 5h window until 18:00 (mark 90 %)",
        ),
        (
            resting("opus", RestCause::WindowMark, true, hours(3)),
            "stopped at 99 % of the 7d opus window until 19:00 (mark 95 %)",
        ),
    ];
    for (rest, words) in rests {
        let is_whole = rest.scope == "account";
        let live = LiveState {
            accounts: vec![AccountLive {
                resting: is_whole.then(|| rest.clone()),
                rests: vec![rest.clone()],
                windows: vec![
                    window("5h", 925, hours(2)),
                    window("7d", 500, hours(9)),
                    window("7d opus", 990, hours(3)),
                ],
                spent_today_nanos: 1_500_000_000,
                ..AccountLive::idle(id)
            }],
            ..LiveState::default()
        };
        let shown = shown(store, Some(&live), NOW).await;
        assert_eq!(shown.reason, words);
        let expected = if is_whole { AccountState::Resting } else { AccountState::Able };
        assert_eq!((shown.state, shown.resumes_at), (expected, is_whole.then_some(rest.until)));
        assert_eq!((shown.windows[0].used_percent, shown.spent_today_usd), (92.5, Some(1.5)));
    }
}
