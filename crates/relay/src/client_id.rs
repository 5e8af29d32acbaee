//! Which program is calling, told by its user-agent.

use http::header::{HeaderMap, USER_AGENT};

/// The id of Claude Code.
pub const CLAUDE_CODE: &str = "claude_code";

/// The ids of clients that are known without any setting.
///
/// Source: user-agents of today's clients, `claude-cli/2.1.197 (external, cli)`,
/// `codex_exec/0.169.0 (…)`, `GeminiCLI-tui/0.61.0/<model> (…)` and `GeminiCLI/v…`.
const KNOWN: [(&str, &str); 6] = [
    ("claude-cli/", CLAUDE_CODE),
    ("codex_cli_rs/", "codex"),
    ("codex_exec/", "codex"),
    ("codex_vscode/", "codex"),
    ("geminicli-tui/", "gemini_cli"),
    ("geminicli/", "gemini_cli"),
];

/// The id of the calling client; empty if it is none that is known.
pub fn client_id(headers: &HeaderMap) -> &'static str {
    let agent = user_agent(headers);
    KNOWN
        .iter()
        .find(|(start, _)| {
            agent.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
        })
        .map_or("", |(_, id)| id)
}

/// The user-agent as it was sent; empty if there is none.
pub fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn todays_clients_are_known() {
        let id = |agent: &'static str| {
            client_id(&HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(agent))]))
        };
        assert_eq!(id("claude-cli/2.1.197 (external, sdk-cli)"), "claude_code");
        assert_eq!(id("GeminiCLI-tui/0.61.0/gemini-3.7 (linux; x64; terminal)"), "gemini_cli");
        assert_eq!(id("GeminiCLI/v0.1"), "gemini_cli");
        assert_eq!(id("codex_exec/0.169.0 (Debian 12.0.0; x86_64)"), "codex");
        assert_eq!(id("not claude-cli/1"), "");
        assert_eq!(client_id(&HeaderMap::new()), "");
    }
}
