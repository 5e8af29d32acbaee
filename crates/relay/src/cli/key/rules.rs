//! The flags of a key's rules.

use std::str::FromStr;

use clap::Args;
use ipnet::IpNet;
use relay_core::model::ModelMapping;
use relay_core::protocol::Service;

use super::limits::Given;
use crate::cli::Misuse;
use crate::cli::payload::PayloadFlags;
use crate::config;
use crate::verbs::key::{
    Change, ParseAddressesError, RulesEdit, addresses, client_ids, model_patterns,
};

/// What a key may ask, from where, and with which client.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Rules (several with commas or by repeating; empty takes a list away)"
)]
pub(super) struct RuleFlags {
    /// Allow only these models; * stands for anything
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    allow_model: Option<Vec<String>>,
    /// Refuse these models, whatever is allowed
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    deny_model: Option<Vec<String>>,
    /// Allow only these clients: claude_code, gemini_cli, codex, and those of the settings
    #[arg(long, value_name = "CLIENT", value_delimiter = ',')]
    client: Option<Vec<String>>,
    /// Allow only these services: claude, openai, gemini
    #[arg(long, value_name = "SERVICE", value_delimiter = ',', value_parser = given_service)]
    service: Option<Vec<Given<Service>>>,
    /// Allow calls only from these addresses: 192.0.2.7, 10.0.0.0/8
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    allow_ip: Option<Vec<Given<Range>>>,
    /// The most output tokens: calls that ask for more get so many; 0 is no limit
    #[arg(long, value_name = "N")]
    max_output_tokens: Option<u64>,
    /// The largest body, such as 10m; 0 is no limit
    #[arg(long, value_name = "BYTES", value_parser = body_size)]
    max_body: Option<u64>,
    /// Replace a model, or a pattern of them, by another: fast=claude-haiku-4-5
    #[arg(long, value_name = "ALIAS=MODEL")]
    map: Option<Vec<Given<ModelMapping>>>,
    #[command(flatten)]
    payload: PayloadFlags,
    /// Go to the shared accounts where those that it is bound to cannot serve
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    fallback: Option<bool>,
}

/// Addresses: one, or a range of them.
#[derive(Debug, Clone, Copy)]
struct Range(IpNet);

impl FromStr for Range {
    type Err = ParseAddressesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        addresses(text).map(Self)
    }
}

fn given_service(text: &str) -> Result<Given<Service>, String> {
    if text.trim().is_empty() {
        Ok(Given(None))
    } else {
        super::service(text).map(|it| Given(Some(it)))
    }
}

fn body_size(text: &str) -> Result<u64, String> {
    if text.trim() == "0" { Ok(0) } else { config::size(text) }
}

impl RuleFlags {
    /// What is to be changed; `own` are the ids of the clients that settings add.
    pub(super) fn edit(self, own: &[&str]) -> anyhow::Result<RulesEdit> {
        Ok(RulesEdit {
            allowed_models: Change::of(self.allow_model.as_deref().map(model_patterns)),
            denied_models: Change::of(self.deny_model.as_deref().map(model_patterns)),
            services: Change::of(self.service.map(given)),
            clients: Change::of(self.client.as_deref().map(|it| clients(it, own)).transpose()?),
            addresses: Change::of(self.allow_ip.map(ranges)),
            aliases: Change::of(self.map.map(given)),
            output_tokens_max: Change::of(self.max_output_tokens),
            body_bytes_max: Change::of(self.max_body),
            payload: match self.payload.rules() {
                rules if rules.is_empty() => Change::Keep,
                rules => Change::Set(rules),
            },
            fallback: Change::of(self.fallback),
        })
    }
}

/// The values that are given, without empty ones.
fn given<T>(list: Vec<Given<T>>) -> Vec<T> {
    list.into_iter().filter_map(|Given(value)| value).collect()
}

fn ranges(list: Vec<Given<Range>>) -> Vec<IpNet> {
    given(list).into_iter().map(|Range(range)| range).collect()
}

fn clients(list: &[String], own: &[&str]) -> anyhow::Result<Vec<String>> {
    client_ids(list, own).map_err(|error| Misuse(error.to_string()).into())
}
