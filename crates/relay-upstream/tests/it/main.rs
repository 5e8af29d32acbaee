//! The HTTP client against real proxies, and against small ones that do as they are told.
#![expect(clippy::unwrap_used, reason = "the kit fails its test by panicking")]

mod heavy;
mod kit;
mod proxies;
mod sessions;
mod translation;
