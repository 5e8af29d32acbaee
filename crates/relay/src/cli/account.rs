//! `crs account`: upstream accounts.

mod export;
mod fields;
mod login;
mod proxy;
mod selection;
mod show;
mod test;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use relay_core::account::{AccountKind, Deadlines, KeyHeader};
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity};
use relay_core::id::AccountId;
use relay_store::accounts::{AccountChange, NewAccount};
use relay_store::keys::Expiry;
use relay_upstream::profile::profile;
use serde_json::{Value, json};

use self::export::{Export, Import};
use self::fields::Fields;
use self::proxy::Way;
use self::selection::{Answers, Several};
use self::test::Test;
use crate::cli::context::Context;
use crate::cli::secret::SecretSource;
use crate::cli::{Misuse, Which, later};
use crate::live::LiveState;
use crate::text::tr;
use crate::verbs::account::{self, AccountEdit, Known, Selection};

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Add an account
    Add(Box<Add>),
    /// List the accounts
    List,
    /// Show an account
    Show(Which),
    /// Change fields of accounts
    Set(Box<Set>),
    /// Sign in to an account, again or for the first time; it keeps its id, bindings and history
    Login(login::LoginTo),
    /// Switch accounts off
    Pause(Several),
    /// Switch paused accounts on again
    Resume(Several),
    /// Clear every rest of accounts
    Reset(Several),
    /// Ask accounts' upstreams for a short answer, each by its own way out
    Test(Test),
    /// Remove accounts and their secrets
    Remove(Several),
    /// Write accounts to a file, for another relay
    Export(Export),
    /// Add the accounts of a file
    Import(Import),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Name of the account; unique
    #[arg(long)]
    name: String,
    /// Kind of account: claude-api (Anthropic, and any host that speaks Anthropic Messages),
    /// claude-oauth (a Claude subscription; its secret is the JSON of its tokens, or a setup token),
    /// openai-api (OpenAI, and any host that speaks OpenAI Chat or Responses), openai-oauth (a
    /// ChatGPT subscription; also what Codex keeps in auth.json), gemini-api (Google's Gemini API)
    /// or gemini-oauth (Code Assist; also what Gemini CLI keeps in oauth_creds.json)
    #[arg(long, value_parser = later::account_kind())]
    kind: AccountKind,
    #[command(flatten)]
    secret: SecretSource,
    /// Sign in by a link and a pasted code; so it is on a terminal if no secret is given
    #[arg(long, conflicts_with_all = ["stdin", "file", "variable"])]
    login: bool,
    #[command(flatten)]
    login_kind: login::Kind,
    #[command(flatten)]
    client_secret: login::ClientSecret,
    #[command(flatten)]
    fields: Fields,
    /// Groups it belongs to; made if they do not exist
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Add it switched off
    #[arg(long)]
    disabled: bool,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    #[command(flatten)]
    which: Several,
    /// Another name; for one account
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    fields: Fields,
    /// Reach it directly again
    #[arg(long, conflicts_with_all = ["proxy", "proxy_file", "proxy_env"])]
    no_proxy: bool,
    #[command(flatten)]
    taken_away: TakenAway,
}

/// Lists that are emptied.
#[derive(Debug, Args)]
struct TakenAway {
    /// Take away all mappings of models
    #[arg(long, conflicts_with = "map")]
    no_map: bool,
    /// Take away all added headers
    #[arg(long, conflicts_with = "headers")]
    no_headers: bool,
    /// Change no fields of requests any more
    #[arg(long, conflicts_with_all = ["set_field", "drop_field"])]
    no_fields: bool,
}

impl AccountCommand {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let (store, now) = (&context.store, context.now);
        let (done, answers) = match self {
            Self::List => return list(context).await,
            Self::Show(which) => return show(context, &which.id_or_name).await,
            Self::Test(test) => return test.run(context).await,
            Self::Export(export) => return export.run(context).await,
            Self::Import(import) => return import.run(context).await,
            Self::Remove(which) => return remove(context, which).await,
            Self::Add(add) => (vec![add.run(context).await?], Answers::One),
            Self::Login(login) => (vec![login.run(context).await?], Answers::One),
            Self::Set(set) => set.run(context).await?,
            Self::Pause(which) => {
                let (selection, answers) = which.read();
                (account::pause(store, &selection, now).await?, answers)
            }
            Self::Resume(which) => {
                let (selection, answers) = which.read();
                (account::resume(store, &selection, now).await?, answers)
            }
            Self::Reset(which) => {
                let (selection, answers) = which.read();
                (account::reset(store, &selection, now).await?, answers)
            }
        };
        show_changed(context, &done, answers).await
    }
}

