//! What the command line changed, for the log of changes.

use std::env;
use std::fs;

use clap::ArgMatches;
use relay_store::audit::{Deed, Door};

use crate::cli::context::Context;

/// Commands that only look, by their last word.
const LOOKS: &[&str] = &["list", "show", "test"];
/// Where the system has the names of its users.
const USERS: &str = "/etc/passwd";

/// A command that changes something, as the log of changes calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Audited {
    verb: String,
    name: String,
    actor: String,
}

impl Audited {
    /// What stands in the arguments; `None` for what only looks.
    pub(super) fn of(matches: &ArgMatches) -> Option<Self> {
        let (group, below) = matches.subcommand()?;
        let (word, arguments) = below.subcommand()?;
        let verb = format!("{group}s_{}", word.replace('-', "_"));
        let changes = !LOOKS.contains(&word);
        changes.then(|| Self { verb, name: named(arguments), actor: operator() })
    }

    /// Writes it down once it is done. What was done is not undone for a line that is missing.
    pub(super) async fn write_down(self, context: &Context) {
        let deed = Deed {
            actor: self.actor,
            door: Door::CommandLine,
            address: String::new(),
            verb: self.verb,
            subject: String::new(),
            name: self.name,
            detail: String::new(),
        };
        if let Err(error) = context.store.audit(&deed, context.now).await {
            tracing::warn!(%error, "a change is not in the log of changes");
        }
    }
}

/// What the command is about, as far as its arguments say by a name or an id: no other argument is
/// written down, as one may hold a credential.
fn named(arguments: &ArgMatches) -> String {
    let ids = ["id_or_name", "ids_or_names", "names", "name", "username", "model"];
    let texts = ids.iter().filter_map(|id| arguments.try_get_many::<String>(id).ok().flatten());
    texts.flatten().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The user of the machine who runs the command; behind `sudo` the one who asked for it.
pub(super) fn operator() -> String {
    let user = rustix::process::getuid();
    let asked = env::var("SUDO_USER").ok().filter(|name| user.is_root() && !name.is_empty());
    asked.unwrap_or_else(|| {
        let number = user.as_raw().to_string();
        let users = fs::read_to_string(USERS).unwrap_or_default();
        let name = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == number).then(|| name.to_owned())
        });
        name.unwrap_or(number)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn audited(line: &str) -> Option<(String, String)> {
        let words = ["crs"].into_iter().chain(line.split(' '));
        let matches = Cli::command().try_get_matches_from(words).expect(line);
        Audited::of(&matches).map(|it| (it.verb, it.name))
    }

    #[test]
    fn what_changes_is_named_and_what_looks_is_not() {
        let some = |verb: &str, name: &str| Some((verb.to_owned(), name.to_owned()));
        assert_eq!(audited("key rotate lena --overlap 24h"), some("keys_rotate", "lena"));
        assert_eq!(audited("key add --name lena"), some("keys_add", "lena"));
        let proxy = "account set main --proxy socks5://somebody:hidden@127.0.0.1:1";
        assert_eq!(audited(proxy), some("accounts_set", "main"));
        assert_eq!(audited("admin reset-password"), some("admins_reset_password", ""));
        for line in ["key list", "account show main", "usage", "top", "price list"] {
            assert_eq!(audited(line), None, "{line}");
        }
    }
}
