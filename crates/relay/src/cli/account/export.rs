//! `crs account export` and `crs account import`: accounts as a file.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use relay_core::secret::Secret;

use crate::cli::Misuse;
use crate::cli::context::Context;
use crate::cli::secret;
use crate::cli::terminal::write;
use crate::text::{retold, spoken, tr};
use crate::verbs::account::{self, Bundle, Existing, Imported, Run, Selection};

/// The variable that may hold the passphrase.
const VARIABLE: &str = "CRS_PASSPHRASE";
/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// Ids or names [default: all]
    #[arg(value_name = "ID_OR_NAME")]
    names: Vec<String>,
    /// Export every account
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Put secrets in too, sealed under a passphrase
    #[arg(long)]
    secrets: bool,
    /// Read the passphrase from a file [default: CRS_PASSPHRASE, else it is asked for]
    #[arg(long, value_name = "FILE", requires = "secrets")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// What `crs account export` wrote; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read the passphrase from a file [default: CRS_PASSPHRASE, else it is asked for]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Change accounts that there are already, by their names
    #[arg(long)]
    update: bool,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let file = self.passphrase_file.as_deref();
        let passphrase = if self.secrets { Some(new_passphrase(file)?) } else { None };
        let selection =
            if self.names.is_empty() { Selection::All } else { Selection::Named(self.names) };
        let (store, now) = (&context.store, context.now);
        let exported = account::export(store, &selection, passphrase.as_ref(), now).await?;
        if !exported.sign_ins.is_empty() {
            warn(&tr!(
                "the file has the sign-in of {names}: used in two places, its refresh tokens end \
                 it. Pause the account here, and let one relay alone go on with it.",
                names = exported.sign_ins.join(", "),
            ));
        }
        // A file is what is wanted, so this is JSON whether or not --json is given.
        write(&serde_json::to_string_pretty(&exported.bundle).context("cannot write JSON")?)
    }
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let text = read(&self.file)?;
        let bundle = Bundle::read(text.expose())?;
        let file = self.passphrase_file.as_deref();
        let passphrase =
            if bundle.is_sealed() { Some(known_passphrase(file, &self.file)?) } else { None };
        let existing = if self.update { Existing::Change } else { Existing::Stay };
        let run = if self.dry_run { Run::Dry } else { Run::Real };
        let (store, now) = (&context.store, context.now);
        let how = (existing, run);
        let done = account::import(store, bundle, passphrase.as_ref(), how, now).await?;
        if !done.sign_ins.is_empty() && run == Run::Real {
            warn(&tr!(
                "the sign-in of {names} came along: from now on it may be used here alone, as \
                 refresh tokens that are used in two places end it",
                names = done.sign_ins.join(", "),
            ));
        }
        context.form.answer(&done, |done| text_of(done, run))
    }
}

/// A file, or standard input. It may hold secrets, if somebody wrote it by hand.
fn read(path: &Path) -> anyhow::Result<Secret> {
    let mut text = String::new();
    let bounded =
        |from: &mut dyn Read, text: &mut String| from.take(FILE_BYTES_MAX + 1).read_to_string(text);
    let read = if path == Path::new("-") {
        bounded(&mut io::stdin().lock(), &mut text)
    } else {
        File::open(path).and_then(|mut file| bounded(&mut file, &mut text))
    };
    let bytes = read.with_context(|| format!("cannot read {}", path.display()))?;
    let fits = u64::try_from(bytes).is_ok_and(|bytes| bytes <= FILE_BYTES_MAX);
    anyhow::ensure!(fits, "{} is larger than 64 MiB", path.display());
    Ok(Secret::new(text))
}

/// A passphrase by a file or the variable; `None` if neither is given.
fn given_passphrase(file: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    match file {
        Some(path) => secret::from_file(path).map(Some),
        None if env::var_os(VARIABLE).is_some() => secret::from_variable(VARIABLE).map(Some),
        None => Ok(None),
    }
}

fn new_passphrase(file: Option<&Path>) -> anyhow::Result<Secret> {
    if let Some(given) = given_passphrase(file)? {
        return Ok(given);
    }
    let first = ask(&tr!("passphrase for the file"))?;
    let again = ask(&tr!("the same again"))?;
    anyhow::ensure!(first == again, "the two passphrases differ; nothing was written");
    Ok(first)
}

fn known_passphrase(file: Option<&Path>, bundle: &Path) -> anyhow::Result<Secret> {
    match given_passphrase(file)? {
        Some(given) => Ok(given),
        // What is typed would be read as the file.
        None if bundle == Path::new("-") => Err(nowhere().into()),
        None => ask(&tr!("passphrase of the file")),
    }
}

fn ask(question: &str) -> anyhow::Result<Secret> {
    if io::stdin().is_terminal() { secret::ask(question) } else { Err(nowhere().into()) }
}

fn nowhere() -> Misuse {
    Misuse(format!("give the passphrase by --passphrase-file or {VARIABLE}"))
}

fn warn(text: &str) {
    // Nobody is left to be warned if this fails.
    let _ = writeln!(io::stderr().lock(), "{}", tr!("warning: {text}", text));
}

fn text_of(done: &Imported, run: Run) -> String {
    let Imported { imported, updated, .. } = done;
    let skipped = done.skipped.len();
    let mut lines = vec![match run {
        Run::Dry => tr!(
            "would be imported {imported}, would be updated {updated}, skipped {skipped}",
            imported,
            updated,
            skipped,
        ),
        Run::Real => tr!(
            "imported {imported}, updated {updated}, skipped {skipped}",
            imported,
            updated,
            skipped,
        ),
    }];
    let skipped = done
        .skipped
        .iter()
        .map(|it| tr!("skipped {name}: {why}", name = it.name, why = retold(&it.why, spoken())));
    lines.extend(skipped);
    lines.extend(done.kept_sign_ins.iter().map(|name| {
        tr!("{name} keeps the sign-in it has: the file's is not newer, and may be used up", name,)
    }));
    let lacks = done.incomplete.iter().map(|it| {
        let missing: Vec<_> = it.missing.iter().map(|it| retold(it, spoken())).collect();
        tr!(
            "{name} lacks {missing}: set that, then `crs account resume`",
            name = it.name,
            missing = missing.join(", "),
        )
    });
    lines.extend(lacks);
    lines.join("\n")
}
