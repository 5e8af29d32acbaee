//! Which credentials the fast provider refuses: told over HTTP, asked with each request.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::RwLock;

use crate::answer::Answer;
use crate::plan::Plan;

/// What befalls requests of a credential.
#[derive(Debug, Clone)]
pub(super) enum Failing {
    /// They get this answer.
    Refused(Bytes),
    /// Their connection is closed without an answer.
    Reset,
}

/// The credentials that fail. Costs one load of a flag while none does.
#[derive(Debug, Default)]
pub(super) struct Failures {
    any: AtomicBool,
    by_key: RwLock<Vec<(String, Failing)>>,
}

impl Failures {
    /// Takes an order in: `KEY=STATUS`, `KEY=reset`, or `KEY=well` to end it.
    pub(super) fn take(&self, order: &[u8]) -> Option<()> {
        let (key, how) = std::str::from_utf8(order).ok()?.trim().split_once('=')?;
        let failing = match how {
            "well" => None,
            "reset" => Some(Failing::Reset),
            status => {
                let plan = Plan::new(&Answer::status(status.parse().ok()?), None, 1);
                Some(Failing::Refused([plan.head, plan.body].concat().into()))
            }
        };
        let mut by_key = self.by_key.write();
        by_key.retain(|(known, _)| known != key);
        by_key.extend(failing.map(|failing| (key.to_owned(), failing)));
        self.any.store(!by_key.is_empty(), Ordering::Relaxed);
        Some(())
    }

    /// What befalls a request with these headers.
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<Failing> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let named = ["x-api-key", "x-goog-api-key"].into_iter().find_map(|name| headers.get(name));
        let presented = named.or_else(|| headers.get("authorization"))?.as_bytes();
        let presented = presented.strip_prefix(b"Bearer ").unwrap_or(presented);
        let by_key = self.by_key.read();
        by_key
            .iter()
            .find(|(key, _)| key.as_bytes() == presented)
            .map(|(_, failing)| failing.clone())
    }
}
