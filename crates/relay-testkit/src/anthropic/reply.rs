//! An answer to a request, before it is written as a body or a stream.

use relay_core::usage::TokenUsage;
use serde_json::{Value, json};

use super::ask::Ask;
use super::tokens;
use crate::directive::Directive;

/// What is said when nothing particular is asked for.
const LOREM: &str = "The quick brown fox jumps over the lazy dog, and the dog does not mind. \
    敏捷的棕色狐狸跳过了懒狗，懒狗并不介意。Every byte of this text is counted: 每个字都算数。";
/// A word of a paced answer.
const PACED_WORD: &str = "tick 滴答 ";
/// Characters in one delta of a text.
const DELTA_CHARS: usize = 12;
/// A text is split into this many deltas at least, if it has the characters.
const DELTAS_MIN: usize = 3;

/// A block of an answer, cut into the deltas that a stream would send.
#[derive(Debug, Clone)]
pub(crate) enum Block {
    Text(Vec<String>),
    Thinking { deltas: Vec<String>, signature: String },
    ToolUse { id: String, name: String, input: Value },
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) stop_reason: &'static str,
    pub(crate) usage: TokenUsage,
}

impl Reply {
    /// Answers `ask`. With `huge` there is one more delta, of that many bytes.
    pub(crate) fn to(ask: &Ask, serial: u64, huge: Option<usize>) -> Self {
        let mut blocks = Vec::new();
        if ask.may_think && ask.directives.contains(&Directive::Think) {
            let deltas = split("Let me think. 让我想一想。Yes, that is it.");
            blocks.push(Block::Thinking { deltas, signature: format!("c2lnbmF0dXJl{serial:08}") });
        }
        let mut deltas = text_deltas(ask);
        deltas.extend(huge.map(|bytes| "h".repeat(bytes)));
        let mut stop_reason = "end_turn";
        match tool_use(ask, serial) {
            Some(tool) => {
                blocks.push(Block::Text(split("I will use a tool. 我来用工具。")));
                blocks.push(tool);
                stop_reason = "tool_use";
            }
            None => blocks.push(Block::Text(deltas)),
        }
        if ask.directives.contains(&Directive::StopAtMaximum) {
            stop_reason = "max_tokens";
        }
        let mut usage = ask.input;
        usage.output = 1 + blocks.iter().map(Block::tokens).sum::<u64>();
        for directive in &ask.directives {
            if let Directive::Searches(count) = directive {
                usage.web_searches = *count;
            }
        }
        let id = format!("msg_fake_{serial:08}");
        Self { id, model: ask.model.clone(), blocks, stop_reason, usage }
    }

    /// The body of an answer that is not streamed.
    pub(crate) fn body(&self) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": self.blocks.iter().map(Block::whole).collect::<Vec<_>>(),
            "stop_reason": self.stop_reason,
            "stop_sequence": null,
            "usage": usage_json(&self.usage),
        })
    }
}

impl Block {
    fn whole(&self) -> Value {
        match self {
            Self::Text(deltas) => json!({"type": "text", "text": deltas.concat()}),
            Self::Thinking { deltas, signature } => {
                json!({"type": "thinking", "thinking": deltas.concat(), "signature": signature})
            }
            Self::ToolUse { id, name, input } => {
                json!({"type": "tool_use", "id": id, "name": name, "input": input})
            }
        }
    }

    fn tokens(&self) -> u64 {
        match self {
            Self::Text(deltas) | Self::Thinking { deltas, .. } => {
                deltas.iter().map(|delta| tokens(delta)).sum()
            }
            Self::ToolUse { name, input, .. } => tokens(name) + tokens(&input.to_string()),
        }
    }
}

/// Usage as the provider writes it.
pub(crate) fn usage_json(usage: &TokenUsage) -> Value {
    let mut stated = json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write(),
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        "service_tier": "standard",
    });
    if usage.web_searches > 0 {
        stated["server_tool_use"] = json!({"web_search_requests": usage.web_searches});
    }
    stated
}

/// Cuts a text into deltas, between characters.
pub(crate) fn split(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let size = DELTA_CHARS.min(chars.len().div_ceil(DELTAS_MIN)).max(1);
    chars.chunks(size).map(|part| part.iter().collect()).collect()
}

fn text_deltas(ask: &Ask) -> Vec<String> {
    for directive in &ask.directives {
        match directive {
            Directive::Say(text) => return split(text),
            Directive::Paced { count, .. } => return vec![PACED_WORD.to_owned(); *count],
            Directive::Long(chars) => {
                return split(&LOREM.chars().cycle().take(*chars).collect::<String>());
            }
            _ => {}
        }
    }
    if !ask.tool_results.is_empty() {
        return split(&format!("The tool said: {}", ask.tool_results.join("; ")));
    }
    let images =
        if ask.images > 0 { format!("I saw {} images. ", ask.images) } else { String::new() };
    split(&format!("{images}You sent {} characters. {LOREM}", ask.text_chars))
}

/// The tool that the text asks for, if the request offers it.
fn tool_use(ask: &Ask, serial: u64) -> Option<Block> {
    ask.directives.iter().find_map(|directive| match directive {
        Directive::Tool { name, input } if ask.tools.contains(name) => Some(Block::ToolUse {
            id: format!("toolu_fake_{serial:08}"),
            name: name.clone(),
            input: if input.is_null() { json!({}) } else { input.clone() },
        }),
        _ => None,
    })
}
