//! Limits as they are shown: what was set, and how they stand.

use std::collections::BTreeMap;

use relay_core::clock::Timestamp;
use relay_core::key::{KeyLimits, QueueLimit, WindowLimit};
use relay_core::money::Money;
use relay_core::period::WeekReset;
use relay_core::tally::{LimitName, Quantity, Standing};
use serde::{Serialize, Serializer};

use utoipa::ToSchema;

use crate::verbs::moment;

/// What limits a key. What is not set is left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
#[schema(as = KeyLimits)]
pub struct LimitsView {
    /// What it may use in a window that its first call opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowView>,
    /// Dollars by period (`day`), and by family and period (`opus/week`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub budgets: BTreeMap<String, f64>,
    /// When weeks begin, as `mon@00:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub weekly_reset: Option<WeekReset>,
    /// Calls under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How calls wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueView>,
}

/// The limits of a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = KeyWindow)]
pub struct WindowView {
    /// How long it is.
    pub seconds: u64,
    /// Calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Tokens of every kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// How calls wait that a key has no room for at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeyQueue)]
pub struct QueueView {
    /// How many may.
    pub length: u32,
    /// How long each does.
    pub wait_ms: u64,
}

impl From<&KeyLimits> for LimitsView {
    fn from(limits: &KeyLimits) -> Self {
        let budgets = limits.budgets.iter();
        Self {
            window: limits.window.map(WindowView::from),
            budgets: budgets.map(|(budget, max)| (budget.to_string(), max.to_usd_f64())).collect(),
            weekly_reset: limits.weekly_reset,
            concurrency: limits.concurrency,
            queue: limits.queue.map(QueueView::from),
        }
    }
}

impl From<WindowLimit> for WindowView {
    fn from(window: WindowLimit) -> Self {
        Self {
            seconds: window.seconds,
            requests: window.requests,
            tokens: window.tokens,
            cost_usd: window.cost.map(Money::to_usd_f64),
        }
    }
}

impl From<QueueLimit> for QueueView {
    fn from(queue: QueueLimit) -> Self {
        Self { length: queue.length, wait_ms: queue.wait_millis }
    }
}

/// How one limit stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeyStanding)]
pub struct StandingView {
    /// Which.
    #[serde(serialize_with = "limit_name")]
    #[schema(value_type = String)]
    pub limit: Limited,
    /// What it counts.
    pub unit: &'static str,
    /// How much it is.
    #[serde(serialize_with = "number")]
    #[schema(value_type = f64)]
    pub max: Quantity,
    /// What is settled.
    #[serde(serialize_with = "number")]
    #[schema(value_type = f64)]
    pub used: Quantity,
    /// What calls under way have reserved beyond that.
    #[serde(serialize_with = "number")]
    #[schema(value_type = f64)]
    pub reserved: Quantity,
    /// What is left beside both.
    #[serde(serialize_with = "number")]
    #[schema(value_type = f64)]
    pub left: Quantity,
    /// When it is given anew; `None` is never, or with a window that has not begun.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resets_at: Option<Timestamp>,
}

/// What is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limited {
    /// Calls under way.
    Concurrency,
    /// What a counter counts.
    Counted(LimitName),
}

impl From<Standing> for StandingView {
    fn from(standing: Standing) -> Self {
        Self {
            left: standing.left(),
            unit: match standing.max {
                Quantity::Requests(_) => "requests",
                Quantity::Tokens(_) => "tokens",
                Quantity::Cost(_) => "usd",
            },
            limit: Limited::Counted(standing.limit),
            max: standing.max,
            used: standing.used,
            reserved: standing.reserved,
            resets_at: standing.resets_at,
        }
    }
}

impl StandingView {
    /// How the limit of calls under way stands.
    pub(super) fn of_concurrency(max: u32, in_flight: u32) -> Self {
        let calls = |count: u32| Quantity::Requests(u64::from(count));
        Self {
            limit: Limited::Concurrency,
            unit: "calls",
            max: calls(max),
            used: calls(in_flight),
            reserved: calls(0),
            left: calls(max.saturating_sub(in_flight)),
            resets_at: None,
        }
    }
}

fn limit_name<S: Serializer>(limit: &Limited, to: S) -> Result<S::Ok, S::Error> {
    match limit {
        Limited::Concurrency => to.serialize_str("concurrency"),
        Limited::Counted(LimitName::WindowRequests) => to.serialize_str("window_requests"),
        Limited::Counted(LimitName::WindowTokens) => to.serialize_str("window_tokens"),
        Limited::Counted(LimitName::WindowCost) => to.serialize_str("window_cost"),
        Limited::Counted(LimitName::Budget(budget)) => to.collect_str(budget),
    }
}

fn number<S: Serializer>(quantity: &Quantity, to: S) -> Result<S::Ok, S::Error> {
    match quantity {
        Quantity::Requests(count) | Quantity::Tokens(count) => to.serialize_u64(*count),
        Quantity::Cost(cost) => to.serialize_f64(cost.to_usd_f64()),
    }
}
