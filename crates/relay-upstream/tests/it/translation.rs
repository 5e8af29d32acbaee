//! The tables of docs/translation.md and its Chinese twin: made from the table of accounts and from
//! what the codecs declare, and the documents have to hold them.
//!
//! `UPDATE_DOCS=1 cargo nextest run -p relay-upstream --test it translation` writes them anew.

mod chinese;

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use relay_core::account::{
    Account, AccountKind, ClientRule, Deadlines, KeyHeader, OauthSettings, Sharing, Speaks,
};
use relay_core::clock::Timestamp;
use relay_core::endpoint::Endpoint;
use relay_core::id::AccountId;
use relay_core::protocol::Protocol;
use relay_core::quota::StopAt;
use relay_upstream::profile::{asked, profile};
use relay_wire::hub::{Loss, Losses, Refusal};
use relay_wire::translate::{Pair, pairs};

/// The language of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    English,
    Chinese,
}

/// The clients of conversations, with the accounts that each is translated for.
const CLIENTS: [Endpoint; 4] =
    [Endpoint::Messages, Endpoint::Chat, Endpoint::Completions, Endpoint::Responses];

#[test]
fn the_documents_hold_these_tables() {
    for (file, language) in
        [("translation.md", Language::English), ("translation.zh-CN.md", Language::Chinese)]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
        let kept = fs::read_to_string(&path).expect("the document");
        let mut made = put(&kept, "accounts", &accounts(language));
        for client in CLIENTS {
            made = put(&made, word(client), &losses(client, language));
        }
        made = put(&made, "refused", &refused(language));
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &made).expect("the document is written");
        } else {
            assert_eq!(kept, made, "{file} is not what the code says: see this test's file");
        }
    }
}

/// The document with this table in its place.
fn put(document: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- table: {name} -->\n"), "<!-- end -->");
    let (before, rest) = document.split_once(&begin).expect("the table's place");
    let (_, after) = rest.split_once(end).expect("the end of the table");
    format!("{before}{begin}{table}{end}{after}")
}

const fn word(client: Endpoint) -> &'static str {
    match client {
        Endpoint::Messages => "messages",
        Endpoint::Chat => "chat",
        Endpoint::Completions => "completions",
        _ => "responses",
    }
}

const fn name_of(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Messages => "Messages",
        Endpoint::CountTokens => "Messages `count_tokens`",
        Endpoint::Chat => "Chat",
        Endpoint::Completions => "`completions`",
        Endpoint::Embeddings => "`embeddings`",
        Endpoint::Images => "`images/generations`",
        Endpoint::Responses => "Responses",
        Endpoint::Compact => "Responses `compact`",
        Endpoint::CountInput => "Responses `input_tokens`",
        Endpoint::Generate => "Gemini `generateContent`",
        Endpoint::CountContents => "Gemini `countTokens`",
        Endpoint::EmbedBatch => "Gemini `batchEmbedContents`",
        Endpoint::Embed => "Gemini `embedContent`",
    }
}

/// What each kind of account is asked for what clients ask.
fn accounts(language: Language) -> String {
    let elsewhere = match language {
        Language::English => "`openai-api`, another host",
        Language::Chinese => "`openai-api`（其他主机）",
    };
    let mut columns: Vec<(String, Account)> = Vec::new();
    for kind in AccountKind::ALL {
        columns.push((format!("`{}`", kind.as_str()), account(kind)));
        if kind == AccountKind::OpenaiApi {
            let base_url = "https://models.example.com".to_owned();
            columns.push((elsewhere.to_owned(), Account { base_url, ..account(kind) }));
        }
    }
    let client = match language {
        Language::English => "Client",
        Language::Chinese => "客户端",
    };
    let mut table = head(client, columns.iter().map(|(name, _)| name.as_str()));
    for endpoint in Endpoint::ALL {
        let cell = |account: &Account| match asked(account, endpoint) {
            Some(same) if same == endpoint => "✓".to_owned(),
            Some(other) => format!("→ {}", name_of(other)),
            None => "–".to_owned(),
        };
        let cells = columns.iter().map(|(_, account)| cell(account));
        row(&mut table, name_of(endpoint), cells);
    }
    table
}

