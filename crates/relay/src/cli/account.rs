//! `crs account`: upstream accounts.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use relay_core::account::{AccountKind, Deadlines, ExtraHeader, KeyHeader, Sharing};
use relay_core::model::{ModelMapping, ModelPattern};
use relay_store::accounts::{AccountChange, NewAccount};
use relay_upstream::client::{Client, tls_config};
use relay_upstream::profile::profile;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::secret::SecretSource;
use crate::cli::terminal::{Column, facts, table};
use crate::cli::{Misuse, Which, later, when};
use crate::verbs::account::{self, AccountTest, AccountView, Verdict};

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Add an account
    Add(Box<Add>),
    /// List the accounts
    List,
    /// Show an account
    Show(Which),
    /// Change fields of an account
    Set(Box<Set>),
    /// Switch an account off
    Pause(Which),
    /// Switch a paused account on again
    Resume(Which),
    /// Clear every rest of an account
    Reset(Which),
    /// Ask an account's upstream whether it accepts the secret
    Test(Which),
    /// Remove an account and its secret
    Remove(Which),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Name of the account; unique
    #[arg(long)]
    name: String,
    /// Kind of account: claude-api (Anthropic, and any host that speaks Anthropic Messages)
    #[arg(long, value_parser = later::account_kind())]
    kind: AccountKind,
    #[command(flatten)]
    secret: SecretSource,
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
    which: Which,
    /// Another name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    fields: Fields,
    /// Take away all mappings of models
    #[arg(long, conflicts_with = "map")]
    no_map: bool,
    /// Take away all added headers
    #[arg(long, conflicts_with = "headers")]
    no_headers: bool,
}

/// What can be said when an account is added, and changed later.
#[derive(Debug, Args)]
struct Fields {
    /// Where it is: scheme, host and optional path prefix
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Lower goes first [default: 50]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Share of calls among accounts of one priority [default: 1]
    #[arg(long, value_name = "N")]
    weight: Option<u32>,
    /// Calls at one time; 0 is no limit
    #[arg(long, value_name = "N")]
    max_concurrency: Option<u32>,
    /// Models it serves, with * for anything, separated by commas; empty is all
    #[arg(long, value_name = "MODELS", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// Send a model upstream under another name
    #[arg(long, value_name = "FROM=TO")]
    map: Vec<ModelMapping>,
    /// Header in which the key is sent
    #[arg(long, value_enum, value_name = "HOW")]
    key_header: Option<KeyHeaderName>,
    /// Header to add to each request, as 'Name: value'
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Serve any key that is not bound
    #[arg(long, conflicts_with = "reserved")]
    shared: bool,
    /// Serve only keys that are bound to it or to one of its groups
    #[arg(long)]
    reserved: bool,
    /// To the first byte of a streamed answer, such as 30s; 0 is the relay's own
    #[arg(long, value_name = "SPAN", value_parser = when::deadline)]
    first_byte_timeout: Option<Duration>,
    /// To the end of an answer that is not streamed
    #[arg(long, value_name = "SPAN", value_parser = when::deadline)]
    unary_timeout: Option<Duration>,
    /// Between two bytes of a streamed answer
    #[arg(long, value_name = "SPAN", value_parser = when::deadline)]
    idle_timeout: Option<Duration>,
    /// A note for people
    #[arg(long)]
    note: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeyHeaderName {
    /// By the form of the key
    Auto,
    /// x-api-key
    XApiKey,
    /// authorization: Bearer
    Bearer,
}

impl AccountCommand {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let (store, now) = (&context.store, context.now);
        let id = match self {
            Self::List => return list(context).await,
            Self::Test(which) => return test(context, &which.id_or_name).await,
            Self::Remove(which) => {
                let id = account::remove(store, &which.id_or_name, now).await?;
                let removed = json!({"id": id, "removed": true});
                return context.form.answer(&removed, |_| format!("removed {id}"));
            }
            Self::Show(which) => return show(context, &which.id_or_name).await,
            Self::Add(add) => add.run(context).await?,
            Self::Set(set) => set.run(context).await?,
            Self::Pause(which) => account::pause(store, &which.id_or_name, now).await?,
            Self::Resume(which) => account::resume(store, &which.id_or_name, now).await?,
            Self::Reset(which) => account::reset(store, &which.id_or_name, now).await?,
        };
        show(context, &id.to_string()).await
    }
}

