//! What a key's rules change in the bodies of its calls: the model that an alias stands for, then
//! the fields that its payload rules name, then the most output that it may ask for.

use bytes::Bytes;
use relay_core::key::KeyRules;
use relay_wire::edit::{self, EditError, Missing};
use relay_wire::peek::PeekError;

use super::peeked::{Peeked, capped, look};
use crate::failure::CallerFault;
use crate::route::Asked;

/// What became of a body.
#[derive(Debug)]
pub(super) struct Shaped {
    /// The body as it is sent on, where that is not as it came.
    pub(super) changed: Option<Bytes>,
    /// What is sent on says.
    pub(super) peek: Peeked,
    /// The model that the client asked for.
    pub(super) asked: String,
}

/// Reads a body, and changes what the key's rules name. Every other byte stays, and a body that no
/// rule changes is not copied.
pub(super) fn shape(
    asked: &Asked,
    rules: &KeyRules,
    sent: &Bytes,
    missing: Missing,
) -> Result<Shaped, CallerFault> {
    let mut first = look(asked, sent)?;
    let mut body = Changing { sent, changed: None };
    let name = first.model.clone();
    let model = rules.resolve(&name);
    if model != name {
        body.become_any(first.renamed(sent, model));
        // Google's addresses name it, and no body.
        model.clone_into(&mut first.model);
    }
    if !rules.payload.is_empty() {
        body.become_any(edit::apply(body.now(), &rules.payload, missing)?);
    }
    let is_within = |most: u64| first.max_tokens.is_some_and(|asked| asked <= most);
    if rules.output_tokens_max.is_some_and(|most| body.changed.is_some() || !is_within(most)) {
        let peek = if body.changed.is_some() { Some(look(asked, body.now())?) } else { None };
        body.become_any(capped(asked, rules, peek.as_ref().unwrap_or(&first), body.now())?);
    }
    match body.changed {
        None => Ok(Shaped { asked: name, peek: first, changed: None }),
        Some(changed) => {
            let seen = look(asked, &changed)?;
            // A rule may name another model in the body; one in the address it cannot.
            let in_address = asked.google.as_ref().is_some_and(|google| google.model.is_some());
            let model = if in_address { first.model } else { seen.model };
            Ok(Shaped { asked: name, peek: Peeked { model, ..seen }, changed: Some(changed) })
        }
    }
}

/// A body under changes.
struct Changing<'a> {
    sent: &'a Bytes,
    changed: Option<Bytes>,
}

impl Changing<'_> {
    fn now(&self) -> &Bytes {
        self.changed.as_ref().unwrap_or(self.sent)
    }

    fn become_any(&mut self, body: Option<Bytes>) {
        if body.is_some() {
            self.changed = body;
        }
    }
}

impl From<PeekError> for CallerFault {
    fn from(error: PeekError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<EditError> for CallerFault {
    fn from(error: EditError) -> Self {
        Self::Malformed(error.to_string())
    }
}

#[cfg(test)]
mod tests;
