//! What the contract promises and later versions bring: understood today, and said so when used.

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, Error};

use relay_core::account::AccountKind;

use crate::text::tr;

/// What every part that is not built answers.
const NOT_BUILT: &str = "not built yet: arrives with a later version";

/// What arrives below one command.
struct Later {
    /// The command's path.
    under: &'static [&'static str],
    /// Commands below it.
    commands: &'static [&'static str],
}

const TABLE: &[Later] = &[
    Later {
        under: &[],
        commands: &[
            "import",
            "backup",
            "restore",
            "rotate-master-key",
            "install",
            "start",
            "stop",
            "restart",
            "status",
            "logs",
            "update",
            "uninstall",
        ],
    },
    Later { under: &["price"], commands: &["refresh"] },
];

const KINDS: &[&str] = &["azure-openai", "bedrock", "vertex"];

/// Teaches the program what it cannot do yet.
pub(super) fn add_to(command: Command) -> Command {
    TABLE.iter().fold(command, |command, later| at(command, later.under, &|it| later.extend(it)))
}

/// Refuses, in words, what is not built.
pub(super) fn refuse(command: &mut Command, matches: &ArgMatches) -> Result<(), Error> {
    match used(matches) {
        Some(what) => {
            let why = format!("{what} is not built yet: arrives with a later version");
            Err(command.error(ErrorKind::InvalidSubcommand, why))
        }
        None => Ok(()),
    }
}

/// Reads the kind of an account.
pub(super) fn account_kind() -> ValueParser {
    ValueParser::new(|text: &str| match AccountKind::from_name(text) {
        Some(kind) => Ok(kind),
        None if KINDS.contains(&text) => Err(NOT_BUILT.to_owned()),
        None => {
            let kinds: Vec<_> = AccountKind::ALL.iter().map(|kind| kind.as_str()).collect();
            Err(format!("the kinds of accounts are: {}", kinds.join(", ")))
        }
    })
}

impl Later {
    fn extend(&self, mut command: Command) -> Command {
        for name in self.commands {
            let rest = Arg::new("rest").num_args(0..).trailing_var_arg(true).hide(true);
            // For whoever asks for the help of a hidden command by name.
            let later = Command::new(*name).about(format!("({NOT_BUILT})")).hide(true);
            command = command.subcommand(later.arg(rest.allow_hyphen_values(true)));
        }
        command.after_help(tr!("With later versions: {names}", names = self.commands.join(", ")))
    }
}

/// Changes the command at the end of `path`.
fn at(command: Command, path: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match path.split_first() {
        None => change(command),
        Some((first, rest)) => command.mut_subcommand(first, |below| at(below, rest, change)),
    }
}

/// The command of the table that was used, by its path.
fn used(mut matches: &ArgMatches) -> Option<String> {
    let mut path: Vec<&str> = Vec::new();
    loop {
        let here = TABLE.iter().find(|later| later.under == path.as_slice());
        let (name, below) = matches.subcommand()?;
        path.push(name);
        if here.is_some_and(|later| later.commands.contains(&name)) {
            return Some(path.join(" "));
        }
        matches = below;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    fn refusal(line: &str) -> Option<String> {
        let words = ["crs"].into_iter().chain(line.split(' '));
        let parsed = add_to(Cli::command()).try_get_matches_from(words);
        match parsed {
            Ok(matches) => used(&matches),
            Err(error) => Some(error.to_string()),
        }
    }

    #[test]
    fn what_is_promised_is_understood_and_refused() {
        let refused = |line: &str| refusal(line).unwrap_or_else(|| panic!("{line} passes"));
        assert_eq!(refused("import claude-relay-service /data --dry-run"), "import");
        assert_eq!(refused("price refresh --json"), "price refresh");
        assert!(refused("account add --name a --kind azure-openai").contains(NOT_BUILT));
        assert!(refused("key add").contains("--name"));
    }

    #[test]
    fn what_is_built_passes() {
        for line in [
            "key add --name lena --count 3 --requests 5 --window 5h --fallback",
            "key rotate lena --overlap 24h",
            "account list --json",
            "account set main --proxy socks5://host",
            "account login main --setup-token",
            "serve --port 0",
            "--lang zh usage",
        ] {
            assert_eq!(refusal(line), None, "{line}");
        }
    }

    #[test]
    fn no_row_of_the_table_is_built_already() {
        for later in TABLE {
            let root = Cli::command();
            let below = |command: &Command, name: &&str| command.find_subcommand(name).cloned();
            let command = later.under.iter().try_fold(root, |it, name| below(&it, name));
            let command = command.expect("a path of commands");
            let built = later.commands.iter().find(|name| command.find_subcommand(name).is_some());
            assert_eq!(built, None);
        }
    }
}
