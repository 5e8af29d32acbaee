//! The real binary, in processes of its own: killed, locked out, without space, started wrongly,
//! stopped in the middle of calls, and read for what it must not say.

mod books;
mod crash;
mod full;
mod locked;
mod logs;
mod site;
mod start;
mod stop;

/// The binary under test.
const CRS: &str = env!("CARGO_BIN_EXE_crs");