impl Add {
    async fn run(self, context: &Context) -> anyhow::Result<AccountId> {
        let signs_in = self.signs_in()?;
        let (credential, identity) = self.credential(signs_in, context.now)?;
        let fields = self.fields;
        let zone = &context.settings.time_zone;
        let base_url = fields.base_url.as_deref();
        let base_url = base_url.unwrap_or(profile(self.kind).default_base_url);
        let new = NewAccount {
            note: fields.note.clone().unwrap_or_default(),
            key_header: fields.key_header().unwrap_or(KeyHeader::Auto),
            speaks: fields.speaks().unwrap_or_default(),
            project: fields.project.clone(),
            identity,
            enabled: !self.disabled,
            priority: fields.priority.unwrap_or(50),
            weight: fields.weight.unwrap_or(1),
            concurrency_max: fields.max_concurrency,
            sharing: fields.sharing().unwrap_or_default(),
            models: fields.models().unwrap_or_default(),
            extra_headers: fields.headers()?,
            proxy: fields.proxy.read_or_usual()?.proxy(),
            clients: fields.clients().unwrap_or_default(),
            oauth: fields.oauth(),
            stop_at: fields.stop_at(),
            daily_cost_max: fields.daily_cost,
            ends_at: fields.ends(context.now, zone)?.and_then(moment),
            deadlines: Deadlines {
                first_byte: fields.first_byte_timeout,
                unary: fields.unary_timeout,
                idle: fields.idle_timeout,
            },
            model_map: fields.map,
            payload: fields.payload.rules(),
            ..NewAccount::signed_in(&self.name, self.kind, base_url, credential)
        };
        if signs_in {
            let has_own_id = self.kind == AccountKind::GeminiOauth && new.oauth.client_id.is_some();
            let client_secret = self.client_secret.read_or_ask(has_own_id)?;
            let how = (&self.login_kind, client_secret);
            return login::add(context, new, &self.groups, how).await;
        }
        Ok(account::add(&context.store, new, &self.groups, context.now).await?)
    }

    /// What it signs in by, if that is given, and whose it is as far as that tells.
    fn credential(
        &self,
        signs_in: bool,
        now: Timestamp,
    ) -> anyhow::Result<(Credential, Option<Identity>)> {
        if signs_in {
            return Ok((Credential::Missing, None));
        }
        let secret = self.secret.read_or_ask(&tr!("secret of {name}", name = self.name.trim()))?;
        let (mut credential, identity) = account::credential(self.kind, &secret, now)?;
        if let Credential::Tokens(tokens) = &mut credential
            && let Some(client_secret) = self.client_secret.read()?
        {
            tokens.client_secret = Some(client_secret);
        }
        Ok((credential, identity))
    }

    /// Whether it is signed in to, rather than given a secret.
    fn signs_in(&self) -> anyhow::Result<bool> {
        let wanted = self.login || self.login_kind.is_setup_token();
        if wanted && self.secret.is_named() {
            let why = "--login and --setup-token ask for the token: give no secret beside them";
            return Err(Misuse(why.to_owned()).into());
        }
        if wanted && !self.kind.is_oauth() {
            let kind = self.kind.as_str();
            let why = format!("an account of the kind {kind} has a key: nobody signs in to it");
            return Err(Misuse(why).into());
        }
        let is_free = self.kind.is_oauth() && !self.secret.is_named();
        if is_free && !wanted && !io::stdin().is_terminal() {
            let how = "sign in with --login, or give the tokens by --secret-stdin, --secret-file \
                       or --secret-env";
            return Err(Misuse(how.to_owned()).into());
        }
        Ok(is_free)
    }
}

