//! Fields made into what the verbs take.

use std::time::Duration;

use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::key::{Budget, Key, KeyLimits, QueueLimit};
use relay_core::model::ModelFamily;
use relay_core::money::Money;
use relay_core::period::{ParseResetError, Period, WeekReset};
use relay_core::protocol::Service;
use relay_store::keys::{Expiry, Lasting};
use serde_json::Number;

use super::{FamilyFields, KeyFields, LimitFields, QueueFields, RuleFields};
use crate::admin::answer::Problem;
use crate::admin::given::{Named, moment, money};
use crate::admin::guard::Who;
use crate::client_id::Clients;
use crate::verbs::VerbError;
use crate::verbs::key::{
    BindingSpec, Change, Count, GROUP_MARK, KeyAddition, KeyEdit, LimitsEdit, LimitsError,
    RulesEdit, RulesError, TargetName, addresses, client_ids, model_patterns,
};

/// Where fields stand in the request, and what else they are read by.
#[derive(Debug, Clone, Copy)]
pub(in crate::admin::keys) struct Place<'a> {
    prefix: &'a str,
    zone: &'a TimeZone,
    clients: &'a Clients,
}

impl<'a> Place<'a> {
    /// Fields that stand behind `prefix`, such as `set.`.
    pub(in crate::admin::keys) fn of(who: &'a Who, prefix: &'a str) -> Self {
        let settings = &who.app.settings;
        Self { prefix, zone: &settings.time_zone, clients: &settings.clients }
    }

    fn refuse(&self, field: &str, why: impl Into<String>) -> Problem {
        Problem::invalid(why).at(&format!("{}{field}", self.prefix))
    }
}

/// What a verb refused, at the field that it is about.
pub(in crate::admin::keys) fn at_fault(error: VerbError, prefix: &str) -> Problem {
    let field = match &error {
        VerbError::Taken(_) => "name",
        VerbError::Limits(error) => match error {
            LimitsError::NoWindow | LimitsError::EmptyWindow => "limits.window_seconds",
            LimitsError::Negative => "limits",
            LimitsError::Family { .. } => "limits.family_budgets",
            LimitsError::Queue { .. } => "limits.queue",
        },
        VerbError::Rules(RulesError::TooMany) => "rules",
        VerbError::Rules(RulesError::Client { .. }) => "rules.clients",
        VerbError::NotFound { .. } => "bindings",
        _ => return error.into(),
    };
    Problem::from(error).at(&format!("{prefix}{field}"))
}

impl KeyFields {
    /// The keys to be given out.
    pub(in crate::admin::keys) fn to_addition(
        &self,
        place: &Place<'_>,
    ) -> Result<KeyAddition, Problem> {
        let name = self.name.clone().flatten();
        Ok(KeyAddition {
            name: name.ok_or_else(|| place.refuse("name", "a name cannot be empty"))?,
            count: self.count.map_or(Count::One, Count::Numbered),
            note: self.note.clone().flatten().unwrap_or_default(),
            owner: self.owner.clone().flatten().unwrap_or_default(),
            expires_at: self.expires_at(place)?.flatten(),
            lasts: self.lasts().flatten(),
            limits: self.limits.to_edit(&KeyLimits::default(), place)?,
            rules: self.rules.to_edit(place)?,
            bindings: self.bindings(place)?.0,
            tags: self.tags.clone().flatten().unwrap_or_default(),
        })
    }

    /// What is to be changed of a key.
    pub(in crate::admin::keys) fn to_edit(
        &self,
        key: &Key,
        place: &Place<'_>,
    ) -> Result<KeyEdit, Problem> {
        if self.count.is_some() {
            return Err(place.refuse("count", "a key that is there cannot be given out again"));
        }
        let (bind, unbind) = self.bindings(place)?;
        Ok(KeyEdit {
            name: self.name.clone().map(Option::unwrap_or_default),
            note: self.note.clone().map(Option::unwrap_or_default),
            owner: self.owner.clone().map(Option::unwrap_or_default),
            expiry: self.expires_at(place)?.map(|at| at.map_or(Expiry::Never, Expiry::At)),
            lasts: self.lasts().map(|span| span.map_or(Lasting::Always, Lasting::For)),
            limits: self.limits.to_edit(&key.limits, place)?,
            rules: self.rules.to_edit(place)?,
            bind,
            unbind,
            tags: self.tags.clone().map(Option::unwrap_or_default),
        })
    }

    fn expires_at(&self, place: &Place<'_>) -> Result<Named<Timestamp>, Problem> {
        let Some(given) = &self.expires_at else { return Ok(None) };
        let text = given.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let why = "not a day (2026-12-31) or a moment (RFC 3339)";
        let read = |text| moment(text, place.zone).ok_or_else(|| place.refuse("expires_at", why));
        text.map(read).transpose().map(Some)
    }

    fn lasts(&self) -> Named<Duration> {
        let span = |seconds| Duration::from_secs(seconds);
        self.lasts_seconds.map(|given| given.filter(|seconds| *seconds > 0).map(span))
    }

    fn bindings(&self, place: &Place<'_>) -> Result<(Vec<BindingSpec>, Vec<Service>), Problem> {
        let (mut bind, mut unbind) = (Vec::new(), Vec::new());
        for (service, target) in &self.bindings {
            let service = self::service(service).map_err(|why| place.refuse("bindings", why))?;
            match target.as_deref().map(str::trim).filter(|target| !target.is_empty()) {
                None => unbind.push(service),
                Some(target) => bind.push(BindingSpec { service, target: target_name(target) }),
            }
        }
        Ok((bind, unbind))
    }
}

