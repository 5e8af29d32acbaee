//! `crs group`: groups of accounts.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::Which;
use crate::cli::context::Context;
use crate::cli::terminal::{Column, table};
use crate::text::tr;
use crate::verbs::account::Selection;
use crate::verbs::group::{self, GroupView};

#[derive(Debug, Subcommand)]
pub(super) enum GroupCommand {
    /// Make a group
    Add {
        /// Name of the group; unique
        #[arg(value_name = "NAME", required_unless_present = "name_flag")]
        name: Option<String>,
        /// The same as a flag
        #[arg(long = "name", value_name = "NAME", id = "name_flag", conflicts_with = "name")]
        name_flag: Option<String>,
    },
    /// List the groups
    List,
    /// Remove a group; its accounts stay
    Remove(Which),
    /// Put accounts into a group
    Join(Members),
    /// Take accounts out of a group
    Leave(Members),
}

#[derive(Debug, Args)]
pub(super) struct Members {
    /// The group's id or name
    group: String,
    /// The accounts' ids or names; nothing is done if one of them is wrong
    #[arg(value_name = "ACCOUNT", required_unless_present = "all", conflicts_with = "all")]
    accounts: Vec<String>,
    /// All accounts
    #[arg(long)]
    all: bool,
}

impl Members {
    fn read(self) -> (String, Selection) {
        let selection = if self.all { Selection::All } else { Selection::Named(self.accounts) };
        (self.group, selection)
    }
}

impl GroupCommand {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let (store, now) = (&context.store, context.now);
        let id = match self {
            Self::List => {
                let groups = group::list(store).await?;
                return context.form.answer(&groups, |groups| text(groups, context));
            }
            Self::Remove(which) => {
                let id = group::remove(store, &which.id_or_name, now).await?;
                let removed = json!({"id": id, "removed": true});
                return context.form.answer(&removed, |_| tr!("removed {id}", id));
            }
            Self::Add { name, name_flag } => {
                group::add(store, &name.or(name_flag).unwrap_or_default(), now).await?
            }
            Self::Join(members) => {
                let (group, accounts) = members.read();
                group::join(store, &group, &accounts, now).await?
            }
            Self::Leave(members) => {
                let (group, accounts) = members.read();
                group::leave(store, &group, &accounts, now).await?
            }
        };
        let shown = group::show(store, &id.to_string()).await?;
        context.form.answer(&shown, |group| text(std::slice::from_ref(group), context))
    }
}

fn text(groups: &[GroupView], context: &Context) -> String {
    let columns = [tr!("id"), tr!("name"), tr!("accounts"), tr!("made")].map(Column::Words);
    let row = |group: &GroupView| {
        let accounts = group.accounts.join(", ");
        let made = context.time(Some(group.created_at));
        vec![group.id.to_string(), group.name.clone(), accounts, made]
    };
    table(&columns, groups.iter().map(row).collect(), &tr!("no groups yet: crs group add NAME"))
}
