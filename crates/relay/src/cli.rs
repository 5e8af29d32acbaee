//! The command line: what it understands, and how a command ends.

mod account;
mod admin;
mod audited;
mod context;
mod demo;
mod doctor;
mod group;
mod health;
mod key;
mod later;
mod owner;
mod payload;
mod price;
mod secret;
mod serve;
mod terminal;
mod top;
mod usage;
mod when;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::audited::Audited;
use crate::cli::context::Context;
use crate::text::{self, Language, tr};

/// Wrong use of the program.
const MISUSED: u8 = 2;

/// Where help shows the flags of every command.
const EVERYWHERE: &str = "Everywhere";

/// A self-hosted relay: your AI accounts behind one address, and a key for each of your people.
#[derive(Debug, Parser)]
#[command(name = "crs", version)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Args)]
struct Global {
    /// Where the relay keeps its data [default: DATA_DIR, else ./data]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    data_dir: Option<PathBuf>,
    /// Print one JSON value instead of text
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Language of texts: en or zh [default: CRS_LANG, else that of the environment]
    #[arg(long, global = true, value_name = "LANG", help_heading = EVERYWHERE, value_parser = language)]
    lang: Option<Language>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay
    Serve(serve::Serve),
    /// A relay with a simulated provider and sample data, to look at
    Demo(demo::Demo),
    /// Upstream accounts
    #[command(subcommand, arg_required_else_help = true)]
    Account(account::AccountCommand),
    /// Groups of accounts
    #[command(subcommand, arg_required_else_help = true)]
    Group(group::GroupCommand),
    /// Keys for people and tools
    #[command(subcommand, arg_required_else_help = true)]
    Key(key::KeyCommand),
    /// What was used, in calls, tokens and dollars
    Usage(usage::Usage),
    /// Prices of models
    #[command(subcommand, arg_required_else_help = true)]
    Price(price::PriceCommand),
    /// Who may sign in to the admin page
    #[command(subcommand, arg_required_else_help = true)]
    Admin(admin::AdminCommand),
    /// Who is calling now
    Top(top::Top),
    /// Ask the running relay whether it is well
    Health,
    /// Say what is wrong, and what to do
    Doctor(doctor::Doctor),
}

/// The program was used in a way that it does not understand.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misuse(String);

/// Every command there is, with its texts in a language.
pub(crate) fn commands(language: Language) -> clap::Command {
    text::localised(later::add_to(Cli::command()), language)
}

/// Reads the language of texts. It has been obeyed before: see [`Language::of_arguments`].
fn language(text: &str) -> Result<Language, String> {
    Language::from_name(text).ok_or_else(|| "the languages are en and zh".to_owned())
}

/// Runs one command and tells how the process ends: 0 done, 1 refused or failed, 2 wrong use.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let asked = if doctor::is_read_by_a_program(&arguments) {
        Some(Language::English)
    } else {
        Language::of_arguments(&arguments)
    };
    text::speak(asked.unwrap_or_else(|| Language::of_environment(|name| std::env::var(name).ok())));
    let mut command = commands(text::spoken());
    let parsed = command.try_get_matches_from_mut(arguments).and_then(|matches| {
        later::refuse(&mut command, &matches)?;
        Cli::from_arg_matches(&matches).map(|cli| (cli, Audited::of(&matches)))
    });
    let done = match parsed {
        Ok((Cli { command: Some(command), global }, audited)) => {
            Box::pin(dispatch(command, &global, audited)).await
        }
        Ok((Cli { command: None, .. }, _)) => {
            terminal::write(&text::framed(&command.render_help().to_string(), text::spoken()))
        }
        Err(error) => {
            complain(&error);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(MISUSED));
        }
    };
    done.unwrap_or_else(|error| {
        let why = text::chain(&error, text::spoken());
        let _ = writeln!(std::io::stderr().lock(), "{}", tr!("error: {why}", why));
        if error.is::<Misuse>() { ExitCode::from(MISUSED) } else { ExitCode::FAILURE }
    })
}

/// Prints what clap has to say: what is wrong, or help.
fn complain(error: &clap::Error) {
    let language = text::spoken();
    // Nothing is left to complain to if one of these fails.
    let _ = if language == Language::English {
        error.print()
    } else if error.use_stderr() {
        write!(std::io::stderr().lock(), "{}", text::complaint(error, language))
    } else {
        write!(std::io::stdout().lock(), "{}", text::complaint(error, language))
    };
}

async fn dispatch(
    command: Command,
    global: &Global,
    audited: Option<Audited>,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(serve) => serve.run(global).await,
        Command::Demo(demo) => demo.run(global).await,
        Command::Top(top) => top.run(global).await,
        Command::Health => health::run(global).await,
        Command::Doctor(doctor) => doctor.run(global).await,
        on_records => {
            let context = Context::open(global).await?;
            let done = Box::pin(on_records.run(&context)).await?;
            if let Some(audited) = audited {
                audited.write_down(&context).await;
            }
            Ok(done)
        }
    }
}

impl Command {
    /// Runs one of the commands on a data directory.
    async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::Account(account) => account.run(context).await,
            Self::Group(group) => group.run(context).await,
            Self::Key(key) => key.run(context).await,
            Self::Usage(usage) => usage.run(context).await,
            Self::Price(price) => price.run(context).await,
            Self::Admin(admin) => admin.run(context).await,
            // They have been run without.
            Self::Serve(_) | Self::Demo(_) | Self::Top(_) | Self::Health | Self::Doctor(_) => {
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// The account, group or key that a command is about.
#[derive(Debug, Args)]
struct Which {
    /// Its id or name
    #[arg(value_name = "ID_OR_NAME")]
    id_or_name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_fit_together() {
        later::add_to(Cli::command()).debug_assert();
    }

    #[test]
    fn every_level_has_help() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} says nothing", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&later::add_to(Cli::command()));
    }
}