impl Add {
    async fn run(self, context: &Context) -> anyhow::Result<relay_core::id::AccountId> {
        let fields = self.fields;
        let headers = fields.headers()?;
        let default_base_url = profile(self.kind).default_base_url;
        let secret = self.secret.read_or_ask(&format!("secret of {}", self.name.trim()))?;
        let credential = account::credential(self.kind, &secret, context.now)?;
        let base_url = fields.base_url.clone().unwrap_or_else(|| default_base_url.to_owned());
        let new = NewAccount {
            note: fields.note.clone().unwrap_or_default(),
            key_header: fields.key_header.map_or(KeyHeader::Auto, KeyHeader::from),
            enabled: !self.disabled,
            priority: fields.priority.unwrap_or(50),
            weight: fields.weight.unwrap_or(1),
            concurrency_max: fields.max_concurrency,
            sharing: fields.sharing().unwrap_or_default(),
            models: fields.models().unwrap_or_default(),
            model_map: fields.map,
            extra_headers: headers,
            deadlines: Deadlines {
                first_byte: fields.first_byte_timeout,
                unary: fields.unary_timeout,
                idle: fields.idle_timeout,
            },
            ..NewAccount::signed_in(&self.name, self.kind, &base_url, credential)
        };
        Ok(account::add(&context.store, new, &self.groups, context.now).await?)
    }
}

impl Set {
    async fn run(self, context: &Context) -> anyhow::Result<relay_core::id::AccountId> {
        let fields = self.fields;
        let headers = fields.headers()?;
        let change = AccountChange {
            name: self.name,
            note: fields.note.clone(),
            base_url: fields.base_url.clone(),
            key_header: fields.key_header.map(KeyHeader::from),
            enabled: None,
            priority: fields.priority,
            weight: fields.weight,
            concurrency_max: fields.max_concurrency,
            sharing: fields.sharing(),
            models: fields.models(),
            extra_headers: (self.no_headers || !headers.is_empty()).then_some(headers),
            first_byte: fields.first_byte_timeout,
            unary: fields.unary_timeout,
            idle: fields.idle_timeout,
            credential: self.secret.read()?.map(relay_core::credential::Credential::ApiKey),
            model_map: (self.no_map || !fields.map.is_empty()).then_some(fields.map),
            ..AccountChange::default()
        };
        Ok(account::set(&context.store, &self.which.id_or_name, change, context.now).await?)
    }
}

impl Fields {
    /// The headers. Their values may be secret, so they are not read by the parser of flags, which
    /// repeats what it does not understand.
    fn headers(&self) -> anyhow::Result<Vec<ExtraHeader>> {
        let read = self.headers.iter().map(|text| account::header(text));
        let read: Result<Vec<_>, _> = read.collect();
        read.map_err(|error| Misuse(format!("--header: {error}")).into())
    }

    fn models(&self) -> Option<Vec<ModelPattern>> {
        let models = self.models.as_ref()?.iter().map(|model| model.trim());
        Some(models.filter(|model| !model.is_empty()).map(ModelPattern::new).collect())
    }

    const fn sharing(&self) -> Option<Sharing> {
        match (self.shared, self.reserved) {
            (true, _) => Some(Sharing::Shared),
            (_, true) => Some(Sharing::Reserved),
            (false, false) => None,
        }
    }
}

impl From<KeyHeaderName> for KeyHeader {
    fn from(name: KeyHeaderName) -> Self {
        match name {
            KeyHeaderName::Auto => Self::Auto,
            KeyHeaderName::XApiKey => Self::XApiKey,
            KeyHeaderName::Bearer => Self::Bearer,
        }
    }
}