impl Set {
    async fn run(self, context: &Context) -> anyhow::Result<(Vec<AccountId>, Answers)> {
        let fields = self.fields;
        let headers = fields.headers()?;
        let way = if self.no_proxy { Some(Way::Direct) } else { fields.proxy.read()? };
        let ends = fields.ends(context.now, &context.settings.time_zone)?;
        let (oauth, stop_at) = (fields.oauth(), fields.stop_at());
        let (clients, models) = (fields.clients(), fields.models());
        let (sharing, key_header) = (fields.sharing(), fields.key_header());
        let speaks = fields.speaks();
        let payload = fields.payload.rules();
        let change = AccountChange {
            name: self.name,
            note: fields.note.clone(),
            base_url: fields.base_url.clone(),
            key_header,
            speaks,
            project: fields.project.clone(),
            priority: fields.priority,
            weight: fields.weight,
            concurrency_max: fields.max_concurrency,
            sharing,
            models,
            extra_headers: (self.taken_away.no_headers || !headers.is_empty()).then_some(headers),
            first_byte: fields.first_byte_timeout,
            unary: fields.unary_timeout,
            idle: fields.idle_timeout,
            proxy: way.map(Way::proxy),
            clients,
            daily_cost_max: fields.daily_cost,
            ends_at: ends.map(moment),
            model_map: (self.taken_away.no_map || !fields.map.is_empty()).then_some(fields.map),
            payload: (self.taken_away.no_fields || !payload.is_empty()).then_some(payload),
            ..AccountChange::default()
        };
        let edit = AccountEdit { fields: change, secret: self.secret.read()?, oauth, stop_at };
        let (selection, answers) = self.which.read();
        let done = account::set(&context.store, &selection, edit, context.now).await?;
        Ok((done, answers))
    }
}

const fn moment(expiry: Expiry) -> Option<Timestamp> {
    match expiry {
        Expiry::Never => None,
        Expiry::At(moment) => Some(moment),
    }
}

/// What is known beside the records.
fn known<'a>(context: &'a Context, live: Option<&'a LiveState>) -> Known<'a> {
    Known { live, now: context.now, zone: &context.settings.time_zone }
}

async fn list(context: &Context) -> anyhow::Result<ExitCode> {
    let live = context.live();
    let accounts = account::list(&context.store, &known(context, live.as_ref())).await?;
    context.form.answer(&accounts, |accounts| show::rows(accounts, context))
}

async fn show(context: &Context, id_or_name: &str) -> anyhow::Result<ExitCode> {
    let live = context.live();
    let known = known(context, live.as_ref());
    let shown = account::show(&context.store, id_or_name, &known).await?;
    context.form.answer(&shown, |account| show::text(account, context))
}

/// Shows accounts as they are after a command: one as one value, several as an array.
async fn show_changed(
    context: &Context,
    done: &[AccountId],
    answers: Answers,
) -> anyhow::Result<ExitCode> {
    let live = context.live();
    let known = known(context, live.as_ref());
    let selection = Selection::Named(done.iter().map(ToString::to_string).collect());
    let shown = account::show_several(&context.store, &selection, &known).await?;
    let text = |accounts: &[_]| show::changed(accounts, answers, context);
    match (answers, shown.as_slice()) {
        (Answers::One, [one]) => context.form.answer(one, |one| text(std::slice::from_ref(one))),
        (_, several) => context.form.answer(several, text),
    }
}

async fn remove(context: &Context, which: Several) -> anyhow::Result<ExitCode> {
    let (selection, answers) = which.read();
    let gone = account::remove(&context.store, &selection, context.now).await?;
    let words: Vec<_> = gone.iter().map(|id| tr!("removed {id}", id)).collect();
    let words = if words.is_empty() { tr!("no accounts") } else { words.join("\n") };
    let value = |id: &AccountId| json!({"id": id, "removed": true});
    match (answers, gone.as_slice()) {
        (Answers::One, [id]) => context.form.answer(&value(id), |_| words),
        (_, gone) => context.form.answer(&gone.iter().map(value).collect::<Value>(), |_| words),
    }
}
