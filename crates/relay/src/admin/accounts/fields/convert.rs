//! Fields made into what the verbs take.

use std::time::Duration;

use jiff::tz::TimeZone;
use relay_core::account::{AccountKind, Deadlines, ExtraHeader, OauthSettings};
use relay_core::clock::Timestamp;
use relay_core::credential::Credential;
use relay_core::model::ModelPattern;
use relay_core::money::Money;
use relay_core::proxy::{Proxy, ProxyError};
use relay_core::quota::StopAt;
use relay_core::secret::Secret;
use relay_store::accounts::{AccountChange, NewAccount, StoredAccount};
use relay_upstream::profile::profile;

use super::{AccountFields, HeaderFields, MarkFields, OauthFields};
use crate::admin::answer::Problem;
use crate::admin::given::{Hidden, Named, moment, money};
use crate::verbs::account::{self, AccountEdit};

/// The usual place in the order, and the usual share.
const PRIORITY: i32 = 50;
const WEIGHT: u32 = 1;

/// By what a new account signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum By {
    /// By the secret that is given.
    Secret,
    /// By a sign-in that follows.
    Login,
}

/// Where fields stand in the request, and the zone of days.
#[derive(Debug, Clone, Copy)]
pub(in crate::admin) struct Place<'a> {
    /// What stands before their names, such as `new.`.
    pub prefix: &'a str,
    /// Where days end.
    pub zone: &'a TimeZone,
    /// The present.
    pub now: Timestamp,
}

impl Place<'_> {
    fn refuse(&self, field: &str, why: impl Into<String>) -> Problem {
        Problem::invalid(why).at(&format!("{}{field}", self.prefix))
    }
}

impl AccountFields {
    /// The account to be added.
    pub(in crate::admin) fn to_new(&self, by: By, place: Place<'_>) -> Result<NewAccount, Problem> {
        let name = self.name.clone().flatten();
        let name = name.ok_or_else(|| place.refuse("name", "a name cannot be empty"))?;
        let kind = self.kind.flatten();
        let kind = kind.ok_or_else(|| place.refuse("kind", "an account is of some kind"))?;
        let base_url = self.base_url.clone().flatten();
        let base_url = base_url.unwrap_or_else(|| profile(kind).default_base_url.to_owned());
        let (credential, identity) = match by {
            By::Login => (Credential::Missing, None),
            By::Secret => self.credential(kind, place)?,
        };
        let millis = |given: Named<u64>| span(given).filter(|span| !span.is_zero());
        let new = NewAccount {
            note: self.note.clone().flatten().unwrap_or_default(),
            key_header: self.key_header.flatten().unwrap_or_default(),
            speaks: self.speaks.flatten().unwrap_or_default(),
            project: self.project.clone().flatten(),
            enabled: self.enabled.flatten().unwrap_or(true),
            priority: self.priority.flatten().unwrap_or(PRIORITY),
            weight: self.weight.flatten().unwrap_or(WEIGHT),
            concurrency_max: self.max_concurrency.flatten(),
            sharing: self.sharing.flatten().unwrap_or_default(),
            models: models(self.models.as_ref()).unwrap_or_default(),
            model_map: self.map.clone().flatten().unwrap_or_default(),
            extra_headers: self.headers(&[], place)?.unwrap_or_default(),
            payload: self.payload.clone().flatten().unwrap_or_default(),
            proxy: self.proxy(place)?.flatten(),
            clients: self.clients.flatten().unwrap_or_default(),
            oauth: oauth(self.oauth.as_ref()),
            stop_at: marks(self.stop_at),
            daily_cost_max: self.daily_cost(place)?,
            ends_at: self.ends_at(place)?.flatten(),
            deadlines: Deadlines {
                first_byte: millis(self.first_byte_timeout_ms),
                unary: millis(self.unary_timeout_ms),
                idle: millis(self.idle_timeout_ms),
            },
            identity,
            ..NewAccount::signed_in(&name, kind, &base_url, credential)
        };
        // Here the field is known, which the verb cannot tell.
        account::wrong_field(&new).map_or(Ok(new), |(field, error)| Err(place.refuse(field, error)))
    }

