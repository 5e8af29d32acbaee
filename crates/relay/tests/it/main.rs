//! The relay as a whole.

mod bytes;
mod calls;
mod cli;
mod clients;
mod cooldowns;
mod demo;
mod edits;
mod failover;
mod heavy;
mod ingress;
mod kit;
mod live;
mod metrics;
mod oauth;
mod pins;
mod proxies;
mod quotas;
mod settle;
mod shutdown;
mod streams;
