//! Which accounts a command is about.

use clap::Args;

use crate::verbs::account::Selection;

/// One account, several, those of a group, or all.
#[derive(Debug, Args)]
pub(in crate::cli) struct Several {
    /// Ids or names; nothing is done if one of them is wrong
    #[arg(
        value_name = "ID_OR_NAME",
        required_unless_present_any = ["all", "of_group"],
        conflicts_with_all = ["all", "of_group"]
    )]
    names: Vec<String>,
    /// All accounts
    #[arg(long, conflicts_with = "of_group")]
    all: bool,
    /// The accounts of this group
    #[arg(long = "group", id = "of_group", value_name = "GROUP")]
    group: Option<String>,
}

/// How many answers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// One value: one account was named.
    One,
    /// An array: several were asked for, however many there are.
    Several,
}

impl Several {
    /// The accounts, and how many answers that makes.
    pub(super) fn read(self) -> (Selection, Answers) {
        let answers = if self.names.len() == 1 { Answers::One } else { Answers::Several };
        let selection = match self.group {
            Some(group) => Selection::Group(group),
            None if self.all => Selection::All,
            None => Selection::Named(self.names),
        };
        (selection, answers)
    }
}
