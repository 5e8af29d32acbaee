//! The table of pairs: what a client's requests and their answers lose between its protocol and an
//! account's, and what is refused. It is made of what the codecs declare, so a protocol more is a
//! row more in each of these functions.

use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;

use crate::hub::{Bounds, Loss, Losses, Refusal};
use crate::{anthropic, chat, gemini, responses};

/// A client's endpoint, and the one of an account that it is translated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// What the client asks.
    pub client: Endpoint,
    /// What the account is asked.
    pub account: Endpoint,
}

/// All pairs that are translated.
pub fn pairs() -> impl Iterator<Item = Pair> {
    Endpoint::ALL.into_iter().flat_map(|client| {
        client.translations().iter().map(move |account| Pair { client, account: *account })
    })
}

/// What readers of clients' requests declare.
const fn reads(client: Endpoint) -> Bounds {
    match client {
        Endpoint::Messages | Endpoint::CountTokens => anthropic::request::READS,
        Endpoint::Chat => chat::request::READS,
        Endpoint::Completions => chat::request::PROMPT_READS,
        Endpoint::Responses => responses::request::READS,
        _ => Bounds::NONE,
    }
}

/// What writers of requests for accounts declare.
const fn writes(account: Endpoint) -> Bounds {
    match account {
        Endpoint::Messages => anthropic::request::WRITES,
        Endpoint::Chat => chat::request::WRITES,
        Endpoint::Responses | Endpoint::CountInput => responses::request::WRITES,
        Endpoint::Generate | Endpoint::CountContents => gemini::request::WRITES,
        _ => Bounds::NONE,
    }
}

/// What readers of accounts' answers declare.
const fn answers(account: Protocol) -> Bounds {
    match account {
        Protocol::Messages => anthropic::answer::READS,
        Protocol::Chat => chat::answer::READS,
        Protocol::Responses => responses::answer::READS,
        Protocol::Gemini => gemini::answer::READS,
    }
}

/// What writers of answers to clients declare.
const fn told(client: Endpoint) -> &'static [Loss] {
    match client {
        Endpoint::Messages => anthropic::answer::WRITE_LOSSES,
        Endpoint::Chat => chat::answer::WRITE_LOSSES,
        Endpoint::Completions => chat::answer::TEXT_WRITE_LOSSES,
        Endpoint::Responses => responses::answer::WRITE_LOSSES,
        // A count is a number, and others are not translated for.
        _ => &[],
    }
}

impl Pair {
    /// What requests do without.
    pub fn losses_there(self) -> Losses {
        let (read, written) = (reads(self.client), writes(self.account));
        let written = written.losses.iter().filter(|loss| !read.unsaid.contains(loss));
        read.losses.iter().chain(written).copied().collect()
    }

    /// What answers do without.
    pub fn losses_back(self) -> Losses {
        let read = answers(self.account.protocol());
        let told = told(self.client).iter().filter(|loss| !read.unsaid.contains(loss));
        let read = read.losses.iter().filter(|_| !self.account.only_counts());
        read.chain(told).copied().collect()
    }

    /// What callers are refused for the protocol that they speak, whatever the account.
    pub const fn refused_of_client(self) -> &'static [Refusal] {
        reads(self.client).refuses
    }

    /// What callers are refused for what the account speaks.
    pub const fn refused_for_account(self) -> &'static [Refusal] {
        writes(self.account).refuses
    }
}