fn target_name(text: &str) -> TargetName {
    match text.strip_prefix(GROUP_MARK) {
        Some(group) => TargetName::Group(group.trim().to_owned()),
        None => TargetName::Account(text.to_owned()),
    }
}

fn service(text: &str) -> Result<Service, &'static str> {
    let found = Service::from_name(text.trim());
    found.ok_or("the services are claude, openai and gemini")
}

impl LimitFields {
    fn to_edit(&self, current: &KeyLimits, place: &Place<'_>) -> Result<LimitsEdit, Problem> {
        let dollars = |field: &str, given: &Named<Number>| dollars(place, field, given.as_ref());
        let mut edit = LimitsEdit {
            window: Change::of(self.window_seconds.map(|it| seconds(it.unwrap_or(0)))),
            requests: change(self.requests),
            tokens: change(self.tokens),
            cost: Change::of(dollars("cost_usd", &self.cost_usd)?),
            weekly_reset: self.weekly_reset(place)?,
            concurrency: change(self.concurrency),
            queue: match self.queue {
                None => Change::Keep,
                Some(None) => Change::Remove,
                Some(Some(queue)) => Change::Set(queue.read()),
            },
            ..LimitsEdit::default()
        };
        let budgets = [
            (Period::Day, "daily_cost_usd", &self.daily_cost_usd),
            (Period::Week, "weekly_cost_usd", &self.weekly_cost_usd),
            (Period::Month, "monthly_cost_usd", &self.monthly_cost_usd),
            (Period::Total, "total_cost_usd", &self.total_cost_usd),
        ];
        for (period, field, given) in budgets {
            edit.budget(Budget::of(period), dollars(field, given)?);
        }
        if let Some(families) = &self.family_budgets {
            let had = current.budgets.keys().filter(|budget| budget.family.is_some());
            had.for_each(|budget| edit.budget(budget.clone(), Some(Money::ZERO)));
            for family in families.iter().flatten() {
                let (budget, cost) = family.read(place)?;
                edit.budget(budget, Some(cost));
            }
        }
        Ok(edit)
    }

    fn weekly_reset(&self, place: &Place<'_>) -> Result<Change<WeekReset>, Problem> {
        let Some(given) = &self.weekly_reset else { return Ok(Change::Keep) };
        match given.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            None => Ok(Change::Remove),
            Some(text) => text.parse().map(Change::Set).map_err(|error: ParseResetError| {
                place.refuse("limits.weekly_reset", error.to_string())
            }),
        }
    }
}

impl FamilyFields {
    fn read(&self, place: &Place<'_>) -> Result<(Budget, Money), Problem> {
        let refuse = |why: &str| place.refuse("limits.family_budgets", why);
        let family = self.family.trim();
        if family.is_empty() {
            return Err(refuse("a budget is for a family of models, such as opus"));
        }
        let period = Period::from_name(self.period.trim());
        let period = period.ok_or_else(|| refuse("the periods are day, week, month and total"))?;
        let cost = money(&self.usd).ok_or_else(|| refuse("not an amount of dollars"))?;
        Ok((Budget { period, family: Some(ModelFamily::named(family)) }, cost))
    }
}

impl QueueFields {
    fn read(self) -> QueueLimit {
        let wait = self.wait_seconds.map_or(QueueLimit::WAIT, Duration::from_secs);
        let wait_millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        QueueLimit { length: self.length, wait_millis }
    }
}

impl RuleFields {
    fn to_edit(&self, place: &Place<'_>) -> Result<RulesEdit, Problem> {
        let listed = |given: &Named<Vec<String>>| given.clone().map(Option::unwrap_or_default);
        let own: Vec<&str> = place.clients.own().iter().map(|client| &*client.id).collect();
        let clients = listed(&self.clients).map(|list| client_ids(&list, &own)).transpose();
        let clients = clients.map_err(|error| place.refuse("rules.clients", error.to_string()))?;
        let services = listed(&self.services).map(|list| {
            let named = list.iter().filter(|it| !it.trim().is_empty());
            named.map(|it| service(it)).collect::<Result<Vec<_>, _>>()
        });
        let services = services.transpose().map_err(|why| place.refuse("rules.services", why))?;
        let ranges = listed(&self.allow_ips).map(|list| {
            let named = list.iter().filter(|it| !it.trim().is_empty());
            named.map(|it| addresses(it)).collect::<Result<Vec<_>, _>>()
        });
        let ranges = ranges
            .transpose()
            .map_err(|error| place.refuse("rules.allow_ips", error.to_string()))?;
        Ok(RulesEdit {
            allowed_models: Change::of(listed(&self.allow_models).map(|it| model_patterns(&it))),
            denied_models: Change::of(listed(&self.deny_models).map(|it| model_patterns(&it))),
            services: Change::of(services),
            clients: Change::of(clients),
            addresses: Change::of(ranges),
            aliases: Change::of(self.map.clone().map(Option::unwrap_or_default)),
            output_tokens_max: change(self.max_output_tokens),
            body_bytes_max: change(self.max_body_bytes),
            payload: Change::of(self.payload.clone().map(Option::unwrap_or_default)),
            fallback: change(self.fallback),
        })
    }
}

/// A field that is named; null is nothing.
fn change<T: Default + PartialEq>(given: Named<T>) -> Change<T> {
    Change::of(given.map(Option::unwrap_or_default))
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A sum that is named; null is nothing.
fn dollars(
    place: &Place<'_>,
    field: &str,
    given: Option<&Option<Number>>,
) -> Result<Option<Money>, Problem> {
    let Some(given) = given else { return Ok(None) };
    let read = given.as_ref().map_or(Some(Money::ZERO), money);
    let why = "not an amount of dollars";
    read.map(Some).ok_or_else(|| place.refuse(&format!("limits.{field}"), why))
}
