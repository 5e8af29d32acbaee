//! The relay: one address and a key each for the AI accounts you own.
//!
//! A request comes in through [`server`] and [`service`]; clients' addresses go to [`ingress`],
//! which authenticates and peeks; [`call`] chooses accounts, makes attempts and brings the answer
//! down. Usage goes through the journal to the database behind the calls ([`bookkeeping`]).

pub mod admin;
pub mod allowance;
pub mod app;
pub mod body;
pub mod bookkeeping;
pub mod call;
pub mod cli;
pub mod client_id;
pub mod config;
pub mod credential;
pub mod day;
pub mod demo;
pub mod expectation;
pub mod failure;
pub mod guesses;
mod hex;
pub mod ingress;
pub mod keyring;
pub mod live;
pub mod memory;
pub mod metrics;
pub mod models;
pub mod open_calls;
pub mod outbox;
pub mod prices;
pub mod randomness;
pub mod refusals;
pub mod roster;
pub mod route;
pub mod serve;
pub mod server;
pub mod service;
pub mod shutdown;
pub mod steering;
pub mod tallies;
pub mod telemetry;
pub mod text;
pub mod tokens;
pub mod upkeep;
pub mod verbs;
pub mod watch;
mod web;
