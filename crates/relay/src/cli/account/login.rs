//! `crs account login`, and adding an account by signing in: a link, and the code that it gives.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use relay_core::clock::{Clock, SystemClock};
use relay_core::id::AccountId;
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use relay_store::accounts::NewAccount;
use relay_upstream::client::tls_config;
use relay_upstream::oauth::{Flow, Pkce};

use crate::cli::Which;
use crate::cli::context::Context;
use crate::cli::secret;
use crate::randomness::random;
use crate::text::{retold, spoken, tr};
use crate::verbs::account::{self, LoggedIn, Login, LoginError, SignIn};

/// How often a person may paste what is no code, before anything was sent.
const PASTES_MAX: usize = 3;

#[derive(Debug, Args)]
pub(in crate::cli) struct LoginTo {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    kind: Kind,
    #[command(flatten)]
    client_secret: ClientSecret,
}

/// Where the secret of an application of the account's own comes from. Its id is no secret.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(in crate::cli) struct ClientSecret {
    /// Read the secret of the application of --client-id from the first line of standard input; for
    /// gemini-oauth [default: GEMINI_OAUTH_CLIENT_SECRET]
    #[arg(id = "client_secret_stdin", long = "client-secret-stdin")]
    stdin: bool,
    /// Read it from a file
    #[arg(id = "client_secret_file", long = "client-secret-file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read it from this environment variable
    #[arg(id = "client_secret_env", long = "client-secret-env", value_name = "NAME")]
    variable: Option<String>,
}

impl ClientSecret {
    /// The secret, if a source is named.
    pub(super) fn read(&self) -> anyhow::Result<Option<Secret>> {
        let read = if self.stdin {
            Some(secret::line_of_stdin()?)
        } else if let Some(path) = &self.file {
            Some(secret::from_file(path)?)
        } else {
            self.variable.as_deref().map(secret::from_variable).transpose()?
        };
        let is_empty = read.as_ref().is_some_and(|read| read.expose().is_empty());
        anyhow::ensure!(!is_empty, "the client secret is empty");
        Ok(read)
    }

    /// The secret; for an application of the account's own it is asked for on the terminal.
    pub(super) fn read_or_ask(&self, has_own_id: bool) -> anyhow::Result<Option<Secret>> {
        match self.read()? {
            None if has_own_id && io::stdin().is_terminal() => {
                secret::ask(&tr!("client secret of the application")).map(Some)
            }
            read => Ok(read),
        }
    }
}

/// What the sign-in is to give.
#[derive(Debug, Args)]
pub(in crate::cli) struct Kind {
    /// Ask for a setup token: it serves for a year, cannot be refreshed, and then simply ends
    #[arg(long)]
    setup_token: bool,
}

impl Kind {
    /// Whether a setup token is asked for.
    pub(super) const fn is_setup_token(&self) -> bool {
        self.setup_token
    }

    const fn flow(&self) -> Flow {
        if self.setup_token { Flow::SetupToken } else { Flow::Subscription }
    }

    fn sign_in(&self, context: &Context, client_secret: Option<Secret>) -> SignIn {
        SignIn {
            flow: self.flow(),
            pkce: Pkce::new(random(), random()),
            registration: context.settings.gemini_oauth.clone(),
            client_secret,
        }
    }
}

impl LoginTo {
    /// Signs in to an account that there is.
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<AccountId> {
        let which = &self.which.id_or_name;
        let how = self.kind.sign_in(context, self.client_secret.read()?);
        let login = account::login_begin(&context.store, which, how).await?;
        finish(context, &login).await
    }
}

/// Signs in to an account that is added by it.
pub(super) async fn add(
    context: &Context,
    new: NewAccount,
    groups: &[String],
    (kind, client_secret): (&Kind, Option<Secret>),
) -> anyhow::Result<AccountId> {
    let how = kind.sign_in(context, client_secret);
    let login = account::login_begin_new(&context.store, new, groups, how).await?;
    finish(context, &login).await
}

async fn finish(context: &Context, login: &Login) -> anyhow::Result<AccountId> {
    let url = login.url();
    say(&match login.service() {
        Service::Openai => tr!(
            "Open this address, sign in and agree:\n\n  {url}\n\nThe browser is then sent to an \
             address that begins with http://localhost and opens nothing. Paste that whole address.",
            url,
        ),
        Service::Claude | Service::Gemini => tr!(
            "Open this address, sign in and agree:\n\n  {url}\n\nThen paste the code that the page shows.",
            url,
        ),
    })?;
    let tls = tls_config();
    let mut tries = 1;
    loop {
        let pasted = ask()?;
        // A person may have taken minutes over it.
        let now = SystemClock.now();
        match account::login_finish(&context.store, login, &pasted, &tls, now).await {
            Ok(done) => {
                tell(context, &done)?;
                return Ok(done.id);
            }
            Err(LoginError::Pasted(error)) if tries < PASTES_MAX && io::stdin().is_terminal() => {
                tries += 1;
                say(&retold(&error.to_string(), spoken()))?;
            }
            Err(error) => return Err(error).context("not signed in, and nothing was changed"),
        }
    }
}

/// Reads one line: a pipe may stay open behind it.
fn ask() -> anyhow::Result<Secret> {
    write!(io::stderr(), "{}", tr!("Code: ")).context("cannot ask")?;
    let line = secret::line_of_stdin()?;
    if !io::stdin().is_terminal() {
        say("")?;
    }
    anyhow::ensure!(!line.expose().is_empty(), "no code was given, and nothing was changed");
    Ok(line)
}

/// What else there is to know of a sign-in that is done.
fn tell(context: &Context, done: &LoggedIn) -> anyhow::Result<()> {
    if !done.can_refresh {
        let ends = match done.expires_at {
            Some(_) => tr!("it ends on {time}", time = context.time(done.expires_at)),
            None => tr!("nobody said when it ends"),
        };
        say(&tr!("note: this token cannot be refreshed: {ends}; sign in again before that", ends))?;
    }
    if let Some(why) = &done.unidentified {
        let why = retold(why, spoken());
        say(&tr!("note: signed in, but the provider did not tell the plan: {why}", why))?;
    }
    Ok(())
}

/// Says something to the person, beside the command's answer.
fn say(text: &str) -> anyhow::Result<()> {
    writeln!(io::stderr(), "{text}").context("cannot write to standard error")
}
