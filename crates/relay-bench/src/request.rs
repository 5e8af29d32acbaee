//! The requests that are sent, made before anything is measured.

use std::net::SocketAddr;

/// Conversations that connections share among them: the first words of each are its own, so that
/// the relay does not keep all of them on one account where there are two.
const CONVERSATIONS: usize = 64;
/// Conversations of bodies that would take much memory.
const LARGE_CONVERSATIONS: usize = 8;
/// From here on bodies are large.
const LARGE_KILOBYTES: usize = 50;
const WORDS: &str = "The quick brown fox jumps over the lazy dog. ";

/// What calls ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A whole answer.
    Unary,
    /// A stream of so many deltas, so many milliseconds apart; at once if that is nought.
    Stream { deltas: u32, interval_ms: u32 },
}

/// Where calls go, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) address: SocketAddr,
    pub(crate) path: &'static str,
    pub(crate) key: String,
}

/// A kind of call: what is asked for, and how long its body is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) wanted: Wanted,
    pub(crate) kilobytes: usize,
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
        let mut request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             anthropic-version: 2023-06-01\r\nx-api-key: {}\r\ncontent-length: {}\r\n\r\n",
            to.path,
            to.address,
            to.key,
            body.len()
        );
        request.push_str(&body);
        request.into_bytes()
    }

    fn body(self, number: usize) -> String {
        let (stream, directive) = match self.wanted {
            Wanted::Unary => (false, String::new()),
            Wanted::Stream { deltas, interval_ms } => {
                (true, format!("[[paced {deltas} {interval_ms}]]"))
            }
        };
        let before = format!(
            r#"{{"model":"claude-sonnet-4-6","max_tokens":1000,"stream":{stream},"messages":[{{"role":"user","content":"Conversation {number:02}. "#
        );
        let after = format!(r#"{directive}"}}]}}"#);
        let room = (self.kilobytes * 1_024).saturating_sub(before.len() + after.len());
        let text: String = WORDS.chars().cycle().take(room).collect();
        before + &text + &after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_of_the_length_that_was_asked_for() {
        for kilobytes in [1, 50] {
            for wanted in [Wanted::Unary, Wanted::Stream { deltas: 5, interval_ms: 100 }] {
                let body = Shape { wanted, kilobytes }.body(7);
                assert_eq!(body.len(), kilobytes * 1_024);
                let message: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert_eq!(message["stream"], wanted != Wanted::Unary);
            }
        }
    }

    #[test]
    fn conversations_differ_in_their_first_words() {
        let shape = Shape { wanted: Wanted::Unary, kilobytes: 1 };
        assert_ne!(shape.body(1), shape.body(2));
    }
}
