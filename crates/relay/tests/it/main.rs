//! The relay as a whole.

mod bytes;
mod calls;
mod cli;
mod edits;
mod failover;
mod heavy;
mod ingress;
mod kit;
mod pins;
mod settle;
mod shutdown;
mod streams;
