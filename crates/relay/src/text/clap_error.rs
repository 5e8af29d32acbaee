//! Wrong use of the program, in the language of the person. clap knows what is wrong and says it in
//! English; what it knows is said here again.

use std::error::Error as _;
use std::io::{IsTerminal, stderr, stdout};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{Language, framed, retold, tr};

/// What there is to say of wrong use, help that was asked for included.
pub(crate) fn complaint(error: &clap::Error, language: Language) -> String {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion => framed(&rendered(error), language),
        _ => {
            let parts =
                [Some(headline(error, language)), tips(error, language), usage(error, language)];
            let parts: Vec<_> = parts.into_iter().flatten().collect();
            let why = parts.join("\n\n");
            tr!("error: {why}", why) + "\n\n" + &tr!("For more information, try '--help'.") + "\n"
        }
    }
}

/// Help, with colours where a person sees it who does not mind them.
fn rendered(error: &clap::Error) -> String {
    let shown = if error.use_stderr() { stderr().is_terminal() } else { stdout().is_terminal() };
    let plain = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    let text = error.render();
    if shown && !plain { text.ansi().to_string() } else { text.to_string() }
}

fn headline(error: &clap::Error, language: Language) -> String {
    let of = |kind| Of(error.get(kind));
    let (argument, value) = (of(ContextKind::InvalidArg), of(ContextKind::InvalidValue));
    let prior = of(ContextKind::PriorArg);
    match error.kind() {
        ErrorKind::ArgumentConflict => conflict(&argument, &prior),
        ErrorKind::InvalidValue if value.word().is_empty() => {
            let text = tr!("a value is required for '{argument}' but none was supplied", argument);
            text + &list(&of(ContextKind::ValidValue))
        }
        ErrorKind::InvalidValue => {
            let text = tr!("invalid value '{value}' for '{argument}'", value, argument);
            text + &list(&of(ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation => {
            let why = error.source().map(|why| retold(&why.to_string(), language));
            let why = why.unwrap_or_default();
            tr!("invalid value '{value}' for '{argument}': {why}", value, argument, why)
        }
        ErrorKind::UnknownArgument => tr!("unexpected argument '{argument}' found", argument),
        ErrorKind::InvalidSubcommand if of(ContextKind::InvalidSubcommand).0.is_some() => {
            let command = of(ContextKind::InvalidSubcommand);
            tr!("unrecognized subcommand '{command}'", command)
        }
        ErrorKind::MissingSubcommand => {
            let command = of(ContextKind::InvalidSubcommand);
            let text = tr!("'{command}' requires a subcommand but one was not provided", command);
            let commands = of(ContextKind::ValidSubcommand).words().join(", ");
            format!("{text}\n  {}", tr!("[subcommands: {commands}]", commands))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = argument.lines();
            tr!("the following required arguments were not provided:{missing}", missing)
        }
        ErrorKind::TooManyValues => {
            tr!(
                "unexpected value '{value}' for '{argument}' found; no more were expected",
                value,
                argument
            )
        }
        ErrorKind::NoEquals => {
            tr!("equal sign is needed when assigning values to '{argument}'", argument)
        }
        ErrorKind::InvalidUtf8 => tr!("an argument is not UTF-8"),
        // What the program says of itself, and what clap has no parts of.
        _ => said(error, language),
    }
}

fn conflict(argument: &Of<'_>, prior: &Of<'_>) -> String {
    if argument.words() == prior.words() {
        return tr!("the argument '{argument}' cannot be used multiple times", argument);
    }
    let others = prior.lines();
    tr!("the argument '{argument}' cannot be used with:{others}", argument, others)
}

/// The message alone, as clap or the program has it.
fn said(error: &clap::Error, language: Language) -> String {
    let rendered = error.render().to_string();
    let message = rendered.strip_prefix("error: ").unwrap_or(&rendered);
    let message = message.split("\n\n").next().unwrap_or(message);
    retold(message.trim_end(), language)
}

fn tips(error: &clap::Error, language: Language) -> Option<String> {
    let similar =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let similar = similar.into_iter().filter_map(|kind| {
        let words = Of(error.get(kind)).words();
        let words = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
        (!words.is_empty()).then(|| tr!("did you mean {words}?", words))
    });
    let others = match error.get(ContextKind::Suggested) {
        Some(ContextValue::StyledStrs(tips)) => tips.as_slice(),
        _ => &[],
    };
    let others = others.iter().map(|tip| retold(&tip.to_string(), language));
    let line = |tip: String| format!("  {}", tr!("tip: {tip}", tip));
    let tips: Vec<_> = similar.chain(others).map(line).collect();
    (!tips.is_empty()).then(|| tips.join("\n"))
}

fn usage(error: &clap::Error, language: Language) -> Option<String> {
    match error.get(ContextKind::Usage)? {
        ContextValue::StyledStr(usage) => Some(framed(usage.to_string().trim_end(), language)),
        _ => None,
    }
}

fn list(values: &Of<'_>) -> String {
    let values = values.words().join(", ");
    if values.is_empty() {
        return values;
    }
    format!("\n  {}", tr!("[possible values: {values}]", values))
}

/// What clap knows of an error, as words.
struct Of<'a>(Option<&'a ContextValue>);

impl Of<'_> {
    fn words(&self) -> Vec<String> {
        match self.0 {
            Some(ContextValue::String(word)) => vec![word.clone()],
            Some(ContextValue::Strings(words)) => words.clone(),
            Some(other) => vec![other.to_string()],
            None => Vec::new(),
        }
    }

    fn word(&self) -> String {
        self.words().join(" ")
    }

    fn lines(&self) -> String {
        [vec![String::new()], self.words()].concat().join("\n  ")
    }
}

impl std::fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.word())
    }
}
