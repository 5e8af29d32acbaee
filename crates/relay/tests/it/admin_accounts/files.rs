//! Accounts as a file.

use http::Method;
use relay_core::credential::Credential;
use relay_core::secret::Secret;
use relay_testkit::FakeProvider;
use serde_json::{Value, json};

use super::Door;
use crate::kit::account;

const PASSPHRASE: &str = "correct horse hidden battery";

#[tokio::test]
async fn accounts_go_to_another_relay_by_a_sealed_file() {
    let provider = FakeProvider::start().await;
    let mut here = Door::start([account("a", &provider), account("b", &provider)], &[]).await;
    here.hides(PASSPHRASE);
    let sealed = here.post("accounts/export", json!({"passphrase": PASSPHRASE})).await;
    let bundle = sealed["bundle"].as_str().expect("a file").to_owned();
    assert_eq!(sealed["sign_ins"], json!([]));
    let open = here.post("accounts/export", json!({"ids": ["a"]})).await;
    let read: Value = serde_json::from_str(open["bundle"].as_str().expect("a file")).expect("JSON");
    assert_eq!(read["accounts"].as_array().map(Vec::len), Some(1));
    assert_eq!(read["sealed"], Value::Null);

    let mut there = Door::start([], &[]).await;
    there.hides(PASSPHRASE);
    let import = |more: Value| {
        let mut body = json!({"bundle": bundle, "passphrase": PASSPHRASE});
        body.as_object_mut().expect("fields").extend(more.as_object().cloned().unwrap_or_default());
        body
    };
    let dry = there.post("accounts/import", import(json!({"dry_run": true}))).await;
    assert_eq!(
        (&dry["imported"], there.get("accounts").await["total"].as_u64()),
        (&json!(2), Some(0))
    );
    let done = there.post("accounts/import", import(json!({}))).await;
    assert_eq!((&done["imported"], &done["updated"]), (&json!(2), &json!(0)));
    let stored = there.relay.app.store.find_account("a").await.expect("a query").expect("it");
    assert_eq!(stored.credential, Credential::ApiKey(Secret::new("upstream-a")));
    let again = there.post("accounts/import", import(json!({}))).await;
    assert_eq!((&again["imported"], &again["skipped"][0]["name"]), (&json!(0), &json!("a")));
    let update = there.post("accounts/import", import(json!({"existing": "update"}))).await;
    assert_eq!(update["updated"], 2);

    for (body, field) in [
        (json!({"bundle": "{}"}), "bundle"),
        (json!({"bundle": bundle}), "passphrase"),
        (import(json!({"passphrase": "another one that is long"})), "passphrase"),
        (import(json!({"existing": "nonsense"})), "existing"),
        (json!({}), ""),
    ] {
        let refused = there.refused(Method::POST, "accounts/import", body).await;
        assert_eq!(refused, (400, "invalid".to_owned(), field.to_owned()));
    }
    let short = here.refused(Method::POST, "accounts/export", json!({"passphrase": "x"})).await;
    assert_eq!(short, (400, "invalid".to_owned(), "passphrase".to_owned()));
}
