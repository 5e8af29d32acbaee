//! Bindings as people write them, by names: `claude=main`, `claude=group:team`.

use std::str::FromStr;

use relay_core::key::{Binding, BindingTarget};
use relay_core::protocol::Service;
use relay_store::Store;

use crate::verbs::{VerbError, account, group};

/// What stands before the name of a group; no name begins with it.
pub const GROUP_MARK: &str = "group:";

/// A binding by names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingSpec {
    /// The service that is bound.
    pub service: Service,
    /// What it is bound to.
    pub target: TargetName,
}

/// What a key is bound to, by id or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetName {
    /// One account.
    Account(String),
    /// The accounts of a group.
    Group(String),
}

/// A text that is not a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseBindingError {
    /// It has no `=`, or nothing behind it.
    #[error("a binding is written claude=ACCOUNT or claude=group:GROUP")]
    Form,
    /// The service is not known.
    #[error("the services are claude, openai and gemini")]
    Service,
}

impl FromStr for BindingSpec {
    type Err = ParseBindingError;

    fn from_str(text: &str) -> Result<Self, ParseBindingError> {
        let (service, target) = text.split_once('=').ok_or(ParseBindingError::Form)?;
        let service = Service::from_name(service.trim()).ok_or(ParseBindingError::Service)?;
        let (target, name): (fn(String) -> TargetName, _) = match target.trim() {
            target if target.starts_with(GROUP_MARK) => {
                (TargetName::Group, target[GROUP_MARK.len()..].trim())
            }
            target => (TargetName::Account, target),
        };
        if name.is_empty() {
            return Err(ParseBindingError::Form);
        }
        Ok(Self { service, target: target(name.to_owned()) })
    }
}

/// The bindings that are meant, at most one for each service.
pub(super) async fn resolve_all(
    store: &Store,
    specs: &[BindingSpec],
) -> Result<Vec<Binding>, VerbError> {
    let mut bindings: Vec<Binding> = Vec::with_capacity(specs.len());
    for spec in specs {
        let service = spec.service;
        if bindings.iter().any(|binding| binding.service == service) {
            let why = format!("{} is bound twice", service.as_str());
            return Err(VerbError::Invalid(why));
        }
        bindings.push(Binding { service, target: resolve(store, spec).await? });
    }
    Ok(bindings)
}

async fn resolve(store: &Store, spec: &BindingSpec) -> Result<BindingTarget, VerbError> {
    match &spec.target {
        TargetName::Group(name) => Ok(BindingTarget::Group(group::find(store, name).await?.id)),
        TargetName::Account(name) => {
            let account = account::find(store, name).await?.account;
            if account.kind.service() != spec.service {
                let why = format!("account {:?} does not serve {}", name, spec.service.as_str());
                return Err(VerbError::Invalid(why));
            }
            Ok(BindingTarget::Account(account.id))
        }
    }
}

/// Refuses, in words, while keys are bound to `target`.
pub(in crate::verbs) async fn refuse_if_bound(
    store: &Store,
    target: BindingTarget,
) -> Result<(), VerbError> {
    const NAMES_SHOWN: usize = 5;
    let mut names: Vec<String> = store
        .keys()
        .await?
        .into_iter()
        .filter(|stored| stored.key.bindings.iter().any(|binding| binding.target == target))
        .map(|stored| stored.key.name)
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let more = names.len().saturating_sub(NAMES_SHOWN);
    names.truncate(NAMES_SHOWN);
    let names = names.join(", ");
    let why = if more == 0 {
        format!("keys are bound to it: unbind or remove {names} first")
    } else {
        format!("keys are bound to it: unbind or remove {names} and {more} more first")
    };
    Err(VerbError::Invalid(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_names_a_service_and_an_account_or_a_group() {
        let read = |text: &str| text.parse::<BindingSpec>();
        let account = TargetName::Account("main=1".into());
        assert_eq!(
            read("claude= main=1"),
            Ok(BindingSpec { service: Service::Claude, target: account })
        );
        let group = TargetName::Group("team".into());
        assert_eq!(
            read("gemini=group:team"),
            Ok(BindingSpec { service: Service::Gemini, target: group })
        );
        assert_eq!(read("claude"), Err(ParseBindingError::Form));
        assert_eq!(read("claude="), Err(ParseBindingError::Form));
        assert_eq!(read("claude=group: "), Err(ParseBindingError::Form));
        assert_eq!(read("azure=main"), Err(ParseBindingError::Service));
    }
}
