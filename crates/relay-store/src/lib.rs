//! What the relay remembers: the only SQL, the vault, the journal, and the state that calls share.
//!
//! [`pool::Store`] is the handle to the records; its verbs stand in the file of the table that
//! they are about. Every edit writes a row of [`changes`] in the same transaction, which is what a
//! running server reads. Ids are the database's, times and everything random the caller's.

mod account_notes;
pub mod accounts;
pub mod admin_tokens;
pub mod admins;
pub mod audit;
pub mod changes;
pub mod checkup;
mod columns;
pub mod credential_log;
pub mod data_dir;
mod days;
pub mod error;
pub mod groups;
pub mod journal;
pub mod key_counts;
pub mod key_use;
pub mod keys;
mod migrate;
pub mod outbox;
mod peppers;
pub mod pins;
mod pins_table;
pub mod pool;
pub mod prices;
pub mod refusals;
pub mod report;
pub mod rollups;
mod rows;
pub mod sessions;
mod settings;
pub mod slots;
pub mod sums;
mod tokens;
pub mod usage;
pub mod vault;
mod vault_keys;

pub use error::StoreError;
pub use pool::Store;
