//! The `usage` object of Anthropic Messages, gathered from the events that repeat it.

use relay_core::usage::TokenUsage;
use serde_json::Value;

/// A count beyond this is taken for a mistake and ignored: no model reads or writes as much in
/// one call, and sums of smaller counts cannot overflow.
const TOKENS_MAX: u64 = 1 << 40;

/// The longest model name, tier or speed that is believed, in bytes.
const LABEL_BYTES_MAX: usize = 256;

/// What an answer has stated of its usage so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Stated {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_1h: Option<u64>,
    web_searches: Option<u64>,
    pub(super) service_tier: String,
    pub(super) speed: String,
}

impl Stated {
    /// Takes over what a later `usage` says. Returns whether it stated the output.
    ///
    /// The counts are cumulative, so the last value wins; what it leaves out, or what is not a
    /// count, keeps its value. A zero does not undo a count either: some compatible hosts state
    /// the input once and send zeros after.
    pub(super) fn update(&mut self, usage: &Value) -> bool {
        let output = count(usage, "output_tokens");
        take_over(&mut self.output, output);
        take_over(&mut self.input, count(usage, "input_tokens"));
        take_over(&mut self.cache_read, count(usage, "cache_read_input_tokens"));
        let searches = usage.get("server_tool_use").and_then(|it| count(it, "web_search_requests"));
        take_over(&mut self.web_searches, searches);

        // Hosts that do not know of the two lifetimes leave the object out, or zero.
        let split = usage.get("cache_creation");
        let by_lifetime = |name: &str| split.and_then(|split| count(split, name));
        let (five, hour) =
            (by_lifetime("ephemeral_5m_input_tokens"), by_lifetime("ephemeral_1h_input_tokens"));
        let split_sum = (five.is_some() || hour.is_some())
            .then(|| five.unwrap_or_default() + hour.unwrap_or_default());
        take_over(&mut self.cache_write_1h, hour);
        take_over(
            &mut self.cache_write,
            count(usage, "cache_creation_input_tokens").max(split_sum),
        );

        label(&mut self.service_tier, usage.get("service_tier"));
        label(&mut self.speed, usage.get("speed"));
        output.is_some()
    }

    /// The tokens as stated. Cache writes of no stated lifetime count as five-minute ones.
    pub(super) fn tokens(&self) -> TokenUsage {
        let cache_write = self.cache_write.unwrap_or_default();
        let cache_write_1h = self.cache_write_1h.unwrap_or_default().min(cache_write);
        TokenUsage {
            input: self.input.unwrap_or_default(),
            output: self.output.unwrap_or_default(),
            cache_read: self.cache_read.unwrap_or_default(),
            cache_write_5m: cache_write - cache_write_1h,
            cache_write_1h,
            web_searches: self.web_searches.unwrap_or_default(),
        }
    }

    /// Whether any count of tokens was stated at all.
    pub(super) const fn is_some(&self) -> bool {
        self.input.is_some() || self.output.is_some()
    }
}

/// Keeps a label that an answer states, unless it is no string or absurdly long.
pub(super) fn label(kept: &mut String, stated: Option<&Value>) {
    if let Some(Value::String(text)) = stated
        && text.len() <= LABEL_BYTES_MAX
    {
        kept.clone_from(text);
    }
}

fn take_over(kept: &mut Option<u64>, stated: Option<u64>) {
    match stated {
        Some(0) if kept.is_some() => {}
        Some(_) => *kept = stated,
        None => {}
    }
}

fn count(object: &Value, field: &str) -> Option<u64> {
    object.get(field).and_then(Value::as_u64).filter(|count| *count <= TOKENS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tokens(usages: &[Value]) -> TokenUsage {
        let mut stated = Stated::default();
        for usage in usages {
            stated.update(usage);
        }
        stated.tokens()
    }

    #[test]
    fn the_last_value_wins_and_what_is_left_out_stays() {
        let got = tokens(&[
            json!({"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}),
            json!({"input_tokens": 12, "output_tokens": 7}),
            json!({"output_tokens": 9, "input_tokens": 0}),
        ]);
        assert_eq!(
            got,
            TokenUsage { input: 12, cache_read: 5, output: 9, ..TokenUsage::default() }
        );
    }

    #[test]
    fn what_is_no_count_is_ignored() {
        let good = json!({"input_tokens": 10, "output_tokens": 2});
        for bad in [
            json!({"input_tokens": -1, "output_tokens": null}),
            json!({"input_tokens": "7", "output_tokens": 1.5}),
            json!({"input_tokens": u64::MAX, "output_tokens": [], "cache_creation": 7}),
            json!({"input_tokens": {}, "server_tool_use": null, "speed": 3}),
            json!([]),
        ] {
            let got = tokens(&[good.clone(), bad]);
            assert_eq!(got, TokenUsage { input: 10, output: 2, ..TokenUsage::default() });
        }
    }

    #[test]
    fn cache_writes_are_split_by_lifetime_where_it_is_stated() {
        let writes = |usages: &[Value]| {
            let got = tokens(usages);
            (got.cache_write_5m, got.cache_write_1h)
        };
        let total = |count: u64| json!({"cache_creation_input_tokens": count});
        let split = |total: u64, five: u64, hour: u64| {
            json!({"cache_creation_input_tokens": total, "cache_creation":
                {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour}})
        };
        assert_eq!(writes(&[total(70)]), (70, 0));
        assert_eq!(writes(&[split(70, 20, 50)]), (20, 50));
        assert_eq!(writes(&[split(70, 20, 50), total(70)]), (20, 50));
        assert_eq!(writes(&[split(70, 20, 50), total(90)]), (40, 50));
        assert_eq!(writes(&[split(70, 0, 0)]), (70, 0));
        assert_eq!(writes(&[split(0, 20, 50)]), (20, 50));
        assert_eq!(writes(&[total(70), split(70, 0, 70)]), (0, 70));
    }
}