    /// The change to an account. The switch and the groups are changed apart.
    pub(in crate::admin) fn to_edit(
        &self,
        stored: &StoredAccount,
        place: Place<'_>,
    ) -> Result<AccountEdit, Problem> {
        let account = &stored.account;
        if self.kind.flatten().is_some_and(|kind| kind != account.kind) {
            return Err(place.refuse("kind", "the kind of an account never changes"));
        }
        if self.client_secret.as_ref().is_some_and(Option::is_some) {
            let why = "the secret of an application is given with a sign-in";
            return Err(place.refuse("client_secret", why));
        }
        let fields = AccountChange {
            name: self.name.clone().flatten(),
            note: usual(self.note.as_ref()),
            base_url: self.base_url.clone().map(|given| {
                given.unwrap_or_else(|| profile(account.kind).default_base_url.to_owned())
            }),
            key_header: usual(self.key_header.as_ref()),
            speaks: usual(self.speaks.as_ref()),
            project: usual(self.project.as_ref()),
            priority: self.priority.map(|given| given.unwrap_or(PRIORITY)),
            weight: self.weight.map(|given| given.unwrap_or(WEIGHT)),
            concurrency_max: usual(self.max_concurrency.as_ref()),
            sharing: usual(self.sharing.as_ref()),
            models: models(self.models.as_ref()),
            model_map: usual(self.map.as_ref()),
            extra_headers: self.headers(&account.extra_headers, place)?,
            payload: usual(self.payload.as_ref()),
            first_byte: span(self.first_byte_timeout_ms),
            unary: span(self.unary_timeout_ms),
            idle: span(self.idle_timeout_ms),
            proxy: self.proxy(place)?,
            clients: usual(self.clients.as_ref()),
            daily_cost_max: self.daily_cost(place)?,
            ends_at: self.ends_at(place)?,
            ..AccountChange::default()
        };
        let edit = AccountEdit {
            fields,
            secret: self.secret.clone().flatten().map(|Hidden(secret)| secret),
            oauth: oauth(self.oauth.as_ref()),
            stop_at: marks(self.stop_at),
        };
        let wrong = account::wrong_field_of_edit(&edit, account.kind, place.now);
        wrong.map_or(Ok(edit), |(field, error)| Err(place.refuse(field, error)))
    }

    fn credential(
        &self,
        kind: AccountKind,
        place: Place<'_>,
    ) -> Result<(Credential, Option<relay_core::credential::Identity>), Problem> {
        let Some(Some(Hidden(secret))) = &self.secret else {
            let why = if kind.is_oauth() {
                "give its tokens, or begin a sign-in"
            } else {
                "the secret is empty"
            };
            return Err(place.refuse("secret", why));
        };
        let read = account::credential(kind, secret, place.now);
        let (mut credential, identity) =
            read.map_err(|error| place.refuse("secret", error.to_string()))?;
        if let (Credential::Tokens(tokens), Some(secret)) = (&mut credential, self.client_secret())
        {
            tokens.client_secret = Some(secret);
        }
        Ok((credential, identity))
    }

    /// The secret of an application of the account's own.
    pub(in crate::admin) fn client_secret(&self) -> Option<Secret> {
        let given = self.client_secret.clone().flatten().map(|Hidden(secret)| secret);
        given.filter(|secret| !secret.expose().is_empty())
    }

    /// The groups that are named.
    pub(in crate::admin) fn groups(&self) -> Option<Vec<String>> {
        usual(self.groups.as_ref())
    }

    /// The switch, if it is named.
    pub(in crate::admin) fn enabled(&self) -> Option<bool> {
        self.enabled.map(|given| given.unwrap_or(true))
    }

    fn proxy(&self, place: Place<'_>) -> Result<Named<Proxy>, Problem> {
        let Some(given) = &self.proxy else { return Ok(None) };
        let text = given.as_ref().map_or("", |Hidden(text)| text.expose().trim());
        proxy(text).map(Some).map_err(|error| place.refuse("proxy", error.to_string()))
    }

    fn daily_cost(&self, place: Place<'_>) -> Result<Option<Money>, Problem> {
        let Some(given) = &self.daily_cost_usd else { return Ok(None) };
        let read = given.as_ref().map_or(Some(Money::ZERO), money);
        read.map(Some).ok_or_else(|| place.refuse("daily_cost_usd", "not an amount of dollars"))
    }

    fn ends_at(&self, place: Place<'_>) -> Result<Named<Timestamp>, Problem> {
        let Some(given) = &self.ends_at else { return Ok(None) };
        let text = given.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let why = "not a day (2026-12-31) or a moment (RFC 3339)";
        let read =
            text.map(|text| moment(text, place.zone).ok_or_else(|| place.refuse("ends_at", why)));
        read.transpose().map(Some)
    }

