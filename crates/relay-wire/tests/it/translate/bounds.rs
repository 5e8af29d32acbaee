//! What is declared as lost or refused: all of it happens, and nothing else does. That nothing else
//! does, the codecs themselves check in every test of this crate and of others.

use std::collections::BTreeSet;

use relay_core::endpoint::Endpoint;
use relay_wire::hub::{Choice, Losses, Refusal, Request, Unsupported};
use relay_wire::translate::{Host, Pair, Target, Translated, pairs, request};
use relay_wire::{anthropic, chat, gemini, responses};

use super::{answer, asker, back, batches, conversations, everything};

mod inputs;

/// Models of which the writers know different things.
const MODELS: [&str; 8] = [
    "claude-opus-5-5",
    "claude-opus-4-8",
    "claude-sonnet-4-5",
    "claude-3-5-haiku-latest",
    "gemini-2.0-flash",
    "gemini-2.5-pro",
    "gemini-3-pro",
    "gemini-4-argon",
];

/// What comes of a request with each model and service.
fn outcomes(pair: Pair, body: &[u8]) -> Vec<Result<Translated, Option<Unsupported>>> {
    let hosts = [Host::Api, Host::ChatGpt, Host::CodeAssist];
    let targets = MODELS.iter().flat_map(|model| hosts.map(|host| (*model, host)));
    let outcome = |(model, host)| {
        let target = Target { endpoint: pair.account, model, streamed: true, host };
        request(asker(pair.client), target, body).map_err(|error| error.unsupported().cloned())
    };
    targets.map(outcome).collect()
}

#[test]
fn every_declared_loss_of_a_request_happens_and_no_other() {
    let mut wrong = Vec::new();
    for pair in pairs() {
        let mut bodies = inputs::requests(pair.client);
        bodies.push(everything(pair));
        let outcomes = bodies.iter().flat_map(|body| outcomes(pair, body));
        let lost: Losses = outcomes.filter_map(Result::ok).flat_map(|it| it.losses).collect();
        let mut declared = pair.losses_there();
        if pair.account.only_counts() {
            // Some of what a conversation loses is of services that count nothing.
            declared.retain(|loss| lost.contains(loss));
        }
        wrong.extend(differences(pair, &declared, &lost));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// What is declared and never lost, and what is lost and not declared.
fn differences(pair: Pair, declared: &Losses, lost: &Losses) -> Option<String> {
    let never: Vec<_> = declared.difference(lost).collect();
    let undeclared: Vec<_> = lost.difference(declared).collect();
    let is_right = never.is_empty() && undeclared.is_empty();
    (!is_right).then(|| format!("{pair:?}: never lost {never:?}, not declared {undeclared:?}"))
}

#[test]
fn every_declared_loss_of_an_answer_happens_and_no_other() {
    let mut wrong = Vec::new();
    for pair in conversations() {
        let mut streams = inputs::answers(pair.account);
        streams.push(answer(pair.account).0.to_vec());
        let backs = [back(pair)].into_iter().chain(inputs::other_back(pair));
        let mut lost = Losses::new();
        for back in backs {
            for stream in &streams {
                let mut translator = back.stream();
                for batch in batches([stream.as_slice()]) {
                    translator.push(&batch);
                }
                translator.finish();
                lost.extend(translator.losses());
            }
        }
        wrong.extend(differences(pair, &pair.losses_back(), &lost));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn whole_answers_lose_what_their_streams_do() {
    for pair in conversations() {
        let (stream, whole) = answer(pair.account);
        let back = back(pair);
        let mut translator = back.stream();
        for batch in batches([stream]) {
            translator.push(&batch);
        }
        assert_eq!(
            back.losses_of_whole(whole).expect("an answer"),
            translator.losses(),
            "{pair:?}"
        );
    }
}

#[test]
fn all_that_readers_refuse_is_declared_and_happens() {
    for client in [Endpoint::Messages, Endpoint::Chat, Endpoint::Completions, Endpoint::Responses] {
        let account = client.translations()[0];
        let pair = Pair { client, account };
        let bodies = inputs::refused(client);
        let outcomes = bodies.iter().flat_map(|body| outcomes(pair, body.as_bytes()));
        let refused = outcomes.filter_map(Result::err).flatten();
        all_happen(pair.refused_of_client(), refused, client);
    }
}

#[test]
fn all_that_writers_refuse_is_declared_and_happens() {
    type Write = fn(&Request) -> Result<relay_wire::hub::Written, Unsupported>;
    let writers: [(Endpoint, Write); 4] = [
        (Endpoint::Messages, anthropic::request::write),
        (Endpoint::Chat, chat::request::write),
        (Endpoint::Responses, responses::request::write),
        (Endpoint::Generate, gemini::request::write),
    ];
    for (account, write) in writers {
        let refused = inputs::unwritable().into_iter().flat_map(|request| {
            let with = |model: &str| Request { model: model.to_owned(), ..request.clone() };
            MODELS.map(|model| write(&with(model)).err())
        });
        let client =
            if account == Endpoint::Messages { Endpoint::Chat } else { Endpoint::Messages };
        let pair = Pair { client, account };
        all_happen(pair.refused_for_account(), refused.flatten(), account);
    }
}

/// All of these refusals are among what came, and nothing else is.
fn all_happen(declared: &[Refusal], came: impl Iterator<Item = Unsupported>, endpoint: Endpoint) {
    let came: BTreeSet<&str> = came.map(|refused| refused.why).collect();
    let declared: BTreeSet<&str> = declared.iter().map(|it| it.why).collect();
    assert_eq!(
        (declared.difference(&came).collect(), came.difference(&declared).collect()),
        (Vec::new(), Vec::new()),
        "declared but never refused, and refused but not declared, {endpoint:?}"
    );
}

#[test]
fn one_tool_is_chosen_of_none() {
    // The same request that a client may send: the tools are all another provider's.
    let body = br#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"any"}}"#;
    let read = anthropic::request::read(body).expect("a request").request;
    assert_eq!(read.choice, Choice::Required);
    for pair in pairs().filter(|pair| pair.client == Endpoint::Messages) {
        let refused = super::translated(pair, body).expect_err("no tool is left").to_string();
        assert!(refused.contains("no tool is left"), "{refused}");
    }
}
