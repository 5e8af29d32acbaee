//! Several accounts at once.

use serde_json::Value;

use super::{Site, text};

async fn site() -> Site {
    let site = Site::new().await;
    for name in ["a", "b", "c"] {
        site.add_account(&format!("--name {name}"));
    }
    site.json("group add team", "");
    site
}

fn each<'a>(accounts: &'a Value, field: &str) -> Vec<&'a Value> {
    accounts.as_array().expect("an array").iter().map(|account| &account[field]).collect()
}

#[tokio::test]
async fn one_wrong_name_changes_nothing() {
    let site = site().await;
    site.json("group join team a", "");
    for line in [
        "account pause a b nobody",
        "account set a nobody --priority 3 --proxy http://127.0.0.1:9",
        "account remove b nobody",
        "account reset nobody a",
        "group join team b nobody",
        "group leave team a nobody",
        "account pause --group nobody",
        "account set a b --name same",
    ] {
        let output = site.crs(line, "");
        assert_eq!(output.status.code(), Some(1), "{line}");
    }
    let secret = site.crs("account set a b --secret-stdin", "a-secret-of-one-account");
    assert!(text(&secret.stderr).contains("for one account"), "{}", text(&secret.stderr));
    let accounts = site.json("account list", "");
    assert_eq!(each(&accounts, "name"), ["a", "b", "c"]);
    assert_eq!(each(&accounts, "enabled"), [true, true, true]);
    assert_eq!(each(&accounts, "priority"), [50, 50, 50]);
    assert_eq!(each(&accounts, "has_proxy"), [false, false, false]);
    assert_eq!(accounts[0]["groups"], Value::from(vec!["team"]));
    assert_eq!(accounts[1]["groups"], Value::from(vec![""; 0]));
}

#[tokio::test]
async fn several_are_an_array_and_one_is_an_object() {
    let site = site().await;
    assert_eq!(site.json("account pause a", "")["state"], "paused");
    let paused = site.json("account pause b acct_2 a", "");
    assert_eq!(each(&paused, "name"), ["b", "a"], "each once, in the order of the names");
    assert_eq!(each(&site.json("account resume --all", ""), "enabled"), [true, true, true]);
    assert_eq!(site.json("group join team a c", "")["accounts"], Value::from(vec!["a", "c"]));
    let set = site.json("account set --group team --weight 4 --proxy socks5://127.0.0.1:9", "");
    assert_eq!(each(&set, "name"), ["a", "c"]);
    assert_eq!(each(&set, "proxy"), ["socks5://127.0.0.1:9", "socks5://127.0.0.1:9"]);
    let weights = site.json("account list", "");
    assert_eq!(each(&weights, "weight"), [4, 1, 4]);
    assert_eq!(site.json("group leave team --all", "")["accounts"], Value::from(vec![""; 0]));
    assert_eq!(site.json("account reset --group team", ""), Value::from(vec![""; 0]));
    assert_eq!(site.json("account remove a", "")["removed"], true);
    assert_eq!(each(&site.json("account remove --all", ""), "id"), ["acct_2", "acct_3"]);
    assert_eq!(site.json("account list", ""), Value::from(vec![""; 0]));
}

#[tokio::test]
async fn nothing_is_removed_while_a_key_is_bound_to_one_of_them() {
    let site = site().await;
    site.json("key add --name lena --bind claude=c", "");
    let output = site.crs("account remove a b c", "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("lena"), "{}", text(&output.stderr));
    assert_eq!(each(&site.json("account list", ""), "name"), ["a", "b", "c"]);
}

#[tokio::test]
async fn which_accounts_is_said_in_one_way() {
    let site = site().await;
    for wrong in [
        "account pause",
        "account pause a --all",
        "account pause --all --group team",
        "account set a --group team",
        "group join team",
        "group join team a --all",
    ] {
        assert_eq!(site.crs(wrong, "").status.code(), Some(2), "{wrong}");
    }
}
