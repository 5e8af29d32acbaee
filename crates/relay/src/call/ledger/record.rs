//! The usage record of a call, and its log line.

use relay_core::id::AccountId;
use relay_core::usage::{CallRecord, Exactness};
use relay_wire::meter::Metered;

use super::{End, Ledger, millis};
use crate::client_id::user_agent;

impl Ledger {
    pub(super) fn record(&mut self, account: AccountId, end: End, metered: Metered) -> CallRecord {
        let priced = self.app.prices.load().price(&relay_core::price::Bill {
            service: self.call.service,
            asked: &self.call.model,
            served: &metered.model_served,
            usage: &metered.usage,
            service_tier: &metered.service_tier,
            speed: &metered.speed,
            at: self.call.at,
        });
        // What is settled at its reservation costs what was reserved.
        let (cost, priced_by) = match metered.exactness {
            Exactness::Reserved => {
                let expected = &self.call.expected;
                (expected.amount.cost, expected.priced_by.clone())
            }
            Exactness::Exact | Exactness::Estimated => (priced.cost, priced.by),
        };
        // A call counts under the model that answered; where nobody said which, under the one that was
        // asked for by an alias.
        let model_served = match metered.model_served {
            unsaid if unsaid.is_empty() && self.call.asked != self.call.model => {
                self.call.model.clone()
            }
            said => said,
        };
        CallRecord {
            call: self.call.id,
            key: self.call.holder.key.id,
            account,
            at: self.call.at,
            path: self.call.path.clone(),
            model_asked: self.call.asked.clone(),
            model_served,
            client: self.call.client.as_str().to_owned(),
            session: self.call.session,
            streamed: self.call.streamed,
            status: end.status,
            outcome: end.outcome,
            usage: metered.usage,
            exactness: metered.exactness,
            cost,
            priced_by,
            service_tier: metered.service_tier,
            speed: metered.speed,
            first_byte_millis: self.first_byte.map(millis),
            total_millis: millis(self.call.started.elapsed()),
            attempts: std::mem::take(&mut self.attempts),
            window: self.window(),
        }
    }

    /// The log line of a call: never content, never a secret.
    pub(super) fn log(&self, record: &CallRecord) {
        let account = self.app.roster.find(record.account);
        tracing::info!(
            target: "call",
            call = %record.call,
            key = %self.call.holder.key.name,
            client = record.client,
            user_agent = user_agent(&self.call.headers),
            address = %self.call.address,
            path = record.path,
            model = record.model_asked,
            account = account.as_ref().map_or("", |member| &member.account.name),
            status = record.status,
            outcome = record.outcome.as_str(),
            attempts = record.attempts.len(),
            input = record.usage.input,
            output = record.usage.output,
            cache_read = record.usage.cache_read,
            cache_write = record.usage.cache_write(),
            cost_usd = %record.cost.to_usd_string(),
            first_byte_ms = record.first_byte_millis,
            total_ms = record.total_millis,
            "served"
        );
    }
}
