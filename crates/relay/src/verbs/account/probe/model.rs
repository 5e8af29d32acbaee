//! Which model an account is asked for in a test.

use relay_core::account::Account;
use relay_core::model::ModelPattern;
use relay_core::price::PriceList;
use relay_core::protocol::Service;

/// The family of the smallest models.
const SMALL: &str = "haiku";

/// The name that the upstream is asked for: what the operator says, else the first name that the
/// account spells out, else the newest small model of the price list that it serves.
pub(super) fn model_for(
    account: &Account,
    said: Option<&str>,
    prices: &PriceList,
) -> Option<String> {
    if let Some(model) = said {
        // The operator may ask for what the account is not given to others for.
        return Some(account.upstream_model(model).unwrap_or(model).to_owned());
    }
    let spelled = |pattern: &&ModelPattern| !pattern.as_str().contains('*');
    if let Some(first) = account.models.iter().find(spelled) {
        return account.upstream_model(first.as_str()).map(str::to_owned);
    }
    if account.kind.service() != Service::Claude {
        // Names of a price list may be unknown to a compatible host, and cost what nobody expects.
        return account.model_map.first().map(|rule| rule.to.clone());
    }
    let newest = prices
        .models(account.kind.service())
        .filter(|model| is_plain(model) && account.upstream_model(model).is_some())
        .max_by_key(|model| (model.contains(SMALL), version(model)));
    let mapped = || account.model_map.first().map(|rule| rule.to.as_str());
    newest.and_then(|model| account.upstream_model(model)).or_else(mapped).map(str::to_owned)
}

/// Whether a name is that of one model: no pattern, and no other host's way to write it.
fn is_plain(model: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    model.starts_with("claude-") && model.bytes().all(part) && !model.ends_with("-latest")
}

/// The numbers of a name before its date, such as 4 and 5.
fn version(model: &str) -> Vec<u32> {
    let short = |part: &&str| part.len() <= 2;
    model.split('-').filter(short).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use relay_core::account::AccountKind;
    use relay_core::clock::Timestamp;
    use relay_core::secret::Secret;
    use relay_store::accounts::NewAccount;

    use super::*;
    use crate::prices::builtin;
    use crate::verbs::scratch::Scratch;

    async fn chosen(models: &[&str], map: &[&str], said: Option<&str>) -> Option<String> {
        let Scratch { store, .. } = &Scratch::new().await;
        let secret = Secret::new("words".repeat(3));
        let mut new = NewAccount::new("a", AccountKind::ClaudeApi, "http://127.0.0.1:1", secret);
        new.models = models.iter().map(|model| ModelPattern::new(*model)).collect();
        new.model_map = map.iter().map(|rule| rule.parse().expect("a mapping")).collect();
        let id = store.add_account(&new, Timestamp::from_seconds(1)).await.expect("added");
        let account = store.account(id).await.expect("a query").expect("an account").account;
        let prices = PriceList::new(vec![builtin::catalogue()], Vec::new(), 0);
        model_for(&account, said, &prices)
    }

    #[tokio::test]
    async fn the_model_is_what_is_said_or_spelled_out_or_the_newest_small_one() {
        let small = chosen(&[], &[], None).await.expect("a model of the price list");
        assert!(small.starts_with("claude-haiku-"), "{small}");
        let spelled = chosen(&["claude-opus-*", "my-model"], &[], None).await;
        assert_eq!(spelled.as_deref(), Some("my-model"));
        let mapped = chosen(&["none"], &["none=glm-5"], None).await;
        assert_eq!(mapped.as_deref(), Some("glm-5"), "under the name that the upstream knows");
        let sonnet = chosen(&["claude-sonnet-*"], &[], None).await.expect("a sonnet");
        assert!(sonnet.contains("sonnet"), "{sonnet}");
        assert_eq!(chosen(&["claude-x"], &[], Some("said")).await.as_deref(), Some("said"));
        assert_eq!(chosen(&["glm-*"], &[], None).await, None);
    }
}
