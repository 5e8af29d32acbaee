//! Accounts on a real store.

mod signing_in;
mod signing_in_elsewhere;
mod words;

use std::time::Duration;

use jiff::tz::TimeZone;
use relay_core::account::{ExtraHeader, Sharing};
use relay_core::credential::{Credential, SignOutCause, SignedOut, Tokens};
use relay_core::health::{Rest, RestCause};
use relay_core::id::KeyId;
use relay_core::secret::Secret;

use super::*;
use crate::live::{AccountLive, KeyLive, LiveState, RestLive};
use crate::verbs::key::KeyAddition;
use crate::verbs::scratch::{NOW, Scratch, new_account};

/// What is known without a server, in UTC.
const ALONE: Known<'static> = Known { live: None, now: NOW, zone: &TimeZone::UTC };

fn main_one() -> Selection {
    Selection::one("main")
}

#[tokio::test]
async fn an_account_is_shown_without_its_secret() {
    let Scratch { store, .. } = &Scratch::new().await;
    let mut new = new_account("  main ");
    new.base_url = "https://host.example/v1/".into();
    new.sharing = Sharing::Reserved;
    new.extra_headers = vec![ExtraHeader { name: "x-team".into(), value: "hidden".into() }];
    let groups = ["team".to_owned(), "team".to_owned(), "night".to_owned()];
    add(store, new, &groups, NOW).await.expect("an account");
    insta::assert_json_snapshot!(list(store, &ALONE).await.expect("accounts"), @r#"
    [
      {
        "id": "acct_1",
        "name": "main",
        "kind": "claude-api",
        "state": "able",
        "reason": "",
        "resumes_at": null,
        "rest_cause": null,
        "rests": [],
        "windows": [],
        "enabled": true,
        "priority": 50,
        "weight": 1,
        "max_concurrency": null,
        "groups": [
          "team",
          "night"
        ],
        "has_proxy": false,
        "proxy": null,
        "in_flight": 0,
        "sharing": "reserved",
        "base_url": "https://host.example",
        "key_header": "auto",
        "speaks": "both",
        "project": null,
        "secret_tail": "wxyz",
        "identity": null,
        "token_expires_at": null,
        "can_refresh": null,
        "signed_out_at": null,
        "oauth": {
          "authorize_url": null,
          "token_url": null,
          "client_id": null,
          "redirect_url": null,
          "scope": null
        },
        "clients": "claude_code",
        "ends_at": null,
        "stop_at": {
          "5h": null,
          "7d": null
        },
        "daily_cost_usd": null,
        "spent_today_usd": null,
        "models": [],
        "map": [],
        "headers": [
          "x-team"
        ],
        "payload": [],
        "first_byte_timeout_ms": null,
        "unary_timeout_ms": null,
        "idle_timeout_ms": null,
        "note": "",
        "created_at": "2027-01-15T08:00:00Z",
        "updated_at": "2027-01-15T08:00:00Z"
      }
    ]
    "#);
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_is_made() {
    let Scratch { store, .. } = &Scratch::new().await;
    let broken: [fn(&mut NewAccount); 5] = [
        |new| new.name = "acct_1".into(),
        |new| new.base_url = "host.example".into(),
        |new| new.weight = 0,
        |new| new.credential = Credential::ApiKey(Secret::new(" \n")),
        |new| {
            let value = "x".to_owned();
            new.extra_headers = vec![ExtraHeader { name: "host".into(), value }];
        },
    ];
    for breaks in broken {
        let mut new = new_account("main");
        breaks(&mut new);
        let refusal = add(store, new, &["team".to_owned()], NOW).await.expect_err("refused");
        assert!(matches!(refusal, VerbError::Invalid(_)), "{refusal}");
    }
    add(store, new_account("main"), &[], NOW).await.expect("an account");
    let twice = add(store, new_account("main"), &["team".to_owned()], NOW).await;
    assert!(matches!(twice, Err(VerbError::Taken(name)) if name == "main"));
    assert!(store.groups().await.expect("groups").is_empty());
}

#[tokio::test]
async fn pausing_and_resuming_are_events_once() {
    let Scratch { store, .. } = &Scratch::new().await;
    let id = add(store, new_account("main"), &[], NOW).await.expect("an account");
    pause(store, &main_one(), NOW).await.expect("paused");
    pause(store, &Selection::one("acct_1"), NOW).await.expect("pausing again is no mistake");
    assert_eq!(show(store, "main", &ALONE).await.expect("shown").state, AccountState::Paused);
    resume(store, &main_one(), NOW).await.expect("resumed");
    resume(store, &main_one(), NOW).await.expect("resuming again is no mistake");
    let events = store.pending_events(10).await.expect("events");
    let events: Vec<_> = events.into_iter().map(|pending| pending.event).collect();
    let wanted = [Event::AccountPaused { account: id }, Event::AccountResumed { account: id }];
    assert_eq!(events, wanted);
    assert_eq!(show(store, "main", &ALONE).await.expect("shown").state, AccountState::Able);
}

#[tokio::test]
async fn a_running_server_tells_rests_and_calls_under_way() {
    let Scratch { store, .. } = &Scratch::new().await;
    let id = add(store, new_account("main"), &[], NOW).await.expect("an account");
    let until = NOW.plus(Duration::from_hours(1));
    let rest = RestLive::of_account(Rest { until, cause: RestCause::RateLimited, stated: true });
    let account = AccountLive {
        in_flight: 3,
        resting: Some(rest.clone()),
        rests: vec![rest],
        ..AccountLive::idle(id)
    };
    let live = LiveState {
        accounts: vec![account],
        keys: vec![KeyLive { in_flight: 3, ..KeyLive::idle(KeyId(1)) }],
        calls_open: 3,
        ..LiveState::default()
    };
    let known = Known { live: Some(&live), ..ALONE };
    let shown = show(store, "main", &known).await.expect("shown");
    assert_eq!((shown.state, shown.in_flight), (AccountState::Resting, 3));
    assert_eq!(shown.resumes_at, Some(until));
    assert_eq!(shown.reason, "rests until 09:00: the provider's limit (429), stated by it");
}

#[tokio::test]
async fn fields_change_one_by_one() {
    let Scratch { store, .. } = &Scratch::new().await;
    add(store, new_account("main"), &[], NOW).await.expect("an account");
    let fields = AccountChange {
        name: Some(" second ".into()),
        base_url: Some("http://127.0.0.1:2/v1".into()),
        concurrency_max: Some(4),
        ..AccountChange::default()
    };
    let edit = AccountEdit { fields, ..AccountEdit::default() };
    set(store, &main_one(), edit, NOW).await.expect("changed");
    let shown = show(store, "second", &ALONE).await.expect("shown");
    assert_eq!((shown.base_url.as_str(), shown.max_concurrency), ("http://127.0.0.1:2", Some(4)));
    assert_eq!(shown.priority, 50);
    let fields = AccountChange { weight: Some(0), ..AccountChange::default() };
    let edit = AccountEdit { fields, ..AccountEdit::default() };
    assert!(set(store, &Selection::one("second"), edit, NOW).await.is_err());
}

#[tokio::test]
async fn an_account_that_keys_are_bound_to_stays() {
    let Scratch { store, .. } = &Scratch::new().await;
    add(store, new_account("main"), &[], NOW).await.expect("an account");
    let addition = KeyAddition {
        name: "lena".into(),
        bindings: vec!["claude=main".parse().expect("a binding")],
        ..KeyAddition::default()
    };
    key::add(store, &addition, "cr_", NOW).await.expect("a key");
    let refusal = remove(store, &main_one(), NOW).await.expect_err("lena is bound to it");
    insta::assert_snapshot!(refusal, @"keys are bound to it: unbind or remove lena first");
    key::remove(store, "lena", NOW).await.expect("removed");
    remove(store, &main_one(), NOW).await.expect("nobody is bound to it");
    let gone = show(store, "main", &ALONE).await.expect_err("it is gone");
    assert!(matches!(gone, VerbError::NotFound { what: Thing::Account, .. }));
}
