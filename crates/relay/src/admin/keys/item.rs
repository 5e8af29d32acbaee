//! A key as the page shows it.

use std::collections::HashMap;

use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::key::Key;
use relay_core::tally::{LimitName, Quantity, Standing};
use relay_store::keys::StoredKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sums::KeySums;
use crate::admin::answer::Problem;
use crate::admin::guard::Who;
use crate::keyring::Holder;
use crate::live::LiveState;
use crate::verbs::key::{self, AsOf, KeyView};
use crate::verbs::moment;

/// All of a limit, in millionths.
const WHOLE: u64 = 1_000_000;

/// How a key is, as lists tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::admin) enum KeyState {
    /// It may call.
    Active,
    /// An operator switched it off.
    Disabled,
    /// Its time is over.
    Expired,
    /// One of its limits is used up until that is given anew.
    Spent,
    /// It is in the trash.
    Removed,
}

/// What the calls of today came to.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
#[schema(as = KeyToday)]
pub(super) struct Today {
    /// How many there were.
    calls: u64,
    /// Tokens of every kind.
    tokens: u64,
    /// What they cost.
    cost_usd: f64,
}

/// A key, with what it did lately.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::admin) struct KeyItem {
    /// The key.
    #[serde(flatten)]
    pub(super) key: KeyView,
    /// How it is.
    state: KeyState,
    /// Its calls of today.
    today: Today,
    /// What its calls of the last 28 days cost, today's included.
    cost_28d_usd: f64,
    /// When it was last used: exact since the relay was started, before that to the quarter of an
    /// hour.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl KeyState {
    /// Each of them.
    pub(super) const ALL: [Self; 5] =
        [Self::Active, Self::Disabled, Self::Expired, Self::Spent, Self::Removed];

    /// The state of a key that is there.
    pub(in crate::admin) fn of(holder: &Holder, standings: &[Standing], now: Timestamp) -> Self {
        Self::told(&holder.key, holder.allowance.first_used(), standings, now)
    }

    fn told(
        key: &Key,
        first_used: Option<Timestamp>,
        standings: &[Standing],
        now: Timestamp,
    ) -> Self {
        if !key.enabled {
            Self::Disabled
        } else if key.ends_at(first_used).is_some_and(|end| end <= now) {
            Self::Expired
        } else if standings.iter().any(is_spent) {
            Self::Spent
        } else {
            Self::Active
        }
    }

    /// Its name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Spent => "spent",
            Self::Removed => "removed",
        }
    }
}

/// Whether a limit lets no call through any more. A family's budget is for some calls only.
fn is_spent(standing: &Standing) -> bool {
    let for_some = matches!(&standing.limit, LimitName::Budget(it) if it.family.is_some());
    !for_some && share(standing) >= WHOLE
}

/// How much of a limit is used, in millionths.
pub(super) fn share(standing: &Standing) -> u64 {
    let number = |quantity: Quantity| match quantity {
        Quantity::Requests(count) | Quantity::Tokens(count) => u128::from(count),
        Quantity::Cost(cost) => u128::try_from(cost.as_nanos()).unwrap_or(0),
    };
    let (used, max) = (number(standing.used), number(standing.max));
    let share = (used * u128::from(WHOLE)).checked_div(max).unwrap_or(u128::from(WHOLE));
    u64::try_from(share).unwrap_or(u64::MAX)
}

impl KeyItem {
    /// A key that was just given out.
    pub(super) fn unused(key: KeyView) -> Self {
        Self {
            key,
            state: KeyState::Active,
            today: Today::default(),
            cost_28d_usd: 0.0,
            last_used_at: None,
        }
    }
}

/// Keys as they stand now, in the same order.
pub(super) async fn items(who: &Who, stored: Vec<StoredKey>) -> Result<Vec<KeyItem>, Problem> {
    let (app, now) = (&who.app, who.now());
    let ids: Vec<KeyId> = stored.iter().map(|it| it.key.id).collect();
    let live = LiveState::of_keys(app, &ids);
    let as_of = AsOf { live: Some(&live), calendar: &app.calendar, now };
    let views = key::views(&app.store, &stored, &as_of).await?;
    let sums = KeySums::of(app).await?;
    let today = app.store.key_use_of(&ids, app.calendar.day(now)).await?;
    let past = app.store.last_use_of(&ids).await?;
    let standings: HashMap<KeyId, &[Standing]> =
        live.keys.iter().map(|it| (it.id, it.standings.as_slice())).collect();
    let item = |(view, stored): (KeyView, StoredKey)| {
        let id = view.id;
        let used = today.get(&id);
        let standings = standings.get(&id).copied().unwrap_or_default();
        let first_used = view.first_used_at;
        let state = match view.removed_at {
            Some(_) => KeyState::Removed,
            None => KeyState::told(&stored.key, first_used, standings, now),
        };
        let known = app.keys.known(id).and_then(|it| it.allowance.last_used());
        let cost = used.map(|it| it.cost).unwrap_or_default() + sums.cost_before_today(id);
        KeyItem {
            state,
            today: used.map_or_else(Today::default, |it| Today {
                calls: it.calls,
                tokens: it.tokens,
                cost_usd: it.cost.to_usd_f64(),
            }),
            cost_28d_usd: cost.to_usd_f64(),
            last_used_at: known.or_else(|| past.get(&id).copied()),
            key: view,
        }
    };
    Ok(views.into_iter().zip(stored).map(item).collect())
}
