//! OpenAI Responses: its requests and answers to and from the [hub](crate::hub), and what the relay
//! must know of those that it passes on.
//!
//! Tools may stand in namespaces there. The hub has none: [`Names`] says how they are told to a
//! model that has none either, and undoes it in the answer.

pub mod answer;
mod citation;
mod echo;
pub mod meter;
mod names;
pub mod peek;
pub mod request;
pub mod socket;
mod usage;

pub use self::echo::Echo;
pub use self::names::Names;

/// What a client wants of the form of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wishes {
    /// What of its request the answer repeats.
    pub echo: Echo,
    /// Its tools that stand in namespaces.
    pub names: Names,
}
