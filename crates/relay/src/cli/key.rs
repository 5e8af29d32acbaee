//! `crs key`: keys for people and tools.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use relay_core::id::KeyId;
use relay_core::protocol::Service;
use relay_store::keys::Expiry;
use serde::Serialize;
use serde_json::json;

use crate::cli::Which;
use crate::cli::context::Context;
use crate::cli::terminal::{Column, facts, table};
use crate::cli::when::{Ends, When};
use crate::text::tr;
use crate::verbs::key::{self, BindingSpec, Count, IssuedKey, KeyAddition, KeyEdit, KeyView};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Give out a key, or several; each is shown this once
    Add(Add),
    /// List the keys
    List,
    /// Show a key
    Show(Which),
    /// Change fields of a key
    Set(Set),
    /// Switch a key off
    Disable(Which),
    /// Switch a disabled key on again
    Enable(Which),
    /// Remove a key
    Remove(Which),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Name of the key; unique
    #[arg(long)]
    name: String,
    /// Give out so many, named NAME-1, NAME-2 and so on
    #[arg(long, value_name = "N")]
    count: Option<u16>,
    /// When it ends: a span from now (30d), the end of a day (2026-12-31) or a moment (RFC 3339)
    #[arg(long, value_name = "WHEN")]
    expires: Option<When>,
    /// Where calls of a service are served
    #[arg(long, value_name = "claude=ACCOUNT|group:GROUP")]
    bind: Vec<BindingSpec>,
    /// Whose it is
    #[arg(long)]
    owner: Option<String>,
    /// A note for people
    #[arg(long)]
    note: Option<String>,
    /// A word to find it by
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    #[command(flatten)]
    which: Which,
    /// Another name
    #[arg(long)]
    name: Option<String>,
    /// When it ends: a span from now, the end of a day, a moment, or never
    #[arg(long, value_name = "WHEN")]
    expires: Option<Ends>,
    /// Where calls of a service are served
    #[arg(long, value_name = "claude=ACCOUNT|group:GROUP")]
    bind: Vec<BindingSpec>,
    /// Serve calls of a service by the shared accounts again
    #[arg(long, value_name = "SERVICE", value_parser = service)]
    unbind: Vec<Service>,
    /// Whose it is
    #[arg(long)]
    owner: Option<String>,
    /// A note for people
    #[arg(long)]
    note: Option<String>,
    /// A word to find it by, in place of those it has; empty takes them away
    #[arg(long = "tag", value_name = "TAG")]
    tags: Option<Vec<String>>,
}

/// A key just given out, with its secret.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    view: &'a KeyView,
    key: &'a str,
}

impl KeyCommand {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let (store, now) = (&context.store, context.now);
        let id = match self {
            Self::Add(add) => return add.run(context).await,
            Self::List => {
                let keys = key::list(store, context.live().as_ref()).await?;
                return context.form.answer(&keys, |keys| rows(keys, context));
            }
            Self::Remove(which) => {
                let id = key::remove(store, &which.id_or_name, now).await?;
                let removed = json!({"id": id, "removed": true});
                return context.form.answer(&removed, |_| tr!("removed {id}", id));
            }
            Self::Show(which) => return show(context, &which.id_or_name).await,
            Self::Set(set) => set.run(context).await?,
            Self::Disable(which) => key::disable(store, &which.id_or_name, now).await?,
            Self::Enable(which) => key::enable(store, &which.id_or_name, now).await?,
        };
        show(context, &id.to_string()).await
    }
}

impl Add {
    async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let zone = &context.settings.time_zone;
        let expires_at = self.expires.map(|when| when.ahead(context.now, zone)).transpose()?;
        let addition = KeyAddition {
            name: self.name,
            count: self.count.map_or(Count::One, Count::Numbered),
            note: self.note.unwrap_or_default(),
            owner: self.owner.unwrap_or_default(),
            expires_at,
            bindings: self.bind,
            tags: self.tags,
        };
        let prefix = &context.settings.api_key_prefix;
        let issued = key::add(&context.store, &addition, prefix, context.now).await?;
        let shown: Vec<Shown<'_>> = issued.iter().map(Shown::of).collect();
        match (addition.count, shown.as_slice()) {
            (Count::One, [one]) => context.form.answer(one, |one| words(std::slice::from_ref(one))),
            (_, several) => context.form.answer(several, words),
        }
    }
}

