//! The real binary, in processes of its own: killed, locked out, without space, started wrongly,
//! stopped in the middle of calls, and read for what it must not say.

mod account_test;
mod books;
mod crash;
mod doctor;
mod export;
mod failover;
mod families;
mod full;
mod limits;
mod locked;
mod logs;
mod memory;
mod metrics;
mod oauth;
mod site;
mod start;
mod stop;
mod top;

/// The binary under test.
const CRS: &str = env!("CARGO_BIN_EXE_crs");