    /// The headers that are named. One without a value is that which the account has.
    fn headers(
        &self,
        known: &[ExtraHeader],
        place: Place<'_>,
    ) -> Result<Option<Vec<ExtraHeader>>, Problem> {
        let Some(given) = &self.headers else { return Ok(None) };
        let read = |header: &HeaderFields| {
            let name = header.name.trim().to_ascii_lowercase();
            let kept = || known.iter().find(|it| it.name == name).map(|it| it.value.clone());
            let value = match &header.value {
                Some(Hidden(value)) => Some(value.expose().trim().to_owned()),
                None => kept(),
            };
            let value = value.ok_or_else(|| {
                place.refuse("headers", format!("the header {name:?} has no value"))
            })?;
            Ok(ExtraHeader { name, value })
        };
        given.iter().flatten().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// What was given, for the log of changes: values that are no secrets, of the others names.
    pub(in crate::admin) fn told(&self) -> String {
        let mut told = Vec::new();
        let mut value = |name: &str, shown: Option<String>| {
            told.extend(shown.map(|shown| format!("{name}: {shown}")));
        };
        let number = |given: Named<i64>| given.map(|it| it.unwrap_or_default().to_string());
        value("name", self.name.clone().flatten());
        value("base_url", self.base_url.clone().flatten());
        value("enabled", self.enabled().map(|it| it.to_string()));
        value("priority", number(self.priority.map(|it| it.map(i64::from))));
        value("weight", number(self.weight.map(|it| it.map(i64::from))));
        value("max_concurrency", number(self.max_concurrency.map(|it| it.map(i64::from))));
        value("groups", self.groups().map(|it| it.join(", ")));
        value("models", models(self.models.as_ref()).map(|it| it.len().to_string()));
        let cost = |it: &Option<serde_json::Number>| it.as_ref().map(ToString::to_string);
        value(
            "daily_cost_usd",
            self.daily_cost_usd.as_ref().map(|it| cost(it).unwrap_or_default()),
        );
        value("ends_at", self.ends_at.clone().map(Option::unwrap_or_default));
        let named = [
            ("secret", self.secret.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("proxy", self.proxy.is_some()),
            ("clients", self.clients.is_some()),
            ("map", self.map.is_some()),
            ("key_header", self.key_header.is_some()),
            ("speaks", self.speaks.is_some()),
            ("project", self.project.is_some()),
            ("headers", self.headers.is_some()),
            ("payload", self.payload.is_some()),
            ("sharing", self.sharing.is_some()),
            ("stop_at", self.stop_at.is_some()),
            ("oauth", self.oauth.is_some()),
            ("first_byte_timeout_ms", self.first_byte_timeout_ms.is_some()),
            ("unary_timeout_ms", self.unary_timeout_ms.is_some()),
            ("idle_timeout_ms", self.idle_timeout_ms.is_some()),
            ("note", self.note.is_some()),
        ];
        told.extend(named.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()));
        told.join("; ")
    }
}

/// A proxy as people write it; the empty text is none.
pub(in crate::admin) fn proxy(text: &str) -> Result<Option<Proxy>, ProxyError> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

/// A field that is named; null is the usual.
fn usual<T: Clone + Default>(given: Option<&Option<T>>) -> Option<T> {
    given.map(|given| given.clone().unwrap_or_default())
}

fn span(given: Named<u64>) -> Option<Duration> {
    given.map(|millis| Duration::from_millis(millis.unwrap_or(0)))
}

fn models(given: Option<&Option<Vec<String>>>) -> Option<Vec<ModelPattern>> {
    let names = given?.iter().flatten().map(|name| name.trim());
    Some(names.filter(|name| !name.is_empty()).map(ModelPattern::new).collect())
}

/// Marks that are named; 0 lifts one.
fn marks(given: Named<MarkFields>) -> StopAt {
    let mark = |mark: Named<u8>| mark.map(|percent| percent.unwrap_or(0));
    match given {
        None => StopAt::default(),
        Some(None) => StopAt { five_hour: Some(0), seven_day: Some(0) },
        Some(Some(marks)) => {
            StopAt { five_hour: mark(marks.five_hour), seven_day: mark(marks.seven_day) }
        }
    }
}

/// Sign-in settings that are named; an empty one is the provider's own.
fn oauth(given: Option<&Option<OauthFields>>) -> OauthSettings {
    let Some(given) = given else { return OauthSettings::default() };
    let none = || Some(Some(String::new()));
    let all = OauthFields {
        authorize_url: none(),
        token_url: none(),
        client_id: none(),
        redirect_url: none(),
        scope: none(),
    };
    let given = given.as_ref().unwrap_or(&all);
    OauthSettings {
        authorize_url: usual(given.authorize_url.as_ref()),
        token_url: usual(given.token_url.as_ref()),
        client_id: usual(given.client_id.as_ref()),
        redirect_url: usual(given.redirect_url.as_ref()),
        scope: usual(given.scope.as_ref()),
    }
}
