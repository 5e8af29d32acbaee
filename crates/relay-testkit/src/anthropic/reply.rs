//! An answer to a request, before it is written as a body or a stream.

use relay_core::usage::TokenUsage;
use serde_json::{Value, json};

use super::ask::Ask;
use super::tokens;
use crate::directive::Directive;
use crate::format::Family;
use crate::openai::others;
use crate::schema;

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

/// A whole answer, in whatever format it is written.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) serial: u64,
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) blocks: Vec<Block>,
    /// In Anthropic's words.
    pub(crate) stop_reason: &'static str,
    /// Whether the text says why there is no answer.
    pub(crate) refused: bool,
    pub(crate) usage: TokenUsage,
    /// What of the output was thinking.
    pub(crate) reasoning: u64,
}

impl Reply {
    /// Answers `ask`. With `huge` there is one more delta, of that many bytes.
    pub(crate) fn to(ask: &Ask, serial: u64, huge: Option<usize>) -> Self {
        let mut blocks = Vec::new();
        if ask.may_think && ask.directives.contains(&Directive::Think) {
            let deltas = split("Let me think. 让我想一想。Yes, that is it.");
            blocks.push(Block::Thinking { deltas, signature: format!("c2lnbmF0dXJl{serial:08}") });
        }
        let reasoning = blocks.iter().map(Block::tokens).sum();
        let mut deltas = text_deltas(ask);
        deltas.extend(huge.map(|bytes| "h".repeat(bytes)));
        let mut stop_reason = "end_turn";
        let tools = tool_uses(ask, serial);
        if let Some(text) = refusal(ask) {
            blocks.push(Block::Text(split(text)));
            stop_reason = "refusal";
        } else if tools.is_empty() {
            blocks.push(Block::Text(deltas));
        } else {
            blocks.push(Block::Text(split("I will use a tool. 我来用工具。")));
            blocks.extend(tools);
            stop_reason = "tool_use";
        }
        if ask.directives.contains(&Directive::StopAtMaximum) {
            stop_reason = "max_tokens";
        }
        let id = format!("msg_fake_{serial:08}");
        let model = ask.model.clone();
        let usage = usage(ask, &blocks);
        let refused = stop_reason == "refusal";
        Self { serial, id, model, blocks, stop_reason, refused, usage, reasoning }
    }

    /// All that it says, thinking left out.
    pub(crate) fn text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text(deltas) => Some(deltas.concat()),
            _ => None,
        });
        texts.collect()
    }

    /// The calls of tools, by id, name and input.
    pub(crate) fn tools(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        self.blocks.iter().filter_map(|block| match block {
            Block::ToolUse { id, name, input } => Some((id.as_str(), name.as_str(), input)),
            _ => None,
        })
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
    if let Some(shape) = &ask.schema {
        return split(&schema::instance(shape, ask.nonce().as_deref()));
    }
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

/// The tools that the text asks for, as far as the request offers them.
fn tool_uses(ask: &Ask, serial: u64) -> Vec<Block> {
    let asked = ask.directives.iter().filter_map(|directive| match directive {
        Directive::Tool { name, input } if ask.tools.contains(name) => Some((name, input)),
        _ => None,
    });
    let prefix = match ask.format.family() {
        Family::Anthropic => "toolu",
        _ => "call",
    };
    asked
        .enumerate()
        .map(|(index, (name, input))| Block::ToolUse {
            // The first has the id that it would have alone. None is another's with `_1` at its
            // end: so Claude Code names the parts of what it has merged by itself.
            id: match index {
                0 => format!("{prefix}_fake_{serial:08}"),
                _ => format!("{prefix}_fake_{index}_{serial:08}"),
            },
            name: name.clone(),
            input: if input.is_null() { json!({}) } else { input.clone() },
        })
        .collect()
}

fn refusal(ask: &Ask) -> Option<&str> {
    ask.directives.iter().find_map(|directive| match directive {
        Directive::Refuse(text) => Some(text.as_str()),
        _ => None,
    })
}

/// What the answer states to have used.
fn usage(ask: &Ask, blocks: &[Block]) -> TokenUsage {
    let mut usage = ask.input;
    usage.output = 1 + blocks.iter().map(Block::tokens).sum::<u64>();
    for directive in &ask.directives {
        match directive {
            Directive::Searches(count) => usage.web_searches = *count,
            Directive::Cached(count) => {
                let read = usage.cache_read.max(*count).min(usage.cache_read + usage.input);
                usage.input -= read - usage.cache_read;
                usage.cache_read = read;
            }
            _ => {}
        }
    }
    if ask.format.family() != Family::Anthropic {
        usage.web_searches = 0;
    }
    others::usage(ask, usage)
}
