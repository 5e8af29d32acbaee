//! OpenAI's protocols. So far their errors.

pub mod error;
