//! Accounts, a page at a time.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use axum::Json;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::view::{AccountItem, today, views};
use crate::admin::answer::{Problem, Read};
use crate::admin::given::Sought;
use crate::admin::guard::Who;
use crate::admin::listed::{Listed, Paging};
use crate::verbs::account::{AccountState, AccountView, Selection};

/// Which accounts are meant.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Words that all stand in its name, note, groups, kind or sign-in, in whatever order.
    #[serde(default)]
    q: Option<String>,
    /// How it is.
    #[param(inline)]
    #[serde(default)]
    state: Option<Standing>,
    /// Its kind.
    #[serde(default)]
    kind: Option<String>,
    /// A group that it belongs to, by id or name.
    #[serde(default)]
    group: Option<String>,
}

/// How an account is, as lists tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    /// It serves.
    Able,
    /// It cools down by itself.
    Resting,
    /// It is signed out, or its subscription has ended.
    Failing,
    /// An operator switched it off.
    Paused,
}

/// In which order accounts stand.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Order {
    /// `name`, `cost`, `state`, `priority`, `in_flight`, `kind` or `added`; with `-` before it the
    /// other way round.
    #[serde(default)]
    sort: Option<String>,
}

impl Standing {
    const ALL: [Self; 4] = [Self::Able, Self::Resting, Self::Failing, Self::Paused];

    pub(super) const fn of(state: AccountState) -> Self {
        match state {
            AccountState::Able => Self::Able,
            AccountState::Resting => Self::Resting,
            AccountState::Ended | AccountState::SignedOut => Self::Failing,
            AccountState::Paused => Self::Paused,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Able => "able",
            Self::Resting => "resting",
            Self::Failing => "failing",
            Self::Paused => "paused",
        }
    }
}

/// Accounts, by name unless another order is asked for; with how many are in which state.
#[utoipa::path(get, path = "/admin/accounts", tag = "accounts", operation_id = "accounts_list",
    params(Filter, Order, Paging),
    responses((status = 200, body = Listed<AccountItem>), (status = 400, body = Problem)))]
pub(super) async fn list(
    who: Who,
    Sought(filter): Sought<Filter>,
    Sought(order): Sought<Order>,
    Sought(paging): Sought<Paging>,
) -> Read<Listed<AccountItem>> {
    let found = filter.but_state(&who).await?;
    let mut counts: BTreeMap<String, usize> =
        Standing::ALL.map(|it| (it.as_str().to_owned(), 0)).into();
    for view in &found {
        *counts.entry(Standing::of(view.state).as_str().to_owned()).or_default() += 1;
    }
    let today = today(&who).await?;
    let in_state = found.into_iter().filter(|view| filter.is_in_state(view));
    let mut items: Vec<_> = in_state.map(|view| AccountItem::new(view, &today)).collect();
    order.sort(&mut items)?;
    let total = items.len();
    Ok(Json(Listed { items: paging.cut(items), total, counts }))
}

impl Filter {
    /// The accounts that are meant.
    pub(super) async fn find(&self, who: &Who) -> Result<Vec<AccountView>, Problem> {
        let mut found = self.but_state(who).await?;
        found.retain(|view| self.is_in_state(view));
        Ok(found)
    }

    /// Those that would be meant in any state.
    async fn but_state(&self, who: &Who) -> Result<Vec<AccountView>, Problem> {
        let named = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let selection = named(&self.group).map_or(Selection::All, Selection::Group);
        let views = views(who, &selection).await;
        let mut found = views.map_err(|problem| problem.at("group"))?;
        let kind = named(&self.kind);
        found.retain(|view| kind.as_deref().is_none_or(|kind| kind == view.kind.as_str()));
        let words = self.q.as_deref().unwrap_or_default().to_lowercase();
        if !words.trim().is_empty() {
            found.retain(|view| has(view, &words));
        }
        Ok(found)
    }

    fn is_in_state(&self, view: &AccountView) -> bool {
        self.state.is_none_or(|state| state == Standing::of(view.state))
    }
}

/// Whether all words stand in what is known of an account.
fn has(view: &AccountView, words: &str) -> bool {
    let whose = view.identity.clone().unwrap_or_default();
    let parts = [
        view.id.to_string(),
        view.name.clone(),
        view.note.clone(),
        view.kind.as_str().to_owned(),
        view.groups.join("\n"),
        view.base_url.clone(),
        whose.email,
        whose.organisation,
        whose.plan,
        whose.account,
    ];
    let text = parts.join("\n").to_lowercase();
    words.split_whitespace().all(|word| text.contains(word))
}

impl Order {
    fn sort(&self, items: &mut [AccountItem]) -> Result<(), Problem> {
        let asked = self.sort.as_deref().map(str::trim).filter(|it| !it.is_empty());
        let asked = asked.unwrap_or("name");
        let (by, reversed) = asked.strip_prefix('-').map_or((asked, false), |by| (by, true));
        let name = |it: &AccountItem| (it.account.name.to_lowercase(), it.account.id);
        // What needs somebody stands first, where it is the state that is looked at.
        let need = |it: &AccountItem| match Standing::of(it.account.state) {
            Standing::Failing => 0,
            Standing::Resting => 1,
            Standing::Paused => 2,
            Standing::Able => 3,
        };
        let compare: &dyn Fn(&AccountItem, &AccountItem) -> Ordering = match by {
            "name" => &|a, b| name(a).cmp(&name(b)),
            "cost" => &|a, b| a.today.cost_usd.total_cmp(&b.today.cost_usd),
            "state" => &|a, b| need(a).cmp(&need(b)),
            "priority" => &|a, b| a.account.priority.cmp(&b.account.priority),
            "in_flight" => &|a, b| a.account.in_flight.cmp(&b.account.in_flight),
            "kind" => &|a, b| a.account.kind.as_str().cmp(b.account.kind.as_str()),
            "added" => &|a, b| a.account.id.cmp(&b.account.id),
            _ => {
                let why = format!("nothing is sorted by {by:?}");
                return Err(Problem::invalid(why).at("sort"));
            }
        };
        items.sort_by(|a, b| {
            let order = if reversed { compare(b, a) } else { compare(a, b) };
            order.then_with(|| name(a).cmp(&name(b)))
        });
        Ok(())
    }
}