impl<'a> Shown<'a> {
    fn of(issued: &'a IssuedKey) -> Self {
        Self { view: &issued.view, key: issued.secret.expose() }
    }
}

impl Set {
    async fn run(self, context: &Context) -> anyhow::Result<KeyId> {
        let zone = &context.settings.time_zone;
        let expiry = match self.expires {
            None => None,
            Some(Ends::Never) => Some(Expiry::Never),
            Some(Ends::When(when)) => Some(Expiry::At(when.ahead(context.now, zone)?)),
        };
        let edit = KeyEdit {
            name: self.name,
            note: self.note,
            owner: self.owner,
            expiry,
            bind: self.bind,
            unbind: self.unbind,
            tags: self.tags,
        };
        Ok(key::set(&context.store, &self.which.id_or_name, &edit, context.now).await?)
    }
}

fn service(text: &str) -> Result<Service, String> {
    Service::from_name(text).ok_or_else(|| "the services are claude, openai and gemini".to_owned())
}

async fn show(context: &Context, id_or_name: &str) -> anyhow::Result<ExitCode> {
    let shown = key::show(&context.store, id_or_name, context.live().as_ref()).await?;
    context.form.answer(&shown, |key| text(key, context))
}

/// The keys, and that this is the time to copy them.
fn words(shown: &[Shown<'_>]) -> String {
    let columns = [tr!("id"), tr!("name"), tr!("key")].map(Column::Words);
    let row =
        |it: &Shown<'_>| vec![it.view.id.to_string(), it.view.name.clone(), it.key.to_owned()];
    let keys = table(&columns, shown.iter().map(row).collect(), "");
    keys + "\n\n" + &tr!("Shown only this once: copy it now.")
}

fn rows(keys: &[KeyView], context: &Context) -> String {
    use Column::{Number, Words};
    let columns = [
        Words(tr!("id")),
        Words(tr!("name")),
        Words(tr!("owner")),
        Words(tr!("state")),
        Words(tr!("ends")),
        Words(tr!("bound to")),
        Words(tr!("tags")),
        Number(tr!("calls now")),
        Number(tr!("calls")),
        Number(tr!("cost")),
        Words(tr!("key")),
    ];
    let row = |key: &KeyView| {
        vec![
            key.id.to_string(),
            key.name.clone(),
            key.owner.clone(),
            state(key, context),
            context.time(key.expires_at),
            bindings(key),
            key.tags.join(", "),
            key.in_flight.to_string(),
            key.used.calls.to_string(),
            key.used.cost.to_string(),
            format!("…{}", key.secret_tail),
        ]
    };
    table(&columns, keys.iter().map(row).collect(), &tr!("no keys yet: crs key add --name NAME"))
}

fn text(key: &KeyView, context: &Context) -> String {
    facts(&[
        (tr!("id"), key.id.to_string()),
        (tr!("name"), key.name.clone()),
        (tr!("owner"), key.owner.clone()),
        (tr!("state"), state(key, context)),
        (tr!("ends"), context.time(key.expires_at)),
        (tr!("bound to"), bindings(key)),
        (tr!("tags"), key.tags.join(", ")),
        (tr!("calls now"), key.in_flight.to_string()),
        (tr!("calls"), key.used.calls.to_string()),
        (tr!("tokens"), key.used.tokens.to_string()),
        (tr!("cost"), key.used.cost.to_string()),
        (tr!("key"), format!("…{}", key.secret_tail)),
        (tr!("note"), key.note.clone()),
        (tr!("given out"), context.time(Some(key.created_at))),
        (tr!("first used"), context.time(key.first_used_at)),
    ])
}

fn state(key: &KeyView, context: &Context) -> String {
    match key.expires_at {
        _ if !key.enabled => tr!("disabled"),
        Some(end) if end <= context.now => tr!("expired"),
        _ => tr!("able"),
    }
}

fn bindings(key: &KeyView) -> String {
    let pair = |(service, target): (&Service, &String)| format!("{}={target}", service.as_str());
    key.bindings.iter().map(pair).collect::<Vec<_>>().join(", ")
}
