//! The relay as a whole.

mod bytes;
mod calls;
mod cli;
mod clients;
mod cooldowns;
mod edits;
mod failover;
mod heavy;
mod ingress;
mod kit;
mod live;
mod oauth;
mod pins;
mod proxies;
mod quotas;
mod settle;
mod shutdown;
mod streams;
