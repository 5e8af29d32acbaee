//! How an account is reached: its profile, credentials, the HTTP client, and what its faults mean.
//!
//! Nothing here parses a conversation; bodies pass as bytes.

pub mod auth;
pub mod client;
pub mod fault;
pub mod headers;
pub mod oauth;
pub mod plan;
pub mod profile;
pub mod quota;
pub mod reset;
mod said;
pub mod target;
