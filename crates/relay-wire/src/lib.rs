//! Bytes in, bytes out: what the relay must understand of the protocols that it passes on.
//!
//! Nothing here does I/O, awaits or reads a clock. Streams are cut into events without copying
//! them ([`sse`]), requests are read where they lie ([`peek`]), answers are metered beside the
//! stream ([`anthropic::meter`]). What a client or an upstream sent is never serialised anew: a
//! field that a rule changes is spliced into the bytes ([`splice`], [`edit`]).

pub mod anthropic;
pub mod broken;
pub mod chat;
pub mod edit;
pub mod estimate;
pub mod gemini;
pub mod hub;
mod json;
pub mod meter;
pub mod models;
pub mod openai;
pub mod peek;
pub mod responses;
pub mod splice;
pub mod sse;
pub mod translate;
