//! Accounts that are reached by signing in.

use super::{Interactive, Output, RelayProcess};

impl RelayProcess {
    /// Adds an account of kind `claude-oauth` with tokens as `account add` reads them, such as
    /// [`crate::IssuedTokens::to_json`], and the address where they are refreshed.
    pub async fn add_oauth_account(
        &self,
        name: &str,
        base_url: &str,
        token_url: &str,
        tokens_json: &str,
        more: &[&str],
    ) -> Output {
        let mut arguments = vec![
            "account",
            "add",
            "--name",
            name,
            "--kind",
            "claude-oauth",
            "--base-url",
            base_url,
        ];
        arguments.extend(["--token-url", token_url, "--secret-stdin", "--json"]);
        arguments.extend(more);
        let output = self.crs(&arguments, tokens_json).await;
        assert!(output.status.success(), "account add: {output:?}");
        output
    }

    /// Starts a command that asks for something, on the same data directory and in the same
    /// environment, such as `account login NAME`.
    pub fn run_interactive(&self, arguments: &[&str]) -> Interactive {
        let mut command = self.site.command(&self.builder);
        command.args(arguments).arg("--data-dir").arg(&self.site.data_dir);
        Interactive::start(command).expect("crs can be run")
    }
}
