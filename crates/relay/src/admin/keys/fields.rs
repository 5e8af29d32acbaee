//! The fields of a key as the admin API is given them: of one to be given out, or to be changed.

mod convert;

use std::collections::BTreeMap;

use relay_core::model::ModelMapping;
use relay_core::payload::PayloadRule;
use serde::Deserialize;
use serde_json::Number;
use utoipa::ToSchema;

pub(super) use self::convert::{Place, at_fault};
use crate::admin::given::{Named, named};
use crate::verbs::account::{MappingDoc, PayloadDoc};

/// Fields of a key. Of one that is given out, those that are left out are as usual; of one that is
/// changed, they stay. Null makes a field as usual again: no limit, no rule.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFields {
    /// The name; unique.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) name: Named<String>,
    /// Of keys that are given out: so many, named `NAME-1`, `NAME-2` and so on; at most 500.
    #[serde(default)]
    count: Option<u16>,
    /// Whose it is.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    owner: Named<String>,
    /// A note for people.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    note: Named<String>,
    /// Words to find it by, all of them.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(super) tags: Named<Vec<String>>,
    /// When it ends: a day (2026-12-31, to its end) or a moment (RFC 3339).
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    expires_at: Named<String>,
    /// How long it lasts from its first call; with `expires_at` the earlier end counts.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>)]
    lasts_seconds: Named<u64>,
    /// How much it may use.
    #[serde(default)]
    limits: LimitFields,
    /// What it may ask.
    #[serde(default)]
    rules: RuleFields,
    /// What it is bound to, by service: the name of an account, or `group:` and that of a group;
    /// null is the shared accounts. Services that are left out stay as they are.
    #[serde(default)]
    bindings: BTreeMap<String, Option<String>>,
}

/// Limits of a key; null and 0 are no limit.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyLimitFields)]
pub(super) struct LimitFields {
    /// How long a window is, in which requests, tokens and cost are counted.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>)]
    window_seconds: Named<u64>,
    /// Calls in a window.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>)]
    requests: Named<u64>,
    /// Tokens of every kind in a window.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>)]
    tokens: Named<u64>,
    /// Dollars in a window.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<f64>)]
    cost_usd: Named<Number>,
    /// Dollars in a day.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<f64>)]
    daily_cost_usd: Named<Number>,
    /// Dollars in a week.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<f64>)]
    weekly_cost_usd: Named<Number>,
    /// When its weeks begin, as `mon@00:00`.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    weekly_reset: Named<String>,
    /// Dollars in a month.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<f64>)]
    monthly_cost_usd: Named<Number>,
    /// Dollars in all.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<f64>)]
    total_cost_usd: Named<Number>,
    /// Budgets for families of models, all of them.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<FamilyFields>>)]
    family_budgets: Named<Vec<FamilyFields>>,
    /// Calls under way at one time.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u32>)]
    concurrency: Named<u32>,
    /// How calls wait for their turn; without it as many as `concurrency`, at least 10, for 10 s.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<QueueFields>)]
    queue: Named<QueueFields>,
}

/// What may be spent on one family of models.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyFamilyBudget)]
pub(super) struct FamilyFields {
    /// Which, such as `opus`.
    family: String,
    /// Dollars.
    #[schema(value_type = f64)]
    usd: Number,
    /// In a `day`, `week`, `month`, or in all: `total`.
    period: String,
}

/// How many calls wait, and how long.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyQueueFields)]
pub(super) struct QueueFields {
    /// How many; 0 turns all away that have no room.
    length: u32,
    /// How long each.
    #[serde(default)]
    wait_seconds: Option<u64>,
}

