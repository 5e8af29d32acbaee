//! The `usage` object of Anthropic Messages, gathered from the events that repeat it.

use relay_core::usage::TokenUsage;

use crate::json::members;

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
    pub(super) fn update(&mut self, usage: &[u8]) -> bool {
        // What is no object states nothing.
        let Ok(told) = members(
            usage,
            [
                "output_tokens",
                "input_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
                "cache_creation",
                "server_tool_use",
                "service_tier",
                "speed",
            ],
        ) else {
            return false;
        };
        let [output, input, cache_read, cache_write, split, tools, service_tier, speed] = told;
        let output = count(output);
        take_over(&mut self.output, output);
        take_over(&mut self.input, count(input));
        take_over(&mut self.cache_read, count(cache_read));
        let [searches] = inner(tools, ["web_search_requests"]);
        take_over(&mut self.web_searches, count(searches));

        // Hosts that do not know of the two lifetimes leave the object out, or zero.
        let [five, hour] =
            inner(split, ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]).map(count);
        let split_sum = (five.is_some() || hour.is_some())
            .then(|| five.unwrap_or_default() + hour.unwrap_or_default());
        take_over(&mut self.cache_write_1h, hour);
        take_over(&mut self.cache_write, count(cache_write).max(split_sum));

        label(&mut self.service_tier, service_tier);
        label(&mut self.speed, speed);
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
pub(crate) fn label(kept: &mut String, stated: Option<&[u8]>) {
    // Most events say it again. A backslash may be an escape, and is read as one.
    let repeats = |text: &[u8]| {
        text.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")) == Some(kept.as_bytes())
    };
    if kept.contains('\\') || !stated.is_some_and(repeats) {
        relabel(kept, stated);
    }
}

fn relabel(kept: &mut String, stated: Option<&[u8]>) {
    // Escapes make a text longer than it is.
    let stated = stated.filter(|text| text.starts_with(b"\"") && text.len() <= 6 * LABEL_BYTES_MAX);
    if let Some(text) = stated.and_then(|text| serde_json::from_slice::<String>(text).ok())
        && text.len() <= LABEL_BYTES_MAX
    {
        *kept = text;
    }
}

/// The members of a member that may be left out, or be no object.
pub(crate) fn inner<'a, const N: usize>(
    object: Option<&'a [u8]>,
    names: [&str; N],
) -> [Option<&'a [u8]>; N] {
    object.and_then(|object| members(object, names).ok()).unwrap_or([None; N])
}

/// Takes over a later count, unless it is a zero that would undo one.
pub(crate) fn take_over(kept: &mut Option<u64>, stated: Option<u64>) {
    match stated {
        Some(0) if kept.is_some() => {}
        Some(_) => *kept = stated,
        None => {}
    }
}

/// The count that stands there, if it is one to be believed.
pub(crate) fn count(value: Option<&[u8]>) -> Option<u64> {
    let digits = value.filter(|value| value.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|count| *count <= TOKENS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn tokens(usages: &[Value]) -> TokenUsage {
        let mut stated = Stated::default();
        for usage in usages {
            stated.update(usage.to_string().as_bytes());
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
    fn a_label_that_is_said_again_stays_and_another_replaces_it() {
        let mut kept = String::new();
        for (stated, expected) in [
            (&br#""gpt-x""#[..], "gpt-x"),
            (br#""gpt-x""#, "gpt-x"),
            (br#""gpt-y""#, "gpt-y"),
            (br#""a\\b""#, "a\\b"),
            (br#""a\b""#, "a\u{8}"),
            (b"null", "a\u{8}"),
        ] {
            label(&mut kept, Some(stated));
            assert_eq!(kept, expected);
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
