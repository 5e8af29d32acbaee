//! What a test may ask of the provider within the text of a message: `[[say XYZ]]` and the like.

use std::time::Duration;

use serde_json::Value;

/// One wish, in double square brackets. Unknown ones are left alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Directive {
    /// `[[say TEXT]]`: answer exactly this.
    Say(String),
    /// `[[long N]]`: answer with about N characters.
    Long(usize),
    /// `[[tool NAME {json}]]`: call this tool.
    Tool { name: String, input: Value },
    /// `[[think]]`: think first, if the request allows it.
    Think,
    /// `[[refuse TEXT]]`: decline with this text.
    Refuse(String),
    /// `[[cached N]]`: so many tokens of the input came from the cache.
    Cached(u64),
    /// `[[stop max]]`: end for `max_tokens`.
    StopAtMaximum,
    /// `[[searches N]]`: bill so many searches on the web.
    Searches(u64),
    /// `[[status CODE [retry-after=S] [key=K] [MESSAGE]]]`: refuse; with `key`, only that account.
    Status(Refusal),
    /// `[[error-event [N]]]`: an error within the stream after N events (by default 0).
    ErrorEvent(usize),
    /// `[[hang]]`: never answer.
    Hang,
    /// `[[slow MS]]`: wait so long between events, or before a unary answer.
    Slow(Duration),
    /// `[[paced COUNT MS]]`: so many deltas, so far apart.
    Paced { count: usize, interval: Duration },
}

/// A refusal that a text asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    /// Only requests with this credential are refused.
    pub(crate) key: Option<String>,
    pub(crate) message: String,
}

/// All directives of a text, in order.
pub(crate) fn parse(text: &str) -> Vec<Directive> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("[[") {
        rest = &rest[start + 2..];
        if let Some(tool) = parse_tool(rest) {
            found.push(tool);
            continue;
        }
        let Some(end) = rest.find("]]") else { break };
        found.extend(parse_one(&rest[..end]));
    }
    found
}

/// The text between `[[word ` and `]]` in raw bytes, such as the call marker.
pub(crate) fn raw_argument(body: &[u8], word: &str) -> Option<String> {
    let opening = format!("[[{word} ");
    let start = memchr::memmem::find(body, opening.as_bytes())? + opening.len();
    let length = memchr::memmem::find(&body[start..], b"]]")?;
    Some(String::from_utf8_lossy(&body[start..start + length]).into_owned())
}

/// `COUNT MS` as of `[[paced COUNT MS]]`.
pub(crate) fn pacing(argument: &str) -> Option<(usize, Duration)> {
    let (count, millis) = argument.trim().split_once(' ')?;
    Some((count.parse().ok()?, Duration::from_millis(millis.trim().parse().ok()?)))
}

/// The JSON may hold `]]` itself, so its end is found by reading it.
fn parse_tool(text: &str) -> Option<Directive> {
    let text = text.strip_prefix("tool ")?;
    let (name, json) = text.split_once(' ')?;
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<Value>();
    let input = values.next()?.ok()?;
    json[values.byte_offset()..].trim_start().starts_with("]]").then_some(())?;
    Some(Directive::Tool { name: name.to_owned(), input })
}

fn parse_one(text: &str) -> Option<Directive> {
    let (word, argument) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "say" => Some(Directive::Say(argument.to_owned())),
        "long" => argument.parse().ok().map(Directive::Long),
        "tool" => Some(Directive::Tool { name: argument.to_owned(), input: Value::Null }),
        "refuse" => Some(Directive::Refuse(argument.to_owned())),
        "cached" => argument.parse().ok().map(Directive::Cached),
        "think" => Some(Directive::Think),
        "stop" if argument == "max" => Some(Directive::StopAtMaximum),
        "searches" => argument.parse().ok().map(Directive::Searches),
        "status" => parse_refusal(argument).map(Directive::Status),
        "error-event" => Some(Directive::ErrorEvent(argument.parse().unwrap_or(0))),
        "hang" => Some(Directive::Hang),
        "slow" => argument.parse().ok().map(Duration::from_millis).map(Directive::Slow),
        "paced" => pacing(argument).map(|(count, interval)| Directive::Paced { count, interval }),
        _ => None,
    }
}

fn parse_refusal(argument: &str) -> Option<Refusal> {
    let mut words = argument.split(' ');
    let status = words.next()?.parse().ok()?;
    let mut refusal = Refusal { status, retry_after: None, key: None, message: String::new() };
    let mut message = Vec::new();
    for word in words {
        match word.split_once('=') {
            Some(("retry-after", seconds)) => refusal.retry_after = Some(seconds.to_owned()),
            Some(("key", key)) => refusal.key = Some(key.to_owned()),
            _ => message.push(word),
        }
    }
    refusal.message = message.join(" ");
    Some(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn directives_are_read_in_order_and_others_left_alone() {
        let text = r#"x [[note]] [[tool f {"a":[[1]]}]] [[say 你好 ]x]] [[slow 5]]"#;
        assert_eq!(
            parse(text),
            [
                Directive::Tool { name: "f".into(), input: json!({"a": [[1]]}) },
                Directive::Say("你好 ]x".into()),
                Directive::Slow(Duration::from_millis(5)),
            ]
        );
    }

    #[test]
    fn a_refusal_knows_its_parameters_from_its_message() {
        let refusal = parse("[[status 400 key=a prompt is too long]]").remove(0);
        assert_eq!(
            refusal,
            Directive::Status(Refusal {
                status: 400,
                retry_after: None,
                key: Some("a".into()),
                message: "prompt is too long".into(),
            })
        );
    }
}
