//! Whether a key may call: its switch, its end, its rules; and why it may not.
//!
//! What is checked first refuses first: the switch, the end, then the address, the client, the
//! service, the model. Counters come after these ([`crate::tally`]).

use std::fmt;
use std::net::IpAddr;

use crate::clock::Timestamp;
use crate::key::{Budget, Key, KeyRules};
use crate::period::Period;
use crate::protocol::Service;
use crate::tally::{LimitName, Quantity, Standing};

/// Why a key's call is refused before any account is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An operator switched the key off.
    #[error("this key is disabled")]
    Disabled,
    /// The key's time is over.
    #[error("this key has expired")]
    Expired {
        /// When it expired.
        at: Timestamp,
    },
    /// The key is not for this address.
    #[error("this key may not be used from {0}")]
    Address(IpAddr),
    /// The key is not for this client.
    #[error("this key is for other clients: {}", .allowed.join(", "))]
    Client {
        /// Those that it is for.
        allowed: Vec<String>,
    },
    /// The key is not for this service.
    #[error("this key is not for {}", .0.as_str())]
    Service(Service),
    /// The key is not for this model.
    #[error("this key may not use the model {0}")]
    Model(String),
    /// As many calls of the key are under way as may be, and nobody made room in time.
    #[error("{max} calls of this key are under way, which is all that may be; try again")]
    Concurrency {
        /// How many may be.
        max: u32,
    },
    /// Calls of the key wait for reservations to end, and this one did not get its turn.
    #[error("{waiting} calls of this key wait for others to end; try again")]
    Queue {
        /// How many wait.
        waiting: u32,
    },
    /// A limit is used up.
    #[error("{}", spent(.0))]
    Spent(Box<Standing>),
    /// What is left of a limit is reserved by calls under way, and none ended in time.
    #[error("{}", reserved(.0))]
    Reserved(Box<Standing>),
}

impl Refusal {
    /// The word for counters and log lines.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Disabled => "key_disabled",
            Self::Expired { .. } => "key_expired",
            Self::Address(_) => "address_not_allowed",
            Self::Client { .. } => "client_not_allowed",
            Self::Service(_) => "service_not_allowed",
            Self::Model(_) => "model_not_allowed",
            Self::Concurrency { .. } => "concurrency",
            Self::Spent(standing) => spent_reason(&standing.limit),
            Self::Queue { .. } | Self::Reserved(_) => "reserved",
        }
    }
}

const fn spent_reason(limit: &LimitName) -> &'static str {
    match limit {
        LimitName::WindowRequests => "window_requests",
        LimitName::WindowTokens => "window_tokens",
        LimitName::WindowCost => "window_cost",
        LimitName::Budget(Budget { family: Some(_), .. }) => "family_budget",
        LimitName::Budget(Budget { period: Period::Day, .. }) => "daily_budget",
        LimitName::Budget(Budget { period: Period::Week, .. }) => "weekly_budget",
        LimitName::Budget(Budget { period: Period::Month, .. }) => "monthly_budget",
        LimitName::Budget(Budget { period: Period::Total, .. }) => "total_budget",
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests(count) => write!(f, "{count} requests"),
            Self::Tokens(count) => write!(f, "{count} tokens"),
            Self::Cost(cost) => write!(f, "{cost}"),
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = |period| match period {
            Period::Day => "daily",
            Period::Week => "weekly",
            Period::Month => "monthly",
            Period::Total => "total",
        };
        match self {
            Self::WindowRequests => f.write_str("request limit of its window"),
            Self::WindowTokens => f.write_str("token limit of its window"),
            Self::WindowCost => f.write_str("cost limit of its window"),
            Self::Budget(Budget { period: its, family: None }) => {
                write!(f, "{} budget", period(*its))
            }
            Self::Budget(Budget { period: its, family: Some(family) }) => {
                write!(f, "{} budget for {family}", period(*its))
            }
        }
    }
}

fn spent(standing: &Standing) -> String {
    let Standing { limit, max, used, .. } = standing;
    format!("this key has used up the {limit}: {used} of {max}")
}

fn reserved(standing: &Standing) -> String {
    let Standing { limit, max, used, reserved, .. } = standing;
    format!(
        "the rest of this key's {limit} is reserved by its calls under way \
         ({used} used and {reserved} reserved of {max}); try again"
    )
}

/// Whether `key` is switched on and has not ended at `now`, if its first call came at `first_used`.
pub fn admit(key: &Key, first_used: Option<Timestamp>, now: Timestamp) -> Result<(), Refusal> {
    if !key.enabled {
        return Err(Refusal::Disabled);
    }
    match key.ends_at(first_used) {
        Some(at) if at <= now => Err(Refusal::Expired { at }),
        _ => Ok(()),
    }
}

/// Whether a key's rules let calls come from `address` by `client` (empty if it is not known): what
/// goes by the head of a request alone.
pub fn allow_from(rules: &KeyRules, (address, client): (IpAddr, &str)) -> Result<(), Refusal> {
    if !rules.allows_address(address) {
        return Err(Refusal::Address(address));
    }
    if !rules.allows_client(client) {
        return Err(Refusal::Client { allowed: rules.clients.clone() });
    }
    Ok(())
}

/// Whether a key's rules let it use a service.
pub fn allow_service(rules: &KeyRules, service: Service) -> Result<(), Refusal> {
    if rules.allows_service(service) { Ok(()) } else { Err(Refusal::Service(service)) }
}

/// Whether a key's rules let it use a model, once aliases are resolved.
pub fn allow_model(rules: &KeyRules, model: &str) -> Result<(), Refusal> {
    if rules.allows_model(model) { Ok(()) } else { Err(Refusal::Model(model.to_owned())) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::KeyId;
    use crate::key::KeyLimits;

    fn key() -> Key {
        Key {
            id: KeyId(1),
            name: "lena".into(),
            note: String::new(),
            owner: String::new(),
            enabled: true,
            expires_at: Some(Timestamp::from_seconds(100)),
            lasts: Some(Duration::from_mins(1)),
            first_used_at: None,
            bindings: Vec::new(),
            limits: KeyLimits::default(),
            rules: KeyRules::default(),
            tags: Vec::new(),
            created_at: Timestamp::from_seconds(0),
        }
    }

    #[test]
    fn a_key_ends_at_its_expiry_and_not_before() {
        assert_eq!(admit(&key(), None, Timestamp::from_millis(99_999)), Ok(()));
        let at = Timestamp::from_seconds(100);
        assert_eq!(admit(&key(), None, at), Err(Refusal::Expired { at }));
    }

    #[test]
    fn a_key_that_lasts_ends_so_long_after_its_first_call() {
        let first = Some(Timestamp::from_seconds(10));
        assert_eq!(admit(&key(), first, Timestamp::from_millis(69_999)), Ok(()));
        let at = Timestamp::from_seconds(70);
        assert_eq!(admit(&key(), first, at), Err(Refusal::Expired { at }));
        let late = Some(Timestamp::from_seconds(90));
        let at = Timestamp::from_seconds(100);
        assert_eq!(admit(&key(), late, at), Err(Refusal::Expired { at }), "the date is earlier");
    }

    #[test]
    fn a_disabled_key_is_refused_for_that() {
        let key = Key { enabled: false, ..key() };
        assert_eq!(admit(&key, None, Timestamp::from_seconds(1)), Err(Refusal::Disabled));
    }
}
