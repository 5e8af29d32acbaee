//! What a demo prints: where it is, and what to try.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use relay_core::secret::Secret;
use serde::Serialize;

use super::people;
use crate::text::tr;

/// What a person has to know of a demo that runs.
#[derive(Debug)]
pub struct Guide {
    /// `http://HOST:PORT` of the relay.
    pub address: String,
    /// `http://HOST:PORT` of the simulated provider.
    pub provider: String,
    /// Where the data is.
    pub data_dir: PathBuf,
    /// Whether the data stays at the end.
    pub is_kept: bool,
    /// The administrator; `None` if an earlier demo in the directory made one.
    pub administrator: Option<Administrator>,
    /// The key to try things with, and the one whose calls fail over.
    pub keys: [Secret; 2],
    /// How many calls the sample history has.
    pub calls: u64,
    /// Whether commands would take the master key of another relay from the environment.
    pub reads_foreign_key: bool,
}

/// Who may sign in.
#[derive(Debug)]
pub struct Administrator {
    /// The name to sign in with.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// The guide for programs.
#[derive(Debug, Serialize)]
pub struct GuideView<'a> {
    address: &'a str,
    provider: &'a str,
    data_dir: &'a Path,
    kept: bool,
    key: &'a str,
    failover_key: &'a str,
    calls: u64,
    username: Option<&'a str>,
    password: Option<&'a str>,
}

/// A call to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Try {
    Whole,
    Streamed,
    Counted,
}

impl Guide {
    /// The guide for programs.
    pub fn view(&self) -> GuideView<'_> {
        let administrator = self.administrator.as_ref();
        GuideView {
            address: &self.address,
            provider: &self.provider,
            data_dir: &self.data_dir,
            kept: self.is_kept,
            key: self.keys[0].expose(),
            failover_key: self.keys[1].expose(),
            calls: self.calls,
            username: administrator.map(|it| it.username.as_str()),
            password: administrator.map(|it| it.password.expose()),
        }
    }

    /// The guide for people, with `program` as they started it.
    pub fn text(&self, program: &str) -> String {
        let sections = [self.head(), self.calls_to_try(), self.clients(), self.look(program)];
        let end = if self.is_kept {
            tr!("Ctrl-C ends it. The data stays: the same command goes on with it, with new keys.")
        } else {
            tr!("Ctrl-C ends it and removes its data.")
        };
        sections.map(|section| section + "\n").concat() + &end
    }

    fn head(&self) -> String {
        let (address, provider) = (&self.address, &self.provider);
        let mut text = String::new();
        let mut line = |words: String| {
            text += &words;
            text.push('\n');
        };
        line(tr!("This is a demo: the provider is simulated, and nothing leaves this machine."));
        line(String::new());
        line(tr!("listening on {address}", address));
        line(tr!("simulated provider: {provider}", provider));
        line(tr!("data directory: {dir}", dir = self.data_dir.display()));
        line(tr!("sample data: {calls} calls of the last 7 days", calls = self.calls));
        if let Some(administrator) = &self.administrator {
            line(tr!("administrator: {name}", name = administrator.username));
            line(tr!("password: {password}", password = administrator.password.expose()));
        }
        line(tr!("key: {key}", key = self.keys[0].expose()));
        text
    }

    fn calls_to_try(&self) -> String {
        let [key, failing_over] = &self.keys;
        let limited = people::LIMITED;
        let calls = [
            (tr!("an answer"), Try::Whole, key),
            (tr!("the same, word by word"), Try::Streamed, key),
            (tr!("what a call would count"), Try::Counted, key),
            (
                tr!(
                    "fails over: the account {limited} answers 429, and another one serves",
                    limited
                ),
                Try::Whole,
                failing_over,
            ),
        ];
        let mut text = tr!("Call it:") + "\n";
        for (words, call, key) in calls {
            let _ = writeln!(text, "  # {words}\n  {}", self.curl(call, key));
        }
        text
    }

    fn curl(&self, call: Try, key: &Secret) -> String {
        let (flags, path, more) = match call {
            Try::Whole => ("-s", "/v1/messages", r#""max_tokens":300,"#),
            Try::Streamed => ("-sN", "/v1/messages", r#""max_tokens":300,"stream":true,"#),
            Try::Counted => ("-s", "/v1/messages/count_tokens", ""),
        };
        let (address, key, hello) = (&self.address, key.expose(), tr!("Hello"));
        format!(
            "curl {flags} {address}/api{path} -H 'x-api-key: {key}' \
             -H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' \
             -d '{{\"model\":\"claude-sonnet-4-6\",{more}\
             \"messages\":[{{\"role\":\"user\",\"content\":\"{hello}\"}}]}}'"
        )
    }

    fn clients(&self) -> String {
        let (address, key) = (&self.address, self.keys[0].expose());
        let mut text = tr!("Use it from a program:") + "\n";
        let settings = [
            (
                tr!("Claude Code"),
                format!("export ANTHROPIC_BASE_URL={address}/api ANTHROPIC_AUTH_TOKEN={key}"),
            ),
            (
                tr!("Anthropic's SDK for Python"),
                format!("Anthropic(base_url=\"{address}/api\", api_key=\"{key}\")"),
            ),
            (
                tr!("Anthropic's SDK for JavaScript"),
                format!("new Anthropic({{ baseURL: \"{address}/api\", apiKey: \"{key}\" }})"),
            ),
        ];
        for (words, setting) in settings {
            let _ = writeln!(text, "  # {words}\n  {setting}");
        }
        text
    }

    fn look(&self, program: &str) -> String {
        let (program, dir) = (quoted(program), quoted(&self.data_dir.display().to_string()));
        let limited = people::LIMITED;
        let commands = [
            (tr!("what was used"), "usage --by model".to_owned()),
            (tr!("the same by day, or by key, account, month"), "usage --by day".to_owned()),
            (tr!("who is able, who rests and until when"), "account list".to_owned()),
            (
                tr!("a subscription and its windows"),
                format!("account show {}", people::SUBSCRIPTION),
            ),
            (tr!("lets an account that rests try again"), format!("account reset {limited}")),
            (tr!("everybody's keys"), "key list".to_owned()),
            (tr!("who is calling now"), "top".to_owned()),
        ];
        let mut text = tr!("Look around, in another terminal:") + "\n";
        if self.reads_foreign_key {
            let words = tr!("ENCRYPTION_KEY is set here, and is not this demo's: unset it first");
            let _ = writeln!(text, "  # {words}\n  unset ENCRYPTION_KEY");
        }
        for (words, command) in commands {
            let _ = writeln!(text, "  # {words}\n  {program} {command} --data-dir {dir}");
        }
        text
    }
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_the_shell_are_taken_as_they_are() {
        assert_eq!(quoted("target/release/crs"), "target/release/crs");
        assert_eq!(quoted("/tmp/my data"), "'/tmp/my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$HOME"), "'$HOME'");
    }
}
