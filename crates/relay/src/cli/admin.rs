//! `crs admin`: who may sign in to the admin page.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::secret;
use crate::text::tr;
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
}

impl AdminCommand {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self::ResetPassword { username, password_stdin } = self;
        let given = password_stdin.then(secret::from_stdin).transpose()?;
        let (store, dir) = (&context.store, &context.dir);
        let set =
            admin::reset_password(store, dir, username.as_deref(), given, context.now).await?;
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
}