/// What a client's requests and answers lose, by the accounts' protocols.
fn losses(client: Endpoint, language: Language) -> String {
    let pairs: Vec<Pair> = pairs().filter(|pair| pair.client == client).collect();
    let all: Losses =
        pairs.iter().flat_map(|it| it.losses_there().into_iter().chain(it.losses_back())).collect();
    let what = match language {
        Language::English => "Lost",
        Language::Chinese => "丢失的内容",
    };
    let mut table = head(what, pairs.iter().map(|pair| protocol(pair.account)));
    for loss in all {
        let name = match language {
            Language::English => loss.words(),
            Language::Chinese => chinese::loss(loss),
        };
        row(&mut table, name, pairs.iter().map(|pair| way(*pair, loss, language).to_owned()));
    }
    table
}

const fn protocol(account: Endpoint) -> &'static str {
    match account.protocol() {
        Protocol::Messages => "Messages",
        Protocol::Chat => "Chat",
        Protocol::Responses => "Responses",
        Protocol::Gemini => "Gemini",
    }
}

/// On which way something is lost.
fn way(pair: Pair, loss: Loss, language: Language) -> &'static str {
    let (there, back) = (pair.losses_there().contains(&loss), pair.losses_back().contains(&loss));
    match (there, back, language) {
        (true, true, Language::English) => "both",
        (true, false, Language::English) => "request",
        (false, true, Language::English) => "answer",
        (true, true, Language::Chinese) => "请求和回答",
        (true, false, Language::Chinese) => "请求",
        (false, true, Language::Chinese) => "回答",
        (false, false, _) => "",
    }
}

/// What is refused, by who asks and who is asked.
fn refused(language: Language) -> String {
    let (where_, what) = match language {
        Language::English => ("Where", "Refused"),
        Language::Chinese => ("情形", "拒绝的内容"),
    };
    let mut table = head(where_, [what].into_iter());
    let list = |refusals: &[Refusal]| {
        let name = |it: &Refusal| match language {
            Language::English => it.what.to_owned(),
            Language::Chinese => chinese::refusal(it.what).to_owned(),
        };
        let separator = if language == Language::English { "; " } else { "；" };
        refusals.iter().map(name).collect::<Vec<_>>().join(separator)
    };
    for client in CLIENTS {
        let pair = pairs().find(|pair| pair.client == client).expect("a pair");
        let name = match language {
            Language::English => format!("{}, from clients", name_of(client)),
            Language::Chinese => format!("{}客户端", spaced(name_of(client))),
        };
        row(&mut table, &name, [list(pair.refused_of_client())].into_iter());
    }
    for account in [Endpoint::Messages, Endpoint::Chat, Endpoint::Responses, Endpoint::Generate] {
        let pair = pairs().find(|pair| pair.account == account).expect("a pair");
        let name = match language {
            Language::English => format!("{}, for accounts", protocol(account)),
            Language::Chinese => format!("{}账户", spaced(protocol(account))),
        };
        row(&mut table, &name, [list(pair.refused_for_account())].into_iter());
    }
    table
}

/// A name before Chinese characters.
fn spaced(name: &str) -> String {
    format!("{name} ")
}

fn head<'a>(first: &str, others: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut table = String::new();
    row(&mut table, first, others.clone().map(str::to_owned));
    row(&mut table, "---", others.map(|_| "---".to_owned()));
    table
}

fn row(table: &mut String, first: &str, others: impl Iterator<Item = String>) {
    let cells: Vec<String> = [first.to_owned()].into_iter().chain(others).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(table, "| {} |", cells.join(" | "));
}

/// An account of this kind as it is added.
fn account(kind: AccountKind) -> Account {
    Account {
        id: AccountId(1),
        name: String::new(),
        note: String::new(),
        kind,
        base_url: profile(kind).default_base_url.to_owned(),
        key_header: KeyHeader::Auto,
        speaks: Speaks::Both,
        project: None,
        enabled: true,
        priority: 50,
        weight: 1,
        concurrency_max: None,
        sharing: Sharing::Shared,
        models: Vec::new(),
        model_map: Vec::new(),
        extra_headers: Vec::new(),
        payload: Vec::new(),
        proxy: None,
        clients: ClientRule::ClaudeCode,
        oauth: OauthSettings::default(),
        stop_at: StopAt::default(),
        daily_cost_max: None,
        ends_at: None,
        deadlines: Deadlines::default(),
        groups: Vec::new(),
        created_at: Timestamp::from_millis(0),
    }
}