async fn list(context: &Context) -> anyhow::Result<ExitCode> {
    let accounts = account::list(&context.store, context.live().as_ref()).await?;
    context.form.answer(&accounts, |accounts| {
        use Column::{Number, Words};
        let columns = [
            Words("id"),
            Words("name"),
            Words("kind"),
            Words("state"),
            Words("resumes at"),
            Number("priority"),
            Number("calls"),
            Words("groups"),
            Words("secret"),
        ];
        let row = |account: &AccountView| {
            vec![
                account.id.to_string(),
                account.name.clone(),
                account.kind.as_str().to_owned(),
                account.state.as_str().to_owned(),
                context.time(account.resumes_at),
                account.priority.to_string(),
                account.in_flight.to_string(),
                account.groups.join(", "),
                tail(account),
            ]
        };
        table(&columns, accounts.iter().map(row).collect(), "no accounts yet: crs account add")
    })
}

async fn show(context: &Context, id_or_name: &str) -> anyhow::Result<ExitCode> {
    let shown = account::show(&context.store, id_or_name, context.live().as_ref()).await?;
    context.form.answer(&shown, |account| text(account, context))
}

fn text(account: &AccountView, context: &Context) -> String {
    let limit = |max: Option<u32>| max.map_or("no limit".to_owned(), |max| max.to_string());
    let span = |millis: Option<u64>| millis.map(|ms| format!("{ms} ms")).unwrap_or_default();
    let models: Vec<_> = account.models.iter().map(ModelPattern::as_str).collect();
    let map = |rule: &ModelMapping| format!("{}={}", rule.from.as_str(), rule.to);
    let map: Vec<_> = account.map.iter().map(map).collect();
    let cause = account.rest_cause.map(|cause| cause.as_str().to_owned());
    facts(&[
        ("id", account.id.to_string()),
        ("name", account.name.clone()),
        ("kind", account.kind.as_str().to_owned()),
        ("state", account.state.as_str().to_owned()),
        ("rests for", cause.unwrap_or_default()),
        ("resumes at", context.time(account.resumes_at)),
        ("base URL", account.base_url.clone()),
        ("secret", tail(account)),
        ("priority", account.priority.to_string()),
        ("weight", account.weight.to_string()),
        ("concurrency", limit(account.max_concurrency)),
        ("calls now", account.in_flight.to_string()),
        ("groups", account.groups.join(", ")),
        (
            "serves",
            if account.sharing == Sharing::Shared { "any key" } else { "bound keys" }.into(),
        ),
        ("models", if models.is_empty() { "all".into() } else { models.join(", ") }),
        ("map", map.join(", ")),
        ("headers", account.headers.join(", ")),
        ("first byte", span(account.first_byte_timeout_ms)),
        ("unary", span(account.unary_timeout_ms)),
        ("idle", span(account.idle_timeout_ms)),
        ("note", account.note.clone()),
        ("added", context.time(Some(account.created_at))),
        ("changed", context.time(Some(account.updated_at))),
    ])
}

fn tail(account: &AccountView) -> String {
    format!("…{}", account.secret_tail)
}

async fn test(context: &Context, id_or_name: &str) -> anyhow::Result<ExitCode> {
    let client = Client::direct(&tls_config());
    let tested = account::test(&context.store, &client, id_or_name).await?;
    context.form.answer(&tested, verdict)?;
    Ok(if tested.verdict == Verdict::Works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verdict(test: &AccountTest) -> String {
    let words = match test.verdict {
        Verdict::Works => "works",
        Verdict::Refused => "the upstream does not accept the secret",
        Verdict::Unclear => "the upstream is there, but does not tell whether the secret is good",
        Verdict::Failing => "the upstream has an error of its own",
        Verdict::Unreachable => "the upstream cannot be reached",
    };
    let status = test.status.map(|status| format!(" (status {status})")).unwrap_or_default();
    let fault = test.fault.as_ref().map(|fault| format!(" ({fault})")).unwrap_or_default();
    format!("{}: {words}{status}{fault}, {} ms", test.name, test.millis)
}
