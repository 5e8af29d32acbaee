//! Clients of the other families, each on an account of its own: the same loads as Claude's, shorter.

use relay_core::protocol::Protocol;

use super::{Bench, paced, unary};
use crate::figures::Figures;
use crate::report::Table;
use crate::stand::Stand;

/// Chat and Responses on an `openai-api` account, Google's own on a `gemini-api` one.
pub(crate) const FAMILIES: [Protocol; 3] = [Protocol::Chat, Protocol::Responses, Protocol::Gemini];

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let mut calls = unary::tables("Unary calls of other families", "protocol, body, connections");
    let mut streams = paced::tables("Paced streams of other families");
    for protocol in FAMILIES {
        let stand = Stand::start(&bench.programs, protocol)?;
        unary::rows(&stand, protocol, &bench.plan.families, &mut calls, figures)?;
        paced::rows(&stand, protocol, &bench.plan.families, &mut streams, figures)?;
    }
    Ok([calls, streams].concat())
}
