//! The one integration binary of `relay-wire`: whole streams.

mod anthropic;
mod arbitrary;
mod chat;
mod gemini;
mod meter;
mod responses;
mod translate;
