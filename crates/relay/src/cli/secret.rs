//! Secrets come by stdin, from a file, from a variable or by a prompt, never as an argument:
//! arguments stand in process lists and shell histories.

use std::env;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::Args;
use relay_core::secret::Secret;

use crate::cli::Misuse;
use crate::text::tr;

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1_024;

/// Where the secret of an account comes from.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct SecretSource {
    /// Read the secret from standard input
    #[arg(long = "secret-stdin")]
    stdin: bool,
    /// Read the secret from a file
    #[arg(long = "secret-file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read the secret from this environment variable
    #[arg(long = "secret-env", value_name = "NAME")]
    variable: Option<String>,
}

impl SecretSource {
    /// The secret, if a source is named.
    pub(super) fn read(&self) -> anyhow::Result<Option<Secret>> {
        if self.stdin {
            return from_stdin().map(Some);
        }
        if let Some(path) = &self.file {
            return from_file(path).map(Some);
        }
        self.variable.as_deref().map(from_variable).transpose()
    }

    /// Whether a source is named.
    pub(super) const fn is_named(&self) -> bool {
        self.stdin || self.file.is_some() || self.variable.is_some()
    }

    /// The secret; without a source it is asked for on the terminal.
    pub(super) fn read_or_ask(&self, question: &str) -> anyhow::Result<Secret> {
        match self.read()? {
            Some(secret) => Ok(secret),
            None if io::stdin().is_terminal() => ask(question),
            None => {
                let how = "give the secret by --secret-stdin, --secret-file or --secret-env";
                Err(Misuse(how.to_owned()).into())
            }
        }
    }
}

/// All of standard input.
pub(super) fn from_stdin() -> anyhow::Result<Secret> {
    trimmed(io::stdin().lock())
}

/// All of a file.
pub(super) fn from_file(path: &Path) -> anyhow::Result<Secret> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    trimmed(file)
}

/// What an environment variable holds.
pub(super) fn from_variable(name: &str) -> anyhow::Result<Secret> {
    // The system's own words would repeat a value that is not text.
    match env::var(name) {
        Ok(text) => Ok(Secret::new(Secret::new(text).expose().trim())),
        Err(env::VarError::NotPresent) => anyhow::bail!("there is no variable {name}"),
        Err(env::VarError::NotUnicode(_)) => anyhow::bail!("{name} is not text"),
    }
}

/// One line of standard input; what comes after it is left alone.
pub(super) fn line_of_stdin() -> anyhow::Result<Secret> {
    let mut line = String::new();
    io::stdin().lock().take(SECRET_BYTES_MAX).read_line(&mut line).context("cannot read")?;
    let line = Secret::new(line);
    Ok(Secret::new(line.expose().trim()))
}

fn trimmed(from: impl Read) -> anyhow::Result<Secret> {
    let mut text = String::new();
    from.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).context("cannot read the secret")?;
    let whole = Secret::new(text);
    let bytes = u64::try_from(whole.expose().len()).unwrap_or(u64::MAX);
    anyhow::ensure!(bytes <= SECRET_BYTES_MAX, "the secret is longer than 64 KiB");
    Ok(Secret::new(whole.expose().trim()))
}

/// Asks on the terminal, without showing what is typed.
pub(super) fn ask(question: &str) -> anyhow::Result<Secret> {
    let _hidden = Hidden::begin()?;
    write!(io::stderr(), "{}", tr!("{question}: ", question)).context("cannot ask")?;
    let line = line_of_stdin();
    let _ = writeln!(io::stderr());
    line
}

/// The terminal shows what is typed again when this is dropped.
struct Hidden;

impl Hidden {
    fn begin() -> anyhow::Result<Self> {
        let hidden = echo("-echo").is_ok_and(|done| done);
        anyhow::ensure!(hidden, "this terminal cannot hide what is typed: use --secret-stdin");
        Ok(Self)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = echo("echo");
    }
}

/// Sets the terminal's echo by the program that every system has for it.
fn echo(how: &str) -> io::Result<bool> {
    let status = Command::new("stty").arg(how).stdin(Stdio::inherit()).status()?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_to_the_end_and_trimmed() {
        let secret = trimmed(" word\n\n".as_bytes()).expect("a secret");
        assert_eq!(secret.expose(), "word");
        assert!(trimmed(io::repeat(b'x')).is_err(), "bounded");
        assert!(trimmed([0xff].as_slice()).is_err(), "text");
    }
}
