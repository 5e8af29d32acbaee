//! Trying proxies.

use http::Method;
use relay_store::accounts::NewAccount;
use relay_testkit::{FakeProvider, FakeProxy};
use serde_json::{Value, json};

use super::Door;
use crate::kit::account;

#[tokio::test]
async fn a_proxy_is_tried_and_told_without_its_login() {
    let provider = FakeProvider::start().await;
    let proxy = FakeProxy::http().await.with_login("lena", "passhidden7");
    let behind = NewAccount {
        proxy: Some(proxy.url().parse().expect("a proxy")),
        ..account("behind", &provider)
    };
    let mut door = Door::start([behind], &[]).await;
    door.hides("passhidden7");
    let url = provider.base_url();
    let test = async |body: Value| door.post("proxies/test", body).await;
    let good = test(json!({"proxy": proxy.url(), "base_url": url})).await;
    assert_eq!(good["ok"], true, "{good}");
    assert_eq!(good["words"], format!("127.0.0.1:{} answers", provider.port()));
    assert_eq!(good["exit_address"], format!("127.0.0.1:{}", proxy.port()));
    assert_eq!(proxy.targets().len(), 1);
    assert_eq!(test(json!({"account": "behind"})).await["ok"], true);
    assert_eq!(proxy.targets().len(), 2);
    let wrong = proxy.url().replace("passhidden7", "wrong");
    let refused = test(json!({"proxy": wrong, "base_url": url})).await;
    assert_eq!(refused["ok"], false);
    assert_eq!(refused["words"], "the proxy refused the login, or wants one");
    assert_eq!(test(json!({"proxy": "", "base_url": url})).await["ok"], true, "directly");
    assert_eq!(proxy.targets().len(), 2);
    proxy.dies().await;
    let gone = test(json!({"account": "behind"})).await;
    assert_eq!(gone["ok"], false, "{gone}");
    for (body, field) in [
        (json!({"proxy": "nowhere", "base_url": url}), "proxy"),
        (json!({"proxy": "http://127.0.0.1:9"}), "base_url"),
        (json!({"base_url": "ftp://host"}), "base_url"),
        (json!({"kind": "nonsense"}), "kind"),
    ] {
        let refused = door.refused(Method::POST, "proxies/test", body.clone()).await;
        assert_eq!(refused, (400, "invalid".to_owned(), field.to_owned()), "{body}");
    }
}
