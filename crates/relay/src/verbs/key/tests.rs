//! Keys on a real store.

use super::*;
use crate::verbs::account;
use crate::verbs::group;
use crate::verbs::scratch::{NOW, Scratch, new_account};

fn addition(name: &str, count: Count) -> KeyAddition {
    KeyAddition {
        name: name.into(),
        count,
        note: String::new(),
        owner: "Lena".into(),
        expires_at: None,
        bindings: Vec::new(),
        tags: vec!["team a".into(), " team a ".into(), String::new()],
    }
}

#[tokio::test]
async fn a_key_is_shown_with_its_last_four_characters() {
    let Scratch { store, .. } = &Scratch::new().await;
    account::add(store, new_account("main"), &[], NOW).await.expect("an account");
    let mut wanted = addition("lena", Count::One);
    wanted.expires_at = Some(Timestamp::from_seconds(1_900_000_000));
    wanted.bindings = vec!["claude=main".parse().expect("a binding")];
    let issued = add(store, &wanted, "cr_", NOW).await.expect("a key");
    let [IssuedKey { secret, .. }] = issued.as_slice() else { panic!("one key") };
    assert!(secret.expose().starts_with("cr_"));
    let mut shown = list(store, None).await.expect("keys");
    assert_eq!(shown[0].secret_tail, secret.last_four());
    let (now, later) = (&issued[0].view, &shown[0]);
    assert_eq!(serde_json::to_string(now).ok(), serde_json::to_string(later).ok());
    shown[0].secret_tail = "wxyz".into();
    insta::assert_json_snapshot!(shown, @r#"
    [
      {
        "id": "key_1",
        "name": "lena",
        "enabled": true,
        "expires_at": "2030-03-17T17:46:40Z",
        "limits": {},
        "used": {
          "calls": 0,
          "tokens": 0,
          "cost_usd": 0.0
        },
        "bindings": {
          "claude": "main"
        },
        "in_flight": 0,
        "tags": [
          "team a"
        ],
        "owner": "Lena",
        "note": "",
        "secret_tail": "wxyz",
        "created_at": "2027-01-15T08:00:00Z",
        "first_used_at": null
      }
    ]
    "#);
}

#[tokio::test]
async fn the_hash_of_a_key_is_the_own_peppers() {
    let Scratch { store, .. } = &Scratch::new().await;
    let issued = add(store, &addition("lena", Count::One), "cr_", NOW).await.expect("a key");
    let hasher = own_hasher(store).await.expect("a hasher");
    let stored = store.key(issued[0].view.id).await.expect("the store").expect("the key");
    assert_eq!(stored.hash, hasher.hash(issued[0].secret.expose()));
    assert_eq!(stored.pepper_id, hasher.pepper());
}

#[tokio::test]
async fn many_keys_are_numbered_and_all_or_none() {
    let Scratch { store, .. } = &Scratch::new().await;
    let several = add(store, &addition("class", Count::Numbered(3)), "cr_", NOW).await;
    let names: Vec<_> = several.expect("keys").into_iter().map(|key| key.view.name).collect();
    assert_eq!(names, ["class-1", "class-2", "class-3"]);
    add(store, &addition("night-2", Count::One), "cr_", NOW).await.expect("a key");
    let taken = add(store, &addition("night", Count::Numbered(500)), "cr_", NOW).await;
    assert!(matches!(taken, Err(VerbError::Taken(name)) if name == "night-2"));
    assert_eq!(store.keys().await.expect("keys").len(), 4);
    for count in [0, 501] {
        let many = add(store, &addition("x", Count::Numbered(count)), "cr_", NOW).await;
        assert!(matches!(many, Err(VerbError::Invalid(_))));
    }
}

#[tokio::test]
async fn bindings_need_something_that_serves_them() {
    let Scratch { store, .. } = &Scratch::new().await;
    account::add(store, new_account("main"), &["team".into()], NOW).await.expect("an account");
    let refused = async |texts: &[&str]| {
        let mut wanted = addition("lena", Count::One);
        wanted.bindings = texts.iter().map(|text| text.parse().expect("a binding")).collect();
        add(store, &wanted, "cr_", NOW).await.expect_err("refused").to_string()
    };
    assert_eq!(refused(&["claude=other"]).await, r#"there is no account "other""#);
    assert_eq!(refused(&["claude=group:other"]).await, r#"there is no group "other""#);
    assert_eq!(refused(&["gemini=main"]).await, r#"account "main" does not serve gemini"#);
    assert_eq!(refused(&["claude=main", "claude=group:team"]).await, "claude is bound twice");
}

#[tokio::test]
async fn a_key_can_be_bound_elsewhere_and_set_free() {
    let Scratch { store, .. } = &Scratch::new().await;
    account::add(store, new_account("main"), &["team".into()], NOW).await.expect("an account");
    add(store, &addition("lena", Count::One), "cr_", NOW).await.expect("a key");
    let bound = async |bind: &[&str], unbind: &[Service]| {
        let bind = bind.iter().map(|text| text.parse().expect("a binding")).collect();
        let edit = KeyEdit { bind, unbind: unbind.to_vec(), ..KeyEdit::default() };
        set(store, "lena", &edit, NOW).await.expect("changed");
        show(store, "lena", None).await.expect("shown").bindings.into_values().collect::<Vec<_>>()
    };
    assert_eq!(bound(&["claude=main", "gemini=group:team"], &[]).await, ["main", "group:team"]);
    assert_eq!(bound(&["claude=group:team"], &[]).await, ["group:team", "group:team"]);
    let refusal = group::remove(store, "team", NOW).await.expect_err("lena is bound to it");
    assert!(matches!(refusal, VerbError::Invalid(_)), "{refusal}");
    assert!(bound(&[], &[Service::Claude, Service::Gemini]).await.is_empty());
}

#[tokio::test]
async fn fields_change_one_by_one_and_disabling_is_an_event() {
    let Scratch { store, .. } = &Scratch::new().await;
    let issued = add(store, &addition("lena", Count::One), "cr_", NOW).await.expect("a key");
    let edit = KeyEdit {
        name: Some("lena 2".into()),
        expiry: Some(Expiry::At(NOW)),
        tags: Some(vec![String::new()]),
        ..KeyEdit::default()
    };
    set(store, "lena", &edit, NOW).await.expect("changed");
    disable(store, "lena 2", NOW).await.expect("disabled");
    disable(store, "lena 2", NOW).await.expect("disabling again is no mistake");
    let shown = show(store, "key_1", None).await.expect("shown");
    assert_eq!((shown.owner.as_str(), shown.expires_at), ("Lena", Some(NOW)));
    assert!(!shown.enabled && shown.tags.is_empty());
    let events = store.pending_events(10).await.expect("events");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event, Event::KeyDisabled { key: issued[0].view.id });
    enable(store, "lena 2", NOW).await.expect("enabled");
    assert!(show(store, "key_1", None).await.expect("shown").enabled);
}
