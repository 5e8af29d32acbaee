//! Anthropic Messages: errors in its shape, and the usage that its answers state.

pub mod error;
pub mod meter;
mod usage;
