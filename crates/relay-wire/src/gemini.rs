//! Google's protocol. So far its errors.

pub mod error;
