//! Words and decisions of the relay.
//!
//! Nothing here does I/O, awaits, reads a clock or knows a provider's JSON: time and randomness
//! come in as parameters, so that every decision can be tested as a plain function.

pub mod account;
pub mod clock;
pub mod credential;
pub mod endpoint;
pub mod event;
pub mod health;
pub mod id;
pub mod key;
pub mod limit;
pub mod model;
pub mod money;
pub mod payload;
pub mod period;
pub mod price;
pub mod protocol;
pub mod proxy;
pub mod quota;
pub mod retry;
pub mod schedule;
pub mod secret;
pub mod tally;
pub mod usage;