/// Rules of a key; null and an empty list allow everything.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRuleFields)]
pub(super) struct RuleFields {
    /// Models that may be asked for; * stands for anything.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<String>>)]
    allow_models: Named<Vec<String>>,
    /// Models that may not, whatever is allowed.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<String>>)]
    deny_models: Named<Vec<String>>,
    /// Ids of the clients that may call.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<String>>)]
    clients: Named<Vec<String>>,
    /// Services that may be used: `claude`, `openai`, `gemini`.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<String>>)]
    services: Named<Vec<String>>,
    /// Addresses from which may be called: 192.0.2.7, 10.0.0.0/8.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<String>>)]
    allow_ips: Named<Vec<String>>,
    /// The most output tokens: calls that ask for more get so many.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>)]
    max_output_tokens: Named<u64>,
    /// The largest body, in bytes.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>)]
    max_body_bytes: Named<u64>,
    /// Models, or patterns of them, that stand for another.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<MappingDoc>>)]
    map: Named<Vec<ModelMapping>>,
    /// What is changed in the bodies of its calls, in order.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<PayloadDoc>>)]
    payload: Named<Vec<PayloadRule>>,
    /// Whether the shared accounts serve where those that it is bound to cannot.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<bool>)]
    fallback: Named<bool>,
}

impl KeyFields {
    /// What was given, for the log of changes: fields and what they were set to, in short.
    pub(super) fn told(&self) -> String {
        let mut told = Vec::new();
        let mut say = |name: &str, given: Option<String>| {
            told.extend(given.map(|value| format!("{name}: {value}")));
        };
        let text = |given: &Named<String>| given.clone().map(Option::unwrap_or_default);
        say("name", text(&self.name));
        say("owner", text(&self.owner));
        say("note", self.note.as_ref().map(|_| "…".to_owned()));
        say("tags", self.tags.clone().map(|it| it.unwrap_or_default().join(", ")));
        say("expires_at", self.expires_at.clone().map(|it| it.unwrap_or_else(never)));
        say("lasts_seconds", number(self.lasts_seconds));
        self.limits.tell(&mut say);
        self.rules.tell(&mut say);
        for (service, target) in &self.bindings {
            say(service, Some(target.clone().unwrap_or_else(|| "shared".to_owned())));
        }
        told.join("; ")
    }
}

impl LimitFields {
    fn tell(&self, say: &mut impl FnMut(&str, Option<String>)) {
        let dollars = |given: &Named<Number>| {
            given.as_ref().map(|it| it.as_ref().map_or_else(never, ToString::to_string))
        };
        say("window_seconds", number(self.window_seconds));
        say("requests", number(self.requests));
        say("tokens", number(self.tokens));
        say("cost_usd", dollars(&self.cost_usd));
        say("daily_cost_usd", dollars(&self.daily_cost_usd));
        say("weekly_cost_usd", dollars(&self.weekly_cost_usd));
        say("weekly_reset", self.weekly_reset.clone().map(|it| it.unwrap_or_else(never)));
        say("monthly_cost_usd", dollars(&self.monthly_cost_usd));
        say("total_cost_usd", dollars(&self.total_cost_usd));
        let family = |it: &FamilyFields| format!("{}={}/{}", it.family, it.usd, it.period);
        let families =
            |list: &Vec<FamilyFields>| list.iter().map(family).collect::<Vec<_>>().join(", ");
        let families =
            self.family_budgets.as_ref().map(|it| it.as_ref().map_or_else(never, families));
        say("family_budgets", families);
        say("concurrency", number(self.concurrency.map(|it| it.map(u64::from))));
        let queue = |it: QueueFields| it.length.to_string();
        say("queue", self.queue.map(|it| it.map_or_else(never, queue)));
    }
}

impl RuleFields {
    fn tell(&self, say: &mut impl FnMut(&str, Option<String>)) {
        let list =
            |given: &Named<Vec<String>>| given.clone().map(|it| it.unwrap_or_default().join(", "));
        say("allow_models", list(&self.allow_models));
        say("deny_models", list(&self.deny_models));
        say("clients", list(&self.clients));
        say("services", list(&self.services));
        say("allow_ips", list(&self.allow_ips));
        say("max_output_tokens", number(self.max_output_tokens));
        say("max_body_bytes", number(self.max_body_bytes));
        let many = |count: Option<usize>| count.unwrap_or(0).to_string();
        say("map", self.map.as_ref().map(|it| many(it.as_ref().map(Vec::len))));
        say("payload", self.payload.as_ref().map(|it| many(it.as_ref().map(Vec::len))));
        say("fallback", self.fallback.map(|it| it.unwrap_or(false).to_string()));
    }
}

fn number(given: Named<u64>) -> Option<String> {
    given.map(|it| it.map_or_else(never, |it| it.to_string()))
}

fn never() -> String {
    "none".to_owned()
}
