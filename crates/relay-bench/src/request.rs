//! The requests that are sent, made before anything is measured.

use std::net::SocketAddr;

use relay_core::protocol::Protocol;

/// Conversations that connections share among them: the first words of each are its own, so that
/// the relay does not keep all of them on one account where there are two.
const CONVERSATIONS: usize = 64;
/// Conversations of bodies that would take much memory.
const LARGE_CONVERSATIONS: usize = 8;
/// From here on bodies are large.
const LARGE_KILOBYTES: usize = 50;
/// Plain text, as much as is wanted by repeating it.
pub(crate) const WORDS: &str = "The quick brown fox jumps over the lazy dog. ";

/// What calls ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A whole answer.
    Unary,
    /// A stream of so many deltas, so many milliseconds apart; at once if that is nought.
    Stream { deltas: u32, interval_ms: u32 },
}

/// Whose addresses calls have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paths {
    /// Those of the provider, which are those of nginx too.
    Provider,
    /// Those of the relay.
    Relay,
}

/// Where calls go, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) address: SocketAddr,
    pub(crate) paths: Paths,
    pub(crate) key: String,
}

/// A kind of call: how it is spoken, what is asked for, and how long its body is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) protocol: Protocol,
    pub(crate) wanted: Wanted,
    pub(crate) kilobytes: usize,
}

/// The model that clients of a protocol ask for.
pub(crate) const fn model(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Messages => "claude-sonnet-4-6",
        Protocol::Chat | Protocol::Responses => "gpt-5.1",
        Protocol::Gemini => "gemini-2.5-pro",
    }
}

impl Shape {
    /// Whole requests, ready for the wire; connections take them in turn.
    pub(crate) fn requests(self, to: &Destination) -> Vec<Vec<u8>> {
        let large = self.kilobytes >= LARGE_KILOBYTES;
        let count = if large { LARGE_CONVERSATIONS } else { CONVERSATIONS };
        (0..count).map(|number| self.request(to, number)).collect()
    }

    fn request(self, to: &Destination, number: usize) -> Vec<u8> {
        let body = self.body(number);
        let credential = match self.protocol {
            Protocol::Messages => "anthropic-version: 2023-06-01\r\nx-api-key: ",
            Protocol::Chat | Protocol::Responses => "authorization: Bearer ",
            Protocol::Gemini => "x-goog-api-key: ",
        };
        let mut request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             {credential}{}\r\ncontent-length: {}\r\n\r\n",
            self.path(to.paths),
            to.address,
            to.key,
            body.len()
        );
        request.push_str(&body);
        request.into_bytes()
    }

    fn path(self, paths: Paths) -> String {
        let (prefix, path) = match self.protocol {
            Protocol::Messages => ("/api", "/v1/messages".to_owned()),
            Protocol::Chat => ("/openai", "/v1/chat/completions".to_owned()),
            Protocol::Responses => ("/openai", "/v1/responses".to_owned()),
            Protocol::Gemini => {
                let method = match self.wanted {
                    Wanted::Unary => "generateContent",
                    Wanted::Stream { .. } => "streamGenerateContent?alt=sse",
                };
                ("/gemini", format!("/v1beta/models/{}:{method}", model(self.protocol)))
            }
        };
        match paths {
            Paths::Provider => path,
            Paths::Relay => format!("{prefix}{path}"),
        }
    }

    /// Each states how much output it wants: where it does not, the limit of the key is put in, and
    /// rules that change bodies are not measured.
    fn body(self, number: usize) -> String {
        let (stream, directive) = match self.wanted {
            Wanted::Unary => (false, String::new()),
            Wanted::Stream { deltas, interval_ms } => {
                (true, format!("[[paced {deltas} {interval_ms}]]"))
            }
        };
        let (model, streams) = (model(self.protocol), format!(r#""stream":{stream}"#));
        let (before, after) = match self.protocol {
            Protocol::Messages => (
                format!(
                    r#"{{"model":"{model}","max_tokens":1000,{streams},"messages":[{{"role":"user","content":""#
                ),
                r#""}]}"#,
            ),
            Protocol::Chat => {
                let usage =
                    if stream { r#","stream_options":{"include_usage":true}"# } else { "" };
                let before = format!(
                    r#"{{"model":"{model}","max_completion_tokens":1000,{streams}{usage},"messages":[{{"role":"user","content":""#
                );
                (before, r#""}]}"#)
            }
            Protocol::Responses => (
                format!(r#"{{"model":"{model}","max_output_tokens":1000,{streams},"input":""#),
                r#""}"#,
            ),
            Protocol::Gemini => (
                r#"{"generationConfig":{"maxOutputTokens":1000},"contents":[{"role":"user","parts":[{"text":""#
                    .to_owned(),
                r#""}]}]}"#,
            ),
        };
        let before = format!("{before}Conversation {number:02}. ");
        let after = directive + after;
        let room = (self.kilobytes * 1_024).saturating_sub(before.len() + after.len());
        let text: String = WORDS.chars().cycle().take(room).collect();
        before + &text + &after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Protocol; 4] =
        [Protocol::Messages, Protocol::Chat, Protocol::Responses, Protocol::Gemini];
    const STREAM: Wanted = Wanted::Stream { deltas: 5, interval_ms: 100 };

    #[test]
    fn bodies_are_json_of_the_length_that_was_asked_for() {
        for (protocol, kilobytes) in ALL.into_iter().flat_map(|it| [(it, 1), (it, 50)]) {
            for wanted in [Wanted::Unary, STREAM] {
                let body = Shape { protocol, wanted, kilobytes }.body(7);
                assert_eq!(body.len(), kilobytes * 1_024);
                let message: serde_json::Value = serde_json::from_str(&body).unwrap();
                // Google's clients say it in the address.
                let streams = (protocol != Protocol::Gemini).then_some(wanted != Wanted::Unary);
                assert_eq!(message["stream"].as_bool(), streams, "{protocol:?}");
                assert_eq!(body.contains("[[paced 5 100]]"), wanted != Wanted::Unary);
            }
        }
    }

    #[test]
    fn conversations_differ_in_their_first_words() {
        for protocol in ALL {
            let shape = Shape { protocol, wanted: Wanted::Unary, kilobytes: 1 };
            assert_ne!(shape.body(1), shape.body(2));
        }
    }

    #[test]
    fn addresses_are_those_of_the_protocol_on_either_side() {
        let path = |protocol, wanted, paths| Shape { protocol, wanted, kilobytes: 1 }.path(paths);
        for protocol in ALL {
            let (there, here) =
                (path(protocol, STREAM, Paths::Provider), path(protocol, STREAM, Paths::Relay));
            assert!(here.ends_with(&there) && here.len() > there.len(), "{here}");
        }
        let google = path(Protocol::Gemini, Wanted::Unary, Paths::Provider);
        assert_eq!(google, "/v1beta/models/gemini-2.5-pro:generateContent");
    }
}
