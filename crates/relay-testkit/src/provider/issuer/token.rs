//! The token endpoint: codes and refresh tokens in, access tokens out.

use std::pin::pin;
use std::time::{Duration, Instant};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::Issuer;
use super::book::{Exchange, Grant, REUSED, Refusal, Turn};
use super::form::Fields;
use super::gate::Side;
use super::identity::{Realm, id_token};
use super::seen::RefreshOutcome;
use crate::answer::{Answer, Fault, Moment};
use crate::base64::{Alphabet, encode};
use crate::format::Family;
use crate::provider::log::SeenRequest;
use crate::provider::time::TimeSource;

/// How long a verifier may be, by RFC 7636.
const VERIFIER_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// A refresh whose answer is on its way.
#[derive(Debug)]
pub(in crate::provider) struct Ticket<'a> {
    issuer: &'a Issuer,
    number: usize,
}

impl Ticket<'_> {
    /// Notes that the client did not get the whole answer.
    pub(in crate::provider) fn undelivered(self) {
        self.write(|outcome| match outcome {
            RefreshOutcome::Granted => RefreshOutcome::Lost,
            RefreshOutcome::Waiting => RefreshOutcome::Failed,
            decided => decided,
        });
    }

    fn write(&self, change: impl FnOnce(RefreshOutcome) -> RefreshOutcome) {
        self.issuer.with(|book| {
            if let Some(outcome) = book.outcome(self.number) {
                *outcome = change(*outcome);
            }
        });
    }
}

impl Issuer {
    pub(super) async fn token(
        &self,
        (realm, seen): (Realm, &SeenRequest),
        time: &TimeSource,
        left: impl Future<Output = ()>,
    ) -> (Answer, Option<Ticket<'_>>) {
        let wrong = |what| (refused(realm, ("invalid_request", what)), None);
        let Some(fields) = fields_of(realm, seen) else {
            return wrong("the body is not in the form that is understood here");
        };
        if realm == Realm::Google && fields.get("client_secret").is_empty() {
            return wrong("client_secret is missing.");
        }
        match fields.get("grant_type") {
            "refresh_token" => {
                let (answer, ticket) = self.refresh((realm, &fields), time, left).await;
                (answer, Some(ticket))
            }
            "authorization_code" => (self.exchange(realm, &fields, time), None),
            _ => (refused(realm, ("unsupported_grant_type", "grant_type is not supported")), None),
        }
    }

    async fn refresh(
        &self,
        (realm, fields): (Realm, &Fields),
        time: &TimeSource,
        left: impl Future<Output = ()>,
    ) -> (Answer, Ticket<'_>) {
        let token = fields.get("refresh_token");
        let number = self.with(|book| book.note(token, Instant::now()));
        let ticket = Ticket { issuer: self, number };
        let mut left = pin!(left);
        let gate = self.gate.lock().clone();
        if let Some(gate) = &gate
            && !gate.pass(Side::Requests, left.as_mut()).await
        {
            // Nobody is there to read it.
            return (Answer::status(503), ticket);
        }
        let turn = self.with(|book| {
            let turn = match fields.get("client_id") {
                "" => Turn::Refused(("invalid_request", "client_id is required")),
                client_id => book.refresh((realm, token), client_id, time.now()),
            };
            if let Some(outcome) = book.outcome(number) {
                *outcome = outcome_of(&turn);
            }
            turn
        });
        if let Some(gate) = &gate {
            gate.pass(Side::Answers, left).await;
        }
        let answer = match turn {
            Turn::Granted(grant) => granted(&grant, time),
            Turn::Lost => Answer::status(200).breaks(Fault::Cut, Moment::Head),
            Turn::Failed(status) => Answer::refused(status).in_shape_of(match realm {
                Realm::Claude => Family::Anthropic,
                Realm::ChatGpt => Family::OpenAi,
                Realm::Google => Family::Google,
            }),
            Turn::Refused(refusal) => refused(realm, refusal),
        };
        (answer.delay(*self.delay.lock()), ticket)
    }

    fn exchange(&self, realm: Realm, fields: &Fields, time: &TimeSource) -> Answer {
        let verifier = fields.get("code_verifier");
        if !VERIFIER_CHARS.contains(&verifier.len()) {
            return refused(realm, ("invalid_request", "code_verifier has no good length"));
        }
        let ask = Exchange {
            code: fields.get("code"),
            client_id: fields.get("client_id"),
            redirect_uri: fields.get("redirect_uri"),
            state: fields.get("state"),
            challenge: &encode(&Sha256::digest(verifier), Alphabet::Url),
            lifetime: fields.get("expires_in").parse().ok().map(Duration::from_secs),
        };
        self.with(|book| book.exchange(realm, &ask, time.now()))
            .map_or_else(|refusal| refused(realm, refusal), |grant| granted(&grant, time))
    }
}

fn outcome_of(turn: &Turn) -> RefreshOutcome {
    match turn {
        Turn::Granted(_) => RefreshOutcome::Granted,
        Turn::Lost => RefreshOutcome::Lost,
        Turn::Failed(_) => RefreshOutcome::Failed,
        Turn::Refused(_) => RefreshOutcome::Refused,
    }
}

/// The fields of a form; Claude takes JSON too.
fn fields_of(realm: Realm, seen: &SeenRequest) -> Option<Fields> {
    let kind = seen.header("content-type").split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "application/json" if realm == Realm::Claude => Fields::of_json(&seen.body),
        "application/x-www-form-urlencoded" => {
            std::str::from_utf8(&seen.body).ok().map(Fields::of_form)
        }
        _ => None,
    }
}

fn refused(realm: Realm, (code, description): Refusal) -> Answer {
    match (realm, code) {
        (Realm::ChatGpt, REUSED) => chatgpt_refusal(REUSED, description),
        (Realm::ChatGpt, "invalid_grant") => {
            chatgpt_refusal("refresh_token_invalidated", description)
        }
        _ => {
            // The others do not tell a used token from one that never was.
            let (code, description) = match code {
                REUSED => ("invalid_grant", "Refresh token not found or invalid"),
                _ => (code, description),
            };
            let body = json!({"error": code, "error_description": description});
            Answer::status(400).json(&body)
        }
    }
}

fn chatgpt_refusal(code: &str, message: &str) -> Answer {
    Answer::openai_error(401, "invalid_request_error", code, message)
}

fn granted(grant: &Grant, time: &TimeSource) -> Answer {
    let owner = &grant.owner;
    let mut body = json!({
        "token_type": "Bearer",
        "access_token": grant.access_token,
        "expires_in": grant.lifetime.as_secs(),
        "scope": grant.scope,
    });
    if grant.realm == Realm::Claude {
        body["account"] = json!({
            "uuid": format!("account-{owner}"), "email_address": super::access::email(owner),
        });
        body["organization"] = json!({
            "uuid": format!("organization-{owner}"), "name": super::access::home(owner),
        });
    }
    for (name, token) in
        [("id_token", id_token(grant, time.now())), ("refresh_token", grant.refresh_token.clone())]
    {
        if let Some(token) = token {
            body[name] = token.into();
        }
    }
    Answer::status(200).json(&body)
}
