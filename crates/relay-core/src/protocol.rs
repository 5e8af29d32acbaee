//! What is spoken: families of clients, protocols, and the services whose accounts answer.

use serde::{Deserialize, Serialize};

/// A family of clients: decides the shape of errors and of model lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Claude Code and the Anthropic SDKs.
    Anthropic,
    /// Codex, the OpenAI SDKs and the many tools that speak like them.
    Openai,
    /// Gemini CLI and the Google SDKs.
    Gemini,
}

/// The form of a conversation on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Anthropic Messages.
    Messages,
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Google's generateContent.
    Gemini,
}

/// Whose accounts serve a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Accounts of Anthropic and compatible hosts.
    Claude,
    /// Accounts of OpenAI and compatible hosts.
    Openai,
    /// Accounts of Google.
    Gemini,
}

impl Service {
    /// The word used in the database, the command line and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Openai => "openai",
            Self::Gemini => "gemini",
        }
    }

    /// Whose model this is, by its name; `None` if that does not tell.
    pub fn of_model(model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase();
        let name = model.rsplit('/').next().unwrap_or(&model);
        let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        if begins(&["claude"]) {
            Some(Self::Claude)
        } else if begins(&["gemini"]) {
            Some(Self::Gemini)
        } else if begins(&[
            "gpt-",
            "chatgpt-",
            "codex-",
            "o1",
            "o3",
            "o4",
            "dall-e",
            "text-embedding-",
        ]) {
            Some(Self::Openai)
        } else {
            None
        }
    }

    /// The service of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Claude, Self::Openai, Self::Gemini].into_iter().find(|it| it.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_tells_whose_it_is() {
        for (model, service) in [
            ("claude-opus-4-8", Some(Service::Claude)),
            ("anthropic/Claude-3", Some(Service::Claude)),
            ("models/gemini-3-pro", Some(Service::Gemini)),
            ("gpt-6.1-codex", Some(Service::Openai)),
            ("o3-mini", Some(Service::Openai)),
            ("deepseek-chat", None),
            ("my-claude", None),
            ("", None),
        ] {
            assert_eq!(Service::of_model(model), service, "{model}");
        }
    }
}
