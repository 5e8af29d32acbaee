//! `crs admin`: who may sign in to the admin page, and by what.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use relay_core::secret::Secret;
use serde_json::json;

use crate::cli::audited::operator;
use crate::cli::context::Context;
use crate::cli::secret;
use crate::cli::when::Ends;
use crate::text::tr;
use crate::verbs::admin::token::{self, NewToken, ScopeView};
use crate::verbs::admin::{self, PasswordOrigin};

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Set a new password: a random one, unless one is given by standard input
    ResetPassword {
        /// Whose password [default: the first administrator's]
        #[arg(long, value_name = "NAME")]
        username: Option<String>,
        /// Read the password from standard input
        #[arg(long, alias = "secret-stdin")]
        password_stdin: bool,
    },
    /// Make a token for scripts, which is shown once
    AddToken(AddToken),
}

#[derive(Debug, Args)]
pub(super) struct AddToken {
    /// What it is called; unique
    #[arg(long)]
    name: String,
    /// What it is good for: read, write or metrics; several behind commas
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    scopes: Vec<ScopeView>,
    /// From when it is refused: 30d, 2026-12-31, a moment, or never [default: never]
    #[arg(long, value_name = "WHEN")]
    expires: Option<Ends>,
}

impl AdminCommand {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::ResetPassword { username, password_stdin } => {
                let given = password_stdin.then(secret::from_stdin).transpose()?;
                reset_password(context, username.as_deref(), given).await
            }
            Self::AddToken(add) => add.run(context).await,
        }
    }
}

async fn reset_password(
    context: &Context,
    username: Option<&str>,
    given: Option<Secret>,
) -> anyhow::Result<ExitCode> {
    let (store, dir) = (&context.store, &context.dir);
    let set = admin::reset_password(store, dir, username, given, context.now).await?;
    // Only a password that nobody knows yet is shown.
    let shown = (set.origin == PasswordOrigin::Generated).then(|| set.password.expose());
    let answer = json!({"username": set.username, "password": shown});
    context.form.answer(&answer, |_| match shown {
        Some(password) => tr!(
            "The password of {name} is now {password}\nShown only this once.",
            name = set.username,
            password,
        ),
        None => tr!("The password of {name} is set.", name = set.username),
    })
}

impl AddToken {
    async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let expires_at = match self.expires {
            None | Some(Ends::Never) => None,
            Some(Ends::When(when)) => Some(when.ahead(context.now, &context.settings.time_zone)?),
        };
        let new = NewToken { name: self.name, scopes: self.scopes, expires_at };
        let (view, secret) = token::add(&context.store, new, &operator(), context.now).await?;
        let mut answer = serde_json::to_value(&view)?;
        answer["token"] = json!(secret.expose());
        context.form.answer(&answer, |_| {
            tr!(
                "The token {name}: {token}\nShown only this once.",
                name = view.name,
                token = secret.expose(),
            )
        })
    }
}
