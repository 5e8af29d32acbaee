//! The relay as a whole.

mod admin_accounts;
mod bytes;
mod calls;
mod cli;
mod clients;
mod cooldowns;
mod demo;
mod edits;
mod failover;
mod families;
mod guesses;
mod heavy;
mod ingress;
mod kit;
mod limits;
mod live;
mod metrics;
mod oauth;
mod pins;
mod proxies;
mod quotas;
mod rules;
mod secrets;
mod settle;
mod shutdown;
mod streams;
