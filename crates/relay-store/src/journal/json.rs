//! Entries as JSON, to the byte as serde_json writes them.
//!
//! Every call writes two. By hand that takes less than half of the instructions: names need no look for
//! what must be escaped, and numbers and ids no formatter. They are read by serde alone.

use relay_core::clock::Timestamp;
use relay_core::id::{CallId, SessionId};
use relay_core::price::PricedBy;
use relay_core::usage::{Attempt, CallRecord, OpenAttempt, TokenUsage};
use serde::Serialize;

/// Appends `{"opened":…}`.
pub(super) fn opened(line: &mut Vec<u8>, attempt: &OpenAttempt) {
    // Named one by one, so that a new field cannot be left out.
    let OpenAttempt {
        call,
        key,
        account,
        model,
        at,
        number,
        reserved,
        reserved_cost,
        priced_by,
        window,
    } = attempt;
    let mut json = Json(line);
    json.raw(r#"{"opened":{"call":""#).call(*call);
    json.raw(r#"","key":"key_"#).signed(key.0);
    json.raw(r#"","account":"acct_"#).signed(account.0);
    json.raw(r#"","model":"#).text(model);
    json.raw(r#","at":"#).signed(at.as_millis());
    json.raw(r#","number":"#).number((*number).into());
    json.raw(r#","reserved":"#).usage(reserved);
    json.raw(r#","reserved_cost":"#).signed(reserved_cost.as_nanos());
    json.raw(r#","priced_by":"#).priced_by(priced_by);
    json.window(*window).raw("}}");
}

/// Appends `{"settled":…}`.
pub(super) fn settled(line: &mut Vec<u8>, record: &CallRecord) {
    let CallRecord {
        call,
        key,
        account,
        at,
        path,
        model_asked,
        model_served,
        client,
        session,
        streamed,
        status,
        outcome,
        usage,
        exactness,
        cost,
        priced_by,
        service_tier,
        speed,
        first_byte_millis,
        total_millis,
        attempts,
        window,
    } = record;
    let mut json = Json(line);
    json.raw(r#"{"settled":{"call":""#).call(*call);
    json.raw(r#"","key":"key_"#).signed(key.0);
    json.raw(r#"","account":"acct_"#).signed(account.0);
    json.raw(r#"","at":"#).signed(at.as_millis());
    json.raw(r#","path":"#).text(path);
    json.raw(r#","model_asked":"#).text(model_asked);
    json.raw(r#","model_served":"#).text(model_served);
    json.raw(r#","client":"#).text(client);
    json.raw(r#","session":"#).session(*session);
    json.raw(r#","streamed":"#).truth(*streamed);
    json.raw(r#","status":"#).number((*status).into());
    json.raw(r#","outcome":"#).text(outcome.as_str());
    json.raw(r#","usage":"#).usage(usage);
    json.raw(r#","exactness":"#).word(exactness);
    json.raw(r#","cost":"#).signed(cost.as_nanos());
    json.raw(r#","priced_by":"#).priced_by(priced_by);
    json.raw(r#","service_tier":"#).text(service_tier);
    json.raw(r#","speed":"#).text(speed);
    json.raw(r#","first_byte_millis":"#).optional(*first_byte_millis);
    json.raw(r#","total_millis":"#).number(*total_millis);
    json.raw(r#","attempts":["#);
    for (index, attempt) in attempts.iter().enumerate() {
        json.raw(if index == 0 { "" } else { "," }).attempt(attempt);
    }
    json.raw("]").window(*window).raw("}}");
}

/// JSON that is being written.
struct Json<'a>(&'a mut Vec<u8>);

impl Json<'_> {
    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn text(&mut self, text: &str) {
        let is_tame = |byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if text.bytes().all(is_tame) {
            self.raw("\"").raw(text).raw("\"");
        } else {
            self.word(&text);
        }
    }

    /// Whatever is seldom, or short.
    fn word(&mut self, value: &impl Serialize) {
        serde_json::to_writer(&mut *self.0, value).expect("memory takes all, and these are texts");
    }

    fn number(&mut self, number: u64) {
        self.raw(itoa::Buffer::new().format(number));
    }

    fn signed(&mut self, number: i64) {
        self.raw(itoa::Buffer::new().format(number));
    }

    fn optional(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.number(number),
            None => _ = self.raw("null"),
        }
    }

    fn truth(&mut self, truth: bool) {
        self.raw(if truth { "true" } else { "false" });
    }

    fn hexadecimal(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in bytes {
            let pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
            self.0.extend_from_slice(&pair);
        }
    }

    fn call(&mut self, call: CallId) {
        let bytes = call.as_bytes();
        self.hexadecimal(&bytes[..4]);
        for part in [4..6, 6..8, 8..10, 10..16] {
            self.raw("-").hexadecimal(&bytes[part]);
        }
    }

    fn session(&mut self, session: Option<SessionId>) {
        match session {
            Some(SessionId(bytes)) => {
                self.raw("\"").hexadecimal(&bytes);
                self.raw("\"");
            }
            None => _ = self.raw("null"),
        }
    }

    fn usage(&mut self, usage: &TokenUsage) {
        let TokenUsage { input, output, cache_read, cache_write_5m, cache_write_1h, web_searches } =
            *usage;
        self.raw(r#"{"input":"#).number(input);
        self.raw(r#","output":"#).number(output);
        self.raw(r#","cache_read":"#).number(cache_read);
        self.raw(r#","cache_write_5m":"#).number(cache_write_5m);
        self.raw(r#","cache_write_1h":"#).number(cache_write_1h);
        self.raw(r#","web_searches":"#).number(web_searches);
        self.raw("}");
    }

    fn priced_by(&mut self, PricedBy { version, source }: &PricedBy) {
        self.raw(r#"{"version":"#).text(version);
        self.raw(r#","source":"#).word(source);
        self.raw("}");
    }

    /// A field that is left out where a key has no window.
    fn window(&mut self, from: Option<Timestamp>) -> &mut Self {
        if let Some(from) = from {
            self.raw(r#","window":"#).signed(from.as_millis());
        }
        self
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let Attempt { account, at, millis, status, fault, maybe_billed } = attempt;
        self.raw(r#"{"account":"acct_"#).signed(account.0);
        self.raw(r#"","at":"#).signed(at.as_millis());
        self.raw(r#","millis":"#).number(*millis);
        self.raw(r#","status":"#).optional(status.map(u64::from));
        self.raw(r#","fault":"#);
        match fault {
            Some(fault) => self.text(fault),
            None => _ = self.raw("null"),
        }
        self.raw(r#","maybe_billed":"#).truth(*maybe_billed);
        self.raw("}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use relay_core::clock::Timestamp;
    use relay_core::id::{AccountId, KeyId};
    use relay_core::money::Money;
    use relay_core::price::PriceSource;
    use relay_core::usage::{Exactness, Outcome};

    use super::super::Entry;
    use super::*;

    const OUTCOMES: [Outcome; 8] = [
        Outcome::Completed,
        Outcome::Rejected,
        Outcome::ClientLeft,
        Outcome::Cut,
        Outcome::Failed,
        Outcome::Shutdown,
        Outcome::Cancelled,
        Outcome::Crashed,
    ];
    const EXACTNESSES: [Exactness; 3] =
        [Exactness::Exact, Exactness::Estimated, Exactness::Reserved];

    fn written(entry: &Entry) -> String {
        let mut line = Vec::new();
        match entry {
            Entry::Opened(attempt) => opened(&mut line, attempt),
            Entry::Settled(record) => settled(&mut line, record),
        }
        String::from_utf8(line).unwrap()
    }

    fn numbers() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), Just(u64::MAX), 0..2_000_u64, any::<u64>()]
    }

    fn moments() -> impl Strategy<Value = Timestamp> {
        prop_oneof![Just(i64::MIN), Just(i64::MAX), -9..9_i64, any::<i64>()]
            .prop_map(Timestamp::from_millis)
    }

    fn usages() -> impl Strategy<Value = TokenUsage> {
        (numbers(), numbers(), numbers(), numbers(), numbers(), numbers()).prop_map(
            |(input, output, cache_read, cache_write_5m, cache_write_1h, web_searches)| {
                TokenUsage {
                    input,
                    output,
                    cache_read,
                    cache_write_5m,
                    cache_write_1h,
                    web_searches,
                }
            },
        )
    }

    fn prices() -> impl Strategy<Value = PricedBy> {
        let sources = prop_oneof![Just(PriceSource::Listed), Just(PriceSource::FamilyMaximum)];
        ("\\PC*", sources).prop_map(|(version, source)| PricedBy { version, source })
    }

    fn attempts() -> impl Strategy<Value = Attempt> {
        let fault = prop::option::of("(?s).*");
        (any::<i64>(), moments(), numbers(), any::<Option<u16>>(), fault, any::<bool>()).prop_map(
            |(account, at, millis, status, fault, maybe_billed)| Attempt {
                account: AccountId(account),
                at,
                millis,
                status,
                fault,
                maybe_billed,
            },
        )
    }

    prop_compose! {
        fn open_attempts()(
            (call, key, account) in any::<([u8; 16], i64, i64)>(),
            (model, at, number) in ("(?s).*", moments(), any::<u32>()),
            (reserved, cost, priced_by) in (usages(), any::<i64>(), prices()),
            window in prop::option::of(moments()),
        ) -> OpenAttempt {
            OpenAttempt {
                call: CallId::from_bytes(call),
                key: KeyId(key),
                account: AccountId(account),
                model,
                at,
                number,
                reserved,
                reserved_cost: Money::from_nanos(cost),
                priced_by,
                window,
            }
        }
    }

    prop_compose! {
        fn records()(
            opened in open_attempts(),
            (path, model_served, client) in ("(?s).*", "(?s).*", "(?s).*"),
            (session, streamed, status) in any::<(Option<[u8; 16]>, bool, u16)>(),
            outcome in prop::sample::select(OUTCOMES.to_vec()),
            exactness in prop::sample::select(EXACTNESSES.to_vec()),
            (service_tier, speed) in ("(?s).*", "(?s).*"),
            (first_byte_millis, total_millis) in (prop::option::of(numbers()), numbers()),
            attempts in prop::collection::vec(attempts(), 0..3),
        ) -> CallRecord {
            CallRecord {
                call: opened.call,
                key: opened.key,
                account: opened.account,
                at: opened.at,
                path,
                model_asked: opened.model,
                model_served,
                client,
                session: session.map(SessionId),
                streamed,
                status,
                outcome,
                usage: opened.reserved,
                exactness,
                cost: opened.reserved_cost,
                priced_by: opened.priced_by,
                service_tier,
                speed,
                first_byte_millis,
                total_millis,
                attempts,
                window: opened.window,
            }
        }
    }

    proptest! {
        #[test]
        fn entries_are_written_as_serde_writes_them(opened in open_attempts(), record in records()) {
            for entry in [Entry::Opened(opened), Entry::Settled(record)] {
                prop_assert_eq!(written(&entry), serde_json::to_string(&entry).unwrap());
            }
        }
    }
}
